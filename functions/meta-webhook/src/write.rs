//! Writes sealed changes, then looks again: whatever was erased or restricted meanwhile is removed
//! before anything is acknowledged.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use jiff::Timestamp;
use numib::domain::connection::{Connection, ConnectionState};
use numib::domain::ids::{AccountId, ConversationId, PersonId};
use numib::domain::row::{CONTACT_SLACK, SUPPRESSION, sweep_on};
use numib::domain::time::Day;
use numib::domain::update::Ignored;
use numib::store::concurrent::try_all;
use numib::store::contacts::{Contact, INBOX_STEP, Parties};
use numib::store::look_again::Sight;
use numib::store::messages::{MessageKey, Written};
use numib::store::{Store, StoreError};

use crate::App;
use crate::intake::{CONCURRENCY, Tally};
use crate::prepare::{What, Write};
use crate::row::{put_edit, put_message};

/// Conversations a warm container remembers having moved.
const MOVED_MAX: usize = 4096;

/// What one change did.
#[derive(Debug, Default)]
pub(crate) struct Effect {
    pub(crate) stored: bool,
    pub(crate) edited: bool,
    pub(crate) unsent: bool,
    pub(crate) ignored: Vec<Ignored>,
    /// Why this row alone was not written: its neighbours are, and Meta is told to come again.
    failure: Option<StoreError>,
}

/// Conversations that this container moved in the inbox index, and when to. It spares a conditional
/// write per message, and is only ever a hint: the look after the write decides.
#[derive(Debug, Default)]
pub(crate) struct Moved(BTreeMap<ConversationId, Timestamp>);

/// A conversation to move in the inbox index.
pub(crate) struct Move {
    conversation: ConversationId,
    account: AccountId,
    person: PersonId,
    at: Timestamp,
    /// When its oldest new message is to be swept. If it has none, its contact is only made known,
    /// so that an erasure finds the edit or the tombstone by it.
    sweep_on: Option<Day>,
    expires_at: Timestamp,
}

impl Move {
    const fn parties(&self) -> Parties<'_> {
        let Self { conversation, account, person, .. } = self;
        Parties { conversation, account, person }
    }

    /// Whether it has a new message.
    const fn shows(&self) -> bool {
        self.sweep_on.is_some()
    }
}

fn lags(moved: Timestamp, at: Timestamp) -> bool {
    at.duration_since(moved) > INBOX_STEP
}

/// Writes every change. A row that cannot be written does not hold up the others; a table that
/// cannot be written to ends it. Either fails the body, and redelivery finishes the job.
pub(crate) async fn write_all(
    store: &Store,
    writes: &[Write],
    now: Timestamp,
) -> Result<Vec<Effect>, StoreError> {
    try_all(writes.iter().map(|write| write_one(store, write, now)), CONCURRENCY).await
}

/// An SDK call under way takes kilobytes, and a body has up to a thousand: each is boxed when it
/// begins, so that only those under way take them.
async fn write_one(store: &Store, write: &Write, now: Timestamp) -> Result<Effect, StoreError> {
    let mut effect = Effect::default();
    let key = &write.key;
    let written = match &write.what {
        What::Unsend => Box::pin(put_tombstone(store, key, now, &mut effect)).await,
        What::Edit(edit) => Box::pin(put_edit(store, key, edit, &mut effect)).await,
        What::Store { message, edit } => {
            Box::pin(put_message(store, key, message, edit.as_ref(), &mut effect)).await
        }
    };
    match written {
        Err(error) if error.is_of_one_item() => effect.failure = Some(error),
        written => written?,
    }
    Ok(effect)
}

async fn put_tombstone(
    store: &Store,
    key: &MessageKey,
    now: Timestamp,
    effect: &mut Effect,
) -> Result<(), StoreError> {
    // From now, not from the unsend's own time: it can come long after what it unsends.
    match store.put_tombstone(key, kept_out_until(now)).await? {
        Written::Done => effect.unsent = true,
        Written::Met(_) => effect.ignored.push(Ignored::DuplicateUnsend),
    }
    Ok(())
}

/// Until when a mark that is set now keeps late deliveries out.
fn kept_out_until(now: Timestamp) -> Timestamp {
    now.saturating_add(SUPPRESSION).unwrap_or(Timestamp::MAX)
}

/// Where each conversation stands after this body.
pub(crate) fn moves(writes: &[Write], now: Timestamp) -> Vec<Move> {
    let mut moves: BTreeMap<&ConversationId, Move> = BTreeMap::new();
    for write in writes {
        let one = move_of(write, now);
        match moves.entry(&write.key.conversation) {
            Entry::Vacant(entry) => {
                entry.insert(one);
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                let expires_at = known.expires_at.max(one.expires_at);
                let sweep_on = [known.sweep_on, one.sweep_on].into_iter().flatten().min();
                if (known.shows(), known.at) < (one.shows(), one.at) {
                    *known = one;
                }
                (known.expires_at, known.sweep_on) = (expires_at, sweep_on);
            }
        }
    }
    moves.into_values().collect()
}

