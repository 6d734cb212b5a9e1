//! When a row expires, and whether time to live may remove it then.
//!
//! Time to live removes what has an `expires_at`. A row under a legal hold has none: `shown_until`
//! says in its place until when it is shown, so a hold changes nothing that anyone is shown.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use jiff::Timestamp;

use super::{MessageKey, primary};
use crate::store::contacts::unless_refused;
use crate::store::schema::{self, Item};
use crate::store::sweep::SweepRow;
use crate::store::{Store, StoreError, classify};

impl Store {
    /// Has a row expire at that time, and time to live remove it then. Does nothing where it is
    /// gone by now, or has become something else.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.5
    pub async fn retime_row(
        &self,
        key: &MessageKey,
        row: &SweepRow,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let update = self.update_row(key, row, at);
        let retimed = update.update_expression("SET expires_at = :at REMOVE shown_until").send();
        unless_refused(retimed.await.map(|_| ()).map_err(|error| classify(&error)))
    }

    /// Keeps a row that is shown until then from time to live. Does nothing where it is gone by
    /// now, or has become something else.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.7
    pub async fn hold_row(
        &self,
        key: &MessageKey,
        row: &SweepRow,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let update = self.update_row(key, row, at);
        let held = update.update_expression("SET shown_until = :at REMOVE expires_at").send();
        unless_refused(held.await.map(|_| ()).map_err(|error| classify(&error)))
    }

    fn update_row(
        &self,
        key: &MessageKey,
        row: &SweepRow,
        at: Timestamp,
    ) -> UpdateItemFluentBuilder {
        // A message that has joined its waiting edit meanwhile brought its own time.
        let is_as_seen = match row.sent_at {
            Some(_) => "attribute_exists(sent_at)",
            None => "attribute_not_exists(sent_at) AND attribute_exists(num_edit)",
        };
        self.client
            .update_item()
            .table_name(&self.tables.messages)
            .set_key(Some(primary(key)))
            .condition_expression(is_as_seen)
            .expression_attribute_values(":at", schema::seconds(at))
    }
}

/// Until when a row is shown, whether or not a hold keeps it longer.
pub(in crate::store) fn expiry(item: &Item) -> Result<Timestamp, StoreError> {
    let seconds = match schema::get_number(item, schema::EXPIRES_AT)? {
        None => schema::get_number(item, schema::SHOWN_UNTIL)?,
        seconds => seconds,
    };
    seconds
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or(StoreError::Corrupt(schema::EXPIRES_AT))
}
