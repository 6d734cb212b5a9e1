//! Writes a message or an edit to its row, whatever is there.
//!
//! Deliveries cross: a message can come in one body while its edit comes in another. Then a write
//! meets a row that has changed since this delivery looked. Rows only move up, so one more look and
//! try is enough against one crossing. A write that meets a second crossing is left to the
//! redelivery.

use numib::domain::row::Arrival;
use numib::domain::update::Ignored;
use numib::store::messages::{MessageKey, NewEdit, NewMessage, Written};
use numib::store::{Store, StoreError};

/// What one change did.
#[derive(Debug, Default)]
pub(crate) struct Effect {
    pub(crate) stored: bool,
    pub(crate) edited: bool,
    pub(crate) unsent: bool,
    pub(crate) ignored: Vec<Ignored>,
    /// Why this row was not written, or only in part. The other rows are written, and Meta is told
    /// to come again.
    pub(crate) failure: Option<StoreError>,
}

impl Effect {
    /// No effect, for this reason.
    pub(crate) fn ignored(reason: Ignored) -> Self {
        Self { ignored: vec![reason], ..Self::default() }
    }

    /// The effect. A failure of this row alone is part of the effect.
    ///
    /// # Errors
    /// Any other failure.
    pub(crate) fn unless_lost(written: Result<Self, StoreError>) -> Result<Self, StoreError> {
        match written {
            Err(error) if error.is_of_one_item() => {
                Ok(Self { failure: Some(error), ..Self::default() })
            }
            written => written,
        }
    }

    /// Two effects on the same row.
    fn and(mut self, other: Self) -> Self {
        self.stored |= other.stored;
        self.edited |= other.edited;
        self.unsent |= other.unsent;
        self.ignored.extend(other.ignored);
        self.failure = self.failure.or(other.failure);
        self
    }
}

/// Stores a message, or joins it to the edit that came before it.
///
/// # Errors
/// [`StoreError`]. `Conflict` if the row changed during both tries.
//= R8.1, R8.2
pub(crate) async fn put_message(
    store: &Store,
    key: &MessageKey,
    message: &NewMessage,
    edit: Option<&NewEdit>,
) -> Result<Effect, StoreError> {
    let mut put = put_or_join(store, key, message, edit).await;
    // The waiting edit went meanwhile: now the message is put where the edit was.
    if matches!(put, Err(StoreError::Conflict)) {
        put = put_or_join(store, key, message, edit).await;
    }
    match (put?, edit) {
        (Put::WithoutItsEdit(effect), Some(edit)) => {
            let edited = put_edit(store, key, edit).await;
            Ok(effect.and(Effect::unless_lost(edited)?))
        }
        (Put::WithoutItsEdit(effect) | Put::Whole(effect), _) => Ok(effect),
    }
}

/// The result for a message and the edit that came along.
enum Put {
    /// Both are stored.
    Whole(Effect),
    /// A row was there. The edit must still be written to it.
    WithoutItsEdit(Effect),
}

async fn put_or_join(
    store: &Store,
    key: &MessageKey,
    message: &NewMessage,
    edit: Option<&NewEdit>,
) -> Result<Put, StoreError> {
    let stored = Effect { stored: true, ..Effect::default() };
    let met = match store.put_message(key, message.clone(), edit.cloned()).await? {
        Written::Done => return Ok(Put::Whole(Effect { edited: edit.is_some(), ..stored })),
        Written::Met(row) => row,
    };
    let effect = match met.message_arrives() {
        Arrival::Ignore(reason) => Effect::ignored(reason),
        Arrival::Join => match store.join_message(key, message.clone()).await? {
            Written::Done => stored,
            // A copy of this delivery, or an unsend, came in between, and is final.
            Written::Met(row) => match row.message_arrives() {
                Arrival::Ignore(reason) => Effect::ignored(reason),
                Arrival::Join => return Err(StoreError::Conflict),
            },
        },
    };
    Ok(Put::WithoutItsEdit(effect))
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
) -> Result<Effect, StoreError> {
    let mut put = try_edit(store, key, edit).await;
    // The message came in between, with another body. The second try finds it.
    if matches!(put, Err(StoreError::Conflict)) {
        put = try_edit(store, key, edit).await;
    }
    put
}

async fn try_edit(store: &Store, key: &MessageKey, edit: &NewEdit) -> Result<Effect, StoreError> {
    match store.put_edit(key, edit.clone()).await? {
        Written::Done => Ok(Effect { edited: true, ..Effect::default() }),
        Written::Met(row) => match row.refuses_edit(edit.num_edit) {
            Some(reason) => Ok(Effect::ignored(reason)),
            None => Err(StoreError::Conflict),
        },
    }
}