fn move_of(write: &Write, now: Timestamp) -> Move {
    let (at, sweep_on, row_expires_at) = match &write.what {
        What::Store { message, .. } => {
            (message.sent_at.min(now), Some(sweep_on(message.expires_at)), message.expires_at)
        }
        What::Edit(edit) => (now, None, edit.expires_at),
        What::Unsend => (now, None, Timestamp::MIN),
    };
    // Not before the marks on it have served, or a redelivery could pass them (R8.3); nor before
    // its tombstones are gone, which are found by it.
    let last = row_expires_at.max(kept_out_until(now));
    Move {
        conversation: write.key.conversation.clone(),
        account: write.connection.account.clone(),
        person: write.person.clone(),
        at,
        sweep_on,
        expires_at: last.saturating_add(CONTACT_SLACK).unwrap_or(Timestamp::MAX),
    }
}

/// Moves conversations in the inbox index, but for those this container moved just now.
pub(crate) async fn move_due(app: &App, moves: &[Move]) -> Result<(), StoreError> {
    let due: Vec<&Move> = {
        let moved = app.moved.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due =
            |one: &&Move| moved.0.get(&one.conversation).is_none_or(|at| lags(*at, one.at));
        moves.iter().filter(is_due).collect()
    };
    move_all(app, &due).await
}

async fn move_all(app: &App, moves: &[&Move]) -> Result<(), StoreError> {
    let store = &app.store;
    try_all(moves.iter().map(|one| move_one(store, one)), CONCURRENCY).await?;
    let mut moved = app.moved.lock().unwrap_or_else(PoisonError::into_inner);
    if moved.0.len().saturating_add(moves.len()) > MOVED_MAX {
        moved.0.clear();
    }
    moved.0.extend(moves.iter().map(|one| (one.conversation.clone(), one.at)));
    Ok(())
}

async fn move_one(store: &Store, one: &Move) -> Result<(), StoreError> {
    match one.sweep_on {
        Some(sweep_on) => {
            let until = (one.expires_at, sweep_on);
            Box::pin(store.move_conversation(one.parties(), one.at, until)).await
        }
        None => Box::pin(store.know_contact(one.parties(), one.at, one.expires_at)).await,
    }
}

/// Reads what the writes depend on, consistently, after them.
pub(crate) async fn look_again(store: &Store, writes: &[Write]) -> Result<Sight, StoreError> {
    let routes: BTreeSet<_> = writes.iter().map(|write| write.connection.route.clone()).collect();
    let conversations: BTreeSet<_> =
        writes.iter().map(|write| write.key.conversation.clone()).collect();
    store.look_again(&routes, &conversations).await
}

/// Removes what turned out to be restricted, or erased for good, and counts the rest.
///
/// What an erasure covers that is still to be swept is left where it is: the sweep finds it, and
/// counts what it deletes. Nobody can read it meanwhile.
///
/// # Errors
/// What the database says; the failure of a row that was not written; `Conflict` when the
/// connection was replaced: what was sent to the new one is the next delivery's to store there.
//= R2.3, R8.3
pub(crate) async fn settle(
    app: &App,
    writes: &[Write],
    (effects, moves): (Vec<Effect>, &[Move]),
    sight: &Sight,
    now: Timestamp,
    tally: &mut Tally,
) -> Result<(), StoreError> {
    let verdicts = writes.iter().zip(&effects).map(async |(write, effect)| {
        carry_out(&app.store, write, verdict(write, effect, sight)).await
    });
    let suppressed = try_all(verdicts, CONCURRENCY).await?;
    let stays = |one: &&Move| {
        let of_it = |write: &Write| write.key.conversation == one.conversation;
        writes.iter().zip(&suppressed).any(|(write, gone)| of_it(write) && !gone)
    };
    let seen = |one: &Move| sight.contacts.get(&one.conversation);
    let behind: Vec<&Move> =
        moves.iter().filter(|one| is_behind(one, seen(one))).filter(stays).collect();
    if !behind.is_empty() {
        move_all(app, &behind).await?;
    }
    let early = moves.iter().filter(stays).filter_map(|one| Some((one, seen(one)?)));
    let early = early.filter_map(|(one, contact)| Some((one, swept_too_late(one, contact)?)));
    let visits = early.map(|(one, day)| Box::pin(app.store.visit_by(&one.conversation, day)));
    try_all(visits, CONCURRENCY).await?;
    for ((write, effect), suppressed) in writes.iter().zip(effects).zip(suppressed) {
        if let Some(failure) = effect.failure {
            return Err(failure);
        }
        if is_replaced(write, sight) {
            return Err(StoreError::Conflict);
        }
        if suppressed {
            tally.ignore(Ignored::Suppressed, write.what.updates());
        } else {
            count(write, &effect, now, tally);
        }
    }
    Ok(())
}

