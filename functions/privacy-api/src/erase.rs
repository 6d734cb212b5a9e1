//! What every door does: begin the erasure, have a worker go on, say where to follow it.

use jiff::Timestamp;
use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use numib::domain::erasure::{Request as Erasure, Target};
use numib::domain::ids::RequestId;
use numib::edge::problem::{Problem, json};
use numib::edge::telemetry::{Metrics, Unit};
use numib::erasure::{self, Asked};
use schemars::JsonSchema;
use serde::Serialize;

use crate::call::Call;

/// Makes unreadable what is asked for, or finds the request that is under way for it; a worker goes
/// on with it. Answers 202 with its code.
pub(crate) async fn erase(call: &Call<'_>, asked: Asked) -> Result<Response<Body>, Problem> {
    let &Call { app, now, .. } = call;
    let erasure = erasure::begin(&app.store, asked, now).await?;
    app.queue.carry_on(&erasure, now).await?;
    report(1, now);
    let mut response = accepted(call, &erasure);
    response.extensions_mut().insert(Erased { code: Some(erasure.id), targets: erasure.targets });
    Ok(response)
}

/// Beside an answer: what is erased, for the audit trails of those whose it was.
#[derive(Debug, Clone)]
pub(crate) struct Erased {
    /// By which request, where it is one.
    pub(crate) code: Option<RequestId>,
    pub(crate) targets: Vec<Target>,
}

/// It is unreadable, or a hold keeps it; a worker does the rest.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AcceptedRequest")]
pub(crate) struct Accepted {
    /// The code to follow it by.
    request: String,
    state: &'static str,
    /// Its public page.
    status_url: String,
}

/// 202: the code of a request, and where to follow it.
pub(crate) fn accepted(call: &Call<'_>, erasure: &Erasure) -> Response<Body> {
    let body = Accepted {
        request: erasure.id.to_string(),
        state: erasure.state.as_str(),
        status_url: call.status_page(&erasure.id),
    };
    json(StatusCode::ACCEPTED, "application/json", &body)
}

/// Counts erasures that are under way since now.
pub(crate) fn report(begun: usize, now: Timestamp) {
    let mut metrics = Metrics::new(now);
    metrics.add("ErasuresShredded", Unit::Count, begun);
    metrics.emit();
}
