//! Instants and UTC days.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// A UTC calendar day: the life of one sealing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// The UTC day that contains the instant.
    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        Self(Offset::UTC.to_datetime(at).date())
    }

    /// The UTC day of that date.
    #[must_use]
    pub const fn on(date: Date) -> Self {
        Self(date)
    }

    /// Reads `YYYY-MM-DD`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 10).then(|| text.parse().ok().map(Self)).flatten()
    }

    /// The day so many days later (earlier if negative), but no further than the calendar's ends.
    #[must_use]
    pub fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(jiff::Span::new().days(days)))
    }

    /// The day so much later, by the calendar. A date that a month does not have becomes the
    /// month's last day.
    #[must_use]
    pub fn after(self, span: jiff::Span) -> Self {
        Self(self.0.saturating_add(span))
    }

    /// Midnight UTC, where the day starts.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Offset::UTC.to_timestamp(self.0.at(0, 0, 0, 0)).unwrap_or(Timestamp::MAX)
    }

    /// Whole days from `earlier` to this day; negative when it is the later one.
    #[must_use]
    pub fn days_since(self, earlier: Self) -> i64 {
        let elapsed: SignedDuration = self.start().duration_since(earlier.start());
        elapsed.as_hours() / 24
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_runs_from_midnight_to_midnight_utc() {
        let day = Day::parse("2028-02-29").unwrap();
        assert_eq!(Day::of(at("2028-02-29T00:00:00Z")), day);
        assert_eq!(Day::of(at("2028-02-29T23:59:59.999Z")), day);
        assert_eq!(Day::of(at("2028-03-01T00:00:00Z")), day.plus(1));
        assert_eq!(day.start(), at("2028-02-29T00:00:00Z"));
    }

    #[test]
    fn days_are_counted_across_months_and_years() {
        let day = Day::parse("2026-12-30").unwrap();
        assert_eq!(day.plus(7).to_string(), "2027-01-06");
        assert_eq!(day.plus(7).days_since(day), 7);
        assert_eq!(day.days_since(day.plus(7)), -7);
    }

    #[test]
    fn only_a_full_iso_date_is_a_day() {
        for bad in ["", "2026-1-1", "2026-13-01", "2026-02-30", "20260201", "2026-02-01T00:00Z"] {
            assert_eq!(Day::parse(bad), None, "{bad:?}");
        }
    }
}
