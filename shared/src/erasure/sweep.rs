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

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use super::open::Asked;
use super::proof::is_clean;
use super::scope::channels_of_account;
use super::shred::{By, destroy_keys, shred_target};
use super::sweeper::{BATCH, CONVERSATIONS, Left, Outcome, PAGE, Sweeper, is_covered};
use super::{Eraser, ErasureError, archives, begin};
use crate::domain::account::Use;
use crate::domain::data_kind::DataKind;
use crate::domain::erasure::{Request, State, Target};
use crate::domain::ids::{AccountId, ConnectionId, ContactId, ConversationId, RouteId};
use crate::store::StoreError;
use crate::store::messages::MessageKey;
use crate::store::requests::InFlight;
use crate::store::sweep::SweepRow;

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
                if self.store.has_member(account, member).await? {
                    self.batch.members.push((account.clone(), member.clone()));
                }
                self.flush().await?;
                Ok(Outcome::Done)
            }
            Target::Connection { account, route, connection } => {
                self.connection(account, route, connection).await
            }
            Target::Contact { conversation, until, .. } => self.contact(conversation, *until).await,
            // The tombstone that shredding put there is all that is left of it.
            Target::Message { .. } => Ok(Outcome::Done),
        }
    }

    /// What a contact sent until then, and then once more: intake leaves rows to the sweep for as
    /// long as the contact says that one is to come.
    async fn contact(
        &mut self,
        conversation: &ConversationId,
        until: Timestamp,
    ) -> Result<Outcome, ErasureError> {
        self.left = Left::Nothing;
        let outcome = self.conversation(conversation, None, Some(until)).await?;
        self.flush().await?;
        if outcome == Outcome::More {
            return Ok(outcome);
        }
        match self.left {
            Left::Nothing => self.store.settle_contact(conversation, None).await?,
            Left::Message(newest) => {
                self.store.settle_contact(conversation, Some(newest)).await?;
            }
            Left::Other => {}
        }
        self.store.end_contact_erasure(conversation, &self.id).await?;
        let outcome = self.conversation(conversation, None, Some(until)).await?;
        self.flush().await?;
        Ok(outcome)
    }

    /// Members, then the account itself. Its connections are requests of their own, and none is
    /// made once the account is locked; but whoever asked may have died before asking for them.
    async fn account(
        &mut self,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<Outcome, ErasureError> {
        let channels = channels_of_account(self.store, account).await?;
        if !channels.is_empty() {
            match self.channels(account, &channels, now).await? {
                Outcome::Done => {}
                waits @ (Outcome::More | Outcome::Behind(_)) => return Ok(waits),
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

    /// Has the channels of an account erased that were not asked for: by a request of their own,
    /// with a receipt of its own; or at once, where no request is at it.
    async fn channels(
        &mut self,
        account: &AccountId,
        channels: &[Target],
        now: Timestamp,
    ) -> Result<Outcome, ErasureError> {
        if self.request.is_some() {
            let asked = Asked::channels(account, channels.to_vec());
            return Ok(Outcome::Behind(begin(self.store, asked, now).await?.id));
        }
        for target in channels {
            let by = By { request: &self.id, has_sweep: false };
            shred_target(self.store, target, by, now).await?;
            if Box::pin(self.target(target, now)).await? == Outcome::More {
                return Ok(Outcome::More);
            }
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
