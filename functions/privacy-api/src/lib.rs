//! The doors of erasure under `/v1`: an account disconnects a channel, erases a contact or a
//! message, or ends; an operator lodges what people ask for, and sets legal holds; both follow
//! requests.
//!
//! What a door covers is unreadable before it answers (R8.3); the rest is queued. Another account's
//! ids answer 404, like ids that never were. Nothing here reads content, and no Meta id is in an
//! answer or a log.

mod access;
mod account;
mod audit;
mod body;
mod deletion;
mod erase;
mod holds;
mod lists;
mod plan;
mod requests;

use std::time::Duration;

use jiff::Timestamp;
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt as _, Response};
use numib::edge::auth;
use numib::edge::clock;
use numib::edge::problem::Problem;
use numib::edge::queue::ErasureQueue;
use numib::edge::secrets::SecretsCache;
use numib::edge::telemetry::{Metrics, Unit};
use numib::identity::UserPool;
use numib::store::Store;

/// What one warm container works with.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub store: Store,
    /// The pepper, under which people are found.
    pub secrets: SecretsCache,
    /// Where shredded requests go on.
    pub queue: ErasureQueue,
    /// The members' identities.
    pub user_pool: UserPool,
    /// How many days the deletion of an account can be taken back.
    pub grace_days: u8,
    /// Where people find the service, when not at the HTTP API's own address.
    pub public_url: Option<String>,
    /// So long a list of ids is worked on before the answer says where to go on.
    pub list_time: Duration,
}

/// [`App::list_time`] under an API that waits for 29 seconds.
pub const LIST_TIME: Duration = Duration::from_secs(20);

const ROUTES: [&str; 12] = [
    "PUT /v1/operator/accounts/{account_id}/plan",
    "DELETE /v1/account",
    "DELETE /v1/connections/{id}",
    "DELETE /v1/conversations/{id}",
    "DELETE /v1/conversations/{id}/messages/{message_id}",
    "GET /v1/requests/{code}",
    "POST /v1/requests/{code}/cancel",
    "POST /v1/operator/requests",
    "POST /v1/operator/deletion-lists",
    "GET /v1/operator/holds",
    "PUT /v1/operator/holds/{hold_id}",
    "DELETE /v1/operator/holds/{hold_id}",
];

/// Answers one request that came `now`.
pub async fn handle(app: &App, request: &Request, now: Timestamp) -> Response<Body> {
    let stopwatch = clock::Stopwatch::start();
    let response = route(app, request, now).await.unwrap_or_else(|problem| problem.response());
    let route = route_key(request);
    let is_recorded = audit::record(app, request, (route, &response), now).await;
    let status = response.status().as_u16();
    let elapsed_ms = u64::try_from(stopwatch.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(status, elapsed_ms, route, "privacy request");
    let mut metrics = Metrics::new(now);
    metrics.add("Requests", Unit::Count, 1);
    metrics.add("ServerErrors", Unit::Count, i32::from(response.status().is_server_error()));
    metrics.add("AuditFailures", Unit::Count, i32::from(!is_recorded));
    metrics.emit();
    response
}

async fn route(app: &App, request: &Request, now: Timestamp) -> Result<Response<Body>, Problem> {
    let caller = auth::caller(request)?;
    match route_key(request) {
        "DELETE /v1/account" => deletion::delete(app, request, &caller, now).await,
        "DELETE /v1/connections/{id}" => account::connection(app, request, &caller, now).await,
        "DELETE /v1/conversations/{id}" => account::contact(app, request, &caller, now).await,
        "DELETE /v1/conversations/{id}/messages/{message_id}" => {
            account::message(app, request, &caller, now).await
        }
        "GET /v1/requests/{code}" => requests::show(app, request, &caller).await,
        "POST /v1/requests/{code}/cancel" => deletion::cancel(app, request, &caller).await,
        "PUT /v1/operator/accounts/{account_id}/plan" => {
            plan::change(app, request, &caller, now).await
        }
        "POST /v1/operator/requests" => requests::lodge(app, request, &caller, now).await,
        "POST /v1/operator/deletion-lists" => lists::import(app, request, &caller, now).await,
        "GET /v1/operator/holds" => holds::list(app, request, &caller).await,
        "PUT /v1/operator/holds/{hold_id}" => holds::set(app, request, &caller, now).await,
        "DELETE /v1/operator/holds/{hold_id}" => holds::lift(app, request, &caller).await,
        _ => Err(Problem::not_found()),
    }
}

/// The route that matched: the template's words, never the caller's ids.
fn route_key(request: &Request) -> &'static str {
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
        return "none";
    };
    let key = context.route_key.as_deref().unwrap_or_default();
    ROUTES.into_iter().find(|route| *route == key).unwrap_or("none")
}
