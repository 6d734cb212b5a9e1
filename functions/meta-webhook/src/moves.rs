//! Moves conversations in the inbox index, which also makes their contacts known.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::PoisonError;

use jiff::Timestamp;
use numib::concurrent::try_all;
use numib::domain::ids::{AccountId, ConversationId, PersonId};
use numib::domain::row::{CONTACT_SLACK, SUPPRESSION, sweep_on};
use numib::domain::time::Day;
use numib::store::contacts::{Contact, INBOX_STEP, Parties};
use numib::store::{Store, StoreError};

use crate::prepare::{What, Write};
use crate::{App, CONCURRENCY};

/// Conversations that a warm container remembers, at most.
const MOVED_MAX: usize = 4096;

/// The conversations that this container moved in the inbox index, and where to. It saves a
/// conditional write per message. It is only a hint: the look after the write decides.
#[derive(Debug, Default)]
pub(crate) struct Moved(BTreeMap<ConversationId, Timestamp>);

/// A conversation to move in the inbox index.
pub(crate) struct Move {
    pub(crate) conversation: ConversationId,
    account: AccountId,
    person: PersonId,
    at: Timestamp,
    /// The day of the visit for the oldest new message. Without a new message, this only makes the
    /// contact known, so that an erasure finds the edit or the tombstone.
    sweep_on: Option<Day>,
    expires_at: Timestamp,
}

impl Move {
    const fn parties(&self) -> Parties<'_> {
        let Self { conversation, account, person, .. } = self;
        Parties { conversation, account, person }
    }

    /// Whether the conversation has a new message.
    const fn shows(&self) -> bool {
        self.sweep_on.is_some()
    }
}

fn lags(moved: Timestamp, at: Timestamp) -> bool {
    at.duration_since(moved) > INBOX_STEP
}

/// Until when a mark that is set now keeps late deliveries out.
pub(crate) fn kept_out_until(now: Timestamp) -> Timestamp {
    now.saturating_add(SUPPRESSION).unwrap_or(Timestamp::MAX)
}

/// The moves that this body asks for.
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
    // A contact must outlive its marks, or a redelivery could pass them (R8.3). It must also
    // outlive its tombstones, which are found by it.
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

/// Moves conversations in the inbox index, except those that this container has just moved.
pub(crate) async fn move_due(app: &App, moves: &[Move]) -> Result<(), StoreError> {
    let due: Vec<&Move> = {
        let moved = app.moved.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due =
            |one: &&Move| moved.0.get(&one.conversation).is_none_or(|at| lags(*at, one.at));
        moves.iter().filter(is_due).collect()
    };
    move_all(app, &due).await
}

pub(crate) async fn move_all(app: &App, moves: &[&Move]) -> Result<(), StoreError> {
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

impl Move {
    /// Whether the contact that was seen is behind this move.
    pub(crate) fn is_ahead_of(&self, seen: Option<&Contact>) -> bool {
        let Some(contact) = seen else { return true };
        let shown_at = contact.last_message_at.filter(|at| !contact.marks.erases(*at));
        let is_ahead = match (self.shows(), shown_at) {
            (true, shown_at) => shown_at.is_none_or(|moved| lags(moved, self.at)),
            (false, _) => !contact.is_known,
        };
        is_ahead && contact.marks.restricted_at.is_none()
    }

    /// The day of the visit for the new messages, if the contact names none or a later one after
    /// they were stored. That happens when the conversation was visited meanwhile, or when an older
    /// message came late.
    //= R6.2
    pub(crate) fn sweep_before(&self, seen: &Contact) -> Option<Day> {
        self.sweep_on.filter(|day| seen.sweep_on.is_none_or(|seen| seen > *day))
    }
}
