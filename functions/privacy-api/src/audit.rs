//! Records who did what here, or tried to (R1.3): one event per request that changes something, and
//! one more for each account that staff did something to.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt as _, Response};
use numib::api::audit::{Unrecorded, in_time, tell_accounts};
use numib::domain::audit::{self, Action, Actor, Event, Outcome, Subject, erased_of_each};
use numib::domain::ids::AccountId;
use numib::domain::personal::Personal;
use numib::edge::auth::{self, Caller};
use numib::seal::random;
use serde::Deserialize;

use crate::App;
use crate::erase::Erased;
use crate::once::REPLAYED;
use crate::route::Route;

/// What is recorded of an answer besides its status: what was decided, and about whom.
#[derive(Deserialize, Default)]
struct Answered {
    account: Option<String>,
    owner: Option<String>,
    member: Option<String>,
    previous_role: Option<String>,
    role: Option<String>,
    plan_days: Option<u16>,
    decision: Option<String>,
    policy_version: Option<String>,
    /// Of the privacy policy.
    version: Option<String>,
    export: Option<String>,
    request: Option<String>,
    data_request: Option<String>,
    file: Option<String>,
    on: Option<String>,
}

/// Records what became of a request: in the chain of the caller's account, and what staff did to
/// accounts in theirs, too. Returns false when some of that failed: what was done is done, so it is
/// the log and an alarm that tell.
//= R1.3, R4.6
pub(crate) async fn record(
    app: &App,
    request: &Request,
    (route, response): (&Route, &Response<Body>),
    account: Option<AccountId>,
    now: Timestamp,
) -> bool {
    // What is answered again was recorded when it was done.
    if response.headers().contains_key(REPLAYED) {
        return true;
    }
    // Whoever has no token of ours got nowhere, and has no name.
    let Ok(caller) = auth::caller(request) else { return true };
    let status = response.status().as_u16();
    let Some((action, outcome)) = route.action.zip(outcome(status)) else { return true };
    let answered: Answered = match outcome {
        Outcome::Done => serde_json::from_slice(response.body().as_ref()).unwrap_or_default(),
        Outcome::Refused | Outcome::Failed => Answered::default(),
    };
    let subjects = subjects(request, (route, response), action, &answered);
    let is_recorded = in_time(action, async {
        let event = event(app, request, &caller, (action, outcome, subjects.clone()), now);
        let event = event.await?;
        // Of whom was not let in.
        let account = match account {
            Some(account) => account,
            None => match app.store.member(&caller.member).await? {
                Some(member) => member.account,
                None => audit::nobody(),
            },
        };
        app.store.append_audit_event(&account, event).await?;
        Ok(())
    });
    let is_recorded = is_recorded.await;
    if outcome != Outcome::Done || !is_by_staff(action) {
        return is_recorded;
    }
    let affected = affected(request, response, &answered, subjects);
    let affected = affected.iter().map(|(account, subjects)| (account, subjects.clone())).collect();
    tell_accounts(&app.store, (&Actor::Operator, action), &affected, now).await == 0 && is_recorded
}

/// Whether staff do it to accounts. Of a hold an account is not told.
const fn is_by_staff(action: Action) -> bool {
    matches!(
        action,
        Action::LodgeRequest
            | Action::ImportList
            | Action::ChangePlan
            | Action::OpenAccount
            | Action::FileInvoice
            | Action::ReadInvoices
    )
}

/// The accounts that staff did something to, and what.
fn affected(
    request: &Request,
    response: &Response<Body>,
    answered: &Answered,
    subjects: Vec<Subject>,
) -> BTreeMap<AccountId, Vec<Subject>> {
    if let Some(Erased { code, targets }) = response.extensions().get() {
        let each = erased_of_each(targets, code.as_ref()).into_iter();
        return each.map(|(account, subjects)| (account.clone(), subjects)).collect();
    }
    let parameters = request.path_parameters();
    let account = parameters.first("account_id").or(answered.account.as_deref());
    account.and_then(AccountId::parse).map(|account| (account, subjects)).into_iter().collect()
}

async fn event(
    app: &App,
    request: &Request,
    caller: &Caller,
    (action, outcome, subjects): (Action, Outcome, Vec<Subject>),
    at: Timestamp,
) -> Result<Event, Unrecorded> {
    let pepper = &app.secrets.get().await?.pepper;
    let (address, user_agent) = origin(request);
    Ok(Event {
        id: random::event_id()?,
        at,
        actor: Actor::Member(caller.member.clone()),
        action,
        outcome,
        subjects,
        address: address.map(|address| pepper.address(&address)),
        user_agent: user_agent.map(|name| pepper.user_agent(&name)),
    })
}

/// Where a request came from, by API Gateway's account of it, which no header changes.
fn origin(request: &Request) -> (Option<Personal<String>>, Option<Personal<String>>) {
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
        return (None, None);
    };
    let personal = |text: &Option<String>| text.clone().map(Personal::new);
    (personal(&context.http.source_ip), personal(&context.http.user_agent))
}

/// What a status says of it; `None` for a request that could not be read, and so asked for nothing.
const fn outcome(status: u16) -> Option<Outcome> {
    match status {
        200..=299 => Some(Outcome::Done),
        401 | 403 | 404 | 409 | 410 | 412 | 429 => Some(Outcome::Refused),
        500.. => Some(Outcome::Failed),
        _ => None,
    }
}

/// What it was about: ids of the path and of the answer, and what was decided. Of a body only what
/// the answer repeats.
fn subjects(
    request: &Request,
    (route, response): (&Route, &Response<Body>),
    action: Action,
    answered: &Answered,
) -> Vec<Subject> {
    let parameters = request.path_parameters();
    let named = |word: &str, id: Option<&str>| Subject::parse(&format!("{word} {}", id?));
    let path = route.parameters().map(|(word, name)| named(word, parameters.first(name)));
    let query = request.query_string_parameters();
    // Of numbers only such as are none of somebody's: with a letter.
    let plan = matches!(action, Action::ChangePlan | Action::OpenAccount);
    let plan = answered.plan_days.filter(|_| plan).map(|days| format!("{days}-days"));
    let profile = response.headers().get("etag").filter(|_| action == Action::CorrectProfile);
    let profile = profile.and_then(|tag| tag.to_str().ok());
    let profile = profile.map(|tag| format!("v{}", tag.trim_matches('"')));
    let answer = [
        named("on", answered.on.as_deref().or_else(|| query.first("on"))),
        named("account", answered.account.as_deref()),
        named("member", answered.owner.as_deref()),
        named("member", answered.member.as_deref()),
        named("was", answered.previous_role.as_deref()),
        named("role", answered.role.as_deref()),
        named("plan", plan.as_deref()),
        named("profile", profile.as_deref()),
        named("decision", answered.decision.as_deref()),
        named("policy", answered.policy_version.as_deref()),
        named("policy", answered.version.as_deref()),
        named("export", answered.export.as_deref()),
        named("request", answered.request.as_deref()),
        named("request", answered.data_request.as_deref()),
        named("list", answered.file.as_deref()),
    ];
    let mut all: Vec<Subject> = Vec::new();
    for subject in path.chain(answer).flatten() {
        // The answer may repeat what the path says.
        if !all.contains(&subject) {
            all.push(subject);
        }
    }
    all
}
