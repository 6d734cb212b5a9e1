//! Writes sealed changes. A row that cannot be written does not hold up the others.

use jiff::Timestamp;
use numib::concurrent::try_all;
use numib::domain::update::Ignored;
use numib::store::messages::{MessageKey, Written};
use numib::store::{Store, StoreError};

use crate::CONCURRENCY;
use crate::moves::kept_out_until;
use crate::prepare::{What, Write};
use crate::row::{Effect, put_edit, put_message};

/// Writes every change. A row that cannot be written does not hold up the others; a table that
/// cannot be written to ends it. Either fails the body, and redelivery finishes the job.
pub(crate) async fn write_all(
    store: &Store,
    writes: &[Write],
    now: Timestamp,
) -> Result<Vec<Effect>, StoreError> {
    try_all(writes.iter().map(|write| write_one(store, write, now)), CONCURRENCY).await
}

/// An SDK call under way takes kilobytes, and a body has up to a thousand: each is boxed when it
/// begins, so that only those under way take them.
async fn write_one(store: &Store, write: &Write, now: Timestamp) -> Result<Effect, StoreError> {
    let key = &write.key;
    let written = match &write.what {
        What::Unsend => Box::pin(put_tombstone(store, key, now)).await,
        What::Edit(edit) => Box::pin(put_edit(store, key, edit)).await,
        What::Store { message, edit } => {
            Box::pin(put_message(store, key, message, edit.as_ref())).await
        }
    };
    Effect::unless_lost(written)
}

async fn put_tombstone(
    store: &Store,
    key: &MessageKey,
    now: Timestamp,
) -> Result<Effect, StoreError> {
    // From now, not from the unsend's own time: it can come long after what it unsends.
    Ok(match store.put_tombstone(key, kept_out_until(now)).await? {
        Written::Done => Effect { unsent: true, ..Effect::default() },
        Written::Met(_) => Effect::ignored(Ignored::DuplicateUnsend),
    })
}
