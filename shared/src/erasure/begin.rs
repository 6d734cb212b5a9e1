//! What every door does: it opens a request, and shreds its targets before the answer.

use jiff::Timestamp;

use super::ErasureError;
use super::open::{Asked, Parts, open};
use super::shred::shred;
use crate::domain::erasure::Request;
use crate::domain::ids::RequestId;
use crate::store::{Store, StoreError};

/// How often a door tries while another door, or a worker, has the same request.
const TRIES_MAX: u32 = 4;

/// Opens a request, or finds the one under way for the same subject, and shreds it. When this
/// returns, its targets are unreadable, unless a hold keeps them or their day has not come. A
/// worker has to go on if [`is_work`](crate::domain::erasure::State::is_work) says so. After an
/// error the caller may ask the same again.
//= R8.3
pub async fn begin(store: &Store, asked: Asked, now: Timestamp) -> Result<Request, ErasureError> {
    begin_as(store, asked, None, now).await
}

/// Begins a request that is made only once, under a name. The same name leads to the same request
/// for good, even after it has ended.
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
        // The request that was under way has just ended, or is just being opened.
        opened = open(store, asked.clone(), once, now).await;
    }
    let Parts { held, followed } = opened?;
    for part in held {
        shred_whoever_does(store, part, now).await?;
    }
    shred_whoever_does(store, followed, now).await
}

/// Goes on with a request that was opened: shreds it, unless that is done.
pub async fn resume(
    store: &Store,
    id: &RequestId,
    now: Timestamp,
) -> Result<Request, ErasureError> {
    let found = store.request(id).await?.ok_or(ErasureError::Unknown)?;
    shred_whoever_does(store, found.request, now).await
}

/// Shreds a request. If somebody else has it, this reads the request again. So the targets are
/// unreadable when this returns, whoever shredded them.
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
