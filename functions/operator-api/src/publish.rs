//! Publishes versions of the privacy policy (R10.1), and queues e-mails to owners about them.

use lambda_http::http::StatusCode;
use numib::api::body;
use numib::api::described::Described;
use numib::api::done::Done;
use numib::api::policy::{PrivacyPolicy, VERSION};
use numib::api::who::OPERATORS;
use numib::domain::audit::Action;
use numib::domain::ids::PolicyVersion;
use numib::domain::time::Day;
use numib::domain::work::Work;
use numib::edge::problem::Problem;
use numib::store::StoreError;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::{Call, Route};

const BAD_VERSION: Problem = Problem::field(
    "version",
    "`version` must be 1 to 64 of A–Z a–z 0–9 - _, and not digits alone.",
);
const BAD_DAY: Problem = Problem::field(
    "effective_on",
    "`effective_on` must be the day from which the version is in force, YYYY-MM-DD.",
);
const OTHER_DAY: Problem = Problem::conflict(
    "This version is already in force from another day. Please publish a new version.",
);

/// A version of the privacy policy, and from when on it is in force.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewPolicyVersion {
    #[schemars(regex(pattern = VERSION))]
    version: String,
    #[schemars(extend("format" = "date"))]
    effective_on: String,
}

pub(crate) static PUBLISH: Route = Route {
    key: "POST /v1/operator/policy-versions",
    name: "publishPolicy",
    summary: "Publish a version of the privacy policy, and have owners told of it",
    who: OPERATORS.just_signed_in(),
    action: Some(Action::PublishPolicy),
    describe: |of| {
        let again = "It was there; whoever was not is told.";
        let described = Described::gives::<PrivacyPolicy>(of, 201, "It is published.");
        described.or_gives::<PrivacyPolicy>(of, 200, again).takes::<NewPolicyVersion>(of)
    },
    handler: |call| Box::pin(publish(call)),
};

/// Stores the version, and queues e-mails to all owners. Publishing again tells the owners who were
/// not told.
//= R10.1
async fn publish(call: &Call<'_>) -> Result<Done, Problem> {
    let NewPolicyVersion { version, effective_on } =
        body::json(call.request, &[BAD_VERSION, BAD_DAY])?;
    // Digits alone might be somebody's id, and the audit trail would leave them out.
    let is_number = version.bytes().all(|byte| byte.is_ascii_digit());
    let version = PolicyVersion::parse(&version).filter(|_| !is_number).ok_or(BAD_VERSION)?;
    let effective_on = Day::parse(&effective_on).ok_or(BAD_DAY)?;
    let is_new = match call.app.store.put_policy_version(&version, effective_on).await {
        Err(StoreError::Conflict) => return Err(OTHER_DAY),
        put => put?,
    };
    call.app.queue.put(Work::Announce { version: version.clone(), page: None }).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let body = PrivacyPolicy { version: version.to_string() };
    Ok(Done::json(status, &body).about("policy", version))
}
