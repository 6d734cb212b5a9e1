//! Archives of exports are copies of what is erased, so they go with it. Before the answer nobody
//! can download an archive any more, and soon after the archive is gone. An archive that is being
//! written begins anew, without what is erased.

use super::{Eraser, ErasureError};
use crate::concurrent::try_all;
use crate::domain::export::State;
use crate::domain::ids::{AccountId, ExportId};
use crate::store::{Store, StoreError};

/// How often this tries while a worker saves the same export, which a worker does every few
/// seconds.
const TRIES_MAX: u32 = 4;
/// Exports that are voided at once.
const AT_ONCE: usize = 20;

/// Voids the archives of an account. Returns the exports that a worker has to go on with: it
/// removes their objects, or writes them anew. The caller sets the marks first, so whatever a
/// worker reads afterwards is without what the marks cover. The call may be repeated.
//= R8.3
pub async fn void_archives(
    store: &Store,
    account: &AccountId,
) -> Result<Vec<ExportId>, ErasureError> {
    let exports = store.account_exports(account).await?;
    let voided = try_all(exports.into_iter().map(|id| void(store, id)), AT_ONCE).await?;
    Ok(voided.into_iter().flatten().collect())
}

async fn void(store: &Store, id: ExportId) -> Result<Option<ExportId>, StoreError> {
    for tries in 1..=TRIES_MAX {
        let Some(export) = store.export(&id).await? else { break };
        if export.state == State::Void {
            // Whoever voided the export may have died before a worker was told.
            return Ok(Some(id));
        }
        let Some(export) = export.after_erasure() else { break };
        match store.save_export(export, None).await {
            Ok(_) => return Ok(Some(id)),
            Err(StoreError::Conflict) if tries < TRIES_MAX => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Removes the objects of exports that were voided.
//= R8.3
pub(super) async fn discard(eraser: &Eraser, account: &AccountId) -> Result<(), ErasureError> {
    for id in eraser.store.account_exports(account).await? {
        if let Some(export) = eraser.store.export(&id).await? {
            match export.state {
                State::Void | State::Asked => eraser.exports.discard(&export).await?,
                State::Running | State::Ready | State::Failed => {}
            }
        }
    }
    Ok(())
}

/// Removes all exports of an account that ends, with their records.
//= R6.1
pub(super) async fn remove_all(eraser: &Eraser, account: &AccountId) -> Result<(), ErasureError> {
    for id in eraser.store.account_exports(account).await? {
        if let Some(export) = eraser.store.export(&id).await? {
            eraser.exports.discard(&export).await?;
            eraser.store.delete_export(&export).await?;
        }
    }
    // A worker may have died before it saved what it had begun to upload.
    Ok(eraser.exports.discard_all(account).await?)
}

/// Whether an account has no export, and the bucket has nothing of the account.
pub(super) async fn is_clean(eraser: &Eraser, account: &AccountId) -> Result<bool, ErasureError> {
    Ok(eraser.store.account_exports(account).await?.is_empty()
        && eraser.exports.is_empty(account).await?)
}
