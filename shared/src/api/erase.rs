//! What every door does that has something erased: begin, have a worker go on, say where to follow
//! it.

use jiff::Timestamp;
use lambda_http::Request;
use lambda_http::http::StatusCode;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;

use super::described::Described;
use super::done::Done;
use crate::domain::erasure::Request as Erasure;
use crate::domain::ids::AccountId;
use crate::domain::work::ExportWork;
use crate::edge::address;
use crate::edge::problem::Problem;
use crate::edge::queue::{ExportQueue, WorkQueue};
use crate::edge::telemetry::{Metrics, Unit};
use crate::erasure::{self, Asked};
use crate::store::Store;

/// Makes unreadable what is asked for, or finds the request that is under way for it; a worker goes
/// on with it.
///
/// # Errors
/// 500 where that failed: what is asked again goes on from there.
//= R8.3
pub async fn begin(
    store: &Store,
    queue: &WorkQueue,
    asked: Asked,
    now: Timestamp,
) -> Result<Erasure, Problem> {
    let erasure = erasure::begin(store, asked, now).await?;
    queue.carry_on(&erasure, now).await?;
    let source = erasure.source.as_str();
    tracing::info!(source, targets = erasure.targets.len(), "erasure shredded");
    report(1, now);
    Ok(erasure)
}

/// Counts erasures that are under way since now.
pub fn report(begun: usize, now: Timestamp) {
    let mut metrics = Metrics::new(now);
    metrics.add("ErasuresShredded", Unit::Count, begun);
    metrics.emit();
}

/// Voids the archives of an account, and has a worker remove them.
///
/// # Errors
/// 500 where that failed.
//= R6.1, R6.5
pub async fn void_exports(
    store: &Store,
    queue: &ExportQueue,
    account: &AccountId,
) -> Result<(), Problem> {
    for export in erasure::void_archives(store, account).await? {
        queue.put(ExportWork { export, not_before: None }).await?;
    }
    Ok(())
}

/// It is unreadable, or a hold keeps it; a worker does the rest.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AcceptedRequest")]
struct Accepted {
    /// The code to follow it by.
    request: String,
    state: &'static str,
    /// Its public page.
    status_url: String,
}

/// 202: the code of a request, and where to follow it.
#[must_use]
pub fn accepted(erasure: &Erasure, public_url: Option<&str>, request: &Request) -> Done {
    let body = Accepted {
        request: erasure.id.to_string(),
        state: erasure.state.as_str(),
        status_url: address::status_page(public_url, request, &erasure.id),
    };
    Done::json(StatusCode::ACCEPTED, &body).about("request", &erasure.id)
}

/// A route that answers [`accepted`].
pub fn describe(of: &mut SchemaGenerator) -> Described {
    let what = "It is unreadable, or a hold keeps it; a worker does the rest.";
    Described::gives::<Accepted>(of, 202, what)
}
