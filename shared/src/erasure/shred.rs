//! Shredding makes a request's targets unreadable, whatever is still stored of them.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::archives::void_archives;
use super::holds::{group_by_holds, holds_on, holds_on_any, records, subject_of_held};
use super::{ErasureError, TARGETS_AT_ONCE, kinds};
use crate::concurrent::try_all;
use crate::domain::data_kind::{DataKind, Fate};
use crate::domain::erasure::{Counts, Request, State, Target};
use crate::domain::hold::Held;
use crate::domain::ids::RequestId;
use crate::domain::row::{CONTACT_SLACK, SUPPRESSION};
use crate::seal::random;
use crate::store::messages::MessageKey;
use crate::store::{Store, StoreError};

/// Makes a request's targets unreadable, writes that into the ledger, and says so on the request.
/// What a hold keeps stays, and its request waits. A request whose day has not come waits, too. A
/// request that is neither new nor waits stays as it is.
///
/// The cost is a handful of writes per target and one deletion per day of a connection, whatever
/// the number of messages. The call may be repeated.
//= R8.3
pub async fn shred(
    store: &Store,
    request: Request,
    now: Timestamp,
) -> Result<Request, ErasureError> {
    match request.state {
        State::Requested | State::Held => {}
        State::Shredded
        | State::Sweeping
        | State::Verified
        | State::Completed
        | State::Rejected
        | State::Cancelled => return Ok(request),
    }
    if request.is_early(now) {
        return Ok(request);
    }
    let (request, held) = split(store, request, now).await?;
    let has_waited = request.state == State::Held || !held.is_empty();
    if !held.is_empty() {
        for record in &held {
            store.put_waiting(record, &request.id).await?;
        }
        // This notes that the request waits, and then looks at the holds again. Whoever lifts a
        // hold lifts it first, and then reads who waits. So one of the two sees the other.
        if !holds_on_any(store, &request.targets).await?.is_empty() {
            return wait(store, request).await;
        }
    }
    let mut request = count(store, request).await?;
    let by = By { request: &request.id, has_sweep: true };
    // Counting takes its time, so this looks for holds right before each target, too.
    let each = request.targets.iter().map(async |target| {
        if !holds_on(store, target).await?.is_empty() {
            return Ok(None);
        }
        shred_target(store, target, by, now).await.map(Some)
    });
    let each = try_all(each, TARGETS_AT_ONCE).await?;
    let Some(each) = each.into_iter().collect::<Option<Vec<_>>>() else {
        // The request waits, or goes on, as if that hold had been there from the start. What is
        // shredded may be shredded again.
        return Box::pin(shred(store, request, now)).await;
    };
    for counts in each {
        add(&mut request.counts, counts);
    }
    request.shredded_at = Some(now);
    if !request.targets.is_empty() {
        let (id, source) = (&request.id, request.source);
        let entry = store.append_to_ledger(id, source, &request.targets, now).await?;
        request.ledger_position = Some(entry.position);
        // A worker that died may have appended the entry. Then the ledger's time counts.
        request.shredded_at = Some(entry.shredded_at);
    }
    request.state = request.state.to(State::Shredded)?;
    let request = store.save_progress(request).await?;
    if has_waited {
        for target in &request.targets {
            for record in records(store, target).await? {
                store.delete_waiting(&record, &request.id).await?;
            }
        }
    }
    Ok(request)
}

/// Gives what holds keep of a new request to requests of their own, one for each set of holds: a
/// hold that came after the request was opened keeps nothing else (R6.7). Returns what is left to
/// the request, and the records that keep it.
///
/// Counts cannot be told apart by target, so a request that has counted stays whole. So does a
/// request that waited for its day: it has one target.
//= R6.7
async fn split(
    store: &Store,
    mut request: Request,
    now: Timestamp,
) -> Result<(Request, BTreeSet<Held>), ErasureError> {
    let is_new = request.state == State::Requested && request.due_at.is_none();
    if !is_new || !request.counts.is_empty() {
        let held = holds_on_any(store, &request.targets).await?;
        return Ok((request, held));
    }
    let mut by_holds = group_by_holds(store, &request.targets).await?;
    let is_any_free = by_holds.remove(&BTreeSet::new()).is_some();
    let own = if is_any_free { None } else { by_holds.pop_last() };
    for (holds, targets) in by_holds {
        let held = Request {
            id: random::request_id()?,
            subject: subject_of_held(&request.subject, &holds),
            targets,
            version: 0,
            ..request.clone()
        };
        request.targets.retain(|target| !held.targets.contains(target));
        request.held_part = Some(held.id.clone());
        request = store.split_request(request, &held).await?;
        Box::pin(shred(store, held, now)).await?;
    }
    Ok((request, own.map(|(holds, _)| holds).unwrap_or_default()))
}

