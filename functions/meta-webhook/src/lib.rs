//! `GET` and `POST /meta/webhook`: Meta's handshake, and its updates.
//!
//! A 200 means that every storable update of the body is durable. Whatever is
//! authentic but of no use is acknowledged and counted, since anything but 200 makes Meta retry
//! and, within the hour, unsubscribe the account.

mod intake;
mod moves;
mod prepare;
mod report;
mod row;
mod settle;
mod taken;
mod write;

use std::pin::Pin;
use std::sync::Mutex;

use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, RequestExt as _, Response};
use numib::api::described::Described;
use numib::api::who::ANYONE;
use numib::edge::clock::Clock;
use numib::edge::problem::{Problem, answer};
use numib::edge::secrets::{MetaSecrets, SecretsCache, SecretsError};
use numib::meta::handshake::{self, Handshake, HandshakeError};
use numib::meta::signature::{self, SignatureError};
use numib::meta::webhook;
use numib::seal::SealError;
use numib::seal::key_pair::Sealer;
use numib::store::{Store, StoreError};
use schemars::json_schema;
use serde_json::json;

use crate::intake::DEADLINE;
use crate::moves::Moved;

/// The largest body taken. Lambda's own limit is 6 MB for the whole event, in which a JSON body is
/// escaped; 1000 updates, the most Meta batches, are about 1 MB.
pub const BODY_LEN_MAX: usize = 4 * 1024 * 1024;

/// Requests under way at once: enough to hide the network, few enough not to be a burst.
pub(crate) const CONCURRENCY: usize = 32;

/// Why a request got no 200.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("neither GET nor POST")]
    Method,
    #[error("the body is larger than {BODY_LEN_MAX} bytes")]
    TooLarge,
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Intake(#[from] IntakeError),
}

/// Why a body was not taken in. Nothing is acknowledged; Meta redelivers, and what is already
/// stored is met again as a duplicate.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum IntakeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Provisioning is behind: storing under another day's key would break its expiry.
    #[error("a connection has no key for a day that is still open")]
    NoDayKey,
    /// A defect of this code.
    #[error("the owner of an account was not looked up")]
    Unrouted,
    #[error("the body was not stored within {DEADLINE:?}")]
    Deadline,
}

impl Refusal {
    const fn problem(&self) -> Problem {
        match self {
            Self::Method => Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method",
                "Please use GET (handshake) or POST (updates).",
            ),
            Self::TooLarge => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "The body is larger than 4 MiB. Please send less.",
            ),
            Self::Handshake(HandshakeError::Forbidden) => Problem::forbidden(
                "The verify token is unknown. Please check it in the app's settings at Meta.",
            ),
            Self::Handshake(HandshakeError::BadRequest) => Problem::bad_request(
                "handshake",
                "Please send hub.mode=subscribe, hub.verify_token and a plain hub.challenge.",
            ),
            Self::Signature(_) => Problem::new(
                StatusCode::UNAUTHORIZED,
                "signature",
                "Please sign the body: X-Hub-Signature-256 is missing or wrong.",
            ),
            Self::Secrets(_) | Self::Intake(_) => Problem::internal(),
        }
    }
}

/// What one warm container works with.
#[derive(Debug)]
pub struct App {
    store: Store,
    secrets: SecretsCache,
    sealer: Mutex<Sealer>,
    moved: Mutex<Moved>,
}

impl App {
    /// An app over this store and secret; nothing is fetched yet.
    #[must_use]
    pub fn new(store: Store, secrets: SecretsCache) -> Self {
        Self { store, secrets, sealer: Mutex::default(), moved: Mutex::default() }
    }

    /// Fetches the secret during init, which has burst CPU; a failure shows at the first request.
    pub async fn warm(&self) {
        if let Err(error) = self.secrets.get().await {
            tracing::warn!(error = %error, "the secret was not there at init");
        }
    }
}

/// A route of this function.
pub type Route = numib::api::route::Route<Handler>;

/// Handles requests of a route.
#[derive(Debug)]
pub struct Handler(for<'a> fn(&'a App, &'a Request, &'a Clock) -> Answer<'a>);

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response<Body>, Refusal>> + Send + 'a>>;

