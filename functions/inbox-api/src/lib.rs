//! `GET /v1/conversations` and `GET /v1/conversations/{id}/messages`: an account reads its inbox.
//!
//! Everything is read consistently and checked against the caller's account, its connections and
//! its contacts at that moment, so nothing expired or erased ever shows, whether or
//! not the database has removed it. Another account's ids answer 404, like ids that never were.

mod access;
mod conversations;
mod messages;
mod reading;
mod wire;

use jiff::Timestamp;
use lambda_http::http::StatusCode;
use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt as _, Response};
use numib::domain::ids::ConversationId;
use numib::edge::auth;
use numib::edge::clock;
use numib::edge::problem::{Problem, json};
use numib::edge::telemetry::{Metrics, Unit};
use numib::seal::kms::DataKeys;
use numib::store::Store;
use schemars::SchemaGenerator;

/// What one warm container works with.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub store: Store,
    /// The keys that open messages.
    pub day_keys: DataKeys,
}

/// Adds the schemas of what the routes answer to those of the API's description. No function runs
/// this.
pub fn describe(schemas: &mut SchemaGenerator) {
    schemas.subschema_for::<wire::ConversationsPage>();
    schemas.subschema_for::<wire::MessagesPage>();
}

/// Answers one request that came `now`.
pub async fn handle(app: &App, request: &Request, now: Timestamp) -> Response<Body> {
    let stopwatch = clock::Stopwatch::start();
    let response = route(app, request, now).await.unwrap_or_else(|problem| problem.response());
    let status = response.status().as_u16();
    let elapsed_ms = u64::try_from(stopwatch.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(status, elapsed_ms, route = route_key(request), "inbox request");
    let mut metrics = Metrics::new(now);
    metrics.add("Requests", Unit::Count, 1);
    metrics.add("ServerErrors", Unit::Count, i32::from(response.status().is_server_error()));
    metrics.emit();
    response
}

async fn route(app: &App, request: &Request, now: Timestamp) -> Result<Response<Body>, Problem> {
    let caller = auth::caller(request)?;
    match route_key(request) {
        "GET /v1/conversations" => {
            let query = wire::conversations_query(&request.query_string_parameters())?;
            let account = access::reader(&app.store, &caller).await?;
            let page = conversations::list(app, &account, &query, now).await?;
            Ok(json(StatusCode::OK, "application/json", &page))
        }
        "GET /v1/conversations/{id}/messages" => {
            let query = wire::messages_query(&request.query_string_parameters())?;
            let account = access::reader(&app.store, &caller).await?;
            let parameters = request.path_parameters();
            let id = parameters.first("id").and_then(ConversationId::parse);
            let id = id.ok_or(Problem::not_found())?;
            let page = messages::list(app, &account, &id, &query, now).await?;
            Ok(json(StatusCode::OK, "application/json", &page))
        }
        _ => Err(Problem::not_found()),
    }
}

/// The route that matched: the template's words, never the caller's ids.
fn route_key(request: &Request) -> &'static str {
    const ROUTES: [&str; 2] = ["GET /v1/conversations", "GET /v1/conversations/{id}/messages"];
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
        return "none";
    };
    let key = context.route_key.as_deref().unwrap_or_default();
    ROUTES.into_iter().find(|route| *route == key).unwrap_or("none")
}
