//! Meta's callbacks: signed, shredded before they are answered, then queued.

use jiff::Timestamp;
use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use numib::api::audit;
use numib::api::described::Described;
use numib::api::erase::begin;
use numib::api::who::ANYONE;
use numib::concurrent::try_all;
use numib::domain::audit::{Action, Actor, erased_of_each};
use numib::domain::erasure::{Request as Erasure, Source, Target};
use numib::domain::ids::RequestId;
use numib::domain::personal::Personal;
use numib::edge::address;
use numib::edge::problem::{Problem, json};
use numib::edge::secrets::MetaSecrets;
use numib::edge::telemetry::{Metrics, Unit};
use numib::erasure::{Asked, targets};
use numib::meta::signed_request::{self, Callback, FORM_LEN_MAX, SignedRequestError};
use numib::seal::pseudonym::Pepper;
use numib::seal::random;
use schemars::json_schema;
use serde_json::json;

use crate::app::{App, Route};

/// Channels that are erased at once: an agency may have connected hundreds.
const CHANNELS_AT_ONCE: usize = 16;

const TOO_LARGE: Problem = Problem::new(
    StatusCode::PAYLOAD_TOO_LARGE,
    "too-large",
    "The body is larger than 32 KiB. Please send less.",
);
const UNSIGNED: Problem = Problem::new(
    StatusCode::UNAUTHORIZED,
    "signature",
    "Please sign the signed_request with this app's secret.",
);
const MALFORMED: Problem = Problem::bad_request(
    "signed-request",
    "Please send one signed_request: an HMAC-SHA256 signature, a dot and a payload, in base64url.",
);

pub(crate) static DATA_DELETION: Route = Route {
    key: "POST /meta/data-deletion",
    name: "deleteData",
    summary: "Meta's data-deletion callback",
    who: ANYONE,
    action: None,
    describe: |_| {
        let body = json_schema!({
            "type": "object",
            "required": ["url", "confirmation_code"],
            "properties": {
                "url": {"type": "string", "format": "uri"},
                "confirmation_code": {"type": "string", "pattern": "^[0-9a-z]{26}$"},
            },
        });
        let body = [("application/json", body)];
        signed().or_answers(200, "Where to follow it.", &body).said(
            "What is held of the person is unreadable when this answers. See docs/erasure.md.",
        )
    },
    handler: |app, request, now| Box::pin(data_deletion(app, request, now)),
};

/// Erases what is held of the person, and answers where to follow it.
///
/// The answer is the same, and as fast, whether anything is held or not; the page says which.
//= R8.3, R8.4
async fn data_deletion(
    app: &App,
    request: &Request,
    now: Timestamp,
) -> Result<Response<Body>, Problem> {
    let (callback, secrets) = read(app, request, now).await?;
    let Callback { user, issued_at, .. } = callback;
    let (subject, targets) = match &user {
        Some(user) => {
            let pepper = &secrets.pepper;
            let targets = targets::of_person(&app.store, pepper, user, issued_at, now).await;
            (format!("person {}", pepper.person(user)), targets?)
        }
        // Signed, but nobody is named: nothing is selected, and the page says so.
        None => (format!("nobody {}", random_id()?), Vec::new()),
    };
    let erased = erase(app, Source::MetaDeletion, subject, targets.clone(), now).await?;
    record(app, Action::MetaDeletion, Some(&erased.id), &targets, now).await;
    let url = address::status_page(app.public_url.as_deref(), request, &erased.id);
    let body = json!({ "url": url, "confirmation_code": erased.id.as_str() });
    Ok(json(StatusCode::OK, "application/json", &body))
}

pub(crate) static DEAUTHORIZE: Route = Route {
    key: "POST /meta/deauthorize",
    name: "deauthorize",
    summary: "Meta's deauthorise callback",
    who: ANYONE,
    action: None,
    describe: |_| {
        let body = [("application/json", json_schema!({"type": "object"}))];
        signed().or_answers(200, "Done; the body is an empty object.", &body)
    },
    handler: |app, request, now| Box::pin(deauthorize(app, request, now)),
};

