//! `POST /v1/operator/policy-versions`: a new version of the privacy policy, which owners are told
//! of by e-mail.

use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use numib::domain::ids::PolicyVersion;
use numib::domain::time::Day;
use numib::edge::problem::{Problem, json};
use numib::store::StoreError;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::body;
use crate::call::Call;
use crate::profile::{BAD_VERSION, PrivacyPolicy};

const BAD_DAY: Problem = Problem::field(
    "effective_on",
    "`effective_on` is the day from which the version is in force, YYYY-MM-DD.",
);
const OTHER_DAY: Problem = Problem::conflict("This version is in force from another day on.");

/// A version of the privacy policy, and from when on it is in force.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewPolicyVersion")]
pub(crate) struct Published {
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
    version: String,
    #[schemars(extend("format" = "date"))]
    effective_on: String,
}

/// Stores the version, and has every owner told. Published again, those are told who were not.
//= R10.1
pub(crate) async fn publish(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let Published { version, effective_on } = body::json(call.request)?;
    let version = PolicyVersion::parse(&version).ok_or(BAD_VERSION)?;
    let effective_on = Day::parse(&effective_on).ok_or(BAD_DAY)?;
    let is_new = match call.app.store.put_policy_version(&version, effective_on).await {
        Err(StoreError::Conflict) => return Err(OTHER_DAY),
        put => put?,
    };
    call.app.queue.announce(&version).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json(status, "application/json", &PrivacyPolicy { version: version.to_string() }))
}