/// The routes, which have one path.
pub static ROUTES: &[&Route] = &[&VERIFY, &RECEIVE];

/// Answers one request, and logs one line about it.
pub async fn handle(app: &App, request: &Request, clock: Clock) -> Response<Body> {
    let method = request.method().as_str();
    let answered = match ROUTES.iter().find(|route| route.method_and_path().0 == method) {
        Some(route) => (route.handler.0)(app, request, &clock).await,
        None => Err(Refusal::Method),
    };
    answered.unwrap_or_else(|refusal| {
        let problem = refusal.problem();
        report::refused(&refusal, problem.status, &clock);
        problem.response()
    })
}

static VERIFY: Route = Route {
    key: "GET /meta/webhook",
    name: "verifyCallback",
    summary: "Meta's handshake",
    who: ANYONE,
    action: None,
    describe: |_| {
        let challenge = json!({"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,256}$"});
        let answer = [("text/plain", json_schema!({"type": "string"}))];
        Described::default()
            .asks("hub.mode", true, &json!({"const": "subscribe"}))
            .asks("hub.verify_token", true, &json!({"type": "string"}))
            .asks("hub.challenge", true, &challenge)
            .or_answers(200, "The challenge.", &answer)
            .refuses(&[400, 403])
    },
    handler: Handler(|app, request, _| Box::pin(verify_callback(app, request))),
};

/// Meta's handshake: echoes the challenge to whoever knows a verify token
/// (docs/meta-platform.md#handshake).
async fn verify_callback(app: &App, request: &Request) -> Result<Response<Body>, Refusal> {
    let query = request.query_string_parameters();
    let asked = Handshake {
        mode: query.first("hub.mode"),
        verify_token: query.first("hub.verify_token"),
        challenge: query.first("hub.challenge"),
    };
    let ask = |secrets: &MetaSecrets| handshake::answer(asked, &secrets.verify_tokens);
    let is_mismatch = |error: &HandshakeError| *error == HandshakeError::Forbidden;
    let (answered, _) = app.secrets.check(ask, is_mismatch).await?;
    let challenge = answered?;
    tracing::info!(status = 200, "handshake answered");
    Ok(answer(StatusCode::OK, "text/plain; charset=utf-8", challenge))
}

static RECEIVE: Route = Route {
    key: "POST /meta/webhook",
    name: "receiveUpdates",
    summary: "A batch of updates",
    who: ANYONE,
    action: None,
    describe: |_| {
        let updates = json_schema!({
            "type": "object",
            "properties": {
                "object": {"type": "string", "examples": ["page", "instagram"]},
                "entry": {"type": "array", "items": {"type": "object"}},
            },
        });
        let taken = [("application/json", report::taken())];
        Described::default()
            .with_parameter(json!({
                "name": "X-Hub-Signature-256",
                "in": "header",
                "required": true,
                "description": "HMAC-SHA256 of the raw body under an app secret.",
                "schema": {"type": "string", "pattern": "^sha256=[0-9a-f]{64}$"},
            }))
            .takes_one_of("At most 4 MiB.", &[("application/json", updates)])
            .or_answers(200, "Every storable update is durable.", &taken)
            .refuses(&[401, 413])
    },
    handler: Handler(|app, request, clock| Box::pin(take_updates(app, request, clock))),
};

//= R8.1
async fn take_updates(
    app: &App,
    request: &Request,
    clock: &Clock,
) -> Result<Response<Body>, Refusal> {
    let body: &[u8] = request.body();
    if body.len() > BODY_LEN_MAX {
        return Err(Refusal::TooLarge);
    }
    let header = request.headers().get("x-hub-signature-256");
    let header = header.map(|value| value.to_str().unwrap_or("not ASCII"));
    let check = |secrets: &MetaSecrets| signature::verify(&secrets.app_secrets, header, body);
    let is_mismatch = |error: &SignatureError| *error == SignatureError::Mismatch;
    let (signed_by, secrets) = app.secrets.check(check, is_mismatch).await?;
    let secret_index = signed_by?;
    let delivery = webhook::parse(body);
    let taken = intake::take_in(app, &secrets.pepper, delivery, clock).await?;
    Ok(report::acknowledged(&taken, secret_index, clock))
}
