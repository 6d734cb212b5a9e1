//! The erasure engine: `open → shred → sweep → verify → complete`.
//!
//! Shredding happens before a door answers. It sets marks and destroys keys, so the targets are
//! unreadable. A worker does the rest later: it deletes rows, proves that none is left, and signs
//! the receipt. Every step may be repeated: the next worker finishes what a dead worker left half
//! done.

mod archives;
pub mod astray;
mod begin;
mod cancel;
mod conversations;
mod finish;
mod holds;
mod kinds;
mod open;
mod proof;
mod reapply;
mod shred;
mod sweep;
mod sweeper;
pub mod targets;

pub use archives::void_archives;
pub use begin::{begin, begin_once, resume};
pub use cancel::{CancelError, cancel};
pub use holds::is_held;
pub use open::{Asked, Parts, open};
pub use reapply::Reapplied;
pub use shred::shred;
pub use sweeper::SETTLED;

use jiff::Timestamp;

use crate::archive::ArchiveError;
use crate::archive::exports::Exports;
use crate::domain::erasure::{InvalidTransition, Request, State};
use crate::domain::ids::{AccountId, MemberId, RequestId};
use crate::identity::{IdentityError, UserPool};
use crate::seal::SealError;
use crate::seal::receipt::{SigningError, SigningKey};
use crate::store::requests::StoredRequest;
use crate::store::{Store, StoreError};
use sweeper::Outcome;

/// Targets that are shredded at once. A person may have written to hundreds of accounts, and
/// whoever asked is waiting.
const TARGETS_AT_ONCE: usize = 16;

/// Why a step failed. Every step may be tried again.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The request cannot take this step: a defect of this code.
    #[error(transparent)]
    Transition(#[from] InvalidTransition),
    /// The random source failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The receipt could not be signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The user pool failed.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The bucket of exports failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// There is no such request.
    #[error("there is no such request")]
    Unknown,
    /// A person has more targets than one request takes.
    #[error("more targets than one request takes")]
    TooManyTargets,
}

/// What carries erasures out.
#[derive(Debug, Clone)]
pub struct Eraser {
    /// The database.
    pub store: Store,
    /// The members' identities.
    pub user_pool: UserPool,
    /// The key that signs receipts.
    pub receipts: SigningKey,
    /// The archives of exports.
    pub exports: Exports,
}

/// How far a request has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do, and another run goes on.
    More,
    /// Another request has to end first: the one of the account's channels. Nobody has queued it.
    Behind(RequestId),
    /// This run completed the request.
    Completed(Box<Request>),
    /// There is nothing to do: the request has ended, or waits for a hold or for its day.
    Nothing,
}

impl Eraser {
    /// Removes the identity of someone who was invited and is nobody's member: no erasure would
    /// ever find them. Someone who is no member but has a place in the account is being erased, or
    /// kept by a hold, and stays. The call may be repeated.
    //= R1.2, R6.1
    pub async fn forget_unless_member(
        &self,
        invited: &MemberId,
        account: &AccountId,
    ) -> Result<(), ErasureError> {
        let is_member = self.store.member(invited).await?.is_some();
        if is_member || self.store.has_member_place(account, invited).await? {
            return Ok(());
        }
        Ok(self.user_pool.delete(invited).await?)
    }

    /// Takes a request as far as it gets while `has_time` says so.
    ///
    /// # Errors
    /// [`ErasureError`]. The work so far is kept.
    pub async fn work(
        &self,
        id: &RequestId,
        now: Timestamp,
        has_time: &(dyn Fn() -> bool + Sync),
    ) -> Result<Progress, ErasureError> {
        let store = &self.store;
        let mut stored = store.request(id).await?.ok_or(ErasureError::Unknown)?;
        while stored.request.is_work(now) || stored.request.state == State::Held {
            let request = stored.request;
            let request = match request.state {
                // The marks are younger than `now`. Another run has a later `now`, and begins the
                // time in which intake settles.
                State::Requested | State::Held => {
                    let request = shred(store, request, now).await?;
                    let is_held = request.state == State::Held;
                    return Ok(if is_held { Progress::Nothing } else { Progress::More });
                }
                State::Shredded => {
                    let state = request.state.to(State::Sweeping)?;
                    let begun = Request { state, sweeping_at: Some(now), ..request };
                    store.save_work(begun, None, now).await?
                }
                State::Sweeping => {
                    match sweep::sweep(self, request, stored.in_flight, now, has_time).await? {
                        (request, Outcome::Done) => request,
                        (_, Outcome::More) => return Ok(Progress::More),
                        (_, Outcome::Behind(other)) => return Ok(Progress::Behind(other)),
                    }
                }
                State::Verified => {
                    let completed = finish::complete(store, &self.receipts, request, now).await?;
                    return Ok(Progress::Completed(Box::new(completed)));
                }
                State::Completed | State::Rejected | State::Cancelled => request,
            };
            stored = StoredRequest { request, in_flight: None };
        }
        Ok(Progress::Nothing)
    }
}
