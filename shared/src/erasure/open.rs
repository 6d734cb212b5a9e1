//! Opens a request for what is asked, or finds the request that is under way for it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::ErasureError;
use super::holds::{group_by_holds, subject_of_held};
use super::shred::shred;
use crate::domain::deadline::deadline;
use crate::domain::erasure::{Counts, Request, Source, State, Target};
use crate::domain::ids::{AccountId, RequestId};
use crate::seal::random;
use crate::store::requests::Opened;
use crate::store::{Store, StoreError};

/// Targets of a request at most. A person has a handful, an account has its connections.
const TARGETS_MAX: usize = 1000;

/// Two questions that are no further apart count as the same question.
const SAME_MOMENT: SignedDuration = SignedDuration::from_secs(5);

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who asks.
    pub source: Source,
    /// The reference of the operator's case, if there is one.
    pub reference: Option<String>,
    /// What the question is about, as a pseudonym. Whoever asks the same again finds the same
    /// request while it is under way.
    pub subject: String,
    /// What is stored of it.
    pub targets: Vec<Target>,
    /// When the request is carried out, if that is not at once. Until then it can be taken back.
    pub due_at: Option<Timestamp>,
}

impl Asked {
    /// Asks for the channels of an account that ends. They go before the account.
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
    /// The requests for what legal holds keep, one for each set of holds.
    pub held: Vec<Request>,
    /// The request whose code is given to whoever asked. It covers all that no hold keeps. If holds
    /// keep everything, it is the last of their requests.
    pub followed: Request,
}

/// Opens a request, or finds the request that is under way for the same subject. Nothing is
/// destroyed yet: the caller has to shred each part.
///
/// What legal holds keep goes into requests of their own, one for each set of holds. Each waits for
/// its holds, so a hold on one account's data keeps no other account's data (R6.7). What has come
/// since an earlier question is erased too: by the earlier request if that waits for the same
/// holds, else by a new one. With a name, `once` leads to the same request for good.
///
/// # Errors
/// [`ErasureError::TooManyTargets`], or what the database or the random source says. `Conflict` if
/// the request under way has just ended: the caller may ask again.
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
        // A request that waits for its day looks for holds on that day.
        let followed = open_part(store, asked, Opening::whole(once), now).await?;
        return Ok(Parts { held: Vec::new(), followed });
    }
    let mut by_holds = group_by_holds(store, &asked.targets).await?;
    let free = by_holds.remove(&BTreeSet::new()).unwrap_or_default();
    let is_all_held = free.is_empty() && !by_holds.is_empty();
    let mut held: Vec<Request> = Vec::new();
    while let Some((holds, targets)) = by_holds.pop_first() {
        let subject = subject_of_held(&asked.subject, &holds);
        let asked = Asked { subject, targets, ..asked.clone() };
        let once = once.filter(|_| is_all_held && by_holds.is_empty());
        let held_part = held.last().map(|before| before.id.clone());
        held.push(open_part(store, asked, Opening { held_part, once, may_wait: true }, now).await?);
    }
    if is_all_held && let Some(followed) = held.pop() {
        return Ok(Parts { held, followed });
    }
    let held_part = held.last().map(|part| part.id.clone());
    let asked = Asked { targets: free, ..asked };
    let followed =
        open_part(store, asked, Opening { held_part, once, may_wait: false }, now).await?;
    Ok(Parts { held, followed })
}

/// How a part of a question is opened.
struct Opening<'a> {
    /// The request for the part before, which holds keep.
    held_part: Option<RequestId>,
    /// The name under which the part is asked once.
    once: Option<&'a str>,
    /// Whether the part may join a request that waits for a hold. A part that no hold keeps may
    /// not: it is erased now.
    may_wait: bool,
}

impl<'a> Opening<'a> {
    /// The only part of a question.
    const fn whole(once: Option<&'a str>) -> Self {
        Self { held_part: None, once, may_wait: true }
    }
}

async fn open_part(
    store: &Store,
    asked: Asked,
    Opening { held_part, once, may_wait }: Opening<'_>,
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
    // A request that says less, such as an earlier moment, is shredded first. Whoever asks the same
    // at the same time then sees that nothing newer is there, and gets the same request.
    let met = if met.state == State::Requested && !met.covers(&request.targets) {
        Box::pin(shred(store, met, now)).await?
    } else {
        met
    };
    // A request that waits takes in what has come since, unless it has counted already what it
    // destroys. Any other request is followed by a new one.
    let is_held = met.state == State::Held;
    let met = if (may_wait || !is_held) && covers(store, &met, &request.targets).await? {
        met
    } else if may_wait && is_held && met.counts.is_empty() {
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

/// Whether these targets have nothing that a request does not erase.
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
    // Messages may still be delivered whose moment is much later than the request's own.
    let covers = |target| met.targets.iter().any(|own| own.covers_nearly(target, SAME_MOMENT));
    Ok(targets.iter().all(covers))
}

async fn stored(store: &Store, id: &RequestId) -> Result<Request, ErasureError> {
    Ok(store.request(id).await?.ok_or(ErasureError::Unknown)?.request)
}
