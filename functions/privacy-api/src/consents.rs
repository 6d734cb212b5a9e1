//! What an account decides about optional purposes (R2.2).

use numib::api::access::LOCKED;
use numib::api::body;
use numib::api::described::Described;
use numib::api::done::Done;
use numib::api::policy::VERSION;
use numib::domain::audit::Action;
use numib::domain::consent::{Choice, Decision, Purpose, may_be_processed};
use numib::edge::problem::Problem;
use numib::store::StoreError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{Call, Route};
use crate::policies;
use crate::who::DECIDERS;

const BAD_DECISION: Problem =
    Problem::field("decision", "`decision` must be granted, withdrawn or objected.");
const BAD_VERSION: Problem = Problem::field(
    "policy_version",
    "`policy_version` must be the published version of the privacy policy that was shown.",
);

/// A decision.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewDecision {
    #[schemars(regex(pattern = "^(granted|withdrawn|objected)$"))]
    decision: String,
    /// The policy that was shown.
    #[schemars(regex(pattern = VERSION))]
    policy_version: String,
}

/// Where every purpose stands.
#[derive(Debug, Serialize, JsonSchema)]
struct Consents {
    purposes: Vec<Standing>,
}

/// Where a purpose stands.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Consent")]
struct Standing {
    /// `product-analytics` or `marketing-email`.
    purpose: &'static str,
    /// Whether data may be processed for it now: only while consent stands.
    may_be_processed: bool,
    /// The latest decision; null where there was none.
    decision: Option<&'static str>,
    policy_version: Option<String>,
    /// RFC 3339, UTC.
    decided_at: Option<String>,
    /// The member who decided.
    decided_by: Option<String>,
}

impl Standing {
    fn new(purpose: Purpose, latest: Option<&Decision>) -> Self {
        Self {
            purpose: purpose.as_str(),
            may_be_processed: may_be_processed(latest),
            decision: latest.map(|one| one.choice.as_str()),
            policy_version: latest.map(|one| one.policy_version.as_str().to_owned()),
            decided_at: latest.map(|one| one.decided_at.to_string()),
            decided_by: latest.map(|one| one.decided_by.to_string()),
        }
    }
}

pub(crate) static LIST: Route = Route {
    key: "GET /v1/consents",
    name: "listConsents",
    summary: "Where every optional purpose stands",
    who: DECIDERS,
    action: None,
    describe: |of| Described::gives::<Consents>(of, 200, "Where each purpose stands."),
    handler: |call| Box::pin(list(call)),
};

/// Shows where each purpose stands.
//= R2.2
async fn list(call: &Call<'_>) -> Result<Done, Problem> {
    let mut purposes = Vec::with_capacity(Purpose::ALL.len());
    for purpose in Purpose::ALL {
        let latest = call.app.store.latest_decision(call.account(), *purpose).await?;
        purposes.push(Standing::new(*purpose, latest.as_ref()));
    }
    Ok(Done::ok(&Consents { purposes }))
}

pub(crate) static DECIDE: Route = Route {
    key: "PUT /v1/consents/{purpose}",
    name: "decideConsent",
    summary: "Consent to an optional purpose, withdraw that, or object",
    who: DECIDERS,
    action: Some(Action::DecideConsent),
    describe: |of| {
        let described = Described::gives::<Standing>(of, 200, "Where the purpose stands now.");
        described.takes::<NewDecision>(of).refuses(&[409])
    },
    handler: |call| Box::pin(decide(call)),
};

/// Keeps a decision; it takes effect with the next event.
//= R2.2, R5.5, R5.6
async fn decide(call: &Call<'_>) -> Result<Done, Problem> {
    let purpose = call.parameter("purpose", Purpose::parse)?;
    let NewDecision { decision, policy_version } =
        body::json(call.request, &[BAD_DECISION, BAD_VERSION])?;
    let choice = Choice::parse(&decision).ok_or(BAD_DECISION)?;
    let (policy_version, _) = policies::published(call, &policy_version, BAD_VERSION).await?;
    let decision = Decision {
        purpose,
        choice,
        policy_version,
        decided_by: call.caller.member.clone(),
        decided_at: call.now,
    };
    match call.app.store.keep_decision(call.account(), &decision).await {
        Err(StoreError::Conflict) => return Err(LOCKED),
        kept => kept?,
    }
    let standing = Standing::new(purpose, Some(&decision));
    let done = Done::ok(&standing).about("decision", choice.as_str());
    Ok(done.about("policy", decision.policy_version))
}
