//! The erasure engine: `open → shred → sweep → verify → complete`.
//!
//! Shredding happens before a request is answered and makes its targets unreadable: keys destroyed,
//! marks set. All else is work for later: deleting rows, proving that none is left, signing the
//! receipt. Every step may be repeated; what a dead worker left half done, the next one finishes.

mod begin;
mod finish;
mod open;
mod reapply;
pub mod scope;
mod shred;
mod sweep;

pub use begin::{begin, begin_once, resume};
pub use open::{Asked, open};
pub use reapply::{Reapplied, reapply};
pub use shred::shred;
pub use sweep::Outcome;

use jiff::Timestamp;

use crate::domain::erasure::{InvalidTransition, Request, State};
use crate::domain::ids::RequestId;
use crate::seal::SealError;
use crate::seal::receipt::{SigningError, SigningKey};
use crate::store::requests::StoredRequest;
use crate::store::{Store, StoreError};

/// Targets that are worked on at once: a person may have written to hundreds of accounts, and
/// whoever asked is waiting.
const TARGETS_AT_ONCE: usize = 16;

/// Why a step was not taken. All of it may be tried again.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state machine: a defect of this code.
    #[error(transparent)]
    Transition(#[from] InvalidTransition),
    /// The random source failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The receipt could not be signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// There is no such request.
    #[error("there is no such request")]
    Unknown,
    /// A person is more to us than one request takes.
    #[error("more targets than one request takes")]
    TooManyTargets,
}

/// Takes a request as far as it gets while `has_time` says so.
///
/// # Errors
/// [`ErasureError`]; the work so far is kept.
pub async fn work(
    store: &Store,
    receipts: &SigningKey,
    id: &RequestId,
    now: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<Outcome, ErasureError> {
    let mut stored = store.request(id).await?.ok_or(ErasureError::Unknown)?;
    loop {
        let request = stored.request;
        let request = match request.state {
            State::Requested | State::Held => shred(store, request, now).await?,
            State::Shredded => {
                let state = request.state.to(State::Sweeping)?;
                store.save_progress(Request { state, ..request }, None).await?
            }
            State::Sweeping => {
                let swept = sweep::sweep(store, request, stored.in_flight, now, has_time).await?;
                match swept {
                    (request, Outcome::Done) => request,
                    (_, more) => return Ok(more),
                }
            }
            State::Verified => finish::complete(store, receipts, request, now).await?,
            State::Completed | State::Rejected | State::Cancelled => return Ok(Outcome::Done),
        };
        if !request.state.is_work() {
            return Ok(Outcome::Done);
        }
        stored = StoredRequest { request, in_flight: None };
    }
}
