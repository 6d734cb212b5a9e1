//! What an erasure reads and deletes. Every list is read consistently, page by page, and every
//! deletion may be repeated.

use jiff::Timestamp;

use super::batch::WRITE_MAX;
use super::contacts::{contact_id, contact_key};
use super::item::{Item, text};
use super::messages::{MessageKey, expiry, primary};
use super::pace::Pace;
use super::read::{Get, Query};
use super::schema::{self, Attribute, Table};
use super::write::Write;
use super::{Store, StoreError};
use crate::concurrent::try_all;
use crate::domain::ids::{AccountId, ConnectionId, ContactId, ConversationId, MessageId, RouteId};
use crate::domain::time::Day;

/// Single deletions under way at once.
const SINGLES: usize = 32;
/// What an erasure, or a sweep, reads of a row: nothing that is sealed.
pub(super) const SWEPT: &[Attribute] = &[
    schema::SK,
    schema::SENT_AT,
    schema::UNSENT,
    schema::EDIT_AT,
    schema::EXPIRES_AT,
    schema::SHOWN_UNTIL,
];
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
        let contacts = Query::partition(Table::Core, schema::connection_pk(connection))
            .past(after)
            .only(&[schema::SK])
            .limit(CONTACTS_PAGE);
        self.page(contacts).await?.items.iter().map(contact_id).collect()
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
        let rows = Query::partition(Table::Messages, conversation.to_string())
            .past(after)
            .only(SWEPT)
            .limit(limit);
        let page = self.page(rows).await?;
        let rows: Result<_, _> = page.items.iter().map(sweep_row).collect();
        Ok((rows?, page.next.is_some()))
    }

    /// A single row, read consistently, without what is sealed in it; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_row(&self, key: &MessageKey) -> Result<Option<SweepRow>, StoreError> {
        let get = Get::of(Table::Messages, primary(key)).only(SWEPT);
        self.get(get).await?.as_ref().map(sweep_row).transpose()
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
        let mut left: Vec<Item> = rows.iter().map(primary).collect();
        while !left.is_empty() {
            tokio::time::sleep(pace.pause()).await;
            let rest = left.split_off(left.len().min(pace.at_once().saturating_mul(WRITE_MAX)));
            let of_round = left.len();
            let batches = left.chunks(WRITE_MAX);
            let batches = batches.map(|batch| self.delete_batch(Table::Messages, batch.to_vec()));
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
        self.delete_each(Table::Core, contacts.iter().map(contact_key)).await
    }

    /// The days a connection has keys for, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn day_key_days(&self, connection: &ConnectionId) -> Result<Vec<Day>, StoreError> {
        let keys = Query::partition(Table::Keys, schema::connection_pk(connection));
        let keys = self.all(keys.only(&[schema::SK])).await?;
        keys.iter().map(|key| key.parsed(schema::SK, schema::day_of)).collect()
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
        self.delete_each(Table::Keys, days.iter().map(key)).await
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
        let get = Get::of(Table::Keys, index_key(route)).only(&[schema::CONNECTION_ID]);
        let key = self.get(get).await?;
        let owner = key.as_ref().and_then(|key| key.get(schema::CONNECTION_ID));
        Ok(owner == Some(&text(connection.as_str())))
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
        let delete = Write::delete(Table::Keys, index_key(route))
            .only_if(schema::CONNECTION_ID.is(text(connection.as_str())));
        self.write_if_met(delete).await
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
        self.delete(Table::Core, key).await
    }

    /// One by one: the right to `BatchWriteItem` is a right to put items as well, which no eraser
    /// of keys or contacts has.
    async fn delete_each(
        &self,
        table: Table,
        keys: impl Iterator<Item = Item>,
    ) -> Result<(), StoreError> {
        try_all(keys.map(|key| self.delete(table, key)), SINGLES).await.map(|_| ())
    }
}

fn index_key(route: &RouteId) -> Item {
    schema::key(schema::route_pk(route), schema::INDEX)
}

pub(super) fn sweep_row(item: &Item) -> Result<SweepRow, StoreError> {
    Ok(SweepRow {
        message: item.parsed(schema::SK, MessageId::parse)?,
        sent_at: item.optional_time(schema::SENT_AT)?,
        unsent: item.has(schema::UNSENT),
        edit_at: item.optional_time(schema::EDIT_AT)?,
        expires_at: expiry(item)?,
        is_held: !item.has(schema::EXPIRES_AT),
    })
}
