//! The report about an answered request: one line in the log, and counts.

use lambda_http::http::StatusCode;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt as _};

use crate::edge::clock::Clock;
use crate::edge::telemetry::{Metrics, Unit};

/// The route that API Gateway has matched: `METHOD /path/{parameter}`, which names nobody.
#[must_use]
pub fn route_key(request: &Request) -> &str {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            context.route_key.as_deref().unwrap_or_default()
        }
        _ => "",
    }
}

/// Logs one line about a request, and counts the request. `route` is the key of a route, and never
/// what the caller wrote. `more` adds what else the function counts.
pub fn report(
    route: Option<&'static str>,
    status: StatusCode,
    clock: &Clock,
    more: impl FnOnce(&mut Metrics),
) {
    let elapsed_ms = u64::try_from(clock.stopwatch.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (status_code, route) = (status.as_u16(), route.unwrap_or("none"));
    tracing::info!(status = status_code, elapsed_ms, route, "request answered");
    let mut metrics = Metrics::new(clock.began);
    metrics.add("Requests", Unit::Count, 1);
    metrics.add("ServerErrors", Unit::Count, i32::from(status.is_server_error()));
    more(&mut metrics);
    metrics.emit();
}
