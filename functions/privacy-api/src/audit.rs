//! Records who did what here, or tried to (R1.3): one event per request that changes something.

use std::time::Duration;

use jiff::Timestamp;
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt as _, Response};
use numib::domain::audit::{self, Action, Actor, Event, Outcome, Subject};
use numib::domain::personal::Personal;
use numib::edge::auth::{self, Caller};
use numib::edge::secrets::SecretsError;
use numib::seal::{SealError, random};
use numib::store::StoreError;
use serde::Deserialize;

use crate::App;
use crate::once::REPLAYED;
use crate::route::Route;

/// Whoever asked waits for it.
const TIME: Duration = Duration::from_secs(2);

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

/// What is recorded of an answer besides its status.
#[derive(Deserialize, Default)]
struct Answered {
    export: Option<String>,
    request: Option<String>,
    data_request: Option<String>,
    file: Option<String>,
    on: Option<String>,
}

/// Records what became of a request, in the chain of the caller's account. Returns false when that
/// failed: what was done is done, so it is the log and an alarm that tell.
//= R1.3, R4.6
pub(crate) async fn record(
    app: &App,
    request: &Request,
    (route, response): (&Route, &Response<Body>),
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
    let subjects = subjects(request, (route, response), outcome);
    let recorded = tokio::time::timeout(TIME, async {
        let event = event(app, request, &caller, (action, outcome, subjects), now).await?;
        let member = app.store.member(&caller.member).await?;
        let account = member.map_or_else(audit::nobody, |member| member.account);
        app.store.append_audit_event(&account, event).await?;
        Ok::<_, Unrecorded>(())
    });
    let recorded = recorded.await.map_err(Unrecorded::from).flatten();
    if let Err(error) = &recorded {
        let (action, outcome) = (action.as_str(), outcome.as_str());
        tracing::error!(action, outcome, error = %error, "an audit event was not recorded");
    }
    recorded.is_ok()
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
        401 | 403 | 404 | 409 => Some(Outcome::Refused),
        500.. => Some(Outcome::Failed),
        _ => None,
    }
}

/// What it was about: ids of the path and of the answer. Of a body only what the answer repeats.
fn subjects(
    request: &Request,
    (route, response): (&Route, &Response<Body>),
    outcome: Outcome,
) -> Vec<Subject> {
    let parameters = request.path_parameters();
    let named = |word: &str, id: Option<&str>| Subject::parse(&format!("{word} {}", id?));
    let path = route.parameters().map(|(word, name)| named(word, parameters.first(name)));
    let query = request.query_string_parameters();
    let answered: Answered = match outcome {
        Outcome::Done => serde_json::from_slice(response.body().as_ref()).unwrap_or_default(),
        Outcome::Refused | Outcome::Failed => Answered::default(),
    };
    let answer = [
        named("on", answered.on.as_deref().or_else(|| query.first("on"))),
        named("export", answered.export.as_deref()),
        named("request", answered.request.as_deref()),
        named("request", answered.data_request.as_deref()),
        named("list", answered.file.as_deref()),
    ];
    let mut all: Vec<Subject> = path.chain(answer).flatten().collect();
    // The answer may repeat what the path says.
    all.dedup();
    all
}
