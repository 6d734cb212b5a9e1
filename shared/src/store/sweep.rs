//! What an erasure reads and deletes. Every list is read consistently, page by page, and every
//! deletion may be repeated.

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use jiff::Timestamp;

use super::contacts::{contact_id, contact_key};
use super::messages::{MessageKey, expiry, primary};
use super::pace::Pace;
use super::schema::{self, Item};
use super::{Store, StoreError, classify, met};
use crate::concurrent::try_all;
use crate::domain::ids::{AccountId, ConnectionId, ContactId, ConversationId, MessageId, RouteId};
use crate::domain::time::Day;

/// `BatchWriteItem`'s own limit.
const BATCH_MAX: usize = 25;
/// Single deletions under way at once.
const SINGLES: usize = 32;
/// What an erasure, or a sweep, reads of a row: nothing that is sealed.
pub(super) const SWEPT: &str = "sk, sent_at, unsent, edit_at, expires_at, shown_until";
/// Contacts of one page.
const CONTACTS_PAGE: i32 = 100;

/// A row of a conversation, as far as an erasure needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepRow {
    /// The message.
    pub message: MessageId,
    /// When it was sent; `None` for a tombstone, and for an edit whose message has not come.
    pub sent_at: Option<Timestamp>,
    /// A tombstone.
    pub unsent: bool,
    /// When the edit was made that waits for its message.
    pub edit_at: Option<Timestamp>,
    /// From when on nothing shows it.
    pub expires_at: Timestamp,
    /// A hold keeps it: time to live does not remove it then.
    pub is_held: bool,
}

