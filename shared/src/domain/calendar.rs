//! Calendars: which days are business days, and the arithmetic of business days and months.
//!
//! Every holiday is a row of a table with its citation. The rules are those in force today and are
//! applied to every year: deadlines only ever look forward. Half days (24 and 31 December in
//! Guatemala) are business days, and so is 15 August, a holiday in Guatemala City alone.

use std::collections::BTreeSet;

use jiff::Span;
use jiff::civil::{Date, Weekday};
use jiff::tz::Offset;

use super::time::Day;

/// Whose holidays count. Saturdays and Sundays are closed in every calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Calendar {
    /// Nobody's: weekends only.
    Weekends,
    /// The national holidays of Guatemala.
    Guatemala,
    /// The federal holidays of the United States.
    UnitedStates,
}

/// A holiday: when it falls, how it moves, and which law says so.
#[derive(Debug, Clone, Copy)]
pub struct Holiday {
    /// What it is called.
    pub name: &'static str,
    /// Its date in a year.
    pub falls: Falls,
    /// The day it is observed on instead.
    pub moves: Moves,
    /// The law.
    pub citation: &'static str,
}

/// The date of a holiday in a year.
#[derive(Debug, Clone, Copy)]
pub enum Falls {
    /// On this day of this month.
    On(i8, i8),
    /// So many days before Easter Sunday.
    BeforeEaster(i8),
    /// On the nth such weekday of this month; -1 is the last.
    Nth(i8, Weekday, i8),
}

/// The day a holiday is observed on, where that is another one.
#[derive(Debug, Clone, Copy)]
pub enum Moves {
    /// Observed where it falls, on a weekend as well.
    Never,
    /// Tuesday and Wednesday → the Monday before; Thursday to Sunday → the Monday after.
    ToMonday,
    /// Saturday → the Friday before; Sunday → the Monday after.
    ToWeekday,
}

const ART_127: &str = "Guatemala, Código de Trabajo, art. 127";
const JUNE_30: &str = "Guatemala, Código de Trabajo, art. 127; Decretos 42-2010 and 19-2018";
const USC_6103: &str = "5 U.S.C. 6103(a)";
const OBSERVED: &str = "5 U.S.C. 6103(a) and (b); Executive Order 11582";

const GUATEMALA: [Holiday; 10] = {
    use Falls::{BeforeEaster, On};
    use Moves::{Never, ToMonday};
    [
        holiday("Año Nuevo", On(1, 1), Never, ART_127),
        holiday("Jueves Santo", BeforeEaster(3), Never, ART_127),
        holiday("Viernes Santo", BeforeEaster(2), Never, ART_127),
        holiday("Sábado Santo", BeforeEaster(1), Never, ART_127),
        holiday("Día del Trabajo", On(5, 1), Never, ART_127),
        holiday("Día del Ejército", On(6, 30), ToMonday, JUNE_30),
        holiday("Día de la Independencia", On(9, 15), Never, ART_127),
        holiday("Día de la Revolución", On(10, 20), Never, ART_127),
        holiday("Día de Todos los Santos", On(11, 1), Never, ART_127),
        holiday("Navidad", On(12, 25), Never, ART_127),
    ]
};

const UNITED_STATES: [Holiday; 11] = {
    use Falls::{Nth, On};
    use Moves::{Never, ToWeekday};
    use Weekday::{Monday, Thursday};
    [
        holiday("New Year's Day", On(1, 1), ToWeekday, OBSERVED),
        holiday("Birthday of Martin Luther King, Jr.", Nth(3, Monday, 1), Never, USC_6103),
        holiday("Washington's Birthday", Nth(3, Monday, 2), Never, USC_6103),
        holiday("Memorial Day", Nth(-1, Monday, 5), Never, USC_6103),
        holiday("Juneteenth National Independence Day", On(6, 19), ToWeekday, OBSERVED),
        holiday("Independence Day", On(7, 4), ToWeekday, OBSERVED),
        holiday("Labor Day", Nth(1, Monday, 9), Never, USC_6103),
        holiday("Columbus Day", Nth(2, Monday, 10), Never, USC_6103),
        holiday("Veterans Day", On(11, 11), ToWeekday, OBSERVED),
        holiday("Thanksgiving Day", Nth(4, Thursday, 11), Never, USC_6103),
        holiday("Christmas Day", On(12, 25), ToWeekday, OBSERVED),
    ]
};

