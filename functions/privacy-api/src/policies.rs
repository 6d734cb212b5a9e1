//! Versions of the privacy policy (R10.1), as accounts see and accept them.

use numib::api::access::LOCKED;
use numib::api::body;
use numib::api::described::Described;
use numib::api::done::Done;
use numib::api::policy::PrivacyPolicy;
use numib::domain::account::Acceptance;
use numib::domain::audit::Action;
use numib::domain::ids::PolicyVersion;
use numib::domain::time::Day;
use numib::edge::problem::Problem;
use numib::store::StoreError;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::{Call, Route};
use crate::who::{FOLLOWERS, OWNER};

/// Versions that are listed: those of decades.
const LISTED: i32 = 100;

const NOT_PUBLISHED: Problem = Problem::field(
    "version",
    "`version` must be a published version of the privacy policy: see /v1/policy-versions.",
);
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

pub(crate) static ACCEPT: Route = Route {
    key: "POST /v1/account/policy-acceptance",
    name: "acceptPolicy",
    summary: "Accept a version of the privacy policy",
    who: OWNER,
    action: Some(Action::AcceptPolicy),
    describe: |of| {
        let described = Described::gives::<PrivacyPolicy>(of, 200, "It is accepted.");
        described.takes::<PrivacyPolicy>(of)
    },
    handler: |call| Box::pin(accept(call)),
};

/// Accepts a version of the privacy policy. Each
/// that it accepts is kept, with who did and when first.
//= R10.1
async fn accept(call: &Call<'_>) -> Result<Done, Problem> {
    let PrivacyPolicy { version } = body::json(call.request, &[NOT_PUBLISHED])?;
    let (version, effective_on) = published(call, &version, NOT_PUBLISHED).await?;
    let (at, by) = (call.now, call.caller.member.clone());
    let acceptance = Acceptance { version, effective_on, at, by };
    match call.app.store.accept_policy(call.account(), &acceptance).await {
        Err(StoreError::Conflict) => return Err(LOCKED),
        accepted => accepted?,
    }
    let body = PrivacyPolicy { version: acceptance.version.to_string() };
    Ok(Done::ok(&body).about("policy", acceptance.version))
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
struct PolicyVersions {
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

pub(crate) static LIST: Route = Route {
    key: "GET /v1/policy-versions",
    name: "listPolicyVersions",
    summary: "The versions of the privacy policy, and which are in force and accepted",
    who: FOLLOWERS,
    action: None,
    describe: |of| {
        Described::gives::<PolicyVersions>(of, 200, "Those that are in force latest first.")
    },
    handler: |call| Box::pin(list(call)),
};

/// Lists the versions, which of them is in force, and which the account has
/// accepted.
//= R10.1
async fn list(call: &Call<'_>) -> Result<Done, Problem> {
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
    Ok(Done::ok(&body))
}
