//! What our own staff ask for under `/v1/operator`: an operator opens accounts, changes plans,
//! lodges what people ask for, imports Meta's lists, sets legal holds, files and reads tax records,
//! and publishes privacy policies.
//!
//! A function and a role of its own: what staff may do is out of reach of what every member calls.
//! What an erasure covers is unreadable before it is answered (R8.3); the rest is queued. Nothing
//! here reads messages, and no Meta id is in an answer or a log.

mod accounts;
mod app;
mod holds;
mod lists;
mod lodge;
mod plan;
mod publish;
pub mod routes;
mod tax;

use lambda_http::{Body, Request, Response};
use numib::api::serve;
use numib::edge::clock::Clock;

pub use crate::app::{App, LIST_TIME, Route};

/// Answers one request.
pub async fn handle(app: &App, request: &Request, clock: Clock) -> Response<Body> {
    serve::answer((app, app.desk()), routes::ROUTES, request, clock).await
}
