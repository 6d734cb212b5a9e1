//! Looks again after the writes, and removes whatever was erased or restricted meanwhile, before
//! anything is acknowledged.

use std::collections::BTreeSet;

use jiff::Timestamp;
use numib::concurrent::try_all;
use numib::domain::connection::{Connection, ConnectionState};
use numib::domain::update::Ignored;
use numib::store::look_again::Sight;
use numib::store::{Store, StoreError};

use crate::moves::{Move, move_all};
use crate::prepare::{What, Write};
use crate::row::Effect;
use crate::taken::Taken;
use crate::{App, CONCURRENCY};

/// Reads the connections and contacts of the writes, consistently, after the writes.
pub(crate) async fn look_again(store: &Store, writes: &[Write]) -> Result<Sight, StoreError> {
    let routes: BTreeSet<_> = writes.iter().map(|write| write.connection.route.clone()).collect();
    let conversations: BTreeSet<_> =
        writes.iter().map(|write| write.key.conversation.clone()).collect();
    store.look_again(&routes, &conversations).await
}

/// Removes what is restricted, or erased for good, and counts the rest.
///
/// Rows that a pending sweep covers are left: the sweep finds and counts them. Nobody can read them
/// meanwhile.
///
/// # Errors
/// The database's errors; the failure of a row that was not written; `Conflict` if the connection
/// was replaced: then the next delivery stores the message at the new one.
//= R2.3, R8.3
pub(crate) async fn settle(
    app: &App,
    writes: &[Write],
    effects: Vec<Effect>,
    moves: &[Move],
    sight: &Sight,
    now: Timestamp,
) -> Result<Taken, StoreError> {
    let rows = writes
        .iter()
        .zip(&effects)
        .map(async |(write, effect)| carry_out(&app.store, write, lot(write, effect, sight)).await);
    let suppressed = try_all(rows, CONCURRENCY).await?;
    let stays = |one: &&Move| {
        let of_it = |write: &Write| write.key.conversation == one.conversation;
        writes.iter().zip(&suppressed).any(|(write, gone)| of_it(write) && !gone)
    };
    let seen = |one: &Move| sight.contacts.get(&one.conversation);
    let ahead: Vec<&Move> =
        moves.iter().filter(|one| one.is_ahead_of(seen(one))).filter(stays).collect();
    if !ahead.is_empty() {
        move_all(app, &ahead).await?;
    }
    let early = moves.iter().filter(stays).filter_map(|one| Some((one, seen(one)?)));
    let early = early.filter_map(|(one, contact)| Some((one, one.sweep_before(contact)?)));
    let visits = early.map(|(one, day)| Box::pin(app.store.visit_by(&one.conversation, day)));
    try_all(visits, CONCURRENCY).await?;
    let mut taken = Taken::default();
    for ((write, effect), suppressed) in writes.iter().zip(effects).zip(suppressed) {
        if let Some(failure) = effect.failure {
            return Err(failure);
        }
        if is_replaced(write, sight) {
            return Err(StoreError::Conflict);
        }
        if suppressed {
            taken.ignore(Ignored::Suppressed, write.what.updates());
        } else {
            taken = taken.and(count(write, &effect, now));
        }
    }
    Ok(taken)
}

/// What becomes of a row, after a look at its connection and contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lot {
    /// The row stays, and is shown.
    Stays,
    /// The row is left, and not shown: a sweep is still to come, or the row is a tombstone from
    /// before.
    Left,
    /// An edit whose message is not there, and must not come.
    RemoveWaitingEdit,
    Remove,
}

/// `erasure/sweep.rs` says why the sweep meets every row that is left to it.
//= R8.3, R2.3
fn lot(write: &Write, effect: &Effect, sight: &Sight) -> Lot {
    let contact = sight.contacts.get(&write.key.conversation);
    if !connection_lives(write, sight) {
        // The sweep reads a contact's rows, ends the contact, and reads the rows again. If the
        // contact has ended, this row may have come later.
        return if contact.is_some() { Lot::Left } else { Lot::Remove };
    }
    let contact = contact.copied().unwrap_or_default();
    if contact.marks.erases(write.at) {
        // The erasure is over, so this row came after it: from this delivery, or from one that died
        // before it looked. A tombstone came before, and stays.
        let is_tombstone = |reason| matches!(reason, &Ignored::Unsent | &Ignored::DuplicateUnsend);
        let is_left = contact.is_erasing || effect.ignored.iter().any(is_tombstone);
        return if is_left { Lot::Left } else { Lot::Remove };
    }
    if !contact.marks.restricts(write.at) {
        return Lot::Stays;
    }
    // Unsends and edits of earlier messages are honoured (R8.2). Only new messages are dropped.
    match write.what {
        What::Store { .. } if effect.ignored.contains(&Ignored::Unsent) => Lot::Stays,
        What::Store { .. } => Lot::Remove,
        What::Edit(_) => Lot::RemoveWaitingEdit,
        What::Unsend => Lot::Stays,
    }
}

/// Carries a lot out. Returns whether nothing of the row is shown.
async fn carry_out(store: &Store, write: &Write, lot: Lot) -> Result<bool, StoreError> {
    match lot {
        Lot::Stays => Ok(false),
        Lot::Left => Ok(true),
        Lot::RemoveWaitingEdit => Box::pin(store.delete_waiting_edit(&write.key)).await,
        Lot::Remove => {
            Box::pin(store.delete_message(&write.key)).await?;
            Ok(true)
        }
    }
}

fn connection_lives(write: &Write, sight: &Sight) -> bool {
    active_connection(write, sight).is_some_and(|current| current.id == write.connection.id)
}

/// Whether another connection has the channel by now, and the update belongs to it.
fn is_replaced(write: &Write, sight: &Sight) -> bool {
    active_connection(write, sight)
        .is_some_and(|current| current.id != write.connection.id && current.is_sent_to(write.at))
}

fn active_connection<'a>(write: &Write, sight: &'a Sight) -> Option<&'a Connection> {
    let current = sight.connections.get(&write.connection.route)?;
    (current.state == ConnectionState::Active).then_some(current)
}

fn count(write: &Write, effect: &Effect, now: Timestamp) -> Taken {
    let mut taken = Taken {
        stored: effect.stored.into(),
        edited: effect.edited.into(),
        unsent: effect.unsent.into(),
        ..Taken::default()
    };
    for reason in &effect.ignored {
        taken.ignore(*reason, 1);
    }
    if effect.stored {
        let lag = now.duration_since(write.at).as_millis();
        taken.lag_ms.push(i64::try_from(lag).unwrap_or(i64::MAX).max(0));
    }
    taken
}