const fn holiday(
    name: &'static str,
    falls: Falls,
    moves: Moves,
    citation: &'static str,
) -> Holiday {
    Holiday { name, falls, moves, citation }
}

impl Calendar {
    /// Every calendar.
    pub const ALL: [Self; 3] = [Self::Weekends, Self::Guatemala, Self::UnitedStates];

    /// The calendar of our own promises: nobody can count to an earlier date with any other. A
    /// nation's calendar would not do. Someone who has no holiday where that nation has one would
    /// count to an earlier date.
    pub const FEWEST_HOLIDAYS: Self = Self::Weekends;

    /// Its table of holidays.
    #[must_use]
    pub const fn table(self) -> &'static [Holiday] {
        match self {
            Self::Weekends => &[],
            Self::Guatemala => &GUATEMALA,
            Self::UnitedStates => &UNITED_STATES,
        }
    }

    /// The holidays observed in that calendar year, those on a weekend included.
    #[must_use]
    pub fn holidays(self, year: i16) -> BTreeSet<Day> {
        self.observed_in(year).map(day).collect()
    }

    /// Whether offices are open: neither a weekend nor a holiday.
    #[must_use]
    pub fn is_business_day(self, on: Day) -> bool {
        self.is_open(date(on))
    }

    /// The nth business day after `start`; counting begins the next day, and 0 is `start` itself.
    #[must_use]
    pub fn add_business_days(self, start: Day, n: u16) -> Day {
        let later = date(start).series(Span::new().days(1)).skip(1);
        let open = later.filter(|date| self.is_open(*date));
        open.take(usize::from(n)).last().map_or(start, day)
    }

    /// The day itself if it is a business day, else the next one that is.
    #[must_use]
    pub fn business_day_from(self, on: Day) -> Day {
        let mut days = date(on).series(Span::new().days(1));
        days.find(|date| self.is_open(*date)).map_or(on, day)
    }

    fn is_open(self, on: Date) -> bool {
        !matches!(on.weekday(), Weekday::Saturday | Weekday::Sunday)
            && self.observed_in(on.year()).all(|holiday| holiday != on)
    }

    /// New Year's Day on a Saturday is observed in the old year, so this looks at the next year's
    /// rows as well. No holiday is observed in the year after its own.
    fn observed_in(self, year: i16) -> impl Iterator<Item = Date> {
        let years = [Some(year), year.checked_add(1)].into_iter().flatten();
        years
            .flat_map(move |of| self.table().iter().filter_map(move |row| row.observed(of)))
            .filter(move |date| date.year() == year)
    }
}

impl Holiday {
    /// The day on which a year's holiday is observed; `None` outside the calendar.
    fn observed(&self, year: i16) -> Option<Date> {
        let date = self.falls.in_year(year)?;
        match (self.moves, date.weekday()) {
            (Moves::ToMonday, Weekday::Tuesday | Weekday::Wednesday) => {
                date.nth_weekday(-1, Weekday::Monday).ok()
            }
            (
                Moves::ToMonday,
                Weekday::Thursday | Weekday::Friday | Weekday::Saturday | Weekday::Sunday,
            ) => date.nth_weekday(1, Weekday::Monday).ok(),
            (Moves::ToWeekday, Weekday::Saturday) => date.yesterday().ok(),
            (Moves::ToWeekday, Weekday::Sunday) => date.tomorrow().ok(),
            (Moves::Never | Moves::ToMonday | Moves::ToWeekday, _) => Some(date),
        }
    }
}

