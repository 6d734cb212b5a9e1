//! What accounts and operators ask for under `/v1`, one row of [`routes`] each: an account sees,
//! corrects, takes away and limits its data, erases parts of it, or ends; an operator opens
//! accounts, lodges what people ask for, and sets legal holds.
//!
//! What an erasure covers is unreadable before it is answered (R8.3); the rest is queued. Another
//! account's ids answer 404, like ids that never were. Nothing here reads messages, and no Meta id
//! is in an answer or a log.

mod access;
mod account;
mod accounts;
mod audit;
mod body;
mod call;
mod consents;
mod contacts;
mod deletion;
mod erase;
mod exports;
mod holds;
mod invoices;
mod keys;
mod lists;
mod lookup;
mod members;
mod once;
pub mod openapi;
mod page;
mod plan;
mod policies;
mod profile;
mod requests;
pub mod route;
pub mod routes;
mod version;
pub mod who;

use std::time::Duration;

use jiff::Timestamp;
use lambda_http::{Body, Request, Response};
use numib::api::answered::{self, route_key};
use numib::archive::exports::Exports;
use numib::edge::auth;
use numib::edge::clock::Clock;
use numib::edge::problem::Problem;
use numib::edge::queue::{ExportQueue, WorkQueue};
use numib::edge::secrets::SecretsCache;
use numib::edge::telemetry::Unit;
use numib::identity::UserPool;
use numib::seal::kms::DataKeys;
use numib::store::Store;

use crate::call::Call;
use crate::route::Route;

/// What one warm container works with.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub store: Store,
    /// The pepper, under which people are found.
    pub secrets: SecretsCache,
    /// Where shredded requests go on.
    pub queue: WorkQueue,
    /// Where archives of exports are.
    pub exports: Exports,
    /// Where exports are written.
    pub export_queue: ExportQueue,
    /// The members' identities.
    pub user_pool: UserPool,
    /// What an account's own keys are made and opened with.
    pub keys: DataKeys,
    /// How many days the deletion of an account can be taken back.
    pub grace_days: u8,
    /// Where people find the service, when not at the HTTP API's own address.
    pub public_url: Option<String>,
    /// So long a list of ids is worked on before the answer says where to go on.
    pub list_time: Duration,
}

/// [`App::list_time`] under an API that waits for 29 seconds.
pub const LIST_TIME: Duration = Duration::from_secs(20);

/// Answers one request.
pub async fn handle(app: &App, request: &Request, clock: Clock) -> Response<Body> {
    let now = clock.began;
    let route = Route::find(route_key(request));
    let admitted = admit(app, request, route, now).await;
    // As they were before: whoever removes themselves is nobody's member afterwards.
    let account = admitted.as_ref().ok().map(|(_, call)| call.account().clone());
    let response = match &admitted {
        Ok((route, call)) => answer(route, call).await,
        Err(problem) => Err(problem.clone()),
    };
    let response = response.unwrap_or_else(|problem| problem.response());
    let is_recorded = match route {
        Some(route) => audit::record(app, request, (route, &response), account, now).await,
        None => true,
    };
    let route = route.map(|route| route.key);
    answered::report(route, response.status(), &clock, |metrics| {
        metrics.add("AuditFailures", Unit::Count, i32::from(!is_recorded));
    });
    response
}

/// Lets a caller in, if the route is for them.
async fn admit<'a>(
    app: &'a App,
    request: &'a Request,
    route: Option<&'static Route>,
    now: Timestamp,
) -> Result<(&'static Route, Call<'a>), Problem> {
    let caller = auth::caller(request)?;
    let route = route.ok_or(Problem::not_found())?;
    let member = access::member(&app.store, &caller, &route.who).await?;
    if route.needs_fresh_sign_in {
        caller.has_just_signed_in(now)?;
    }
    Ok((route, Call { app, request, caller, member, now }))
}

async fn answer(route: &Route, call: &Call<'_>) -> Result<Response<Body>, Problem> {
    if route.key.starts_with("POST ") {
        once::done(call, route).await
    } else {
        (route.handler)(call).await
    }
}
