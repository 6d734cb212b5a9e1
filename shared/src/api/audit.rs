//! Records who did what, or tried to, within the time that a caller waits (R1.3): one event per
//! request that changes something, and one more for each account that staff did something to.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt as _};

use super::desk::Desk;
use super::done::Done;
use super::route::Route;
use crate::concurrent::all;
use crate::domain::audit::{self, Action, Actor, Event, Outcome, SUBJECTS_MAX, Subject};
use crate::domain::ids::AccountId;
use crate::domain::personal::Personal;
use crate::edge::auth::{self, Caller};
use crate::edge::problem::Problem;
use crate::edge::secrets::SecretsError;
use crate::seal::{SealError, random};
use crate::store::{Store, StoreError};

/// The time for recording. The caller waits meanwhile, and what was done is done.
const TIME: Duration = Duration::from_secs(2);
/// Accounts whose chains are written at once.
const AT_ONCE: usize = 16;
/// The one parameter of a query that names what a request is about.
const NAMED_IN_QUERY: &str = "on";

/// Why an event was not recorded.
#[derive(Debug, thiserror::Error)]
enum Unrecorded {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("it took longer than {TIME:?}")]
    Late(#[from] tokio::time::error::Elapsed),
}

/// What a caller tried, and what became of it.
struct Tried {
    action: Action,
    outcome: Outcome,
    subjects: Vec<Subject>,
    at: Timestamp,
}

/// Where a request came from, as API Gateway saw it.
#[derive(Default)]
struct Origin {
    address: Option<Personal<String>>,
    user_agent: Option<Personal<String>>,
}

/// Records the outcome of a request in the chain of the caller's account. What staff did to
/// accounts is recorded in the accounts' chains, too. Returns false if some of that failed: what
/// was done is done, so the log and an alarm tell.
//= R1.3, R4.6
pub async fn record<H: Sync>(
    desk: Desk<'_>,
    request: &Request,
    route: &Route<H>,
    done: &Result<Done, Problem>,
    account: Option<AccountId>,
    now: Timestamp,
) -> bool {
    let Some((action, outcome)) = route.action.zip(outcome(done)) else { return true };
    // A caller without a token of ours has no name, and was not let in.
    let Ok(caller) = auth::caller(request) else { return true };
    let subjects = subjects(request, route, done);
    let tried = Tried { action, outcome, subjects: subjects.clone(), at: now };
    let recorded = own(desk, request, caller, tried, account);
    let is_recorded = in_time(action, recorded).await;
    let Ok(done) = done else { return is_recorded };
    let told = done.told(&subjects);
    tell_accounts(desk.store, &Actor::Operator, action, &told, now).await == 0 && is_recorded
}

/// The outcome of a request. `None` for a request that could not be read, and for one that was
/// done, and recorded, before.
fn outcome(done: &Result<Done, Problem>) -> Option<Outcome> {
    match done {
        Ok(done) => (!done.is_repeated).then_some(Outcome::Done),
        Err(problem) => match problem.status.as_u16() {
            401 | 403 | 404 | 409 | 410 | 412 | 429 => Some(Outcome::Refused),
            500.. => Some(Outcome::Failed),
            _ => None,
        },
    }
}

/// The subjects: ids of the path and the query, and what the handler says.
fn subjects<H>(request: &Request, route: &Route<H>, done: &Result<Done, Problem>) -> Vec<Subject> {
    let (path, query) = (request.path_parameters(), request.query_string_parameters());
    let named = |word: &str, id: Option<&str>| Subject::parse(&format!("{word} {}", id?));
    let in_path = route.parameters().map(|(word, name)| named(word, path.first(name)));
    let in_query = [named(NAMED_IN_QUERY, query.first(NAMED_IN_QUERY))];
    let said = done.iter().flat_map(|done| done.subjects.iter().cloned());
    let mut all: Vec<Subject> = Vec::new();
    for subject in in_path.chain(in_query).flatten().chain(said) {
        // The handler may repeat what the path says.
        if !all.contains(&subject) {
            all.push(subject);
        }
    }
    all
}

/// Records an event in the chain of the account that the caller had when they came.
async fn own(
    desk: Desk<'_>,
    request: &Request,
    caller: Caller,
    tried: Tried,
    account: Option<AccountId>,
) -> Result<(), Unrecorded> {
    let pepper = &desk.secrets.get().await?.pepper;
    let Origin { address, user_agent } = origin(request);
    // The account of a caller who was not let in.
    let account = match account {
        Some(account) => account,
        None => match desk.store.member(&caller.member).await? {
            Some(member) => member.account,
            None => audit::nobody(),
        },
    };
    let event = Event {
        id: random::event_id()?,
        at: tried.at,
        actor: Actor::Member(caller.member),
        action: tried.action,
        outcome: tried.outcome,
        subjects: tried.subjects,
        address: address.map(|address| pepper.address(&address)),
        user_agent: user_agent.map(|name| pepper.user_agent(&name)),
    };
    desk.store.append_audit_event(&account, event).await?;
    Ok(())
}

/// Reads the origin of a request from what API Gateway adds: no header changes that.
fn origin(request: &Request) -> Origin {
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
        return Origin::default();
    };
    let personal = |text: &Option<String>| text.clone().map(Personal::new);
    Origin {
        address: personal(&context.http.source_ip),
        user_agent: personal(&context.http.user_agent),
    }
}

/// Records in the chains of accounts what somebody did to them who is no member. Returns how many
/// chains lack the event. The log names each.
//= R1.3, R4.6
pub async fn tell_accounts(
    store: &Store,
    actor: &Actor,
    action: Action,
    accounts: &BTreeMap<&AccountId, Vec<Subject>>,
    at: Timestamp,
) -> usize {
    let told = accounts.iter().map(|(account, subjects)| {
        in_time(action, append(store, actor, action, account, subjects, at))
    });
    all(told, AT_ONCE).await.into_iter().filter(|is_recorded| !is_recorded).count()
}

/// The event names neither the operator nor the place.
async fn append(
    store: &Store,
    actor: &Actor,
    action: Action,
    account: &AccountId,
    subjects: &[Subject],
    at: Timestamp,
) -> Result<(), Unrecorded> {
    for subjects in subjects.chunks(SUBJECTS_MAX) {
        let id = random::event_id()?;
        let event = Event::from_outside(id, at, actor.clone(), action, subjects);
        store.append_audit_event(account, event).await?;
    }
    Ok(())
}

/// Whether it was recorded within the time there is.
async fn in_time(action: Action, recorded: impl Future<Output = Result<(), Unrecorded>>) -> bool {
    let recorded = tokio::time::timeout(TIME, recorded).await;
    let recorded = recorded.map_err(Unrecorded::from).flatten();
    if let Err(error) = &recorded {
        let action = action.as_str();
        tracing::error!(action, error = %error, "an audit event was not recorded");
    }
    recorded.is_ok()
}
