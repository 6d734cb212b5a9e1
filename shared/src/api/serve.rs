//! Serves members: lets them in, does what they ask once, and records what became of it.

use lambda_http::{Body, Request, Response};

use super::access::admit;
use super::answered::{self, route_key};
use super::desk::Desk;
use super::route::{MemberRoute, Route};
use super::{audit, once};
use crate::edge::clock::Clock;
use crate::edge::telemetry::Unit;

/// Answers one request by a table of routes.
pub async fn answer<A: Sync>(
    (app, desk): (&A, Desk<'_>),
    routes: &'static [&'static MemberRoute<A>],
    request: &Request,
    clock: Clock,
) -> Response<Body> {
    let route = Route::find(routes, route_key(request));
    let admitted = admit((app, desk.store), request, route, &clock).await;
    // As they were before: whoever removes themselves is nobody's member afterwards.
    let account = admitted.as_ref().ok().map(|(_, call)| call.account().clone());
    let done = match &admitted {
        Ok((route, call)) if is_done_once(route) => once::done(desk, call, route).await,
        Ok((route, call)) => (route.handler)(call).await,
        Err(problem) => Err(problem.clone()),
    };
    let is_recorded = match route {
        Some(route) => audit::record(desk, request, route, &done, account, clock.began).await,
        None => true,
    };
    let response = done.map_or_else(|problem| problem.response(), |done| done.response);
    answered::report(route.map(|route| route.key), response.status(), &clock, |metrics| {
        metrics.add("AuditFailures", Unit::Count, i32::from(!is_recorded));
    });
    response
}

/// Whether a route does again what is asked again, unless that has the key of the first request.
fn is_done_once<H>(route: &Route<H>) -> bool {
    route.key.starts_with("POST ")
}