impl Falls {
    fn in_year(self, year: i16) -> Option<Date> {
        match self {
            Self::On(month, day) => Date::new(year, month, day).ok(),
            Self::BeforeEaster(days) => easter(year)?.checked_sub(Span::new().days(days)).ok(),
            Self::Nth(nth, weekday, month) => {
                Date::new(year, month, 1).ok()?.nth_weekday_of_month(nth, weekday).ok()
            }
        }
    }
}

/// The same date of the next month, or that month's last day where it has no such date.
#[must_use]
pub fn same_date_next_month(start: Day) -> Day {
    day(date(start).saturating_add(Span::new().months(1)))
}

/// Easter Sunday of the western churches.
fn easter(year: i16) -> Option<Date> {
    let sunday = computus::gregorian(i32::from(year)).ok()?;
    let (month, day) = (i8::try_from(sunday.month).ok()?, i8::try_from(sunday.day).ok()?);
    Date::new(year, month, day).ok()
}

fn date(day: Day) -> Date {
    Offset::UTC.to_datetime(day.start()).date()
}

fn day(date: Date) -> Day {
    Day::of(Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).unwrap_or(jiff::Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NATIONS: [Calendar; 2] = [Calendar::Guatemala, Calendar::UnitedStates];

    fn on(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn check_year(calendar: Calendar, year: i16, expected: &str) {
        let expected: Vec<String> =
            expected.split(' ').map(|month_day| format!("{year}-{month_day}")).collect();
        let actual: Vec<String> = calendar.holidays(year).iter().map(ToString::to_string).collect();
        assert_eq!(actual, expected, "{calendar:?} {year}");
    }

    fn any_day() -> impl Strategy<Value = Day> {
        (0_i32..73_000).prop_map(|days| on("1990-01-01").plus(days))
    }

    fn any_calendar() -> impl Strategy<Value = Calendar> {
        prop::sample::select(Calendar::ALL.to_vec())
    }

    #[test]
    fn easter_falls_where_the_almanacs_say() {
        for published in [
            "1900-04-15",
            "1913-03-23",
            "1940-03-24",
            "1943-04-25",
            "1954-04-18",
            "1961-04-02",
            "1981-04-19",
            "1999-04-04",
            "2000-04-23",
            "2008-03-23",
            "2011-04-24",
            "2016-03-27",
            "2019-04-21",
            "2024-03-31",
            "2025-04-20",
            "2026-04-05",
            "2027-03-28",
            "2028-04-16",
            "2029-04-01",
            "2030-04-21",
            "2035-03-25",
            "2038-04-25",
            "2049-04-18",
            "2076-04-19",
            "2100-03-28",
        ] {
            let expected: Date = published.parse().unwrap();
            assert_eq!(easter(expected.year()), Some(expected));
        }
    }

    #[test]
    fn the_years_of_guatemala_are_those_of_its_labour_code() {
        for (year, holidays) in [
            (2024, "01-01 03-28 03-29 03-30 05-01 07-01 09-15 10-20 11-01 12-25"),
            (2026, "01-01 04-02 04-03 04-04 05-01 06-29 09-15 10-20 11-01 12-25"),
            (2027, "01-01 03-25 03-26 03-27 05-01 06-28 09-15 10-20 11-01 12-25"),
            (2038, "01-01 04-22 04-23 04-24 05-01 06-28 09-15 10-20 11-01 12-25"),
        ] {
            check_year(Calendar::Guatemala, year, holidays);
        }
    }

    #[test]
    fn the_30th_of_june_moves_to_a_monday_from_every_weekday() {
        for (monday, weekday) in [
            ("2025-06-30", Weekday::Monday),
            ("2026-06-29", Weekday::Tuesday),
            ("2027-06-28", Weekday::Wednesday),
            ("2022-07-04", Weekday::Thursday),
            ("2028-07-03", Weekday::Friday),
            ("2029-07-02", Weekday::Saturday),
            ("2024-07-01", Weekday::Sunday),
        ] {
            let year = date(on(monday)).year();
            let june_30 = Date::new(year, 6, 30).unwrap();
            assert_eq!(june_30.weekday(), weekday, "{year}");
            let around = on(&format!("{year}-06-20"))..on(&format!("{year}-07-10"));
            let holidays = Calendar::Guatemala.holidays(year);
            let found: Vec<Day> = holidays.range(around).copied().collect();
            assert_eq!(found, [on(monday)], "{year}");
        }
    }

    #[test]
    fn half_days_and_the_citys_own_holiday_are_business_days_in_guatemala() {
        for open in ["2026-12-24", "2026-12-31", "2028-08-15", "2026-06-30"] {
            assert!(Calendar::Guatemala.is_business_day(on(open)), "{open}");
        }
    }

    #[test]
    fn the_years_of_the_united_states_are_those_observed() {
        for (year, holidays) in [
            (2021, "01-01 01-18 02-15 05-31 06-18 07-05 09-06 10-11 11-11 11-25 12-24 12-31"),
            (2022, "01-17 02-21 05-30 06-20 07-04 09-05 10-10 11-11 11-24 12-26"),
            (2023, "01-02 01-16 02-20 05-29 06-19 07-04 09-04 10-09 11-10 11-23 12-25"),
            (2026, "01-01 01-19 02-16 05-25 06-19 07-03 09-07 10-12 11-11 11-26 12-25"),
            (2027, "01-01 01-18 02-15 05-31 06-18 07-05 09-06 10-11 11-11 11-25 12-24 12-31"),
            (2028, "01-17 02-21 05-29 06-19 07-04 09-04 10-09 11-10 11-23 12-25"),
        ] {
            check_year(Calendar::UnitedStates, year, holidays);
        }
    }

    #[test]
    fn counting_starts_the_next_day_and_passes_over_weekends_and_holidays() {
        use Calendar::{Guatemala, UnitedStates, Weekends};
        for (start, n, calendar, expected) in [
            ("2026-11-24", 0, Weekends, "2026-11-24"),
            ("2026-11-28", 0, Weekends, "2026-11-28"),
            ("2026-11-27", 1, Weekends, "2026-11-30"),
            ("2026-11-28", 1, Weekends, "2026-11-30"),
            // Holy Week.
            ("2026-04-01", 1, Weekends, "2026-04-02"),
            ("2026-04-01", 1, Guatemala, "2026-04-06"),
            ("2026-03-20", 30, Weekends, "2026-05-01"),
            ("2026-03-20", 30, Guatemala, "2026-05-06"),
            ("2026-03-20", 30, UnitedStates, "2026-05-01"),
            // 30 June on its Monday, and Independence Day on its Friday.
            ("2026-06-26", 1, Guatemala, "2026-06-30"),
            ("2026-06-01", 30, Weekends, "2026-07-13"),
            ("2026-06-01", 30, Guatemala, "2026-07-14"),
            ("2026-06-01", 30, UnitedStates, "2026-07-15"),
            // The end of the year, and New Year's Day observed in the old one.
            ("2026-12-31", 1, Guatemala, "2027-01-04"),
            ("2027-12-30", 1, UnitedStates, "2028-01-03"),
            ("2027-12-30", 1, Guatemala, "2027-12-31"),
            ("2026-12-01", 30, Weekends, "2027-01-12"),
            ("2026-12-01", 30, Guatemala, "2027-01-14"),
            ("2026-12-01", 30, UnitedStates, "2027-01-14"),
            // A leap day is a day like another.
            ("2028-02-28", 1, Weekends, "2028-02-29"),
        ] {
            let due = calendar.add_business_days(on(start), n);
            assert_eq!(due, on(expected), "{start} + {n} {calendar:?}");
        }
    }

    #[test]
    fn a_month_ends_on_the_same_date_or_the_last_day() {
        for (start, end) in [
            ("2026-01-15", "2026-02-15"),
            ("2026-01-28", "2026-02-28"),
            ("2026-01-31", "2026-02-28"),
            ("2028-01-30", "2028-02-29"),
            ("2100-01-29", "2100-02-28"),
            ("2026-02-28", "2026-03-28"),
            ("2028-02-29", "2028-03-29"),
            ("2026-08-31", "2026-09-30"),
            ("2026-12-31", "2027-01-31"),
        ] {
            assert_eq!(same_date_next_month(on(start)), on(end), "{start}");
        }
    }

    #[test]
    fn the_ends_of_time_are_held() {
        let last = Day::of(jiff::Timestamp::MAX);
        let first = Day::of(jiff::Timestamp::MIN);
        for calendar in Calendar::ALL {
            assert_eq!(calendar.add_business_days(last, u16::MAX), last);
            assert!(calendar.add_business_days(first, 3) > first);
            assert_eq!(calendar.holidays(i16::MAX), BTreeSet::new());
        }
        assert_eq!(same_date_next_month(last), last);
    }

    proptest! {
        //= R6.1
        #[test]
        fn no_reader_counts_to_a_date_before_the_promised_one(
            start in any_day(), n in 0_u16..300, calendar in any_calendar(),
        ) {
            let promised = Calendar::FEWEST_HOLIDAYS.add_business_days(start, n);
            prop_assert!(promised <= calendar.add_business_days(start, n));
        }

        #[test]
        fn a_recount_day_by_day_agrees(
            start in any_day(), n in 1_u16..300, calendar in any_calendar(),
        ) {
            let (mut day, mut counted) = (start, 0);
            while counted < n {
                day = day.plus(1);
                let weekday = day.days_since(on("2026-11-23")).rem_euclid(7); // That was a Monday.
                let holiday = calendar.holidays(date(day).year()).contains(&day);
                counted += u16::from(weekday < 5 && !holiday);
            }
            prop_assert_eq!(calendar.add_business_days(start, n), day);
        }

        #[test]
        fn a_later_start_or_a_longer_count_never_ends_earlier(
            start in any_day(), ahead in 0_i32..60, n in 0_u16..100, more in 0_u16..60,
            calendar in any_calendar(),
        ) {
            let end = calendar.add_business_days(start, n);
            prop_assert!(end <= calendar.add_business_days(start.plus(ahead), n));
            prop_assert!(end <= calendar.add_business_days(start, n + more));
            prop_assert!(same_date_next_month(start) <= same_date_next_month(start.plus(ahead)));
        }

        #[test]
        fn the_business_day_from_a_day_is_the_first_that_is_open(
            start in any_day(), calendar in any_calendar(),
        ) {
            let open = calendar.business_day_from(start);
            prop_assert!(calendar.is_business_day(open));
            let waited = i32::try_from(open.days_since(start)).unwrap();
            prop_assert!((0..7).contains(&waited));
            for closed in 0..waited {
                prop_assert!(!calendar.is_business_day(start.plus(closed)));
            }
        }

        #[test]
        fn every_year_has_each_nations_holidays_once(year in 1990_i16..2190) {
            for calendar in NATIONS {
                // The holidays of one year: one of them may be observed on the last day of the year
                // before.
                let observed: BTreeSet<Date> =
                    calendar.table().iter().filter_map(|row| row.observed(year)).collect();
                prop_assert_eq!(observed.len(), calendar.table().len());
            }
            for day in Calendar::UnitedStates.holidays(year) {
                let weekday = date(day).weekday();
                prop_assert!(!matches!(weekday, Weekday::Saturday | Weekday::Sunday));
            }
        }
    }
}
