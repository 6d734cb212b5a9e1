//! Sweeping deletes the rows that shredding left unreadable. Each batch is written down with its
//! counts before it is deleted. A sweep ends with the proof.
//!
//! Why no row of an erased connection is missed, though rows are found by their contacts alone, and
//! intake goes on writing while the connection is being marked:
//!
//! 1. Intake writes a row after it has made the contact known, and never deletes a contact. A
//!    contact outlives its rows and tombstones by a week. So a row has a contact, until a sweep
//!    ends that contact.
//! 2. Whatever intake began before the marks is over [`SETTLED`] later: its requests do not leave
//!    once its own time is up (`edge::fence`). What intake begins later reads the mark of a
//!    connection before it writes. It reads the mark of a contact after it writes, and then removes
//!    what it wrote. The sweep begins after that time, so it meets every row that stays.
//! 3. A sweep ends a contact by deleting it, and then reads the conversation once more. Intake
//!    looks for the contact after it has written. If intake sees the contact, the row was written
//!    before the contact ended, and that last read meets the row. If not, intake deletes the row
//!    itself. So even a webhook that outlives the time of step 2 leaves nothing in a conversation
//!    that it had made known before.
//! 4. A process that is frozen between its clock and its socket escapes all of this. A daily look
//!    at every row finds what it left (`erasure::astray`).
//!
//! The same holds for the messages of an erased contact. The contact stays, and its `erasing` says
//! whether the sweep is still to come.
//!
//! Rows are counted once, however often someone asks, because one request at a time sweeps in a
//! lane.

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

/// Members of one batch. The user pool takes a few calls a second.
const MEMBERS: usize = 10;

/// Sweeps a request's targets from where the last worker stopped, and then proves that nothing is
/// left.
///
/// # Errors
/// `Store(Conflict)` if another worker has the request.
pub(super) async fn sweep(
    eraser: &Eraser,
    request: Request,
    in_flight: Option<InFlight>,
    now: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<(Request, Outcome), ErasureError> {
    let targets = request.targets.clone();
    let mut sweeper = Sweeper::new(eraser, request.id.clone(), Some(request), now, has_time);
    if !targets.is_empty() && !sweeper.is_settled() {
        return sweeper.stop(Outcome::More);
    }
    if let Some(batch) = in_flight {
        sweeper.delete(batch).await?;
    }
    let swept = sweeper.targets_swept();
    if let Some(last) = swept.checked_sub(1).and_then(|last| targets.get(last)) {
        // A worker may have saved that the target is swept, and died before it left the lane.
        sweeper.leave(&last.lane()).await?;
    }
    for target in targets.iter().skip(swept) {
        let lane = target.lane();
        if !sweeper.enter(&lane).await? {
            return sweeper.wait(Outcome::More).await;
        }
        match sweeper.sweep_target(target).await? {
            Outcome::Done => {}
            // This saves the request without its last batch, which is gone. Else the next worker
            // would delete that batch again.
            waits @ (Outcome::More | Outcome::Behind(_)) => return sweeper.wait(waits).await,
        }
        sweeper.end_target().await?;
        sweeper.leave(&lane).await?;
    }
    for target in &targets {
        if !is_clean(eraser, target).await? {
            // A key was made, or a row was written, at the moment of shredding. Another run sweeps
            // once more.
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
    pub(super) async fn sweep_target(&mut self, target: &Target) -> Result<Outcome, ErasureError> {
        for kind in DataKind::ALL {
            match kind.fate(target.scope()) {
                Fate::Untouched => {}
                Fate::Shredded | Fate::Swept | Fate::Kept(_) => {
                    match self.remove(*kind, target).await? {
                        Outcome::Done => {}
                        waits @ (Outcome::More | Outcome::Behind(_)) => return Ok(waits),
                    }
                }
            }
        }
        Ok(Outcome::Done)
    }

    /// Sweeps the channels of an account that no request covers: the door may have died before it
    /// asked for them. A request of their own erases them, with a receipt of its own; without such
    /// a request, this sweep does. No channel is connected once the account is locked.
    pub(super) async fn sweep_channels(
        &mut self,
        account: &AccountId,
    ) -> Result<Outcome, ErasureError> {
        let channels = targets::of_account(self.store, account).await?;
        if channels.is_empty() {
            return Ok(Outcome::Done);
        }
        if self.request.is_some() {
            let asked = Asked::channels(account, channels);
            return Ok(Outcome::Behind(begin(self.store, asked, self.now).await?.id));
        }
        for target in &channels {
            let by = By { request: &self.id, has_sweep: false };
            shred_target(self.store, target, by, self.now).await?;
            if Box::pin(self.sweep_target(target)).await? == Outcome::More {
                return Ok(Outcome::More);
            }
        }
        Ok(Outcome::Done)
    }

    /// Sweeps the members of an account, with their identities.
    pub(super) async fn sweep_members(
        &mut self,
        account: &AccountId,
    ) -> Result<Outcome, ErasureError> {
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

    /// Sweeps a member, with their identity.
    pub(super) async fn sweep_member(
        &mut self,
        account: &AccountId,
        member: &MemberId,
    ) -> Result<(), ErasureError> {
        if self.store.has_member_place(account, member).await? {
            self.batch.members.push((account.clone(), member.clone()));
        }
        self.flush().await
    }
}
