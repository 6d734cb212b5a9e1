//! Meta's side: signed webhooks and the handshake, over HTTP to the deployed API.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use numib::domain::hex::hex;
use serde_json::Value;

use crate::stack::Deployed;

/// Longer than Meta waits, so that a late answer is seen as late.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An answer of the API.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its `Content-Type`.
    pub content_type: String,
    /// Its body.
    pub body: String,
}

impl Answer {
    /// The body as JSON; `Null` where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// `X-Hub-Signature-256` of a body under an app secret.
#[must_use]
pub fn signature(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, body);
    format!("sha256={}", hex(tag.as_ref()))
}

/// A `signed_request` of this payload under an app secret, as Meta makes them
/// (docs/meta-platform.md#deletion-callback).
#[must_use]
pub fn signed_request(secret: &str, payload: &Value) -> String {
    let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, payload.as_bytes());
    format!("{}.{payload}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

/// Posts a `signed_request` to one of the callbacks, as a form.
///
/// # Errors
/// When the API cannot be reached.
pub fn call_back(deployed: &Deployed, path: &str, signed: &str) -> anyhow::Result<Answer> {
    let request = agent()
        .post(format!("{}{path}", deployed.api_url))
        .header("Host", &deployed.api_host)
        .header("Content-Type", "application/x-www-form-urlencoded");
    answer(request.send(format!("signed_request={signed}"))?)
}

/// Gets a public page as JSON, if the page has that form.
///
/// # Errors
/// When the API cannot be reached.
pub fn get_json(deployed: &Deployed, path: &str) -> anyhow::Result<Answer> {
    let request = agent()
        .get(format!("{}{path}", deployed.api_url))
        .header("Host", &deployed.api_host)
        .header("Accept", "application/json");
    answer(request.call()?)
}

/// Posts a webhook as the app with that secret.
///
/// # Errors
/// When the API cannot be reached.
pub fn deliver(deployed: &Deployed, secret: &str, body: &[u8]) -> anyhow::Result<Answer> {
    post(deployed, body, Some(&signature(secret, body)))
}

/// Posts a webhook with this signature, or none.
///
/// # Errors
/// When the API cannot be reached.
pub fn post(deployed: &Deployed, body: &[u8], signature: Option<&str>) -> anyhow::Result<Answer> {
    let mut request = agent()
        .post(format!("{}/meta/webhook", deployed.api_url))
        .header("Host", &deployed.api_host)
        .header("Content-Type", "application/json");
    if let Some(signature) = signature {
        request = request.header("X-Hub-Signature-256", signature);
    }
    answer(request.send(body)?)
}

/// Gets a path of the API, with a member's token if one is given.
///
/// # Errors
/// When the API cannot be reached.
pub fn get(deployed: &Deployed, path: &str, token: Option<&str>) -> anyhow::Result<Answer> {
    let url = format!("{}{path}", deployed.api_url);
    let mut request = agent().get(url).header("Host", &deployed.api_host);
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    answer(request.call()?)
}

/// Sends a request to the API as a member, with a body of this type if one is given.
///
/// # Errors
/// When the API cannot be reached.
pub fn send(
    deployed: &Deployed,
    (method, path): (&str, &str),
    token: &str,
    (content_type, body): (&str, &str),
) -> anyhow::Result<Answer> {
    let mut request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("{}{path}", deployed.api_url))
        .header("Host", &deployed.api_host)
        .header("Authorization", format!("Bearer {token}"));
    if !body.is_empty() {
        request = request.header("Content-Type", content_type);
    }
    answer(agent().run(request.body(body.to_owned())?)?)
}

/// Sends a JSON body as a member, on the condition that the version is still the one that was read
/// (`If-Match`).
///
/// # Errors
/// When the API cannot be reached.
pub fn send_matching(
    deployed: &Deployed,
    (method, path): (&str, &str),
    token: &str,
    (version, body): (&str, &str),
) -> anyhow::Result<Answer> {
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("{}{path}", deployed.api_url))
        .header("Host", &deployed.api_host)
        .header("Authorization", format!("Bearer {token}"))
        .header("Content-Type", "application/json")
        .header("If-Match", version);
    answer(agent().run(request.body(body.to_owned())?)?)
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(TIMEOUT))
        .build()
        .into()
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> anyhow::Result<Answer> {
    let content_type = response.headers().get("content-type");
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    Ok(Answer {
        status: response.status().as_u16(),
        content_type: content_type.to_owned(),
        body: response.body_mut().read_to_string()?,
    })
}
