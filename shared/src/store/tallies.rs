//! What retention did, a day at a time: `core`, `RETENTION` / `DAY#date`. Numbers and nothing else.
//!
//! A run that dies between what it did and its count, or is repeated, leaves the count a little
//! off. What must not be missed is looked for by the report itself, and not taken from here.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};

use super::schema::{self, Item};
use super::{Store, StoreError, classify, unless_refused};
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
        let mut update = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(key(day)))
            .expression_attribute_values(":end", kept_until(day));
        let mut sums = Vec::new();
        for (place, (tally, count)) in counts.into_iter().enumerate() {
            let (name, value) = (format!("#n{place}"), format!(":n{place}"));
            sums.push(format!("{name} {value}"));
            update = update
                .expression_attribute_names(name, tally.as_str())
                .expression_attribute_values(value, schema::number(count));
        }
        let added = update
            .update_expression(format!("SET expires_at = :end ADD {}", sums.join(", ")))
            .send()
            .await;
        added.map(|_| ()).map_err(|error| classify(&error))
    }

    /// Notes a value of a day, unless a higher one of it is known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn raise_peak(&self, day: Day, peak: Peak, value: u64) -> Result<(), StoreError> {
        let raised = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(key(day)))
            .update_expression("SET #peak = :value, expires_at = :end")
            .condition_expression("attribute_not_exists(#peak) OR #peak < :value")
            .expression_attribute_names("#peak", peak.as_str())
            .expression_attribute_values(":value", schema::number(value))
            .expression_attribute_values(":end", kept_until(day))
            .send()
            .await;
        unless_refused(raised.map(|_| ()).map_err(|error| classify(&error)))
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
        let items: Result<Vec<_>, _> = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", schema::text(schema::RETENTION))
            .expression_attribute_values(":first", schema::text(schema::day_sk(first)))
            .expression_attribute_values(":last", schema::text(schema::day_sk(last)))
            .into_paginator()
            .items()
            .send()
            .collect()
            .await;
        items.map_err(|error| classify(&error))?.iter().map(read).collect()
    }
}

fn key(day: Day) -> Item {
    schema::key(schema::RETENTION.to_owned(), schema::day_sk(day))
}

fn kept_until(day: Day) -> AttributeValue {
    schema::seconds(day.start().saturating_add(KEPT).unwrap_or(Timestamp::MAX))
}

fn read(item: &Item) -> Result<(Day, Tallies), StoreError> {
    let day = schema::day_of(schema::get_text(item, schema::SK)?);
    let mut tallies = Tallies::default();
    for tally in Tally::ALL {
        let sum = schema::get_number(item, tally.as_str())?;
        tallies.sums.extend(sum.map(|sum| (*tally, sum)));
    }
    for peak in Peak::ALL {
        let value = schema::get_number(item, peak.as_str())?;
        tallies.peaks.extend(value.map(|value| (*peak, value)));
    }
    Ok((day.ok_or(StoreError::Corrupt(schema::SK))?, tallies))
}
