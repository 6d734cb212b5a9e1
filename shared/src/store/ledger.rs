//! The erasure ledger: `ledger`, `ERASURES` / position. It is append-only and outlives the tables
//! it describes; after a restore it is applied again (R8.6). Pseudonyms, times and nothing else.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use jiff::Timestamp;

use super::requests::request_id;
use super::schema::{self, Item};
use super::{Store, StoreError, classify};
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
            let key = schema::key(schema::ERASURES.to_owned(), schema::position_sk(position));
            let item = self.item(&self.tables.ledger, key).await?;
            entries.push(entry(&item.ok_or(StoreError::Corrupt(schema::POSITION))?)?);
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
        let position = schema::number(entry.position);
        let put = |item: Item| Put::builder().table_name(&self.tables.ledger).set_item(Some(item));
        let once = "attribute_not_exists(pk)";
        let with_position = |mut key: Item| {
            key.insert(schema::POSITION.to_owned(), position.clone());
            key
        };
        let head = put(with_position(head_key()))
            .condition_expression("attribute_not_exists(pk) OR #position = :last")
            .expression_attribute_names("#position", schema::POSITION)
            .expression_attribute_values(":last", schema::number(last));
        let mark = put(with_position(mark_key(&entry.request, nth))).condition_expression(once);
        let mut writes = self.client.transact_write_items();
        for put in [put(item(entry)).condition_expression(once), mark, head] {
            let put = put.build().map_err(|_| StoreError::Refused("put".to_owned()))?;
            writes = writes.transact_items(TransactWriteItem::builder().put(put).build());
        }
        writes.send().await.map(|_| ()).map_err(|error| classify(&error))
    }

    async fn position(&self, key: Item) -> Result<Option<u64>, StoreError> {
        let item = self.item(&self.tables.ledger, key).await?;
        let position = |item: Item| schema::get_number(&item, schema::POSITION);
        item.map(position).transpose().map(Option::flatten)
    }

    /// A page of the ledger after a position, oldest first; empty at the end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ledger_after(&self, position: u64) -> Result<Vec<LedgerEntry>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.ledger)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk > :after")
            .expression_attribute_values(":pk", schema::text(schema::ERASURES))
            .expression_attribute_values(":after", schema::text(schema::position_sk(position)))
            .limit(PAGE)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        answer.items.unwrap_or_default().iter().map(entry).collect()
    }
}

fn head_key() -> Item {
    schema::key(schema::HEAD.to_owned(), schema::HEAD.to_owned())
}

/// Where the position stands of a request's `nth` entry, from 0; almost all have one.
fn mark_key(request: &RequestId, nth: usize) -> Item {
    schema::key(schema::request_pk(request), schema::erasures::entry_sk(nth))
}

fn item(entry: &LedgerEntry) -> Item {
    let sk = schema::position_sk(entry.position);
    let mut item = schema::key(schema::ERASURES.to_owned(), sk);
    let targets = entry.targets.iter().map(|target| schema::text(target.to_string())).collect();
    item.extend([
        (schema::POSITION.to_owned(), schema::number(entry.position)),
        (schema::REQUEST_ID.to_owned(), schema::text(entry.request.as_str())),
        (schema::SOURCE.to_owned(), schema::text(entry.source.as_str())),
        (schema::TARGETS.to_owned(), AttributeValue::L(targets)),
        (schema::SHREDDED_AT.to_owned(), schema::milliseconds(entry.shredded_at)),
    ]);
    item
}

fn entry(item: &Item) -> Result<LedgerEntry, StoreError> {
    Ok(LedgerEntry {
        position: schema::get_number(item, schema::POSITION)?
            .ok_or(StoreError::Corrupt(schema::POSITION))?,
        request: request_id(item)?,
        source: Source::parse(schema::get_text(item, schema::SOURCE)?)
            .ok_or(StoreError::Corrupt(schema::SOURCE))?,
        targets: schema::get_texts(item, schema::TARGETS)?
            .into_iter()
            .map(Target::parse)
            .collect::<Option<_>>()
            .ok_or(StoreError::Corrupt(schema::TARGETS))?,
        shredded_at: schema::get_milliseconds(item, schema::SHREDDED_AT)?
            .ok_or(StoreError::Corrupt(schema::SHREDDED_AT))?,
    })
}
