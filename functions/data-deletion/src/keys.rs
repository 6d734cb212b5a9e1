//! The keys that receipts are signed with.

use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use numib::api::described::Described;
use numib::api::who::ANYONE;
use numib::edge::problem::{Problem, json};
use numib::seal::receipt;
use schemars::json_schema;

use crate::app::{App, Route};

pub(crate) static KEYS: Route = Route {
    key: "GET /.well-known/jwks.json",
    name: "receiptKeys",
    summary: "The keys that receipts are signed with (RFC 7517)",
    who: ANYONE,
    action: None,
    describe: |_| {
        let keys = json_schema!({"type": "object"});
        Described::default().or_answers(200, "A JWK set.", &[("application/jwk-set+json", keys)])
    },
    handler: |app, _, _| Box::pin(keys(app)),
};

async fn keys(app: &App) -> Result<Response<Body>, Problem> {
    let key = app.receipts.public().await.map_err(|error| {
        tracing::error!(error = %error, "the receipt key is not available");
        Problem::internal()
    })?;
    Ok(json(StatusCode::OK, "application/jwk-set+json", &receipt::jwks(&[key])))
}
