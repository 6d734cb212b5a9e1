//! Versions of the privacy policy (R10.1): published by operators, who have owners told of them by
//! e-mail; and accepted by accounts.

use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use numib::domain::account::Acceptance;
use numib::domain::ids::PolicyVersion;
use numib::domain::time::Day;
use numib::domain::work::Work;
use numib::edge::problem::{Problem, json};
use numib::store::StoreError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::LOCKED;
use crate::body;
use crate::call::Call;

/// A version, as text.
pub(crate) const VERSION: &str = "^[A-Za-z0-9_-]{1,64}$";
/// Versions that are listed: those of decades.
const LISTED: i32 = 100;

const BAD_VERSION: Problem = Problem::field(
    "version",
    "`version` is what the version is called: 1 to 64 of A–Z a–z 0–9 - _, and not digits alone.",
);
const NOT_PUBLISHED: Problem = Problem::field(
    "version",
    "`version` is a version of the privacy policy that was published: see /v1/policy-versions.",
);
const BAD_DAY: Problem = Problem::field(
    "effective_on",
    "`effective_on` is the day from which the version is in force, YYYY-MM-DD.",
);
const OTHER_DAY: Problem = Problem::conflict("This version is in force from another day on.");

/// A version of the privacy policy.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PolicyVersion")]
pub(crate) struct PrivacyPolicy {
    #[schemars(regex(pattern = VERSION))]
    version: String,
}

/// A version of the privacy policy, and from when on it is in force.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPolicyVersion {
    #[schemars(regex(pattern = VERSION))]
    version: String,
    #[schemars(extend("format" = "date"))]
    effective_on: String,
}

/// `POST /v1/operator/policy-versions`: stores the version, and has every owner told. Published
/// again, those are told who were not.
//= R10.1
pub(crate) async fn publish(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let NewPolicyVersion { version, effective_on } =
        body::json(call.request, &[BAD_VERSION, BAD_DAY])?;
    // Digits alone might be an id of somebody's: the audit trail would leave them out.
    let is_number = version.bytes().all(|byte| byte.is_ascii_digit());
    let version = PolicyVersion::parse(&version).filter(|_| !is_number).ok_or(BAD_VERSION)?;
    let effective_on = Day::parse(&effective_on).ok_or(BAD_DAY)?;
    let is_new = match call.app.store.put_policy_version(&version, effective_on).await {
        Err(StoreError::Conflict) => return Err(OTHER_DAY),
        put => put?,
    };
    call.app.queue.put(Work::Announce { version: version.clone(), page: None }).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json(status, "application/json", &PrivacyPolicy { version: version.to_string() }))
}

/// The version of that name and its day, if it was published.
///
/// # Errors
/// `unknown` if it was not.
//= R10.1
pub(crate) async fn published(
    call: &Call<'_>,
    version: &str,
    unknown: Problem,
) -> Result<(PolicyVersion, Day), Problem> {
    let Some(version) = PolicyVersion::parse(version) else { return Err(unknown) };
    let effective_on = call.app.store.policy_version(&version).await?.ok_or(unknown)?;
    Ok((version, effective_on))
}

/// `POST /v1/account/policy-acceptance`: the account accepts a version of the privacy policy. Each
/// that it accepts is kept, with who did and when first.
//= R10.1
pub(crate) async fn accept(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let PrivacyPolicy { version } = body::json(call.request, &[NOT_PUBLISHED])?;
    let (version, effective_on) = published(call, &version, NOT_PUBLISHED).await?;
    let (at, by) = (call.now, call.caller.member.clone());
    let acceptance = Acceptance { version, effective_on, at, by };
    match call.app.store.accept_policy(call.account(), &acceptance).await {
        Err(StoreError::Conflict) => return Err(LOCKED),
        accepted => accepted?,
    }
    let body = PrivacyPolicy { version: acceptance.version.to_string() };
    Ok(json(StatusCode::OK, "application/json", &body))
}

/// That a version was accepted.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AcceptedPolicy {
    version: String,
    /// RFC 3339, UTC: when it was first.
    accepted_at: String,
    /// The owner who did.
    accepted_by: String,
}

impl AcceptedPolicy {
    pub(crate) fn new(acceptance: &Acceptance) -> Self {
        Self {
            version: acceptance.version.to_string(),
            accepted_at: acceptance.at.to_string(),
            accepted_by: acceptance.by.to_string(),
        }
    }
}

/// The versions of the privacy policy, those first that are in force from the latest day on.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PolicyVersions {
    versions: Vec<PublishedVersion>,
}

/// A version of the privacy policy that was published.
#[derive(Debug, Serialize, JsonSchema)]
struct PublishedVersion {
    version: String,
    /// A date: from when on it is in force.
    effective_on: String,
    /// Whether it is the one in force today.
    is_in_force: bool,
    /// Whether and when this account has accepted it.
    accepted: Option<AcceptedPolicy>,
}

/// `GET /v1/policy-versions`: the versions, which of them is in force, and which the account has
/// accepted.
//= R10.1
pub(crate) async fn list(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let (store, today) = (&call.app.store, Day::of(call.now));
    let published = store.policy_versions(LISTED).await?;
    let acceptances = store.acceptances(call.account()).await?;
    let in_force = published.iter().find(|(_, effective_on)| *effective_on <= today).cloned();
    let version = |(version, effective_on): (PolicyVersion, Day)| PublishedVersion {
        version: version.to_string(),
        effective_on: effective_on.to_string(),
        is_in_force: in_force.as_ref().is_some_and(|(one, _)| *one == version),
        accepted: acceptances.iter().find(|one| one.version == version).map(AcceptedPolicy::new),
    };
    let body = PolicyVersions { versions: published.into_iter().map(version).collect() };
    Ok(json(StatusCode::OK, "application/json", &body))
}
