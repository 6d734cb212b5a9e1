//! `POST /meta/data-deletion` and `POST /meta/deauthorize`: Meta's callbacks. And the public pages:
//! the status of a request, its receipt, the key it is signed with, and how to ask.
//!
//! What a callback covers is unreadable before it is answered (R8.3); the rest is queued.

mod app;
mod callback;
mod instructions;
mod keys;
mod pages;
pub mod routes;
mod schemas;
mod status;
mod text;

use lambda_http::{Body, Request, Response};
use numib::api::answered::{self, route_key};
use numib::edge::clock::Clock;
use numib::edge::problem::Problem;

pub use crate::app::{App, Route};
use crate::routes::ROUTES;

/// Answers one request.
pub async fn handle(app: &App, request: &Request, clock: Clock) -> Response<Body> {
    let route = Route::find(ROUTES, route_key(request));
    let answer = match route {
        Some(route) => (route.handler)(app, request, clock.began).await,
        None => Err(Problem::not_found()),
    };
    let response = answer.unwrap_or_else(|problem| problem.response());
    answered::report(route.map(|route| route.key), response.status(), &clock, |_| {});
    response
}
