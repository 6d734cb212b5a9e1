//! Sealed messages: `pk` = conversation, `sk` = message, time to live on `expires_at`.

mod read;

use jiff::Timestamp;

use super::expression::{Changes, Condition};
use super::item::{Item, binary, day, flag, milliseconds, number, seconds};
use super::schema::{self, Table};
use super::write::Write;
use super::{Store, StoreError};
use crate::domain::ids::{ConversationId, MessageId};
use crate::domain::row::Row;
use crate::domain::sealed::Sealed;

/// Where a row is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageKey {
    /// The conversation.
    pub conversation: ConversationId,
    /// The message.
    pub message: MessageId,
}

/// A message to store.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// When it was sent.
    pub sent_at: Timestamp,
    /// What it says, sealed.
    pub sealed: Sealed,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// An edit to store.
#[derive(Debug, Clone)]
pub struct NewEdit {
    /// When it was made.
    pub at: Timestamp,
    /// Its number.
    pub num_edit: u32,
    /// The new text, sealed.
    pub sealed: Sealed,
    /// When it expires if its message never comes.
    pub expires_at: Timestamp,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is durable.
    Done,
    /// The row that was already there forbids it.
    Met(Row),
}

/// A message as stored.
#[derive(Debug, Clone)]
pub struct StoredMessage {
    /// The message.
    pub id: MessageId,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// What it says, sealed.
    pub sealed: Sealed,
    /// Its latest edit, sealed.
    pub edit: Option<Sealed>,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// A position in a conversation: the message that a page ends at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// When that message was sent.
    pub sent_at: Timestamp,
    /// That message.
    pub message: MessageId,
}

/// Which way to read a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Back in time.
    NewestFirst,
    /// Forward in time.
    OldestFirst,
}

/// One page of a conversation.
#[derive(Debug, Clone)]
pub struct MessagePage {
    /// Live messages, in the order asked for.
    pub messages: Vec<StoredMessage>,
    /// Where to go on; `None` at the end.
    pub next: Option<Position>,
}

/// A row with all that is on it.
#[derive(Debug, Clone)]
pub struct RawRow {
    /// What it is.
    pub row: Row,
    /// The sealed message, where it has come.
    pub message: Option<Sealed>,
    /// The sealed edit, where one has come.
    pub edit: Option<Sealed>,
    /// When the database removes it.
    pub expires_at: Timestamp,
}

impl Store {
    /// Stores a message, with an edit of the same body if there is one, unless the row exists:
    /// store, dedupe and tombstone check in one write (R8.1, R8.2).
    ///
    /// # Errors
    /// [`StoreError`]; nothing is stored then.
    //= R8.1
    pub async fn put_message(
        &self,
        key: &MessageKey,
        message: NewMessage,
        edit: Option<NewEdit>,
    ) -> Result<Written, StoreError> {
        let mut item = primary(key)
            .with(schema::EXPIRES_AT, seconds(message.expires_at))
            .with(schema::SENT_AT, milliseconds(message.sent_at))
            .with(schema::DAY, day(message.sealed.day))
            .with(schema::SEALED, binary(message.sealed.bytes));
        if let Some(edit) = edit {
            item = item
                .with(schema::NUM_EDIT, number(edit.num_edit))
                .with(schema::EDIT_DAY, day(edit.sealed.day))
                .with(schema::EDIT, binary(edit.sealed.bytes));
        }
        let put = Write::put(Table::Messages, item).only_if(schema::SK.is_absent());
        self.write_row(put).await
    }

    /// Joins a message to the edit that came before it.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is stored then.
    //= R8.2
    pub async fn join_message(
        &self,
        key: &MessageKey,
        message: NewMessage,
    ) -> Result<Written, StoreError> {
        let join = Changes::new()
            .set(schema::SEALED, binary(message.sealed.bytes))
            .set(schema::DAY, day(message.sealed.day))
            .set(schema::SENT_AT, milliseconds(message.sent_at))
            .set(schema::EXPIRES_AT, seconds(message.expires_at));
        let waits = schema::NUM_EDIT.exists().and(is_no_message());
        let join = Write::update(Table::Messages, primary(key), join).only_if(waits);
        self.write_row(join).await
    }

