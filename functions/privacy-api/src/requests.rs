//! `GET /v1/requests/{code}` and `POST /v1/operator/requests`

use jiff::Timestamp;
use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use numib::domain::erasure::{Counts, Request as Erasure, Source, State};
use numib::domain::ids::RequestId;
use numib::domain::reference::is_reference;
use numib::domain::role::Role;
use numib::edge::problem::{Problem, json};
use numib::erasure::{Asked, targets};
use numib::meta::deletion_list::meta_id;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::body;
use crate::call::Call;
use crate::erase::erase;

pub(crate) const BAD_REFERENCE: Problem = Problem::field(
    "reference",
    "`reference` is the case's number: 1 to 100 of A–Z a–z 0–9 - _ . / : # and spaces within.",
);
/// A case's number: no blank at either end.
pub(crate) const REFERENCE: &str = "^[A-Za-z0-9_./:#-]([A-Za-z0-9 _./:#-]*[A-Za-z0-9_./:#-])?$";

const BAD_ID: Problem =
    Problem::field("id", "`id` is a Meta id: decimal digits, at most 64, not all zero.");
const BAD_SOURCE: Problem = Problem::field("source", "`source` is `operator` or `minor`.");

/// What an operator lodges for a person.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewRequest")]
pub(crate) struct Lodged {
    /// A Meta id.
    #[schemars(regex(pattern = "^[0-9]{1,64}$"))]
    id: String,
    /// A report that someone is a minor is shown as `operator`.
    #[schemars(regex(pattern = "^(operator|minor)$"))]
    source: String,
    #[schemars(length(max = 100), regex(pattern = REFERENCE))]
    reference: String,
}

/// Lodges the erasure of all that is held of a person, by Meta id.
//= R5.7, R9.1, R8.3
pub(crate) async fn lodge(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let &Call { app, request, now, .. } = call;
    let Lodged { id, source, reference } =
        body::json(request, &[BAD_ID, BAD_SOURCE, BAD_REFERENCE])?;
    let id = meta_id(&id).ok_or(BAD_ID)?;
    let lodges = |source: &Source| matches!(source, Source::Operator | Source::Minor);
    let source = Source::parse(&source).filter(lodges).ok_or(BAD_SOURCE)?;
    if !is_reference(&reference) {
        return Err(BAD_REFERENCE);
    }
    let secrets = app.secrets.get().await?;
    let targets = targets::of_person(&app.store, &secrets.pepper, &id, None, now).await;
    let subject = format!("person {}", secrets.pepper.person(&id));
    let targets = targets?;
    let asked = Asked { source, reference: Some(reference), subject, targets, due_at: None };
    erase(call, asked).await
}

/// How far a request has come.
pub(crate) async fn show(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let code = call.parameter("code", RequestId::parse)?;
    let found = call.app.store.request(&code).await?.map(|stored| stored.request);
    let is_shown =
        |found: &Erasure| call.member.role == Role::Operator || found.is_of(call.account());
    let found = found.filter(is_shown).ok_or(Problem::not_found())?;
    Ok(json(
        StatusCode::OK,
        "application/json",
        &Followed::new(&found, call.status_page(&found.id)),
    ))
}

/// How far an erasure is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Request")]
pub(crate) struct Followed {
    /// Its code.
    request: String,
    /// `requested`, `held`, `shredded`, `sweeping`, `verified`, `completed` or `cancelled`.
    state: &'static str,
    source: &'static str,
    /// Of the operator's case.
    reference: Option<String>,
    /// Whether anything was held of it.
    data_held: bool,
    /// Whether a legal hold keeps it waiting.
    held: bool,
    /// The request of the part that a hold keeps.
    held_part: Option<String>,
    /// RFC 3339, UTC, as all times.
    requested_at: String,
    /// When it is carried out, where it can be taken back until then.
    due_at: Option<String>,
    /// A date.
    deadline: String,
    unreadable_since: Option<String>,
    completed_at: Option<String>,
    /// How many of each kind were deleted.
    #[schemars(with = "std::collections::BTreeMap<String, u64>")]
    removed: Counts,
    /// A public page.
    status_url: String,
}

impl Followed {
    pub(crate) fn new(request: &Erasure, status_url: String) -> Self {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            request: request.id.to_string(),
            state: request.state.as_str(),
            source: request.source.public().as_str(),
            reference: request.reference.clone(),
            data_held: !request.targets.is_empty(),
            held: request.state == State::Held,
            held_part: request.held_part.as_ref().map(ToString::to_string),
            requested_at: request.requested_at.to_string(),
            due_at: time(request.due_at),
            deadline: request.deadline.to_string(),
            unreadable_since: time(request.shredded_at),
            completed_at: time(request.completed_at),
            removed: request.counts.clone(),
            status_url,
        }
    }
}
