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
use lambda_http::{Body, Request, RequestExt as _, Response};
use numib::api::answered::{self, route_key};
use numib::domain::ids::ConversationId;
use numib::edge::auth;
use numib::edge::clock::Clock;
use numib::edge::problem::{Problem, json};
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

const ROUTES: [&str; 2] = ["GET /v1/conversations", "GET /v1/conversations/{id}/messages"];

/// Answers one request.
pub async fn handle(app: &App, request: &Request, clock: Clock) -> Response<Body> {
    let response = route(app, request, clock.began).await;
    let response = response.unwrap_or_else(|problem| problem.response());
    let route = ROUTES.into_iter().find(|route| *route == route_key(request));
    answered::report(route, response.status(), &clock, |_| {});
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
