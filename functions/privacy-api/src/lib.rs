//! What accounts ask for under `/v1`: an account sees, corrects, takes away and limits its data,
//! erases parts of it, or ends. [`routes`] lists the routes; the row of each stands with its
//! handler.
//!
//! What an erasure covers is unreadable before it is answered (R8.3); the rest is queued. Another
//! account's ids answer 404, like ids that never were. Nothing here reads messages, and no Meta id
//! is in an answer or a log.

mod account;
mod app;
mod consents;
mod contacts;
mod deletion;
mod description;
mod erase;
mod exports;
mod invoices;
mod lookup;
mod members;
mod policies;
mod profile;
mod requests;
pub mod routes;
mod who;

use lambda_http::{Body, Request, Response};
use numib::api::serve;
use numib::edge::clock::Clock;

pub use crate::app::{App, Route};

/// Answers one request.
pub async fn handle(app: &App, request: &Request, clock: Clock) -> Response<Body> {
    serve::answer((app, app.desk()), routes::ROUTES, request, clock).await
}