async fn wait(store: &Store, mut request: Request) -> Result<Request, ErasureError> {
    if request.state == State::Requested {
        request.state = request.state.to(State::Held)?;
        request = store.save_progress(request).await?;
    }
    Ok(request)
}

/// Counts what shredding is about to destroy, and saves the counts first: a retry would find
/// nothing left to count. The keys of a connection are counted with its mark.
async fn count(store: &Store, mut request: Request) -> Result<Request, ErasureError> {
    if !request.counts.is_empty() {
        return Ok(request);
    }
    let mut counts = Counts::new();
    for target in &request.targets {
        match target {
            Target::Account { account } => {
                let is_there = store.account(account).await?.is_some();
                DataKind::Account.count(&mut counts, is_there.into());
                add(&mut counts, keys_of(store, target).await?);
            }
            Target::Message { conversation, message, .. } => {
                let (conversation, message) = (conversation.clone(), message.clone());
                let row = store.find_row(&MessageKey { conversation, message }).await?;
                let is_there = row.is_some_and(|row| !row.unsent);
                DataKind::Message.count(&mut counts, is_there.into());
            }
            // Their items are counted with the mark, and when they are deleted.
            Target::Connection { .. } | Target::Member { .. } | Target::Contact { .. } => {}
        }
    }
    if counts.is_empty() {
        return Ok(request);
    }
    request.counts = counts;
    Ok(store.save_progress(request).await?)
}

/// For whom a target is shredded.
#[derive(Debug, Clone, Copy)]
pub(super) struct By<'a> {
    /// The request. The marks name it.
    pub(super) request: &'a RequestId,
    /// Whether the request sweeps the target later. If not, the caller sweeps it at once.
    pub(super) has_sweep: bool,
}

/// Makes one target unreadable, and returns how many of its keys this request has to count. Marks
/// come before all else: intake looks at them after it has written, so one of the two sees the
/// other.
pub(super) async fn shred_target(
    store: &Store,
    target: &Target,
    by: By<'_>,
    now: Timestamp,
) -> Result<Counts, ErasureError> {
    let kept_until = now.saturating_add(SUPPRESSION).unwrap_or(Timestamp::MAX);
    let mut counts = Counts::new();
    match target {
        Target::Account { account } => {
            // The mark comes before the key goes: an erased account gets no new key.
            store.mark_account_erased(account).await?;
        }
        Target::Member { account, member } => store.revoke_member(account, member).await?,
        Target::Connection { route, connection, .. } => {
            let keys = keys_of(store, target).await?;
            let mark = (by.request, keys);
            counts = store.mark_connection_erased(route, connection, mark, kept_until).await?;
        }
        // A mark would outlive its connection, and nobody would come to sweep it.
        Target::Contact { conversation, .. } | Target::Message { conversation, .. }
            if !store.has_day_keys(&conversation.connection).await? => {}
        Target::Contact { conversation, until, .. } => {
            let by = Some(by.request).filter(|_| by.has_sweep);
            store.mark_contact_erased(conversation, *until, outlives(kept_until), by).await?;
        }
        Target::Message { conversation, message, .. } => {
            // This comes before the tombstone, so that no tombstone is without a contact.
            store.keep_contact(conversation, outlives(kept_until)).await?;
            let key = MessageKey { conversation: conversation.clone(), message: message.clone() };
            // If a tombstone is there already, it stays.
            store.put_tombstone(&key, kept_until).await?;
        }
    }
    for kind in shredded(target) {
        kinds::destroy(store, kind, target).await?;
    }
    // This comes after the marks: whoever reads from now on reads nothing of the target.
    void_archives(store, target.account()).await?;
    Ok(counts)
}

/// Until when a contact is kept whose marks and tombstones end at `kept_until`: the contact leads
/// to them.
fn outlives(kept_until: Timestamp) -> Timestamp {
    kept_until.saturating_add(CONTACT_SLACK).unwrap_or(Timestamp::MAX)
}

/// The kinds of data that are destroyed before a request for this target is answered.
fn shredded(target: &Target) -> impl Iterator<Item = DataKind> {
    let scope = target.scope();
    DataKind::ALL.iter().copied().filter(move |kind| kind.fate(scope) == Fate::Shredded)
}

/// How many keys a target has.
async fn keys_of(store: &Store, target: &Target) -> Result<Counts, StoreError> {
    let mut counts = Counts::new();
    for kind in shredded(target) {
        let number = kinds::keys(store, kind, target).await?;
        kind.count(&mut counts, u64::try_from(number).unwrap_or(u64::MAX));
    }
    Ok(counts)
}

fn add(counts: &mut Counts, more: Counts) {
    for (kind, number) in more {
        kind.count(counts, number);
    }
}
