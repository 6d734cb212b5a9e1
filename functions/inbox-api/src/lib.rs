//! `GET /v1/conversations` and `GET /v1/conversations/{id}/messages`: an account reads its inbox.
//!
//! Everything is read consistently and checked against the caller's account, its connections and
//! its contacts at that moment, so nothing expired or erased ever shows, whether or
//! not the database has removed it. Another account's ids answer 404, like ids that never were.

mod access;
mod app;
mod conversations;
mod messages;
mod reading;
pub mod routes;
mod wire;

use lambda_http::{Body, Request, Response};
use numib::api::access::admit;
use numib::api::answered::{self, route_key};
use numib::edge::clock::Clock;

pub use crate::app::{App, Route};
use crate::routes::ROUTES;

/// Answers one request.
pub async fn handle(app: &App, request: &Request, clock: Clock) -> Response<Body> {
    let route = Route::find(ROUTES, route_key(request));
    let done = match admit((app, &app.store), request, route, &clock).await {
        Ok((route, call)) => (route.handler)(&call).await,
        Err(problem) => Err(problem),
    };
    let response = done.map_or_else(|problem| problem.response(), |done| done.response);
    answered::report(route.map(|route| route.key), response.status(), &clock, |_| {});
    response
}
