//! Sweeping: deletes the rows that shredding left unreadable, in batches that are written down,
//! with their counts, before they are deleted. Ends with the negative proof.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};

use super::archives;
use super::proof::is_clean;
use super::shred::{destroy_keys, shred_target};
use super::{Eraser, ErasureError};
use crate::domain::account::Use;
use crate::domain::data_kind::DataKind;
use crate::domain::erasure::{Counts, Request, State, Target};
use crate::domain::ids::{AccountId, ConnectionId, ContactId, ConversationId, RouteId};
use crate::domain::time::Day;
use crate::store::messages::MessageKey;
use crate::store::pace::Pace;
use crate::store::requests::InFlight;
use crate::store::sweep::SweepRow;
use crate::store::{Store, StoreError};

/// Rows of one batch.
const BATCH: usize = 250;
/// Members of one batch: the user pool takes a few calls a second.
const MEMBERS: usize = 10;
/// Rows of one page.
pub(super) const PAGE: i32 = 250;
/// Conversations that are read at once.
const CONVERSATIONS: usize = 16;
/// The proof is not given before this long after a worker first saw it shredded: what intake had
/// under way when the marks were set, it has written, and removed, or given up.
const SETTLED: SignedDuration = SignedDuration::from_secs(10);

/// Whether work is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// None.
    Done,
    /// Time ran out, it is too soon for the proof, or the proof found something new: another run
    /// goes on.
    More,
}

/// Deletes batch by batch, and remembers what it deleted.
pub(super) struct Sweeper<'a> {
    eraser: &'a Eraser,
    store: &'a Store,
    now: Timestamp,
    has_time: &'a (dyn Fn() -> bool + Sync),
    /// Where batches are written down; `None` when a report counts them (see `reapply`).
    request: Option<Request>,
    /// What was deleted.
    pub(super) counts: Counts,
    batch: InFlight,
    /// What a contact's erasure has met that it leaves.
    left: Left,
    /// How fast the table takes it.
    pace: Pace,
}

/// What is newer than a contact's erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Left {
    /// Nothing, or tombstones.
    Nothing,
    /// An edit whose message has not come.
    Other,
    /// Messages, the newest of this time.
    Message(Timestamp),
}

