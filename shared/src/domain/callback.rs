//! What a signed callback of Meta's speaks of: what was there when it was issued, however late it
//! comes.

use jiff::{SignedDuration, Timestamp};

/// A signed callback may take so long to reach us; what was sent in between is erased with the
/// rest.
const CALLBACK_DELAY_MAX: SignedDuration = SignedDuration::from_mins(15);

/// So far may Meta's clock be from ours.
const CLOCK_SKEW_MAX: SignedDuration = SignedDuration::from_secs(5);

/// Until when a callback issued then, and received now, erases what a contact has sent.
///
/// A callback that is replayed later erases nothing that came after it.
#[must_use]
pub fn erased_until(issued_at: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let latest = issued_at.and_then(|issued| issued.saturating_add(CALLBACK_DELAY_MAX).ok());
    latest.map_or(now, |latest| latest.min(now))
}

/// Until when a channel was connected that a callback issued then, and received now, speaks of.
///
/// One that was connected since is not meant, not even by the echo of our own unsubscribe, so this
/// allows for no more than Meta's clock and ours differ.
#[must_use]
pub fn connected_by_then(issued_at: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let latest = issued_at.and_then(|issued| issued.saturating_add(CLOCK_SKEW_MAX).ok());
    latest.map_or(now, |latest| latest.min(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replayed_callback_erases_nothing_that_came_after_it() {
        let issued = Timestamp::from_second(1_796_100_000).unwrap();
        let soon = issued + SignedDuration::from_secs(5);
        let later = issued + SignedDuration::from_hours(30);
        assert_eq!(erased_until(Some(issued), soon), soon);
        assert_eq!(erased_until(Some(issued), later), issued + CALLBACK_DELAY_MAX);
        assert_eq!(erased_until(None, later), later);
        assert_eq!(erased_until(Some(later), soon), soon, "issued in our future");
    }
}
