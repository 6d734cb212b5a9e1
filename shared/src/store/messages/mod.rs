//! Sealed messages: `pk` = conversation, `sk` = message, time to live on `expires_at`.

mod read;
mod retime;

pub(super) use retime::expiry;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use jiff::Timestamp;

use super::schema::{self, Item};
use super::{Store, StoreError, classify, met};
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
        let mut item = primary(key);
        item.insert(schema::EXPIRES_AT.to_owned(), schema::seconds(message.expires_at));
        item.insert(schema::SENT_AT.to_owned(), schema::milliseconds(message.sent_at));
        item.insert(schema::DAY.to_owned(), schema::text(message.sealed.day.to_string()));
        item.insert(schema::SEALED.to_owned(), schema::binary(message.sealed.bytes));
        if let Some(edit) = edit {
            item.insert(schema::NUM_EDIT.to_owned(), schema::number(edit.num_edit));
            item.insert(schema::EDIT_DAY.to_owned(), schema::text(edit.sealed.day.to_string()));
            item.insert(schema::EDIT.to_owned(), schema::binary(edit.sealed.bytes));
        }
        let put = self
            .client
            .put_item()
            .table_name(&self.tables.messages)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(sk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        written_put(put.map(|_| ()))
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
        let update = self
            .client
            .update_item()
            .table_name(&self.tables.messages)
            .set_key(Some(primary(key)))
            .update_expression(
                "SET sealed = :sealed, #day = :day, sent_at = :sent, expires_at = :end",
            )
            .condition_expression(
                "attribute_exists(num_edit) AND attribute_not_exists(sent_at) \
                 AND attribute_not_exists(unsent)",
            )
            .expression_attribute_names("#day", schema::DAY)
            .expression_attribute_values(":sealed", schema::binary(message.sealed.bytes))
            .expression_attribute_values(":day", schema::text(message.sealed.day.to_string()))
            .expression_attribute_values(":sent", schema::milliseconds(message.sent_at))
            .expression_attribute_values(":end", schema::seconds(message.expires_at))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        written_update(update.map(|_| ()))
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
        let on_message = self
            .update_edit(key, &edit)
            .update_expression("SET edit = :edit, edit_day = :day, num_edit = :n")
            .condition_expression(
                "attribute_exists(sent_at) AND (attribute_not_exists(num_edit) OR num_edit < :n)",
            )
            .send()
            .await;
        match written_update(on_message.map(|_| ())) {
            // A conflict is a row that does not exist.
            Ok(Written::Met(Row { unsent: false, has_message: false, .. }))
            | Err(StoreError::Conflict) => {}
            other => return other,
        }
        let waiting = self
            .update_edit(key, &edit)
            .update_expression(
                "SET edit = :edit, edit_day = :day, num_edit = :n, edit_at = :at, \
                 expires_at = :end",
            )
            .condition_expression(
                "attribute_not_exists(sent_at) AND attribute_not_exists(unsent) \
                 AND (attribute_not_exists(num_edit) OR num_edit < :n)",
            )
            .expression_attribute_values(":at", schema::milliseconds(edit.at))
            .expression_attribute_values(":end", schema::seconds(edit.expires_at))
            .send()
            .await;
        written_update(waiting.map(|_| ()))
    }

    fn update_edit(&self, key: &MessageKey, edit: &NewEdit) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.tables.messages)
            .set_key(Some(primary(key)))
            .expression_attribute_values(":edit", schema::binary(edit.sealed.bytes.as_slice()))
            .expression_attribute_values(":day", schema::text(edit.sealed.day.to_string()))
            .expression_attribute_values(":n", schema::number(edit.num_edit))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
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
        let put = self
            .client
            .put_item()
            .table_name(&self.tables.messages)
            .set_item(Some(primary(key)))
            .item(schema::UNSENT, AttributeValue::Bool(true))
            .item(schema::EXPIRES_AT, schema::seconds(expires_at))
            .condition_expression("attribute_not_exists(unsent)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        written_put(put.map(|_| ()))
    }

    /// Removes a row, whatever it is.
    ///
    /// # Errors
    /// [`StoreError`]; the row may still be there then.
    pub async fn delete_message(&self, key: &MessageKey) -> Result<(), StoreError> {
        self.client
            .delete_item()
            .table_name(&self.tables.messages)
            .set_key(Some(primary(key)))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| classify(&error))
    }

    /// Removes an edit that waits for its message; leaves a message and a tombstone alone. Returns
    /// whether there is nothing left.
    ///
    /// # Errors
    /// [`StoreError`]; the row may still be there then.
    pub async fn delete_waiting_edit(&self, key: &MessageKey) -> Result<bool, StoreError> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.tables.messages)
            .set_key(Some(primary(key)))
            .condition_expression("attribute_not_exists(sent_at) AND attribute_not_exists(unsent)")
            .send()
            .await;
        met(delete.map_err(|error| classify(&error)))
    }
}

pub(super) fn primary(key: &MessageKey) -> Item {
    schema::key(key.conversation.to_string(), key.message.to_string())
}

fn written_put(result: Result<(), SdkError<PutItemError>>) -> Result<Written, StoreError> {
    match result {
        Ok(()) => Ok(Written::Done),
        Err(error) => {
            if let Some(PutItemError::ConditionalCheckFailedException(met)) =
                error.as_service_error()
            {
                met_row(met.item())
            } else {
                Err(classify(&error))
            }
        }
    }
}

fn written_update(result: Result<(), SdkError<UpdateItemError>>) -> Result<Written, StoreError> {
    match result {
        Ok(()) => Ok(Written::Done),
        Err(error) => {
            if let Some(UpdateItemError::ConditionalCheckFailedException(met)) =
                error.as_service_error()
            {
                met_row(met.item())
            } else {
                Err(classify(&error))
            }
        }
    }
}

/// The row a write met. None is returned when time to live removed it in between: a conflict.
fn met_row(item: Option<&Item>) -> Result<Written, StoreError> {
    let item = item.filter(|item| !item.is_empty()).ok_or(StoreError::Conflict)?;
    row(item).map(Written::Met)
}

fn row(item: &Item) -> Result<Row, StoreError> {
    Ok(Row {
        unsent: item.contains_key(schema::UNSENT),
        has_message: item.contains_key(schema::SENT_AT),
        num_edit: schema::get_number(item, schema::NUM_EDIT)?,
    })
}
