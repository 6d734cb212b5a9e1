//! Opening a request: what is asked for, and the code to follow it by.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::holds::holds_on;
use super::shred::shred;
use super::{ErasureError, TARGETS_AT_ONCE};
use crate::concurrent::try_all;
use crate::domain::deadline::deadline;
use crate::domain::erasure::{Counts, Request, Source, State, Target};
use crate::domain::hold::Held;
use crate::domain::ids::{AccountId, RequestId};
use crate::seal::random;
use crate::store::requests::Opened;
use crate::store::{Store, StoreError};

/// Targets of one request; a person has a handful, an account its connections.
const TARGETS_MAX: usize = 1000;

/// Questions so close to each other are the same one.
const SAME_MOMENT: SignedDuration = SignedDuration::from_secs(5);

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

impl Asked {
    /// The channels of an account that ends: it is locked, and these go before it.
    #[must_use]
    pub fn channels(account: &AccountId, targets: Vec<Target>) -> Self {
        Self {
            source: Source::AccountDeletion,
            reference: None,
            subject: format!("channels of {account}"),
            targets,
            due_at: None,
        }
    }
}

/// What was opened for a question.
#[derive(Debug)]
pub struct Parts {
    /// What legal holds keep, a request for each set of holds.
    pub held: Vec<Request>,
    /// The request that is followed, by its id: all that no hold keeps, or the last of what holds
    /// keep, where they keep all of it.
    pub followed: Request,
}

/// Opens a request, or finds the one that is under way for the same subject. Whoever opens has to
/// shred each part: nothing has been destroyed yet.
///
/// What a legal hold covers goes into a request of its own, one for each set of holds, which waits
/// for them, so that a hold on one account's data keeps no other's (R6.7). What has come since the
/// one under way was asked for is erased too: by that one, if it waits, else by another. What is
/// asked once, under a name, leads to the same request for good.
///
/// # Errors
/// [`ErasureError`].
//= R6.7
pub async fn open(
    store: &Store,
    asked: Asked,
    once: Option<&str>,
    now: Timestamp,
) -> Result<Parts, ErasureError> {
    if asked.targets.len() > TARGETS_MAX {
        return Err(ErasureError::TooManyTargets);
    }
    if asked.due_at.is_some() {
        // What has time is one request; its day asks for holds.
        let followed = open_one(store, asked, None, once, now).await?;
        return Ok(Parts { held: Vec::new(), followed });
    }
    let mut free = Vec::with_capacity(asked.targets.len());
    let mut by_holds: BTreeMap<BTreeSet<Held>, Vec<Target>> = BTreeMap::new();
    let each = asked.targets.iter().map(|target| holds_on(store, target));
    let each = try_all(each, TARGETS_AT_ONCE).await?;
    for (target, holds) in asked.targets.iter().zip(each) {
        let part = if holds.is_empty() { &mut free } else { by_holds.entry(holds).or_default() };
        part.push(target.clone());
    }
    let is_all_held = free.is_empty() && !by_holds.is_empty();
    let mut held: Vec<Request> = Vec::new();
    while let Some((holds, targets)) = by_holds.pop_first() {
        let holds: Vec<String> = holds.iter().map(ToString::to_string).collect();
        let subject = format!("{} held {}", asked.subject, holds.join(" "));
        let part = Asked { subject, targets, ..asked.clone() };
        let name = once.filter(|_| is_all_held && by_holds.is_empty());
        let before = held.last().map(|before| before.id.clone());
        held.push(open_one(store, part, before, name, now).await?);
    }
    if is_all_held && let Some(followed) = held.pop() {
        return Ok(Parts { held, followed });
    }
    let held_part = held.last().map(|part| part.id.clone());
    let followed = open_one(store, Asked { targets: free, ..asked }, held_part, once, now).await?;
    Ok(Parts { held, followed })
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
        sweeping_at: None,
        completed_at: None,
        ledger_position: None,
        counts: Counts::new(),
        targets_swept: 0,
        receipt: None,
        version: 0,
    };
    let met = match store.open_request(&request, once, None).await? {
        Opened::New => return Ok(request),
        Opened::Named(id) => return stored(store, &id).await,
        Opened::UnderWay(id) => stored(store, &id).await?,
    };
    // One that says less, such as an earlier moment, is shredded first: who asked at the same time,
    // and for the same, then sees that nothing newer is there, and has the same request.
    let met = if met.state == State::Requested && !met.covers(&request.targets) {
        Box::pin(shred(store, met, now)).await?
    } else {
        met
    };
    // What came since it was asked is not in it: a request that still waits takes it in, one that
    // is being carried out is followed by another.
    let met = if covers(store, &met, &request.targets).await? {
        met
    } else if met.state == State::Held {
        let mut met = met;
        met.extend(&request.targets);
        store.extend_request(met).await?
    } else {
        return match store.open_request(&request, once, Some(&met.id)).await? {
            Opened::New => Ok(request),
            Opened::Named(id) => stored(store, &id).await,
            Opened::UnderWay(_) => Err(StoreError::Conflict.into()),
        };
    };
    if let Some(name) = once {
        store.name_request(name, &met).await?;
    }
    Ok(met)
}

/// Whether a request leaves nothing to erase of these targets.
//= R8.4
async fn covers(store: &Store, met: &Request, targets: &[Target]) -> Result<bool, ErasureError> {
    if met.covers(targets) {
        return Ok(true);
    }
    if met.state == State::Held || met.state.is_final() {
        return Ok(false);
    }
    for target in targets {
        let is_known = match target {
            Target::Contact { conversation, .. } => store.is_contact_known(conversation).await?,
            Target::Account { .. }
            | Target::Member { .. }
            | Target::Connection { .. }
            | Target::Message { .. } => true,
        };
        if is_known && !met.covers(std::slice::from_ref(target)) {
            return Ok(false);
        }
    }
    // A message of a moment much later than the request's own may still be delivered.
    let covers = |target| met.targets.iter().any(|own| own.covers_nearly(target, SAME_MOMENT));
    Ok(targets.iter().all(covers))
}

async fn stored(store: &Store, id: &RequestId) -> Result<Request, ErasureError> {
    Ok(store.request(id).await?.ok_or(ErasureError::Unknown)?.request)
}
