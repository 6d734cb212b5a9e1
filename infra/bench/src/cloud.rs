//! The one address that an export takes for AWS: DynamoDB (dynoxide) behind it, a bucket in memory,
//! a KMS that unwraps what was never wrapped and counts how often, and the rest of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::endpoint::{FORWARDED, PUBLIC_KEY, SIGNATURE, listen, serve};

/// A part of an archive, with room for what is over.
const BODY_LEN_MAX: usize = 64 * 1024 * 1024;

/// The endpoint, and what it has seen.
#[derive(Debug)]
pub(crate) struct Cloud {
    /// Where functions find it.
    pub(crate) url: String,
    /// Where DynamoDB is without anyone between.
    pub(crate) database_url: String,
    seen: Arc<Mutex<Seen>>,
    fell_silent: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Calls of the database that are answered before one is not; `None` when all are.
    calls_left: Option<usize>,
    /// How often each key was unwrapped since that was last asked for.
    unwrapped: BTreeMap<String, usize>,
    parts: BTreeMap<u32, Bytes>,
    parts_put: usize,
    is_complete: bool,
    queued: Option<String>,
}

struct Upstream {
    seen: Arc<Mutex<Seen>>,
    fell_silent: Arc<Notify>,
    client: Client<HttpConnector, Full<Bytes>>,
    database_url: String,
}

impl Cloud {
    /// Starts a database, and the endpoint in front of it.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let database = dynoxide::Database::memory().context("starting dynoxide")?;
        let (listener, database_url) = listen().await?;
        tokio::spawn(dynoxide::server::serve_on(listener, database));
        let seen = Arc::new(Mutex::default());
        let fell_silent = Arc::new(Notify::new());
        let upstream = Arc::new(Upstream {
            seen: Arc::clone(&seen),
            fell_silent: Arc::clone(&fell_silent),
            client: Client::builder(TokioExecutor::new()).build_http(),
            database_url: database_url.clone(),
        });
        let (listener, url) = listen().await?;
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
            .with_state(upstream);
        tokio::spawn(serve(listener, router));
        Ok(Self { url, database_url, seen, fell_silent })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most often that any key was unwrapped since this was last asked.
    pub(crate) fn take_unwrapped(&self) -> usize {
        let unwrapped = std::mem::take(&mut self.seen().unwrapped);
        unwrapped.into_values().max().unwrap_or_default()
    }

    /// Lets the database answer so many calls from now on, and not the next one. Returns when the
    /// next one is made.
    pub(crate) async fn falls_silent(&self, after: usize) {
        self.seen().calls_left = Some(after);
        self.fell_silent.notified().await;
    }

    /// Parts that were uploaded, repetitions among them.
    pub(crate) fn parts_put(&self) -> usize {
        self.seen().parts_put
    }

    /// What the function queued for itself.
    pub(crate) fn take_queued(&self) -> Option<String> {
        self.seen().queued.take()
    }

    /// The archive, once it is complete.
    pub(crate) fn archive(&self) -> Option<Vec<u8>> {
        let seen = self.seen();
        seen.is_complete.then(|| seen.parts.values().flatten().copied().collect())
    }
}

async fn answer(
    State(upstream): State<Arc<Upstream>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    match target.and_then(|target| target.split_once('.')) {
        Some(("DynamoDB_20120810", _)) => upstream.forward(&headers, body).await,
        Some((_, operation)) => {
            let (status, answer) = upstream.json(operation, &body);
            let json = [(header::CONTENT_TYPE, "application/x-amz-json-1.1")];
            (status, json, Body::from(answer)).into_response()
        }
        None => upstream.bucket(&method, uri.query().unwrap_or_default(), body),
    }
}

impl Upstream {
    async fn forward(&self, headers: &HeaderMap, body: Bytes) -> Response {
        match self.ask_database(headers, body).await {
            Ok(response) => response,
            Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
        }
    }

    async fn ask_database(&self, headers: &HeaderMap, body: Bytes) -> anyhow::Result<Response> {
        if self.is_silent() {
            self.fell_silent.notify_one();
            std::future::pending::<()>().await;
        }
        let mut forwarded = Request::post(&self.database_url);
        for name in FORWARDED {
            if let Some(value) = headers.get(name) {
                forwarded = forwarded.header(name, value);
            }
        }
        let answered = self.client.request(forwarded.body(Full::new(body))?).await?;
        let status = answered.status();
        let json = [(header::CONTENT_TYPE, "application/x-amz-json-1.0")];
        let body = answered.into_body().collect().await?.to_bytes();
        Ok((status, json, Body::from(body)).into_response())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call.
    fn is_silent(&self) -> bool {
        let left = &mut self.seen().calls_left;
        let is_silent = *left == Some(0);
        *left = left.and_then(|left| left.checked_sub(1));
        is_silent
    }

    fn json(&self, operation: &str, body: &Bytes) -> (StatusCode, String) {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| asked.get(name).and_then(Value::as_str).map(str::to_owned);
        match operation {
            "Decrypt" => {
                let wrapped = text("CiphertextBlob").unwrap_or_default();
                let mut seen = self.seen();
                let count = seen.unwrapped.entry(wrapped.clone()).or_default();
                *count = count.saturating_add(1);
                (StatusCode::OK, json!({ "Plaintext": wrapped }).to_string())
            }
            "GetPublicKey" => (StatusCode::OK, PUBLIC_KEY.to_owned()),
            "Sign" => (StatusCode::OK, SIGNATURE.to_owned()),
            "SendMessage" => {
                self.seen().queued = text("MessageBody");
                (StatusCode::OK, json!({ "MessageId": "1" }).to_string())
            }
            _ => (StatusCode::BAD_REQUEST, r#"{"__type":"UnknownOperation"}"#.to_owned()),
        }
    }

    /// One upload at a time is all there is.
    fn bucket(&self, method: &Method, query: &str, body: Bytes) -> Response {
        let mut arguments = query.split('&').filter_map(|pair| pair.split_once('='));
        let part = arguments.find(|(name, _)| *name == "partNumber");
        let part = part.and_then(|(_, number)| number.parse().ok());
        let mut seen = self.seen();
        match (method.as_str(), part) {
            ("PUT", Some(number)) => {
                seen.parts_put = seen.parts_put.saturating_add(1);
                let mark = format!("\"{}-{}\"", number, body.len());
                seen.parts.insert(number, body);
                ([(header::ETAG, mark)], Body::empty()).into_response()
            }
            ("POST", _) if query.contains("uploadId=") => {
                seen.is_complete = true;
                "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>".into_response()
            }
            ("POST", _) => {
                let begun = "<InitiateMultipartUploadResult><UploadId>u</UploadId>\
                             </InitiateMultipartUploadResult>";
                begun.into_response()
            }
            _ => StatusCode::NO_CONTENT.into_response(),
        }
    }
}
