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
    /// Appends an erasure; returns its position. The same request again has the position it had.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when others kept taking the next position.
    pub async fn append_to_ledger(
        &self,
        request: &RequestId,
        source: Source,
        targets: &[Target],
        shredded_at: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut pause = Duration::ZERO;
        for _ in 0..TRIES_MAX {
            if let Some(position) = self.position(mark_key(request)).await? {
                return Ok(position);
            }
            let last = self.position(head_key()).await?.unwrap_or_default();
            let entry = LedgerEntry {
                position: last.saturating_add(1),
                request: request.clone(),
                source,
                targets: targets.to_vec(),
                shredded_at,
            };
            match self.try_append(&entry, last).await {
                Ok(()) => return Ok(entry.position),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_add(STEP);
        }
        Err(StoreError::Conflict)
    }

    async fn try_append(&self, entry: &LedgerEntry, last: u64) -> Result<(), StoreError> {
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
        let mark = put(with_position(mark_key(&entry.request))).condition_expression(once);
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

fn mark_key(request: &RequestId) -> Item {
    schema::key(schema::request_pk(request), schema::ERASURES.to_owned())
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
