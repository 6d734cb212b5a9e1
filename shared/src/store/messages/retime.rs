//! When a row expires, and whether time to live may remove it then.
//!
//! Time to live removes what has an `expires_at`. A row under a legal hold has none: `shown_until`
//! says in its place until when it is shown, so a hold changes nothing that anyone is shown.

use jiff::Timestamp;

use super::{MessageKey, primary};
use crate::store::schema::{self, Item};
use crate::store::sweep::SweepRow;
use crate::store::{Store, StoreError, classify, unless_refused};

impl Store {
    /// Has a row be shown until that time. Time to live removes it then, unless it is held. Does
    /// nothing where it is gone by now, or has become something else.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.5, R6.7
    pub async fn retime_row(
        &self,
        key: &MessageKey,
        row: &SweepRow,
        at: Timestamp,
        is_held: bool,
    ) -> Result<(), StoreError> {
        // A message that has joined its waiting edit meanwhile brought its own time.
        let is_as_seen = match row.sent_at {
            Some(_) => "attribute_exists(sent_at)",
            None => "attribute_not_exists(sent_at) AND attribute_exists(num_edit)",
        };
        let update = if is_held {
            "SET shown_until = :at REMOVE expires_at"
        } else {
            "SET expires_at = :at REMOVE shown_until"
        };
        let retimed = self
            .client
            .update_item()
            .table_name(&self.tables.messages)
            .set_key(Some(primary(key)))
            .update_expression(update)
            .condition_expression(is_as_seen)
            .expression_attribute_values(":at", schema::seconds(at))
            .send()
            .await;
        unless_refused(retimed.map(|_| ()).map_err(|error| classify(&error)))
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
