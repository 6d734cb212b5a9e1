//! The days that a run looks back over. Even if nothing ran for that long, the run misses nothing.

use crate::domain::time::Day;
use crate::store::expiries::DueAfter;

/// How many days a run looks back. A day on which nothing is due costs half a read unit.
const DAYS: i32 = 60;
/// A count of what is left ends here. Then the report says "so many or more".
pub(super) const COUNTED_MAX: usize = 10_000;

/// The days up to that day, the latest first.
pub(super) fn days(until: Day) -> impl DoubleEndedIterator<Item = Day> {
    (0..=DAYS).map(move |back| until.plus(0_i32.saturating_sub(back)))
}

/// A walk over what is due on each of these days, page by page.
pub(super) struct Walk<I> {
    days: I,
    on: Option<Day>,
    after: Option<DueAfter>,
}

impl<I: Iterator<Item = Day>> Walk<I> {
    /// A walk from the first page of the first day on.
    pub(super) fn over(mut days: I) -> Self {
        let on = days.next();
        Self { days, on, after: None }
    }

    /// The next page to read: its day, and where the page before ended. `None` at the end.
    pub(super) fn page(&mut self) -> Option<(Day, Option<DueAfter>)> {
        Some((self.on?, self.after.take()))
    }

    /// Goes on to the next page of the day or, without one, to the next day.
    pub(super) fn turn(&mut self, after: Option<DueAfter>) {
        if after.is_none() {
            self.on = self.days.next();
        }
        self.after = after;
    }
}