/// Erases the channels that the person connected, or the one that was
/// disconnected. Meta ignores the answer.
//= R8.3
async fn deauthorize(
    app: &App,
    request: &Request,
    now: Timestamp,
) -> Result<Response<Body>, Problem> {
    let (callback, secrets) = read(app, request, now).await?;
    let pepper: &Pepper = &secrets.pepper;
    let Callback { user, profile, issued_at } = callback;
    let mut targets = Vec::new();
    if let Some(user) = &user {
        let found = targets::connected_by(&app.store, pepper, user, issued_at, now).await;
        targets.extend(found?);
    }
    if let Some(profile) = &profile {
        let found = targets::of_channel(&app.store, pepper, profile, issued_at, now).await;
        targets.extend(found?);
    }
    targets.sort();
    targets.dedup();
    let each = targets.iter().map(|target| {
        erase(app, Source::MetaDeauthorize, target.subject(), vec![target.clone()], now)
    });
    try_all(each, CHANNELS_AT_ONCE).await?;
    record(app, Action::MetaDeauthorize, None, &targets, now).await;
    Ok(json(StatusCode::OK, "application/json", &json!({})))
}

/// Begins a request, or finds the one under way, and has a worker go on.
async fn erase(
    app: &App,
    source: Source,
    subject: String,
    targets: Vec<Target>,
    now: Timestamp,
) -> Result<Erasure, Problem> {
    let asked = Asked { source, reference: None, subject, targets, due_at: None };
    begin(&app.store, &app.queue, asked, now).await
}

/// Records an erasure with each account that it was of: under its code, where there is one and no
/// other account was in it. An alarm rings for what is not recorded.
//= R1.3
async fn record(
    app: &App,
    action: Action,
    code: Option<&RequestId>,
    targets: &[Target],
    now: Timestamp,
) {
    let accounts = erased_of_each(targets, code);
    let failures = audit::tell_accounts(&app.store, &Actor::Meta, action, &accounts, now).await;
    let mut metrics = Metrics::new(now);
    metrics.add("AuditFailures", Unit::Count, failures);
    metrics.emit();
}

/// What both callbacks take.
fn signed() -> Described {
    let said = "HMAC-SHA256 of the payload, a dot, and the payload; both in base64url.";
    let form = json_schema!({
        "type": "object",
        "required": ["signed_request"],
        "properties": {"signed_request": {"type": "string", "description": said}},
    });
    let form = [("application/x-www-form-urlencoded", form)];
    let said = "At most 32 KiB. The field may come in the query instead.";
    Described::default().takes_one_of(said, &form).refuses(&[400, 401, 413])
}

/// Reads and checks the callback.
async fn read(
    app: &App,
    request: &Request,
    now: Timestamp,
) -> Result<(Callback, std::sync::Arc<MetaSecrets>), Problem> {
    let body: &[u8] = request.body().as_ref();
    if body.len() > FORM_LEN_MAX {
        return Err(TOO_LARGE);
    }
    let signed = field(request, body).map_err(|error| refused(error, now))?;
    let check =
        |secrets: &MetaSecrets| signed_request::verify(signed.expose(), &secrets.app_secrets, now);
    let is_mismatch = |error: &SignedRequestError| *error == SignedRequestError::Mismatch;
    let (checked, secrets) = app.secrets.check(check, is_mismatch).await?;
    let callback = checked.map_err(|error| refused(error, now))?;
    Ok((callback, secrets))
}

/// From the form, or from the query, as tests of Meta's dashboard send it.
fn field(request: &Request, body: &[u8]) -> Result<Personal<String>, SignedRequestError> {
    let query = request.uri().query().unwrap_or_default();
    let in_query = signed_request::from_form(query.as_bytes());
    match (signed_request::from_form(body), in_query) {
        (Err(SignedRequestError::Missing), in_query) => in_query,
        (in_body, Err(SignedRequestError::Missing)) => in_body,
        _ => Err(SignedRequestError::Repeated),
    }
}

fn refused(error: SignedRequestError, now: Timestamp) -> Problem {
    tracing::warn!(reason = %error, "callback refused");
    let mut metrics = Metrics::new(now);
    metrics.add("SignatureFailures", Unit::Count, 1);
    metrics.emit();
    match error {
        SignedRequestError::Mismatch => UNSIGNED,
        SignedRequestError::Missing
        | SignedRequestError::Repeated
        | SignedRequestError::TooLong
        | SignedRequestError::Malformed
        | SignedRequestError::Algorithm
        | SignedRequestError::Id => MALFORMED,
    }
}

fn random_id() -> Result<String, Problem> {
    random::request_id().map(|id| id.to_string()).map_err(|error| {
        tracing::error!(error = %error, "no randomness");
        Problem::internal()
    })
}