    /// Writes an edit to its message, or to the place where its message will come.
    ///
    /// A message keeps its own expiry. Where it has not come yet, the highest edit's counts, so
    /// that the order the edits come in makes no difference.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is stored then.
    //= R8.2
    pub async fn put_edit(&self, key: &MessageKey, edit: NewEdit) -> Result<Written, StoreError> {
        let changes = || {
            Changes::new()
                .set(schema::EDIT, binary(edit.sealed.bytes.as_slice()))
                .set(schema::EDIT_DAY, day(edit.sealed.day))
                .set(schema::NUM_EDIT, number(edit.num_edit))
        };
        let is_highest = || {
            let is_lower = schema::NUM_EDIT.is_below(number(edit.num_edit));
            schema::NUM_EDIT.is_absent().or(is_lower)
        };
        let on_message = Write::update(Table::Messages, primary(key), changes())
            .only_if(schema::SENT_AT.exists().and(is_highest()));
        match self.write_row(on_message).await {
            // A conflict is a row that does not exist.
            Ok(Written::Met(Row { unsent: false, has_message: false, .. }))
            | Err(StoreError::Conflict) => {}
            other => return other,
        }
        let waiting = changes()
            .set(schema::EDIT_AT, milliseconds(edit.at))
            .set(schema::EXPIRES_AT, seconds(edit.expires_at));
        let waiting = Write::update(Table::Messages, primary(key), waiting)
            .only_if(is_no_message().and(is_highest()));
        self.write_row(waiting).await
    }

    /// Replaces whatever is there by a tombstone, unless it is one already.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is changed then.
    //= R8.2
    pub async fn put_tombstone(
        &self,
        key: &MessageKey,
        expires_at: Timestamp,
    ) -> Result<Written, StoreError> {
        let tombstone = primary(key)
            .with(schema::UNSENT, flag(true))
            .with(schema::EXPIRES_AT, seconds(expires_at));
        let put = Write::put(Table::Messages, tombstone).only_if(schema::UNSENT.is_absent());
        self.write_row(put).await
    }

    /// Removes a row, whatever it is.
    ///
    /// # Errors
    /// [`StoreError`]; the row may still be there then.
    pub async fn delete_message(&self, key: &MessageKey) -> Result<(), StoreError> {
        self.delete(Table::Messages, primary(key)).await
    }

    /// Removes an edit that waits for its message; leaves a message and a tombstone alone. Returns
    /// whether there is nothing left.
    ///
    /// # Errors
    /// [`StoreError`]; the row may still be there then.
    pub async fn delete_waiting_edit(&self, key: &MessageKey) -> Result<bool, StoreError> {
        let delete = Write::delete(Table::Messages, primary(key)).only_if(is_no_message());
        self.write_if_met(delete).await
    }

    /// Writes a row. Where the condition meets none, because time to live removed it in between,
    /// that is a conflict.
    async fn write_row(&self, write: Write) -> Result<Written, StoreError> {
        match self.write_or_meet(write).await? {
            None => Ok(Written::Done),
            Some(met) => row(&met).map(Written::Met),
        }
    }
}

pub(super) fn primary(key: &MessageKey) -> Item {
    schema::key(key.conversation.to_string(), key.message.to_string())
}

/// That a row is neither a message nor a tombstone.
fn is_no_message() -> Condition {
    schema::SENT_AT.is_absent().and(schema::UNSENT.is_absent())
}

fn row(item: &Item) -> Result<Row, StoreError> {
    Ok(Row {
        unsent: item.has(schema::UNSENT),
        has_message: item.has(schema::SENT_AT),
        num_edit: item.optional_number(schema::NUM_EDIT)?,
    })
}

/// Until when a row is shown, whether or not a hold keeps it longer: time to live removes what has
/// an `EXPIRES_AT`, and a row under a hold has a `SHOWN_UNTIL` in its place.
pub(super) fn expiry(item: &Item) -> Result<Timestamp, StoreError> {
    let seconds = match item.optional_number(schema::EXPIRES_AT)? {
        None => item.optional_number(schema::SHOWN_UNTIL)?,
        seconds => seconds,
    };
    let expiry = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
    expiry.ok_or_else(|| item.corrupt(schema::EXPIRES_AT))
}