impl Store {
    /// A page of a connection's contacts past one of them; empty at the end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn contacts_after(
        &self,
        connection: &ConnectionId,
        after: Option<&ContactId>,
    ) -> Result<Vec<ContactId>, StoreError> {
        let after = after.map_or_else(|| schema::CONTACT_PREFIX.to_owned(), schema::contact_sk);
        let answer = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk > :after")
            .projection_expression("sk")
            .expression_attribute_values(":pk", schema::text(schema::connection_pk(connection)))
            .expression_attribute_values(":after", schema::text(after))
            .limit(CONTACTS_PAGE)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        answer.items.unwrap_or_default().iter().map(contact_id).collect()
    }

    /// A page of a conversation's rows past one of them, of whatever sort; and whether there may be
    /// more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rows_after(
        &self,
        conversation: &ConversationId,
        after: Option<&MessageId>,
        limit: i32,
    ) -> Result<(Vec<SweepRow>, bool), StoreError> {
        let after = after.map_or("!", MessageId::as_str);
        let answer = self
            .client
            .query()
            .table_name(&self.tables.messages)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk > :after")
            .projection_expression(SWEPT)
            .expression_attribute_values(":pk", schema::text(conversation.to_string()))
            .expression_attribute_values(":after", schema::text(after))
            .limit(limit)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let rows: Result<_, _> = answer.items.unwrap_or_default().iter().map(sweep_row).collect();
        Ok((rows?, answer.last_evaluated_key.is_some()))
    }

    /// A single row, read consistently, without what is sealed in it; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_row(&self, key: &MessageKey) -> Result<Option<SweepRow>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.tables.messages)
            .set_key(Some(primary(key)))
            .projection_expression(SWEPT)
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        answer.item.as_ref().map(sweep_row).transpose()
    }

    /// Deletes rows, as fast as the table takes it: the pace is kept from call to call.
    ///
    /// # Errors
    /// [`StoreError::Throttled`] when the table stays out of capacity; some are deleted then.
    pub async fn delete_rows(
        &self,
        rows: &[MessageKey],
        pace: &mut Pace,
    ) -> Result<(), StoreError> {
        let table = &self.tables.messages;
        let mut left: Vec<Item> = rows.iter().map(primary).collect();
        while !left.is_empty() {
            tokio::time::sleep(pace.pause()).await;
            let rest = left.split_off(left.len().min(pace.at_once().saturating_mul(BATCH_MAX)));
            let of_round = left.len();
            let batches = left.chunks(BATCH_MAX);
            let batches = batches.map(|batch| self.delete_batch(table, batch.to_vec()));
            left = try_all(batches, pace.at_once()).await?.into_iter().flatten().collect();
            pace.after(of_round.saturating_sub(left.len()), left.len());
            if pace.is_stalled() {
                return Err(StoreError::Throttled);
            }
            left.extend(rest);
        }
        Ok(())
    }

    /// Deletes contacts.
    ///
    /// # Errors
    /// As [`Self::delete_rows`].
    pub async fn delete_contacts(&self, contacts: &[ConversationId]) -> Result<(), StoreError> {
        self.delete_each(&self.tables.core, contacts.iter().map(contact_key).collect()).await
    }

    /// The days a connection has keys for, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn day_key_days(&self, connection: &ConnectionId) -> Result<Vec<Day>, StoreError> {
        let mut days = Vec::new();
        let mut start = None;
        loop {
            let pk = schema::text(schema::connection_pk(connection));
            let answer = self
                .client
                .query()
                .table_name(&self.tables.keys)
                .consistent_read(true)
                .key_condition_expression("pk = :pk")
                .projection_expression("sk")
                .expression_attribute_values(":pk", pk)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| classify(&error))?;
            for item in answer.items.unwrap_or_default() {
                let day = schema::day_of(schema::get_text(&item, schema::SK)?);
                days.push(day.ok_or(StoreError::Corrupt(schema::SK))?);
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(days);
            }
        }
    }

    /// Destroys day keys: what was sealed to them is unreadable from then on, wherever it is.
    ///
    /// # Errors
    /// As [`Self::delete_rows`].
    pub async fn delete_day_keys(
        &self,
        connection: &ConnectionId,
        days: &[Day],
    ) -> Result<(), StoreError> {
        let key = |day: &Day| schema::key(schema::connection_pk(connection), schema::day_sk(*day));
        self.delete_each(&self.tables.keys, days.iter().map(key).collect()).await
    }

    /// Whether a connection still has its index key, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_index_key(
        &self,
        route: &RouteId,
        connection: &ConnectionId,
    ) -> Result<bool, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.tables.keys)
            .set_key(Some(schema::key(schema::route_pk(route), schema::INDEX.to_owned())))
            .projection_expression(schema::CONNECTION_ID)
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let owner = answer.item.as_ref().and_then(|item| item.get(schema::CONNECTION_ID));
        Ok(owner == Some(&schema::text(connection.as_str())))
    }

    /// Destroys a connection's index key, unless another connection has the route by now; true when
    /// it was there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete_index_key(
        &self,
        route: &RouteId,
        connection: &ConnectionId,
    ) -> Result<bool, StoreError> {
        let key = schema::key(schema::route_pk(route), schema::INDEX.to_owned());
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.tables.keys)
            .set_key(Some(key))
            .condition_expression("connection_id = :id")
            .expression_attribute_values(":id", schema::text(connection.as_str()))
            .send()
            .await;
        met(deleted.map_err(|error| classify(&error)))
    }

    /// Takes a connection out of its account's list.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete_place(
        &self,
        account: &AccountId,
        connection: &ConnectionId,
    ) -> Result<(), StoreError> {
        let key = schema::key(schema::account_pk(account), schema::connection_pk(connection));
        self.delete_core(key).await
    }

    /// One by one: the right to `BatchWriteItem` is a right to put items as well, which no eraser
    /// of keys or contacts has.
    async fn delete_each(&self, table: &str, keys: Vec<Item>) -> Result<(), StoreError> {
        let deletions = keys
            .into_iter()
            .map(|key| self.client.delete_item().table_name(table).set_key(Some(key)).send());
        try_all(deletions, SINGLES).await.map(|_| ()).map_err(|error| classify(&error))
    }

    /// Returns what the table left of a batch.
    async fn delete_batch(&self, table: &str, keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut requests = Vec::with_capacity(keys.len());
        for key in &keys {
            let delete = DeleteRequest::builder().set_key(Some(key.clone())).build();
            let delete = delete.map_err(|_| StoreError::Refused("delete".to_owned()))?;
            requests.push(WriteRequest::builder().delete_request(delete).build());
        }
        let write = self.client.batch_write_item().request_items(table, requests);
        let answer = match write.send().await.map_err(|error| classify(&error)) {
            Ok(answer) => answer,
            Err(StoreError::Throttled) => return Ok(keys),
            Err(error) => return Err(error),
        };
        let left = answer.unprocessed_items.and_then(|mut left| left.remove(table));
        let keys = left.unwrap_or_default().into_iter();
        Ok(keys.filter_map(|left| left.delete_request.map(|delete| delete.key)).collect())
    }
}

pub(super) fn sweep_row(item: &Item) -> Result<SweepRow, StoreError> {
    Ok(SweepRow {
        message: MessageId::parse(schema::get_text(item, schema::SK)?)
            .ok_or(StoreError::Corrupt(schema::SK))?,
        sent_at: schema::get_milliseconds(item, schema::SENT_AT)?,
        unsent: item.contains_key(schema::UNSENT),
        edit_at: schema::get_milliseconds(item, schema::EDIT_AT)?,
        expires_at: expiry(item)?,
        is_held: !item.contains_key(schema::EXPIRES_AT),
    })
}
