//! The erasure ledger: `ledger`, `ERASURES` / position. It is append-only and outlives the tables
//! it describes; after a restore it is applied again (R8.6). Pseudonyms, times and nothing else.

use std::time::Duration;

use jiff::Timestamp;

use super::item::{Item, milliseconds, number, text, texts};
use super::read::Query;
use super::schema::{self, Table};
use super::write::Write;
use super::{Store, StoreError};
use crate::domain::erasure::{Source, Target};
use crate::domain::ids::RequestId;

/// Tries to take the next position while others do the same.
const TRIES_MAX: u32 = 16;
/// Each try waits by so much longer than the one before: a second in all.
const STEP: Duration = Duration::from_millis(8);
/// Entries of one page.
const PAGE: i32 = 100;

/// An erasure that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Its place: 1, 2, 3 …
    pub position: u64,
    /// The request.
    pub request: RequestId,
    /// Who asked.
    pub source: Source,
    /// What became unreadable.
    pub targets: Vec<Target>,
    /// When.
    pub shredded_at: Timestamp,
}

impl Store {
    /// Appends an erasure; returns the entry as it is stored. A request that is appended again gets
    /// the entry it has, with the time that says; where it covers more targets by now, those are a
    /// further entry, and that is returned.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when others kept taking the next position.
    pub async fn append_to_ledger(
        &self,
        request: &RequestId,
        source: Source,
        targets: &[Target],
        shredded_at: Timestamp,
    ) -> Result<LedgerEntry, StoreError> {
        let mut pause = Duration::ZERO;
        for _ in 0..TRIES_MAX {
            let known = self.entries_of(request).await?;
            let is_known = |target: &&Target| known.iter().any(|one| one.targets.contains(target));
            let targets: Vec<Target> =
                targets.iter().filter(|target| !is_known(target)).cloned().collect();
            if targets.is_empty()
                && let Some(last) = known.last()
            {
                return Ok(last.clone());
            }
            let last = self.position(head_key()).await?.unwrap_or_default();
            let entry = LedgerEntry {
                position: last.saturating_add(1),
                request: request.clone(),
                source,
                targets,
                shredded_at,
            };
            match self.try_append(&entry, known.len(), last).await {
                Ok(()) => return Ok(entry),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_add(STEP);
        }
        Err(StoreError::Conflict)
    }

    /// The entries of a request, in the order in which they were appended.
    async fn entries_of(&self, request: &RequestId) -> Result<Vec<LedgerEntry>, StoreError> {
        let mut entries = Vec::new();
        while let Some(position) = self.position(mark_key(request, entries.len())).await? {
            let key = entry_key(position);
            let item = self.item(Table::Ledger, key.clone()).await?;
            entries.push(entry(&item.ok_or_else(|| key.corrupt(schema::POSITION))?)?);
        }
        Ok(entries)
    }

    /// Appends an entry behind the position `last`; its request has as many before it as `nth`.
    async fn try_append(
        &self,
        entry: &LedgerEntry,
        nth: usize,
        last: u64,
    ) -> Result<(), StoreError> {
        let at_position = |key: Item| key.with(schema::POSITION, number(entry.position));
        let is_last = schema::PK.is_absent().or(schema::POSITION.is(number(last)));
        self.transaction()
            .with(Write::put_new(Table::Ledger, item(entry)))
            .with(Write::put_new(Table::Ledger, at_position(mark_key(&entry.request, nth))))
            .with(Write::put(Table::Ledger, at_position(head_key())).only_if(is_last))
            .run()
            .await
    }

    async fn position(&self, key: Item) -> Result<Option<u64>, StoreError> {
        let item = self.item(Table::Ledger, key).await?;
        let position = |item: Item| item.optional_number(schema::POSITION);
        item.map(position).transpose().map(Option::flatten)
    }

    /// A page of the ledger after a position, oldest first; empty at the end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ledger_after(&self, position: u64) -> Result<Vec<LedgerEntry>, StoreError> {
        let later = Query::partition(Table::Ledger, schema::ERASURES)
            .past(schema::position_sk(position))
            .limit(PAGE);
        self.page(later).await?.items.iter().map(entry).collect()
    }
}

fn entry_key(position: u64) -> Item {
    schema::key(schema::ERASURES, schema::position_sk(position))
}

fn head_key() -> Item {
    schema::key(schema::HEAD, schema::HEAD)
}

/// Where the position stands of a request's `nth` entry, from 0; almost all have one.
fn mark_key(request: &RequestId, nth: usize) -> Item {
    schema::key(schema::request_pk(request), schema::entry_sk(nth))
}

fn item(entry: &LedgerEntry) -> Item {
    entry_key(entry.position)
        .with(schema::POSITION, number(entry.position))
        .with(schema::REQUEST_ID, text(entry.request.as_str()))
        .with(schema::SOURCE, text(entry.source.as_str()))
        .with(schema::TARGETS, texts(entry.targets.iter().map(Target::to_string)))
        .with(schema::SHREDDED_AT, milliseconds(entry.shredded_at))
}

fn entry(item: &Item) -> Result<LedgerEntry, StoreError> {
    Ok(LedgerEntry {
        position: item.number(schema::POSITION)?,
        request: item.parsed(schema::REQUEST_ID, RequestId::parse)?,
        source: item.parsed(schema::SOURCE, Source::parse)?,
        targets: item.each_parsed(schema::TARGETS, Target::parse)?,
        shredded_at: item.time(schema::SHREDDED_AT)?,
    })
}
