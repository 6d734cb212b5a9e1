//! The one address that functions take for AWS: DynamoDB (dynoxide), and stand-ins for Secrets
//! Manager, KMS and SQS. Every call is kept.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use numib::edge::clock::Stopwatch;
use serde_json::json;
use tokio::net::TcpListener;

use crate::calls::{Call, Service};

/// DynamoDB's own limit.
const REQUEST_LEN_MAX: usize = 16 * 1024 * 1024;
/// What of a request DynamoDB looks at.
pub(crate) const FORWARDED: [&str; 4] =
    ["content-type", "x-amz-target", "authorization", "x-amz-date"];

/// A public key of P-256: its base point.
pub(crate) const PUBLIC_KEY: &str = concat!(
    r#"{"PublicKey":"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5"#,
    r#"RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q=="}"#
);
/// It has the form of a signature and fits nothing: nobody verifies it here.
pub(crate) const SIGNATURE: &str = r#"{"Signature":"MAYCAQECAQE="}"#;
/// What is queued is not kept: whoever plays the queue finds it among the calls.
const QUEUED: &str = r#"{"MessageId":"00000000-0000-0000-0000-000000000000"}"#;

/// The endpoint, and what it has seen.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Where functions find it.
    pub(crate) url: String,
    /// Where DynamoDB is without anyone watching.
    pub(crate) database_url: String,
    seen: Arc<Seen>,
}

#[derive(Debug)]
struct Seen {
    stopwatch: Stopwatch,
    calls: Mutex<Vec<Call>>,
    /// Added to each call, so that calls made at once are seen to be.
    pause_ms: AtomicU64,
}

struct Upstream {
    seen: Arc<Seen>,
    client: Client<HttpConnector, Full<Bytes>>,
    database_url: String,
    secret: String,
}

impl Endpoint {
    /// Starts a database and the endpoint in front of it; every secret asked for is this one.
    pub(crate) async fn start(secret: &str) -> anyhow::Result<Self> {
        let database = dynoxide::Database::memory().context("starting dynoxide")?;
        let (listener, database_url) = listen().await?;
        tokio::spawn(dynoxide::server::serve_on(listener, database));

        let seen = Arc::new(Seen {
            stopwatch: Stopwatch::start(),
            calls: Mutex::default(),
            pause_ms: AtomicU64::new(0),
        });
        let upstream = Arc::new(Upstream {
            seen: Arc::clone(&seen),
            client: Client::builder(TokioExecutor::new()).build_http(),
            database_url: database_url.clone(),
            secret: secret.to_owned(),
        });
        let (listener, url) = listen().await?;
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::max(REQUEST_LEN_MAX))
            .with_state(upstream);
        tokio::spawn(serve(listener, router));
        Ok(Self { url, database_url, seen })
    }

    /// The calls since they were last taken.
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.seen.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes every call take that much longer from now on.
    pub(crate) fn pause(&self, pause_ms: u64) {
        self.seen.pause_ms.store(pause_ms, Ordering::Relaxed);
    }
}

/// A free port of this machine, and its URL.
pub(crate) async fn listen() -> anyhow::Result<(TcpListener, String)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
    let url = format!("http://{}", listener.local_addr()?);
    Ok((listener, url))
}

/// Serves without Nagle's delay, which would be measured as the function's.
pub(crate) async fn serve(listener: TcpListener, router: Router) -> std::io::Result<()> {
    let listener = listener.tap_io(|socket| {
        // Slower, not wrong, where it cannot be set.
        let _ = socket.set_nodelay(true);
    });
    axum::serve(listener, router).await
}

async fn answer(
    State(upstream): State<Arc<Upstream>>,
    headers: HeaderMap,
    request: Bytes,
) -> Response {
    let seen = &upstream.seen;
    let began = seen.stopwatch.elapsed();
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let (service, operation) = target.and_then(|it| it.split_once('.')).unwrap_or(("", ""));
    let service = match service {
        "DynamoDB_20120810" => Service::DynamoDb,
        "secretsmanager" => Service::SecretsManager,
        "TrentService" => Service::Kms,
        "AmazonSQS" => Service::Sqs,
        _ => Service::Other,
    };
    let pause_ms = seen.pause_ms.load(Ordering::Relaxed);
    if pause_ms > 0 {
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }
    let (status, answer) = match (service, operation) {
        (Service::DynamoDb, _) => upstream.forward(&headers, &request).await,
        (Service::SecretsManager, "GetSecretValue") => (StatusCode::OK, upstream.secret_value()),
        (Service::Kms, "GetPublicKey") => (StatusCode::OK, PUBLIC_KEY.into()),
        (Service::Kms, "Sign") => (StatusCode::OK, SIGNATURE.into()),
        (Service::Sqs, "SendMessage") => (StatusCode::OK, QUEUED.into()),
        _ => (StatusCode::BAD_REQUEST, r#"{"__type":"UnknownOperationException"}"#.into()),
    };
    let call = Call {
        service,
        operation: operation.to_owned(),
        began,
        ended: seen.stopwatch.elapsed(),
        request,
        answer: answer.clone(),
    };
    seen.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    let content_type = headers.get(header::CONTENT_TYPE).cloned();
    let content_type = content_type.map(|value| [(header::CONTENT_TYPE, value)]);
    (status, content_type, Body::from(answer)).into_response()
}

impl Upstream {
    async fn forward(&self, headers: &HeaderMap, request: &Bytes) -> (StatusCode, Bytes) {
        match self.ask_database(headers, request).await {
            Ok(answered) => answered,
            Err(error) => (StatusCode::BAD_GATEWAY, Bytes::from(format!("{error:#}"))),
        }
    }

    async fn ask_database(
        &self,
        headers: &HeaderMap,
        request: &Bytes,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut forwarded = Request::post(&self.database_url);
        for name in FORWARDED {
            if let Some(value) = headers.get(name) {
                forwarded = forwarded.header(name, value);
            }
        }
        let body = Full::new(metered(request));
        let answered = self.client.request(forwarded.body(body)?).await?;
        let status = answered.status();
        Ok((status, answered.into_body().collect().await?.to_bytes()))
    }

    fn secret_value(&self) -> Bytes {
        let value = json!({
            "ARN": "arn:aws:secretsmanager:us-east-1:000000000000:secret:bench",
            "Name": "bench",
            "VersionId": "00000000-0000-0000-0000-000000000000",
            "VersionStages": ["AWSCURRENT"],
            "SecretString": self.secret,
        });
        Bytes::from(value.to_string())
    }
}

/// The request, asking what it consumes.
fn metered(request: &Bytes) -> Bytes {
    match request.strip_prefix(b"{\"") {
        Some(rest) => [br#"{"ReturnConsumedCapacity":"TOTAL",""#.as_slice(), rest].concat().into(),
        None => request.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metered_request_is_the_same_request_asking_what_it_consumes() {
        let metered = metered(&Bytes::from_static(br#"{"TableName":"t"}"#));
        let metered: serde_json::Value = serde_json::from_slice(&metered).unwrap();
        assert_eq!(metered, json!({"TableName": "t", "ReturnConsumedCapacity": "TOTAL"}));
    }

    #[test]
    fn what_is_no_object_passes_as_it_is() {
        for body in ["{}", "", "[1]"] {
            assert_eq!(metered(&Bytes::from(body)), body.as_bytes());
        }
    }
}
