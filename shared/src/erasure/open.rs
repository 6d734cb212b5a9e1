//! Opening a request: what is asked for, and the code to follow it by.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{ErasureError, TARGETS_AT_ONCE};
use crate::domain::deadline::deadline;
use crate::domain::erasure::{Counts, Request, Source, State, Target};
use crate::domain::ids::RequestId;
use crate::seal::random;
use crate::store::Store;
use crate::store::concurrent::try_all;
use crate::store::holds::Held;
use crate::store::requests::Opened;

/// Targets of one request; a person has a handful, an account its connections.
const TARGETS_MAX: usize = 1000;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// By whom.
    pub source: Source,
    /// The operator's reference of the case, where there is one.
    pub reference: Option<String>,
    /// What the question is about, as a pseudonym: asked again while under way, it leads to the
    /// same request.
    pub subject: String,
    /// What is held of it.
    pub targets: Vec<Target>,
    /// When it is carried out, where that is not at once: until then it may be taken back.
    pub due_at: Option<Timestamp>,
}

/// Opens a request, or finds the one that is under way for the same subject. It is followed by its
/// id.
///
/// What a legal hold covers goes into a request of its own, which waits for the hold, so that a
/// hold on one account's data keeps no other's (R6.7).
///
/// # Errors
/// [`ErasureError`].
pub async fn open(store: &Store, asked: Asked, now: Timestamp) -> Result<Request, ErasureError> {
    open_as(store, asked, None, now).await
}

/// Opens a request as [`open`] does; what is asked once, under a name, leads to the same request
/// for good.
//= R6.7
pub(super) async fn open_as(
    store: &Store,
    asked: Asked,
    once: Option<&str>,
    now: Timestamp,
) -> Result<Request, ErasureError> {
    if asked.targets.len() > TARGETS_MAX {
        return Err(ErasureError::TooManyTargets);
    }
    let mut free = Vec::with_capacity(asked.targets.len());
    let mut held = Vec::new();
    let each = asked.targets.iter().map(|target| holds_on(store, target));
    let each = try_all(each, TARGETS_AT_ONCE).await?;
    for (target, holds) in asked.targets.iter().zip(each) {
        if holds.is_empty() { &mut free } else { &mut held }.push(target.clone());
    }
    if held.is_empty() || free.is_empty() {
        return open_one(store, asked, None, once, now).await;
    }
    let subject = format!("{} held", asked.subject);
    let waiting = Asked { subject, targets: held, ..asked.clone() };
    let waiting = open_one(store, waiting, None, None, now).await?;
    let waiting = super::shred(store, waiting, now).await?;
    open_one(store, Asked { targets: free, ..asked }, Some(waiting.id), once, now).await
}

async fn open_one(
    store: &Store,
    asked: Asked,
    held_part: Option<RequestId>,
    once: Option<&str>,
    now: Timestamp,
) -> Result<Request, ErasureError> {
    let request = Request {
        id: random::request_id()?,
        source: asked.source,
        reference: asked.reference,
        subject: asked.subject,
        targets: asked.targets,
        held_part,
        state: State::Requested,
        requested_at: now,
        due_at: asked.due_at,
        deadline: deadline(now).day,
        shredded_at: None,
        completed_at: None,
        ledger_position: None,
        counts: Counts::new(),
        targets_swept: 0,
        receipt: None,
        version: 0,
    };
    match store.open_request(&request, once).await? {
        Opened::New => Ok(request),
        Opened::UnderWay(id) => {
            let found = store.request(&id).await?.ok_or(ErasureError::Unknown)?;
            Ok(found.request)
        }
    }
}

/// The records whose holds cover a target.
pub(super) fn records(target: &Target) -> Vec<Held> {
    let account = Held::Account(target.account().clone());
    match target {
        Target::Account { .. } => vec![account],
        Target::Connection { connection, .. } => {
            let connection = connection.clone();
            vec![account, Held::Connection(connection.clone()), Held::Within(connection)]
        }
        Target::Contact { conversation, .. } | Target::Message { conversation, .. } => {
            let connection = Held::Connection(conversation.connection.clone());
            vec![account, connection, Held::Contact(conversation.clone())]
        }
    }
}

/// Those of them that have a hold.
pub(super) async fn holds_on(
    store: &Store,
    target: &Target,
) -> Result<BTreeSet<Held>, ErasureError> {
    let mut held = BTreeSet::new();
    for record in records(target) {
        if store.is_held(&record).await? {
            held.insert(record);
        }
    }
    Ok(held)
}
