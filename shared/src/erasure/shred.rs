//! Shredding: from here on nothing of the targets can be read, whatever is still stored of them.

use jiff::Timestamp;

use super::archives::void_archives;
use super::holds::{holds_on, holds_on_any, records};
use super::{ErasureError, TARGETS_AT_ONCE, kinds};
use crate::concurrent::try_all;
use crate::domain::data_kind::{DataKind, Fate};
use crate::domain::erasure::{Counts, Request, State, Target};
use crate::domain::ids::RequestId;
use crate::domain::row::{CONTACT_SLACK, SUPPRESSION};
use crate::store::messages::MessageKey;
use crate::store::{Store, StoreError};

/// Makes a request's targets unreadable, writes that into the ledger, and says so on the request.
/// What a hold covers is left, and the request waits; one whose day has not come waits too.
/// Anything but a new or waiting request stays as it is.
///
/// The cost is a handful of writes per target and one deletion per day of a connection, whatever
/// the number of messages.
///
/// # Errors
/// [`ErasureError`]; may be tried again.
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
    let held = holds_on_any(store, &request.targets).await?;
    let has_waited = request.state == State::Held || !held.is_empty();
    if !held.is_empty() {
        for record in &held {
            store.put_waiting(record, &request.id).await?;
        }
        // Noted first, then looked at again: who lifts a hold lifts first, and then reads who
        // waits. So one of the two sees the other.
        if !holds_on_any(store, &request.targets).await?.is_empty() {
            return wait(store, request).await;
        }
    }
    let mut request = count(store, request).await?;
    let by = By { request: &request.id, has_sweep: true };
    // Looked for right before each, too: counting takes its time.
    let each = request.targets.iter().map(async |target| {
        if !holds_on(store, target).await?.is_empty() {
            return Ok(None);
        }
        shred_target(store, target, by, now).await.map(Some)
    });
    let each = try_all(each, TARGETS_AT_ONCE).await?;
    let Some(each) = each.into_iter().collect::<Option<Vec<_>>>() else {
        // It waits, or goes on, as if that hold had been there from the start: what is shredded
        // may be shredded again.
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
        // A worker that died may have appended it: the ledger's word counts, since it stays.
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

async fn wait(store: &Store, mut request: Request) -> Result<Request, ErasureError> {
    if request.state == State::Requested {
        request.state = request.state.to(State::Held)?;
        request = store.save_progress(request).await?;
    }
    Ok(request)
}

/// Counts what shredding destroys, before it does: a retry would find nothing left to count. The
/// keys of a connection are counted with its mark.
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
            // What goes of it is counted with its mark, and as it is deleted.
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
    /// The request, whose name stands beside the marks.
    pub(super) request: &'a RequestId,
    /// Whether that request sweeps it later. Else it is swept at once.
    pub(super) has_sweep: bool,
}

/// Makes one target unreadable; returns how many of its keys this request has to count. Marks come
/// first: intake looks at them after it has written, so one of the two sees the other.
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
            // Marked first: an account that is erased gets no new key.
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
            // First, so that no tombstone is without a contact.
            store.keep_contact(conversation, outlives(kept_until)).await?;
            let key = MessageKey { conversation: conversation.clone(), message: message.clone() };
            // It is done as well where there is a tombstone already.
            store.put_tombstone(&key, kept_until).await?;
        }
    }
    for kind in shredded(target) {
        kinds::destroy(store, kind, target).await?;
    }
    // After the marks: whoever reads from now on reads nothing of it.
    void_archives(store, target.account()).await?;
    Ok(counts)
}

/// Until when a contact is kept whose marks and tombstones end then: they are found by it.
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
