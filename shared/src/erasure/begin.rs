//! What every door does: open, and shred before the answer.

use jiff::Timestamp;

use super::ErasureError;
use super::open::{Asked, Parts, open};
use super::shred::shred;
use crate::domain::erasure::Request;
use crate::domain::ids::RequestId;
use crate::store::{Store, StoreError};

/// Tries while another door, or a worker, has the same request.
const TRIES_MAX: u32 = 4;

/// Opens a request, or finds the one under way for the same subject, and shreds it: what it covers
/// is unreadable when this returns, unless a hold keeps it. A worker has to go on where
/// [`is_work`](crate::domain::erasure::State::is_work) says so.
///
/// # Errors
/// [`ErasureError`]; the same question may be asked again.
//= R8.3
pub async fn begin(store: &Store, asked: Asked, now: Timestamp) -> Result<Request, ErasureError> {
    begin_as(store, asked, None, now).await
}

/// Begins what is asked once only, under a name: asked again, it leads to the same request, even
/// after that has ended.
///
/// # Errors
/// As [`begin`].
pub async fn begin_once(
    store: &Store,
    asked: Asked,
    name: &str,
    now: Timestamp,
) -> Result<Request, ErasureError> {
    begin_as(store, asked, Some(name), now).await
}

async fn begin_as(
    store: &Store,
    asked: Asked,
    once: Option<&str>,
    now: Timestamp,
) -> Result<Request, ErasureError> {
    let mut opened = open(store, asked.clone(), once, now).await;
    for _ in 1..TRIES_MAX {
        if !is_conflict(&opened) {
            break;
        }
        // The one that was under way has just ended, or is just being opened.
        opened = open(store, asked.clone(), once, now).await;
    }
    let Parts { held, followed } = opened?;
    for part in held {
        shred_whoever_does(store, part, now).await?;
    }
    shred_whoever_does(store, followed, now).await
}

/// Goes on with a request that has been opened: shreds it, if that has not been done.
///
/// # Errors
/// [`ErasureError`].
pub async fn resume(
    store: &Store,
    id: &RequestId,
    now: Timestamp,
) -> Result<Request, ErasureError> {
    let found = store.request(id).await?.ok_or(ErasureError::Unknown)?;
    shred_whoever_does(store, found.request, now).await
}

/// Where somebody else is at it, it is read again, so that it is unreadable when this returns,
/// whoever made it so.
async fn shred_whoever_does(
    store: &Store,
    mut request: Request,
    now: Timestamp,
) -> Result<Request, ErasureError> {
    for _ in 1..TRIES_MAX {
        let id = request.id.clone();
        let shredded = shred(store, request, now).await;
        if !is_conflict(&shredded) {
            return shredded;
        }
        request = store.request(&id).await?.ok_or(ErasureError::Unknown)?.request;
    }
    shred(store, request, now).await
}

fn is_conflict<T>(result: &Result<T, ErasureError>) -> bool {
    matches!(result, Err(ErasureError::Store(StoreError::Conflict)))
}
