//! Puts a message or an edit on its row, whatever is there.
//!
//! Deliveries cross: a message can come in one body while its edit comes in another. A write then
//! meets a row that is no longer as it was when this delivery looked. Rows only move up, so one
//! more look and try is enough against one crossing; what meets a second one is redelivered.

use numib::domain::row::Arrival;
use numib::store::messages::{MessageKey, NewEdit, NewMessage, Written};
use numib::store::{Store, StoreError};

use crate::write::Effect;

/// Stores a message, or joins it to the edit that came before it.
///
/// # Errors
/// [`StoreError`]; `Conflict` when the row changed under both tries.
//= R8.1, R8.2
pub(crate) async fn put_message(
    store: &Store,
    key: &MessageKey,
    message: &NewMessage,
    edit: Option<&NewEdit>,
    effect: &mut Effect,
) -> Result<(), StoreError> {
    let mut put = put_or_join(store, key, message, edit, effect).await;
    // The edit that waited went in between: the message is put in its place.
    if matches!(put, Err(StoreError::Conflict)) {
        put = put_or_join(store, key, message, edit, effect).await;
    }
    match (put?, edit) {
        (Put::WithoutItsEdit, Some(edit)) => put_edit(store, key, edit, effect).await,
        (Put::WithoutItsEdit, None) | (Put::Whole, _) => Ok(()),
    }
}

/// What became of a message and of the edit that came along.
enum Put {
    /// Both are stored.
    Whole,
    /// A row was there: the edit is still to be put on it.
    WithoutItsEdit,
}

async fn put_or_join(
    store: &Store,
    key: &MessageKey,
    message: &NewMessage,
    edit: Option<&NewEdit>,
    effect: &mut Effect,
) -> Result<Put, StoreError> {
    let met = match store.put_message(key, message.clone(), edit.cloned()).await? {
        Written::Done => {
            effect.stored = true;
            effect.edited = edit.is_some();
            return Ok(Put::Whole);
        }
        Written::Met(row) => row,
    };
    match met.message_arrives() {
        Arrival::Ignore(reason) => effect.ignored.push(reason),
        Arrival::Join => match store.join_message(key, message.clone()).await? {
            Written::Done => effect.stored = true,
            // A copy of this delivery, or an unsend, came in between and is final.
            Written::Met(row) => match row.message_arrives() {
                Arrival::Ignore(reason) => effect.ignored.push(reason),
                Arrival::Join => return Err(StoreError::Conflict),
            },
        },
    }
    Ok(Put::WithoutItsEdit)
}

/// Writes an edit to its message, or to the place where its message will come.
///
/// # Errors
/// As [`put_message`].
//= R8.2
pub(crate) async fn put_edit(
    store: &Store,
    key: &MessageKey,
    edit: &NewEdit,
    effect: &mut Effect,
) -> Result<(), StoreError> {
    let mut put = try_edit(store, key, edit, effect).await;
    // Its message came in between, with another body: the second try finds it.
    if matches!(put, Err(StoreError::Conflict)) {
        put = try_edit(store, key, edit, effect).await;
    }
    put
}

async fn try_edit(
    store: &Store,
    key: &MessageKey,
    edit: &NewEdit,
    effect: &mut Effect,
) -> Result<(), StoreError> {
    match store.put_edit(key, edit.clone()).await? {
        Written::Done => effect.edited = true,
        Written::Met(row) => match row.refuses_edit(edit.num_edit) {
            Some(reason) => effect.ignored.push(reason),
            None => return Err(StoreError::Conflict),
        },
    }
    Ok(())
}
