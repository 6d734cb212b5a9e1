//! What retention did, a day at a time: `core`, `RETENTION` / `DAY#date`. Numbers and nothing else.
//!
//! A run that dies between what it did and its count, or is repeated, leaves the count a little
//! off. What must not be missed is looked for by the report itself, and not taken from here.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};

use super::expression::Changes;
use super::item::{Item, number, seconds, text};
use super::read::Query;
use super::schema::{self, Table};
use super::write::Write;
use super::{Store, StoreError};
use crate::domain::tally::{Peak, Tallies, Tally};
use crate::domain::time::Day;

/// Counts are kept for 24 months, as the reports are.
const KEPT: SignedDuration = SignedDuration::from_hours(731 * 24);

impl Store {
    /// Adds to what retention did on a day. Nothing is written where there is nothing to add.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was added then, or it is not known whether it was.
    pub async fn add_tally(&self, day: Day, counts: &[(Tally, u64)]) -> Result<(), StoreError> {
        let counts: BTreeMap<Tally, u64> =
            counts.iter().copied().filter(|(_, count)| *count > 0).collect();
        if counts.is_empty() {
            return Ok(());
        }
        let mut add = Changes::new().set(schema::EXPIRES_AT, kept_until(day));
        for (tally, count) in counts {
            add = add.add(schema::tally(tally), number(count));
        }
        self.write(Write::update(Table::Core, key(day), add)).await
    }

    /// Notes a value of a day, unless a higher one of it is known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn raise_peak(&self, day: Day, peak: Peak, value: u64) -> Result<(), StoreError> {
        let name = schema::peak(peak);
        let raise =
            Changes::new().set(name, number(value)).set(schema::EXPIRES_AT, kept_until(day));
        let raise = Write::update(Table::Core, key(day), raise)
            .only_if(name.is_absent().or(name.is_below(number(value))));
        self.write_unless_refused(raise).await
    }

    /// What retention did on a day, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tally(&self, day: Day) -> Result<Tallies, StoreError> {
        let days = self.tallies(day, day).await?;
        Ok(days.into_values().next().unwrap_or_default())
    }

    /// What retention did on each of these days, both included, read consistently; a day on which
    /// it did nothing is not among them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tallies(
        &self,
        first: Day,
        last: Day,
    ) -> Result<BTreeMap<Day, Tallies>, StoreError> {
        let (first, last) = (schema::day_sk(first), schema::day_sk(last));
        let days = Query::partition(Table::Core, schema::RETENTION)
            .within(schema::SK.is_between(text(first), text(last)));
        self.all(days).await?.iter().map(read).collect()
    }
}

fn key(day: Day) -> Item {
    schema::key(schema::RETENTION, schema::day_sk(day))
}

fn kept_until(day: Day) -> AttributeValue {
    seconds(day.start().saturating_add(KEPT).unwrap_or(Timestamp::MAX))
}

fn read(item: &Item) -> Result<(Day, Tallies), StoreError> {
    let day = item.parsed(schema::SK, schema::day_of)?;
    let mut tallies = Tallies::default();
    for tally in Tally::ALL {
        let sum = item.optional_number(schema::tally(*tally))?;
        tallies.sums.extend(sum.map(|sum| (*tally, sum)));
    }
    for peak in Peak::ALL {
        let value = item.optional_number(schema::peak(*peak))?;
        tallies.peaks.extend(value.map(|value| (*peak, value)));
    }
    Ok((day, tallies))
}
