//! What a signed callback from Meta covers: what was there when Meta issued it, however late the
//! callback comes.

use jiff::{SignedDuration, Timestamp};

/// How long a signed callback may take to reach us. What was sent in between is erased with the
/// rest.
const CALLBACK_DELAY_MAX: SignedDuration = SignedDuration::from_mins(15);

/// How far Meta's clock may be from ours.
const CLOCK_SKEW_MAX: SignedDuration = SignedDuration::from_secs(5);

/// The end of what a callback erases of a contact, given when it was issued and received.
///
/// A callback that is replayed later erases nothing that came after it was issued.
#[must_use]
pub fn erased_until(issued_at: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let latest = issued_at.and_then(|issued| issued.saturating_add(CALLBACK_DELAY_MAX).ok());
    latest.map_or(now, |latest| latest.min(now))
}

/// A callback covers the channels that were connected by this time, given when it was issued and
/// received.
///
/// It does not cover a channel that was connected later. Our own unsubscribing, too, makes Meta
/// send a callback, and that one must not end the next connection. So this allows for no more than
/// the difference of the clocks.
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
