//! The clocks of a request (R5.8): when it must be done, and when that is at risk.
//!
//! Days are UTC days, as everywhere here, and a day lasts until its midnight (Regulation 1182/71,
//! art. 3(2): a period ends with the last hour of its last day).

use jiff::Timestamp;

use super::calendar::{Calendar, same_date_next_month};
use super::time::Day;

/// A deadline is at risk during this many last days. An alarm at the start of a weekend then still
/// leaves a working week, and a healthy request takes minutes.
pub const AT_RISK_DAYS: i32 = 7;

/// The text that a deadline follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// Our policy.
    Policy30BusinessDays,
    /// The European Union's General Data Protection Regulation.
    GdprOneMonth,
    /// The California Consumer Privacy Act.
    Ccpa45Days,
}

/// A row of the table of clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// How long it runs, from the day after the request.
    pub length: Length,
    /// The text that sets it.
    pub citation: &'static str,
}

/// How long a clock runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// So many days on which offices are open.
    BusinessDays(u16),
    /// To the same date of the next month, or that month's last day.
    CalendarMonth,
    /// So many days.
    CalendarDays(i32),
}

/// The last day on which a request can be done in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// The day.
    pub day: Day,
    /// What it follows from.
    pub basis: Basis,
}

/// The deadline of a request: the earliest of all clocks. It is the same for everyone, so nobody
/// has to know where someone lives. In practice it is the month, for 30 business days are at least
/// 40 days.
//= R5.8
#[must_use]
pub fn deadline(requested_at: Timestamp) -> Deadline {
    let requested_on = Day::of(requested_at);
    let [policy, gdpr, ccpa] =
        Basis::ALL.map(|basis| Deadline { day: basis.last_day(requested_on), basis });
    policy.min(gdpr).min(ccpa)
}

impl Basis {
    /// Every basis.
    pub const ALL: [Self; 3] = [Self::Policy30BusinessDays, Self::GdprOneMonth, Self::Ccpa45Days];

    /// Its row of the table.
    #[must_use]
    pub const fn clock(self) -> Clock {
        match self {
            Self::Policy30BusinessDays => Clock {
                length: Length::BusinessDays(30),
                citation: "NUMIB privacy policy: within 30 business days",
            },
            Self::GdprOneMonth => Clock {
                length: Length::CalendarMonth,
                citation: "GDPR, art. 12(3); Regulation (EEC, Euratom) 1182/71, art. 3",
            },
            Self::Ccpa45Days => Clock {
                length: Length::CalendarDays(45),
                citation: "CCPA Regulations, 11 CCR 7021",
            },
        }
    }

    /// The last day that we allow ourselves: the earliest day that any reader of the text could
    /// compute. So only weekends are no business days. A month that ends on a weekend or a holiday
    /// is not moved to the next working day, for that helps only those who are late.
    //= R5.8
    //= R6.1
    #[must_use]
    pub fn last_day(self, requested_on: Day) -> Day {
        match self.clock().length {
            Length::BusinessDays(n) => Calendar::FEWEST_HOLIDAYS.add_business_days(requested_on, n),
            Length::CalendarMonth => same_date_next_month(requested_on),
            Length::CalendarDays(n) => requested_on.plus(n),
        }
    }

    /// The last day that the text itself allows where that calendar applies. It is never before
    /// ours. It tells whether a missed promise also broke a law; nothing is planned by it.
    #[must_use]
    pub fn lawful_last_day(self, requested_on: Day, calendar: Calendar) -> Day {
        match self.clock().length {
            Length::BusinessDays(n) => calendar.add_business_days(requested_on, n),
            Length::CalendarMonth => calendar.business_day_from(same_date_next_month(requested_on)),
            Length::CalendarDays(n) => requested_on.plus(n),
        }
    }
}

/// Whether the last day is over.
//= R5.8
#[must_use]
pub fn is_late(last_day: Day, now: Timestamp) -> bool {
    Day::of(now) > last_day
}

