//! Deletes what a sweep has gathered, batch by batch. Each batch is counted and written down before
//! it is deleted. So a worker that dies neither loses nor repeats a count, and the next worker goes
//! on where it stopped.

use jiff::{SignedDuration, Timestamp};

use super::{Eraser, ErasureError};
use crate::concurrent::try_all;
use crate::domain::data_kind::DataKind;
use crate::domain::erasure::{Counts, Request, State};
use crate::domain::ids::{AccountId, ConversationId, MemberId, RequestId};
use crate::domain::row::SUPPRESSION;
use crate::store::messages::MessageKey;
use crate::store::pace::Pace;
use crate::store::requests::InFlight;
use crate::store::sweep::SweepRow;
use crate::store::{Store, StoreError};

/// Rows, or contacts, of one batch.
pub(super) const BATCH: usize = 250;
/// Rows of one page.
pub(super) const PAGE: i32 = 250;
/// Conversations that are read at once.
pub(super) const CONVERSATIONS: usize = 16;

/// How long after a worker first saw the request shredded the sweep begins. By then, everything is
/// over that intake had under way when the marks were set. Its requests to the database leave
/// within 4.5 seconds of their webhook's arrival; the rest of the time is for requests that are on
/// their way, and for a read of the connection that was a moment old.
pub const SETTLED: SignedDuration = SignedDuration::from_secs(10);

/// Whether work is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing is left to do.
    Done,
    /// Another run goes on: time ran out, the sweep may not begin yet, another request sweeps in
    /// the lane, or the proof found something new.
    More,
    /// Another run goes on once this request has ended.
    Behind(RequestId),
}

/// Deletes batch by batch, and remembers what it deleted.
pub(super) struct Sweeper<'a> {
    pub(super) eraser: &'a Eraser,
    pub(super) store: &'a Store,
    pub(super) now: Timestamp,
    pub(super) has_time: &'a (dyn Fn() -> bool + Sync),
    /// The request that covers what is swept.
    pub(super) id: RequestId,
    /// The request that batches are written to. `None` if a report counts them (see `reapply`).
    pub(super) request: Option<Request>,
    /// How many items were deleted.
    pub(super) counts: Counts,
    /// The batch that is being gathered.
    pub(super) batch: InFlight,
    /// What the erasure of a contact has met, and leaves.
    pub(super) left: Left,
    /// How fast the table takes deletions.
    pub(super) pace: Pace,
}

/// What a conversation has that is newer than the erasure of its contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Left {
    /// Nothing, or tombstones.
    Nothing,
    /// An edit whose message has not come.
    Other,
    /// Messages. The newest was sent at this time.
    Message(Timestamp),
}

impl Left {
    pub(super) fn of(row: &SweepRow) -> Self {
        match (row.unsent, row.sent_at) {
            (true, _) => Self::Nothing,
            (false, None) => Self::Other,
            (false, Some(sent_at)) => Self::Message(sent_at),
        }
    }
}

impl<'a> Sweeper<'a> {
    pub(super) fn new(
        eraser: &'a Eraser,
        id: RequestId,
        request: Option<Request>,
        now: Timestamp,
        has_time: &'a (dyn Fn() -> bool + Sync),
    ) -> Self {
        let counts = request.as_ref().map(|request| request.counts.clone()).unwrap_or_default();
        Self {
            eraser,
            store: &eraser.store,
            now,
            has_time,
            id,
            request,
            counts,
            batch: InFlight::default(),
            left: Left::Nothing,
            pace: Pace::default(),
        }
    }

    /// Sweeps again what a request of the ledger has erased: to the end, and for a report.
    pub(super) fn for_report(eraser: &'a Eraser, id: RequestId, now: Timestamp) -> Self {
        Self::new(eraser, id, None, now, &|| true)
    }

    pub(super) fn stop(self, outcome: Outcome) -> Result<(Request, Outcome), ErasureError> {
        self.request.map(|request| (request, outcome)).ok_or(ErasureError::Unknown)
    }

    /// Stops for now, and saves the request: a request that waits does not count as stuck.
    pub(super) async fn wait(
        mut self,
        outcome: Outcome,
    ) -> Result<(Request, Outcome), ErasureError> {
        self.save().await?;
        self.stop(outcome)
    }

    /// Whether intake has nothing under way from before the marks.
    pub(super) fn is_settled(&self) -> bool {
        let sweeping_at = self.request.as_ref().and_then(|request| request.sweeping_at);
        sweeping_at.is_some_and(|at| self.now.duration_since(at) >= SETTLED)
    }

    pub(super) fn targets_swept(&self) -> usize {
        self.request.as_ref().map_or(0, |request| request.targets_swept)
    }

    /// Saves that one more target is swept.
    pub(super) async fn end_target(&mut self) -> Result<(), ErasureError> {
        if let Some(request) = &mut self.request {
            request.targets_swept = request.targets_swept.saturating_add(1);
        }
        self.save().await
    }

