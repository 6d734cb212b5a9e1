//! Which days a connection needs sealing keys for.

use super::time::Day;

/// How many days ahead keys are made, so that intake never waits for KMS.
pub const DAYS_AHEAD: i32 = 7;
/// How many days back a connection keeps keys. Meta redelivers for up to 36 hours
/// (docs/meta-platform.md#delivery).
pub const DAYS_BACK: i32 = 2;

/// The days, today included, whose public keys a connection carries.
pub fn days(today: Day) -> impl Iterator<Item = Day> {
    (-DAYS_BACK..=DAYS_AHEAD).map(move |offset| today.plus(offset))
}

/// The last day of the window: a connection with keys until then needs no more today.
#[must_use]
pub fn until(today: Day) -> Day {
    today.plus(DAYS_AHEAD)
}

/// Whether a message of that day can still be a redelivery. If so, a missing key is our fault, and
/// Meta should try again. An older day is closed for good.
#[must_use]
pub fn is_open(day: Day, today: Day) -> bool {
    day.days_since(today) >= i64::from(-DAYS_BACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_covers_every_possible_redelivery_and_a_week_ahead() {
        let today = Day::parse("2026-12-30").unwrap();
        let window: Vec<String> = days(today).map(|day| day.to_string()).collect();
        assert_eq!(window.len(), 10);
        assert_eq!(window.first().unwrap(), "2026-12-28");
        assert_eq!(window.last().unwrap(), "2027-01-06");
        assert_eq!(until(today).to_string(), "2027-01-06");
    }

    #[test]
    fn a_day_closes_once_no_redelivery_can_reach_it() {
        let today = Day::parse("2026-12-30").unwrap();
        assert!(days(today).all(|day| is_open(day, today)));
        assert!(!is_open(today.plus(-3), today));
    }
}