/// Whether the last [`AT_RISK_DAYS`] days have begun. A late request stays at risk, so an alarm on
/// risk alone misses nothing.
//= R5.8
#[must_use]
pub fn is_at_risk(last_day: Day, now: Timestamp) -> bool {
    Day::of(now).plus(AT_RISK_DAYS) > last_day
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    fn on(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn any_instant() -> impl Strategy<Value = Timestamp> {
        // 1990 to 2190.
        (631_152_000_i64..6_942_585_600).prop_map(|second| Timestamp::from_second(second).unwrap())
    }

    fn any_calendar() -> impl Strategy<Value = Calendar> {
        prop::sample::select(Calendar::ALL.to_vec())
    }

    //= R5.8
    #[test]
    fn each_clock_ends_where_its_text_says() {
        for (requested, policy, gdpr, ccpa) in [
            // Holy Week, 30 June, the end of the year, both kinds of February, a weekend.
            ("2026-03-20", "2026-05-01", "2026-04-20", "2026-05-04"),
            ("2026-06-01", "2026-07-13", "2026-07-01", "2026-07-16"),
            ("2026-12-01", "2027-01-12", "2027-01-01", "2027-01-15"),
            ("2027-01-29", "2027-03-12", "2027-02-28", "2027-03-15"),
            ("2027-01-31", "2027-03-12", "2027-02-28", "2027-03-17"),
            ("2028-01-31", "2028-03-13", "2028-02-29", "2028-03-16"),
            ("2028-02-29", "2028-04-11", "2028-03-29", "2028-04-14"),
            ("2026-12-31", "2027-02-11", "2027-01-31", "2027-02-14"),
        ] {
            let last_days = Basis::ALL.map(|basis| basis.last_day(on(requested)).to_string());
            assert_eq!(last_days, [policy, gdpr, ccpa], "{requested}");
        }
    }

    //= R5.8
    #[test]
    fn a_month_that_ends_on_a_closed_day_lawfully_ends_on_the_next_open_one() {
        use Calendar::{Guatemala, UnitedStates, Weekends};
        for (requested, calendar, lawful) in [
            ("2026-01-31", Weekends, "2026-03-02"), // 28 February is a Saturday.
            ("2026-03-02", Weekends, "2026-04-02"),
            ("2026-03-02", Guatemala, "2026-04-06"), // Holy Thursday.
            ("2026-03-02", UnitedStates, "2026-04-02"),
            ("2026-05-29", Guatemala, "2026-06-30"),
            ("2026-12-01", Guatemala, "2027-01-04"),
            ("2027-11-30", UnitedStates, "2027-12-30"),
            ("2027-12-01", UnitedStates, "2028-01-03"),
        ] {
            let last_day = Basis::GdprOneMonth.lawful_last_day(on(requested), calendar);
            assert_eq!(last_day, on(lawful), "{requested} {calendar:?}");
        }
    }

    #[test]
    fn thirty_fixed_days_are_late_for_requests_of_30_january_to_28_february_alone() {
        let start = on("2026-01-01");
        let late: Vec<Day> = (0..365)
            .map(|days| start.plus(days))
            .filter(|day| day.plus(30) > Basis::GdprOneMonth.last_day(*day))
            .collect();
        let expected: Vec<Day> = (0..30).map(|days| on("2026-01-30").plus(days)).collect();
        assert_eq!(late, expected);
    }

    //= R5.8
    #[test]
    fn a_request_is_at_risk_in_its_last_week_and_late_after_its_last_day() {
        let deadline = deadline(at("2027-01-31T23:59:59Z"));
        assert_eq!(deadline, Deadline { day: on("2027-02-28"), basis: Basis::GdprOneMonth });
        for (now, at_risk, late) in [
            ("2027-01-31T23:59:59Z", false, false),
            ("2027-02-21T23:59:59.999Z", false, false),
            ("2027-02-22T00:00:00Z", true, false),
            ("2027-02-28T23:59:59.999Z", true, false),
            ("2027-03-01T00:00:00Z", true, true),
            ("2031-01-01T00:00:00Z", true, true),
        ] {
            assert_eq!(
                (is_at_risk(deadline.day, at(now)), is_late(deadline.day, at(now))),
                (at_risk, late),
                "{now}"
            );
        }
    }

    proptest! {
        //= R5.8
        #[test]
        fn the_deadline_is_the_earliest_clock_and_never_past_a_lawful_day(
            requested_at in any_instant(), calendar in any_calendar(),
        ) {
            let requested_on = Day::of(requested_at);
            let deadline = deadline(requested_at);
            prop_assert_eq!(deadline.day, deadline.basis.last_day(requested_on));
            for basis in Basis::ALL {
                prop_assert!(deadline.day <= basis.last_day(requested_on));
                let lawful = basis.lawful_last_day(requested_on, calendar);
                prop_assert!(basis.last_day(requested_on) <= lawful);
            }
            let days = deadline.day.days_since(requested_on);
            prop_assert!((28..=31).contains(&days), "{} days", days);
        }

        //= R6.1
        #[test]
        fn thirty_business_days_are_six_weeks_less_a_weekend_at_most(
            requested_at in any_instant(),
        ) {
            let requested_on = Day::of(requested_at);
            let last_day = Basis::Policy30BusinessDays.last_day(requested_on);
            prop_assert!((40..=42).contains(&last_day.days_since(requested_on)));
            prop_assert!(Calendar::Weekends.is_business_day(last_day));
        }

        //= R5.8
        #[test]
        fn a_later_request_is_never_due_earlier(
            requested_at in any_instant(), seconds in 0_i64..10_000_000,
        ) {
            let later = requested_at + SignedDuration::from_secs(seconds);
            prop_assert!(deadline(requested_at).day <= deadline(later).day);
        }

        //= R5.8
        #[test]
        fn risk_comes_before_lateness_and_neither_goes_away(
            requested_at in any_instant(), seconds in 0_i64..5_000_000, more in 0_i64..5_000_000,
        ) {
            let deadline = deadline(requested_at);
            let now = requested_at + SignedDuration::from_secs(seconds);
            let later = now + SignedDuration::from_secs(more);
            prop_assert!(!is_at_risk(deadline.day, requested_at));
            prop_assert!(!is_late(deadline.day, now) || is_at_risk(deadline.day, now));
            prop_assert!(!is_late(deadline.day, now) || is_late(deadline.day, later));
            prop_assert!(!is_at_risk(deadline.day, now) || is_at_risk(deadline.day, later));
        }
    }
}