    /// Saves that no target is swept: another run sweeps them all again.
    pub(super) async fn start_again(&mut self) -> Result<(), ErasureError> {
        if let Some(request) = &mut self.request {
            request.targets_swept = 0;
        }
        self.save().await
    }

    /// Saves the request with its counts and with the batch that is about to be deleted.
    async fn save(&mut self) -> Result<(), ErasureError> {
        if let Some(mut request) = self.request.take() {
            request.counts = self.counts.clone();
            let batch = (self.batch != InFlight::default()).then_some(&self.batch);
            self.request = Some(self.store.save_work(request, batch, self.now).await?);
        }
        Ok(())
    }

    pub(super) fn count(&mut self, kind: DataKind, number: usize) {
        kind.count(&mut self.counts, u64::try_from(number).unwrap_or(u64::MAX));
    }

    /// Enters a lane. False while another request sweeps in it.
    pub(super) async fn enter(&self, lane: &str) -> Result<bool, ErasureError> {
        if self.request.is_none() {
            return Ok(true);
        }
        let id = &self.id;
        let kept_until = self.now.saturating_add(SUPPRESSION).unwrap_or(Timestamp::MAX);
        let holder = self.store.enter_lane(lane, id, kept_until).await?;
        if holder == *id {
            return Ok(true);
        }
        let at_it = self.store.request(&holder).await?;
        if at_it.is_some_and(|at_it| at_it.request.state == State::Sweeping) {
            return Ok(false);
        }
        // That request has ended, and its worker died before it left the lane.
        Ok(self.store.take_lane_over(lane, (&holder, id), kept_until).await?)
    }

    /// Leaves a lane to the next request.
    pub(super) async fn leave(&self, lane: &str) -> Result<(), ErasureError> {
        Ok(self.store.leave_lane(lane, &self.id).await?)
    }

    /// Counts and writes down the batch that was gathered, and then deletes it.
    pub(super) async fn flush(&mut self) -> Result<(), ErasureError> {
        if self.batch == InFlight::default() {
            return Ok(());
        }
        self.count(DataKind::Message, self.batch.messages.len());
        self.count(DataKind::Contact, self.batch.contacts.len());
        self.count(DataKind::Member, self.batch.members.len());
        self.save().await?;
        let batch = std::mem::take(&mut self.batch);
        self.delete(batch).await
    }

    /// Deletes a batch that is counted and written down, and then the rows that its contacts still
    /// have. The batch keeps its contacts until they have no row. So whoever goes on after a worker
    /// that died reads their conversations again, too.
    pub(super) async fn delete(&mut self, mut batch: InFlight) -> Result<(), ErasureError> {
        loop {
            self.store.delete_rows(&batch.messages, &mut self.pace).await?;
            self.store.delete_contacts(&batch.contacts).await?;
            for (account, member) in std::mem::take(&mut batch.members) {
                self.delete_member(&account, &member).await?;
            }
            batch.messages = self.read_rows(&batch.contacts).await?;
            if batch.messages.is_empty() {
                return Ok(());
            }
            self.count(DataKind::Message, batch.messages.len());
            self.batch = batch;
            self.save().await?;
            batch = std::mem::take(&mut self.batch);
        }
    }

    /// Deletes a member of an account, with their identity.
    async fn delete_member(
        &self,
        account: &AccountId,
        member: &MemberId,
    ) -> Result<(), ErasureError> {
        // The identity goes before the item: without the item, nobody would know of the identity.
        // Whoever is a member of another account by now keeps the identity.
        let now_of = self.store.member(member).await?;
        if now_of.is_none_or(|now_of| now_of.account == *account) {
            self.eraser.user_pool.delete(member).await?;
        }
        Ok(self.store.delete_member(account, member).await?)
    }

    /// Reads which rows these conversations still have: a batch of them at most.
    async fn read_rows(&self, ended: &[ConversationId]) -> Result<Vec<MessageKey>, ErasureError> {
        let pages = ended.iter().map(async |conversation| {
            let (rows, _) = self.store.rows_after(conversation, None, PAGE).await?;
            let key = |row: SweepRow| MessageKey {
                conversation: conversation.clone(),
                message: row.message,
            };
            Ok::<_, StoreError>(rows.into_iter().map(key).collect::<Vec<_>>())
        });
        let mut rows: Vec<_> = try_all(pages, CONVERSATIONS).await?.into_iter().flatten().collect();
        rows.truncate(BATCH);
        Ok(rows)
    }
}

/// Whether an erasure removes a row. Without `until`, its connection is erased, so the row goes.
/// Else its contact is erased, and what was sent until then goes. But a tombstone stays, for it
/// keeps the message out.
pub(super) fn is_covered(row: &SweepRow, until: Option<Timestamp>) -> bool {
    let Some(until) = until else { return true };
    match (row.unsent, row.sent_at) {
        (true, _) => false,
        (false, Some(sent_at)) => sent_at <= until,
        // This is an edit whose message has not come.
        (false, None) => row.edit_at.is_none_or(|edited| edited <= until),
    }
}
