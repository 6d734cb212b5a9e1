//! `GET /v1/requests/{code}` and `POST /v1/operator/requests`

use jiff::Timestamp;
use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use numib::domain::erasure::{Request as Erasure, Source, State, is_reference};
use numib::domain::ids::RequestId;
use numib::domain::role::Role;
use numib::edge::problem::{Problem, json};
use numib::erasure::{Asked, scope};
use numib::meta::deletion_list::meta_id;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::erase::erase;
use crate::{access, body};

pub(crate) const BAD_REFERENCE: Problem = Problem::bad_request(
    "reference",
    "`reference` is the case's number: 1 to 100 of A–Z a–z 0–9 - _ . / : # and spaces within.",
);
const BAD_ID: Problem =
    Problem::bad_request("id", "`id` is a Meta id: decimal digits, at most 64, not all zero.");
const BAD_SOURCE: Problem = Problem::bad_request("source", "`source` is `operator` or `minor`.");

/// What an operator lodges for a person.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lodged {
    id: String,
    source: String,
    reference: String,
}

/// Lodges the erasure of all that is held of a person, by Meta id.
//= R5.7, R9.1, R8.3
pub(crate) async fn lodge(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let &Call { app, request, now, .. } = call;
    let Lodged { id, source, reference } = body::json(request)?;
    let id = meta_id(&id).ok_or(BAD_ID)?;
    let lodges = |source: &Source| matches!(source, Source::Operator | Source::Minor);
    let source = Source::parse(&source).filter(lodges).ok_or(BAD_SOURCE)?;
    if !is_reference(&reference) {
        return Err(BAD_REFERENCE);
    }
    let secrets = app.secrets.get().await?;
    let targets = scope::of_person(&app.store, &secrets.pepper, &id, None, now).await;
    let subject = format!("person {}", secrets.pepper.person(&id));
    let targets = targets?;
    let asked = Asked { source, reference: Some(reference), subject, targets, due_at: None };
    erase(call, asked).await
}

/// How far a request has come.
pub(crate) async fn show(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let code = call.parameter("code", RequestId::parse)?;
    let found = call.app.store.request(&code).await?.map(|stored| stored.request);
    let is_shown = |found: &Erasure| {
        call.member.role == Role::Operator || access::is_of(found, call.account())
    };
    let found = found.filter(is_shown).ok_or(Problem::not_found())?;
    Ok(json(StatusCode::OK, "application/json", &wire(&found, &call.status_page(&found.id))))
}

pub(crate) fn wire(request: &Erasure, status_url: &str) -> Value {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "request": request.id.as_str(),
        "state": request.state.as_str(),
        "source": request.source.public().as_str(),
        "reference": request.reference,
        "data_held": !request.targets.is_empty(),
        "held": request.state == State::Held,
        "held_part": request.held_part.as_ref().map(RequestId::as_str),
        "requested_at": request.requested_at.to_string(),
        "due_at": time(request.due_at),
        "deadline": request.deadline.to_string(),
        "unreadable_since": time(request.shredded_at),
        "completed_at": time(request.completed_at),
        "removed": request.counts,
        "status_url": status_url,
    })
}
