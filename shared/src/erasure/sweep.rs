//! Sweeping: deletes the rows that shredding left unreadable, in batches that are written down,
//! with their counts, before they are deleted. Ends with the negative proof.
//!
//! Why no row of an erased connection is missed, though rows are found by their contacts alone, and
//! intake goes on writing while the connection is being marked:
//!
//! 1. Intake writes a row after it has made the contact known, and never deletes a contact. A
//!    contact outlives its rows and tombstones by a week. So a row has a contact, until a sweep
//!    ends that contact.
//! 2. Whatever intake began before the marks is over [`SETTLED`] later: its requests do not leave
//!    once its own time is up (`edge::fence`). What it begins later reads the mark, of a connection
//!    before it writes, of a contact after that, and removes what it wrote. The sweep begins after
//!    that time, so it meets every row that stays.
//! 3. A contact is ended by deleting it, and its conversation is read once more after that. Intake
//!    looks for the contact after it has written. If it sees the contact, the row was written
//!    before the contact ended, and is met by that last read. If it does not, it deletes what it
//!    wrote itself. So even a webhook that outlives the time of 2 leaves nothing of a conversation
//!    that it had made known before.
//! 4. What all of it could not foresee (a process that is frozen between its clock and its socket)
//!    is found each day by a look at every row (`erasure::astray`).
//!
//! Of an erased contact's messages the same is true; the contact stays, and says in `erasing`
//! whether the sweep is still to come.
//!
//! Rows are counted once, whoever asked how often, because one request at a time sweeps in a lane.

use jiff::Timestamp;

use super::open::Asked;
use super::proof::is_clean;
use super::shred::{By, shred_target};
use super::sweeper::{Outcome, Sweeper};
use super::targets;
use super::{Eraser, ErasureError, begin};
use crate::domain::data_kind::{DataKind, Fate};
use crate::domain::erasure::{Request, State, Target};
use crate::domain::ids::{AccountId, MemberId};
use crate::store::requests::InFlight;

/// Members of one batch: the user pool takes a few calls a second.
const MEMBERS: usize = 10;

/// Sweeps a request's targets from where the last worker stopped, then proves that nothing is left.
///
/// # Errors
/// [`ErasureError`]; `Store(Conflict)` when another worker has the request.
pub(super) async fn sweep(
    eraser: &Eraser,
    request: Request,
    in_flight: Option<InFlight>,
    now: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<(Request, Outcome), ErasureError> {
    let targets = request.targets.clone();
    let mut sweeper = Sweeper::new(eraser, request.id.clone(), Some(request), now, has_time);
    if !targets.is_empty() && !sweeper.is_settled(now) {
        return sweeper.stop(Outcome::More);
    }
    if let Some(batch) = in_flight {
        sweeper.delete(batch).await?;
    }
    let swept = sweeper.targets_swept();
    if let Some(last) = swept.checked_sub(1).and_then(|last| targets.get(last)) {
        // A worker that died may have saved that it is swept, and not left its lane.
        sweeper.leave(&last.lane()).await?;
    }
    for target in targets.iter().skip(swept) {
        let lane = target.lane();
        if !sweeper.enter(&lane).await? {
            return sweeper.wait(Outcome::More).await;
        }
        match sweeper.target(target, now).await? {
            Outcome::Done => {}
            // Saved without its last batch, which is gone: else the next worker deletes it again.
            waits @ (Outcome::More | Outcome::Behind(_)) => return sweeper.wait(waits).await,
        }
        sweeper.target_swept().await?;
        sweeper.leave(&lane).await?;
    }
    for target in &targets {
        if !is_clean(eraser, target).await? {
            // A key made or a row written at the very moment of shredding: once more.
            sweeper.start_again().await?;
            return sweeper.stop(Outcome::More);
        }
    }
    let (mut request, outcome) = sweeper.stop(Outcome::Done)?;
    request.state = request.state.to(State::Verified)?;
    Ok((eraser.store.save_work(request, None, now).await?, outcome))
}

impl Sweeper<'_> {
    /// Sweeps one target, kind by kind.
    pub(super) async fn target(
        &mut self,
        target: &Target,
        now: Timestamp,
    ) -> Result<Outcome, ErasureError> {
        for kind in DataKind::ALL {
            match kind.fate(target.scope()) {
                Fate::Untouched => {}
                Fate::Shredded | Fate::Swept | Fate::Kept(_) => {
                    match self.remove(*kind, target, now).await? {
                        Outcome::Done => {}
                        waits @ (Outcome::More | Outcome::Behind(_)) => return Ok(waits),
                    }
                }
            }
        }
        Ok(Outcome::Done)
    }

    /// The channels of an account that nobody has asked for: whoever asked for the account may have
    /// died before. A request of their own erases them, with a receipt of its own; or this sweep
    /// does, where no request is at it. None is connected once the account is locked.
    pub(super) async fn channels(
        &mut self,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<Outcome, ErasureError> {
        let channels = targets::of_account(self.store, account).await?;
        if channels.is_empty() {
            return Ok(Outcome::Done);
        }
        if self.request.is_some() {
            let asked = Asked::channels(account, channels);
            return Ok(Outcome::Behind(begin(self.store, asked, now).await?.id));
        }
        for target in &channels {
            let by = By { request: &self.id, has_sweep: false };
            shred_target(self.store, target, by, now).await?;
            if Box::pin(self.target(target, now)).await? == Outcome::More {
                return Ok(Outcome::More);
            }
        }
        Ok(Outcome::Done)
    }

    /// The members of an account, with their identities.
    pub(super) async fn members(&mut self, account: &AccountId) -> Result<Outcome, ErasureError> {
        for member in self.store.account_members(account).await? {
            self.batch.members.push((account.clone(), member));
            if self.batch.members.len() >= MEMBERS {
                self.flush().await?;
            }
            if !(self.has_time)() {
                self.flush().await?;
                return Ok(Outcome::More);
            }
        }
        self.flush().await?;
        Ok(Outcome::Done)
    }

    /// A member, with their identity.
    pub(super) async fn member(
        &mut self,
        account: &AccountId,
        member: &MemberId,
    ) -> Result<(), ErasureError> {
        if self.store.has_member(account, member).await? {
            self.batch.members.push((account.clone(), member.clone()));
        }
        self.flush().await
    }
}
