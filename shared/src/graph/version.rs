//! The version of the Graph API that every call names (docs/meta-platform.md#versions).

use jiff::civil::{Date, date};

use crate::domain::time::Day;

/// The version. A call without one would get the oldest that lives.
pub const VERSION: &str = "v27.0";
/// The day on which the version is expected to end: two years after its release on 2026-11-04. Meta
/// has named no day yet.
const ENDS: Date = date(2028, 11, 4);
/// The alarm begins so many days before the end.
pub const ALARM_DAYS: i64 = 120;

/// How many days the version is expected to live from this day on; negative once it is over.
#[must_use]
pub fn days_left(today: Day) -> i64 {
    Day::on(ENDS).days_since(today)
}

/// Whether it is time to move to a newer version.
#[must_use]
pub fn is_ageing(today: Day) -> bool {
    days_left(today) <= ALARM_DAYS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarm_begins_120_days_before_the_end() {
        let day = |text| Day::parse(text).unwrap();
        assert_eq!(days_left(day("2028-11-03")), 1);
        assert_eq!(days_left(day("2028-11-05")), -1);
        for (text, expected) in [
            ("2026-11-04", false),
            ("2028-07-06", false),
            ("2028-07-07", true),
            ("2029-01-01", true),
        ] {
            assert_eq!(is_ageing(day(text)), expected, "{text}");
        }
    }
}
