//! How far requests are.

use jiff::Timestamp;
use numib::api::described::Described;
use numib::api::done::Done;
use numib::domain::erasure::{Counts, Request as Erasure, State};
use numib::domain::ids::RequestId;
use numib::domain::role::Role;
use numib::edge::address;
use numib::edge::problem::Problem;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::{Call, Route};
use crate::who::FOLLOWERS;

pub(crate) static SHOW: Route = Route {
    key: "GET /v1/requests/{code}",
    name: "followRequest",
    summary: "How far an erasure is",
    who: FOLLOWERS,
    action: None,
    describe: |of| Described::gives::<Followed>(of, 200, "The request."),
    handler: |call| Box::pin(show(call)),
};

/// Shows how far a request has come.
async fn show(call: &Call<'_>) -> Result<Done, Problem> {
    let code = call.parameter("code", RequestId::parse)?;
    let found = call.app.store.request(&code).await?.map(|stored| stored.request);
    let is_shown =
        |found: &Erasure| call.member.role == Role::Operator || found.is_of(call.account());
    let found = found.filter(is_shown).ok_or(Problem::not_found())?;
    Ok(Done::ok(&Followed::new(&found, status_page(call, &found.id))))
}

/// Where the public follows a request.
pub(crate) fn status_page(call: &Call<'_>, code: &RequestId) -> String {
    address::status_page(call.app.public_url.as_deref(), call.request, code)
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
