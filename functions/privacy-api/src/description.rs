//! The API's description, which is served to any member.

use lambda_http::http::StatusCode;
use numib::api::described::Described;
use numib::api::done::Done;
use numib::edge::problem::{Problem, answer};
use serde_json::{Map, Value};

use crate::app::{Call, Route};
use crate::who::EVERYONE;

/// The whole description, as `cargo xtask openapi` wrote it.
const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

pub(crate) static DESCRIBE: Route = Route {
    key: "GET /v1/openapi.json",
    name: "describeApi",
    summary: "This description",
    who: EVERYONE,
    action: None,
    describe: |of| Described::gives::<Map<String, Value>>(of, 200, "This description."),
    handler: |call| Box::pin(describe_api(call)),
};

/// Serves the description. It has no secret; but a route without a token would be one more that
/// anybody can have us pay for.
#[expect(clippy::unused_async, reason = "the shape of a handler")]
async fn describe_api(_: &Call<'_>) -> Result<Done, Problem> {
    Ok(Done::answer(answer(StatusCode::OK, "application/json", DOCUMENT.to_owned())))
}
