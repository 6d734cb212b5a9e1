//! The way to Meta and back: one request, one answer, within limits. Nothing is tried twice.
//!
//! The HTTP and TLS stack is the one that the clients of AWS use, too.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use http_body::Body;
use zeroize::Zeroizing;

use super::error::Cause;
use super::usage::Usage;
use crate::guarded_body::guarded;

/// Name, connection and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A whole call, until the last byte of the answer.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(8);
/// A connection that reads left open is used again within this time. Later, Meta or a frozen Lambda
/// may have lost it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// One request, ready to go.
pub(super) struct Outgoing {
    pub(super) method: &'static str,
    pub(super) url: Zeroizing<String>,
    pub(super) bearer: Option<Zeroizing<String>>,
    /// Its type, and itself.
    pub(super) body: Option<(&'static str, Zeroizing<String>)>,
    /// Bytes of the answer at most.
    pub(super) answer_max: usize,
}

/// An answer, whatever it says.
pub(super) struct Arrived {
    pub(super) status: u16,
    pub(super) usage: Usage,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// No answer.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) cause: Cause,
    /// Whether Meta may have received the request all the same.
    pub(super) may_have_left: bool,
}

/// The connections to Meta.
#[derive(Debug)]
pub(super) struct Wire {
    /// For requests with a body: each has a connection of its own. When a write on an older
    /// connection fails, nobody knows what Meta received.
    fresh: Connector,
    /// For all others.
    kept: Connector,
}

impl Wire {
    /// Nothing is connected yet.
    pub(super) fn new() -> Self {
        Self { fresh: connector(0), kept: connector(usize::MAX) }
    }

    /// Makes one call.
    pub(super) async fn carry(&self, outgoing: Outgoing) -> Result<Arrived, Lost> {
        let gate = Gate::default();
        let has_body = outgoing.body.is_some();
        let connector = if has_body { &self.fresh } else { &self.kept };
        let limit = outgoing.answer_max;
        let Some(request) = request(outgoing, &gate) else {
            return Err(Lost { cause: Cause::Input, may_have_left: false });
        };
        let travel = async {
            let answered = connector.call(request).await;
            let timed_out = |is_timeout| if is_timeout { Cause::TimedOut } else { Cause::NoAnswer };
            let response = answered.map_err(|error| timed_out(error.is_timeout()))?;
            receive(response, limit).await
        };
        let arrived = tokio::time::timeout(TOTAL_TIMEOUT, travel).await;
        let arrived = arrived.unwrap_or(Err(Cause::TimedOut));
        arrived.map_err(|cause| Lost { cause, may_have_left: !has_body || gate.is_passed() })
    }
}

fn connector(idle_max: usize) -> Connector {
    let timeouts = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
    Connector::builder()
        .connector_settings(timeouts)
        .pool_max_idle_per_host(idle_max)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build()
}

/// `None` when a part of it fits into no request.
fn request(outgoing: Outgoing, gate: &Gate) -> Option<HttpRequest> {
    let Outgoing { method, url, bearer, body, .. } = outgoing;
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_method(method).ok()?;
    request.set_uri(url.as_str()).ok()?;
    let headers = request.headers_mut();
    if let Some(token) = bearer {
        headers.try_insert("authorization", format!("Bearer {}", *token)).ok()?;
    }
    if let Some((kind, text)) = body {
        headers.try_insert("content-type", kind).ok()?;
        *request.body_mut() = gate.before(SdkBody::from(text.as_str()));
    }
    Some(request)
}

async fn receive(response: HttpResponse, limit: usize) -> Result<Arrived, Cause> {
    let status = response.status().as_u16();
    let header = |name| response.headers().try_get(name).and_then(Result::ok);
    let usage = Usage::read(header("x-app-usage"), header("x-business-use-case-usage"));
    let mut body = response.into_body();
    let told = Body::size_hint(&body).lower();
    if usize::try_from(told).is_ok_and(|told| told <= limit) {
        let body = read(&mut body, limit).await?;
        Ok(Arrived { status, usage, body })
    } else {
        Err(Cause::TooLong)
    }
}

async fn read(body: &mut SdkBody, limit: usize) -> Result<Zeroizing<Vec<u8>>, Cause> {
    let mut bytes = Zeroizing::new(Vec::new());
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(|_| Cause::NoAnswer)?.into_data() else { continue };
        if bytes.len().saturating_add(data.len()) > limit {
            return Err(Cause::TooLong);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Settles whether a request's body leaves: whoever comes first, the connection that takes the body
/// or the caller who gives up.
#[derive(Clone, Default)]
struct Gate(Arc<OnceLock<bool>>);

impl Gate {
    /// A body that leaves through the gate, if nobody has given up.
    fn before(&self, body: SdkBody) -> SdkBody {
        let Self(is_open) = self.clone();
        let pass = move || *is_open.get_or_init(|| true);
        guarded(body, move || if pass() { Ok(()) } else { Err("given up".into()) })
    }

    /// Whether the body has begun to leave. If not, it never will.
    fn is_passed(&self) -> bool {
        *self.0.get_or_init(|| false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_was_given_up_never_leaves() {
        let gate = Gate::default();
        let mut body = gate.before(SdkBody::from("x"));
        assert!(!gate.is_passed());
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        assert!(frame.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_body_that_leaves_cannot_be_given_up() {
        let gate = Gate::default();
        let mut body = gate.before(SdkBody::from("x"));
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        assert!(frame.unwrap().is_ok());
        assert!(gate.is_passed());
    }
}