/// Whether the contact that was seen has not moved as far as this.
fn is_behind(one: &Move, seen: Option<&Contact>) -> bool {
    let Some(contact) = seen else { return true };
    let shown_at = contact.last_message_at.filter(|at| !contact.marks.erases(*at));
    let behind = match (one.shows(), shown_at) {
        (true, shown_at) => shown_at.is_none_or(|moved| lags(moved, one.at)),
        (false, _) => !contact.is_known,
    };
    behind && contact.marks.restricted_at.is_none()
}

/// The day on which its new messages are to be swept, where the contact that was seen, after they
/// were stored, names none or a later one: it was visited meanwhile, or an older message came late.
//= R6.2
fn swept_too_late(one: &Move, seen: &Contact) -> Option<Day> {
    one.sweep_on.filter(|day| seen.sweep_on.is_none_or(|seen| seen > *day))
}

/// What becomes of a row, now that its connection and contact have been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It stays, and is shown.
    Stays,
    /// It is left where it is, and not shown: the sweep of an erasure is still to come, or it is a
    /// tombstone from before.
    Left,
    /// An edit whose message is not there, and must not come.
    RemoveWaitingEdit,
    Remove,
}

/// `erasure/sweep.rs` has the argument why a row that is left to a sweep is met by it.
//= R8.3, R2.3
fn verdict(write: &Write, effect: &Effect, sight: &Sight) -> Verdict {
    let contact = sight.contacts.get(&write.key.conversation);
    if !connection_lives(write, sight) {
        // The sweep ends a contact once it has read its rows, and reads them again after that.
        // Where it has ended, this row may have come later.
        return if contact.is_some() { Verdict::Left } else { Verdict::Remove };
    }
    let contact = contact.copied().unwrap_or_default();
    if contact.marks.erases(write.at) {
        // What is met of an erasure that is over came after it: by this delivery, or by one that
        // died before it looked. A tombstone did not, and stays.
        let is_tombstone = |reason| matches!(reason, &Ignored::Unsent | &Ignored::DuplicateUnsend);
        let is_left = contact.is_erasing || effect.ignored.iter().any(is_tombstone);
        return if is_left { Verdict::Left } else { Verdict::Remove };
    }
    if !contact.marks.restricts(write.at) {
        return Verdict::Stays;
    }
    // Unsends and edits of earlier messages are honoured (R8.2): only what is new is dropped.
    match write.what {
        What::Store { .. } if effect.ignored.contains(&Ignored::Unsent) => Verdict::Stays,
        What::Store { .. } => Verdict::Remove,
        What::Edit(_) => Verdict::RemoveWaitingEdit,
        What::Unsend => Verdict::Stays,
    }
}

/// Returns whether nothing of the row is shown.
async fn carry_out(store: &Store, write: &Write, verdict: Verdict) -> Result<bool, StoreError> {
    match verdict {
        Verdict::Stays => Ok(false),
        Verdict::Left => Ok(true),
        Verdict::RemoveWaitingEdit => Box::pin(store.delete_waiting_edit(&write.key)).await,
        Verdict::Remove => {
            Box::pin(store.delete_message(&write.key)).await?;
            Ok(true)
        }
    }
}

fn connection_lives(write: &Write, sight: &Sight) -> bool {
    active_connection(write, sight).is_some_and(|current| current.id == write.connection.id)
}

/// Whether another connection has the channel by now, and this update is that one's.
fn is_replaced(write: &Write, sight: &Sight) -> bool {
    active_connection(write, sight)
        .is_some_and(|current| current.id != write.connection.id && current.is_sent_to(write.at))
}

fn active_connection<'a>(write: &Write, sight: &'a Sight) -> Option<&'a Connection> {
    let current = sight.connections.get(&write.connection.route)?;
    (current.state == ConnectionState::Active).then_some(current)
}

fn count(write: &Write, effect: &Effect, now: Timestamp, tally: &mut Tally) {
    tally.stored = tally.stored.saturating_add(effect.stored.into());
    tally.edited = tally.edited.saturating_add(effect.edited.into());
    tally.unsent = tally.unsent.saturating_add(effect.unsent.into());
    for reason in &effect.ignored {
        tally.ignore(*reason, 1);
    }
    if effect.stored {
        let lag = now.duration_since(write.at).as_millis();
        tally.lag_ms.push(i64::try_from(lag).unwrap_or(i64::MAX).max(0));
    }
}
