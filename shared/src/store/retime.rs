//! When a row is to expire, and whether time to live may remove it then.
//!
//! Time to live removes what has an `expires_at`. A row under a legal hold has none: `shown_until`
//! says in its place until when it is shown, so a hold changes nothing that anyone is shown.

use jiff::Timestamp;

use super::expression::Changes;
use super::item::seconds;
use super::messages::{MessageKey, primary};
use super::schema::{self, Table};
use super::sweep::SweepRow;
use super::write::Write;
use super::{Store, StoreError};

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
            Some(_) => schema::SENT_AT.exists(),
            None => schema::SENT_AT.is_absent().and(schema::NUM_EDIT.exists()),
        };
        let (named, other) = if is_held {
            (schema::SHOWN_UNTIL, schema::EXPIRES_AT)
        } else {
            (schema::EXPIRES_AT, schema::SHOWN_UNTIL)
        };
        let retime = Changes::new().set(named, seconds(at)).remove(other);
        let retime = Write::update(Table::Messages, primary(key), retime).only_if(is_as_seen);
        self.write_unless_refused(retime).await
    }
}