impl Left {
    fn of(row: &SweepRow) -> Self {
        match (row.unsent, row.sent_at) {
            (true, _) => Self::Nothing,
            (false, None) => Self::Other,
            (false, Some(sent_at)) => Self::Message(sent_at),
        }
    }
}

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
    let mut sweeper = Sweeper::new(eraser, Some(request), now, has_time);
    if let Some(batch) = in_flight {
        sweeper.delete(&batch).await?;
    }
    for target in targets.iter().skip(sweeper.targets_swept()) {
        if sweeper.target(target, now).await? == Outcome::More {
            return sweeper.stop(Outcome::More);
        }
        sweeper.target_swept().await?;
    }
    if !targets.is_empty() && !sweeper.is_settled(now) {
        return sweeper.stop(Outcome::More);
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

impl<'a> Sweeper<'a> {
    pub(super) fn new(
        eraser: &'a Eraser,
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
            request,
            counts,
            batch: InFlight::default(),
            left: Left::Nothing,
            pace: Pace::default(),
        }
    }

    fn stop(self, outcome: Outcome) -> Result<(Request, Outcome), ErasureError> {
        self.request.map(|request| (request, outcome)).ok_or(ErasureError::Unknown)
    }

    fn is_settled(&self, now: Timestamp) -> bool {
        let sweeping_at = self.request.as_ref().and_then(|request| request.sweeping_at);
        sweeping_at.is_some_and(|at| now.duration_since(at) >= SETTLED)
    }

    fn targets_swept(&self) -> usize {
        self.request.as_ref().map_or(0, |request| request.targets_swept)
    }

    async fn target_swept(&mut self) -> Result<(), ErasureError> {
        if let Some(request) = &mut self.request {
            request.targets_swept = request.targets_swept.saturating_add(1);
        }
        self.save().await
    }

    async fn start_again(&mut self) -> Result<(), ErasureError> {
        if let Some(request) = &mut self.request {
            request.targets_swept = 0;
        }
        self.save().await
    }

    /// Saves the request with its counts and the batch that is about to go.
    async fn save(&mut self) -> Result<(), ErasureError> {
        if let Some(mut request) = self.request.take() {
            request.counts = self.counts.clone();
            let batch = (self.batch != InFlight::default()).then_some(&self.batch);
            self.request = Some(self.store.save_work(request, batch, self.now).await?);
        }
        Ok(())
    }

    fn count(&mut self, kind: DataKind, number: usize) {
        kind.count(&mut self.counts, u64::try_from(number).unwrap_or(u64::MAX));
    }

    /// Deletes what has been gathered: written down first.
    async fn flush(&mut self) -> Result<(), ErasureError> {
        if self.batch == InFlight::default() {
            return Ok(());
        }
        self.count(DataKind::Message, self.batch.messages.len());
        self.count(DataKind::Contact, self.batch.contacts.len());
        self.count(DataKind::Member, self.batch.members.len());
        self.save().await?;
        let batch = std::mem::take(&mut self.batch);
        self.delete(&batch).await
    }

    async fn delete(&mut self, batch: &InFlight) -> Result<(), ErasureError> {
        self.store.delete_rows(&batch.messages, &mut self.pace).await?;
        self.store.delete_contacts(&batch.contacts).await?;
        for (account, member) in &batch.members {
            // The identity first: without the item nobody would know of it any more. One who is a
            // member of another account by now keeps it.
            let now_of = self.store.member(member).await?;
            if now_of.is_none_or(|now_of| now_of.account == *account) {
                self.eraser.user_pool.delete(member).await?;
            }
            self.store.delete_member(account, member).await?;
        }
        Ok(())
    }

    /// Sweeps one target.
    pub(super) async fn target(
        &mut self,
        target: &Target,
        now: Timestamp,
    ) -> Result<Outcome, ErasureError> {
        archives::discard(self.eraser, target.account()).await?;
        match target {
            Target::Account { account } => self.account(account, now).await,
            Target::Member { account, member } => {
                self.batch.members.push((account.clone(), member.clone()));
                self.flush().await?;
                Ok(Outcome::Done)
            }
            Target::Connection { account, route, connection } => {
                self.connection(account, route, connection).await
            }
            Target::Contact { conversation, until, .. } => {
                self.left = Left::Nothing;
                let outcome = self.conversation(conversation, None, Some(*until)).await?;
                self.flush().await?;
                match (outcome, self.left) {
                    (Outcome::Done, Left::Nothing) => {
                        self.store.settle_contact(conversation, None).await?;
                    }
                    (Outcome::Done, Left::Message(newest)) => {
                        self.store.settle_contact(conversation, Some(newest)).await?;
                    }
                    (Outcome::Done, Left::Other) | (Outcome::More, _) => {}
                }
                Ok(outcome)
            }
            // The tombstone that shredding put there is all that is left of it.
            Target::Message { .. } => Ok(Outcome::Done),
        }
    }

    /// Members, then the account itself. Its connections are targets of their own, and none is made
    /// once it is locked; but whoever asked may have died before asking for them.
    async fn account(
        &mut self,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<Outcome, ErasureError> {
        for (route, connection) in self.store.account_channels(account).await? {
            let (account, connection) = (account.clone(), connection);
            let target = Target::Connection { account, route, connection };
            shred_target(self.store, &target, now).await?;
            if Box::pin(self.target(&target, now)).await? == Outcome::More {
                return Ok(Outcome::More);
            }
        }
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
        self.store.delete_decisions(account).await?;
        archives::remove_all(self.eraser, account).await?;
        self.store.delete_account(account).await?;
        // Without a tax record nothing is left for its key to open. Looked for once the account is
        // gone, for then none is added.
        if !self.store.has_invoices(account).await? {
            self.store.delete_account_key(account, Use::TaxRecords).await?;
        }
        Ok(Outcome::Done)
    }

    async fn connection(
        &mut self,
        account: &AccountId,
        route: &RouteId,
        connection: &ConnectionId,
    ) -> Result<Outcome, ErasureError> {
        let mut after = None;
        loop {
            let contacts = self.store.contacts_after(connection, after.as_ref()).await?;
            let Some(last) = contacts.last().cloned() else { break };
            if self.contacts(connection, contacts).await? == Outcome::More {
                self.flush().await?;
                return Ok(Outcome::More);
            }
            after = Some(last);
        }
        self.flush().await?;
        // Keys that provisioning made while the connection was being shredded.
        let late = destroy_keys(self.store, connection).await?;
        self.count(DataKind::DayKey, late);
        self.store.delete_index_key(route, connection).await?;
        self.store.delete_place(account, connection).await?;
        Ok(Outcome::Done)
    }

    /// Gathers these contacts with their conversations, whose first pages are read side by side.
    async fn contacts(
        &mut self,
        connection: &ConnectionId,
        contacts: Vec<ContactId>,
    ) -> Result<Outcome, ErasureError> {
        let store = self.store;
        let pages = contacts.into_iter().map(async |contact| {
            let conversation = ConversationId { connection: connection.clone(), contact };
            let page = store.rows_after(&conversation, None, PAGE).await?;
            Ok::<_, StoreError>((conversation, page))
        });
        let pages: Vec<_> = pages.collect();
        let mut pages = stream::iter(pages).buffered(CONVERSATIONS);
        while let Some((conversation, page)) = pages.try_next().await? {
            if self.conversation(&conversation, Some(page), None).await? == Outcome::More {
                return Ok(Outcome::More);
            }
            // Its rows are read to the end and gathered: it goes after them.
            self.batch.contacts.push(conversation);
            if !(self.has_time)() {
                return Ok(Outcome::More);
            }
            if self.batch.contacts.len() >= BATCH {
                self.flush().await?;
            }
        }
        Ok(Outcome::Done)
    }

    /// Gathers a conversation's rows, and deletes them whenever a batch is full. `page` is its
    /// first page, where that has been read.
    async fn conversation(
        &mut self,
        conversation: &ConversationId,
        page: Option<(Vec<SweepRow>, bool)>,
        until: Option<Timestamp>,
    ) -> Result<Outcome, ErasureError> {
        let (mut rows, mut more) = match page {
            Some(page) => page,
            None => self.store.rows_after(conversation, None, PAGE).await?,
        };
        loop {
            let last = rows.last().map(|row| row.message.clone());
            let (covered, left): (Vec<_>, Vec<_>) =
                rows.into_iter().partition(|row| is_covered(row, until));
            self.left = left.iter().map(Left::of).fold(self.left, Left::max);
            for row in covered {
                let conversation = conversation.clone();
                self.batch.messages.push(MessageKey { conversation, message: row.message });
                if self.batch.messages.len() >= BATCH {
                    self.flush().await?;
                }
            }
            let Some(last) = last.filter(|_| more) else { return Ok(Outcome::Done) };
            if !(self.has_time)() {
                return Ok(Outcome::More);
            }
            (rows, more) = self.store.rows_after(conversation, Some(&last), PAGE).await?;
        }
    }
}

/// Whether a row goes: all of an erased connection's do. Of a contact's, what was sent until then;
/// a tombstone stays, as the mark that keeps the message out.
pub(super) fn is_covered(row: &SweepRow, until: Option<Timestamp>) -> bool {
    let Some(until) = until else { return true };
    match (row.unsent, row.sent_at) {
        (true, _) => false,
        (false, Some(sent_at)) => sent_at <= until,
        // An edit whose message has not come: it is of its own day.
        (false, None) => row.edit_day.is_none_or(|day| day <= Day::of(until)),
    }
}
