//! `POST /v1/operator/accounts`: an account begins with its owner.

use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use numib::domain::plan::Plan;
use numib::domain::profile::{self, EMAIL_LEN_MAX};
use numib::domain::role::Role;
use numib::edge::problem::{Problem, json};
use numib::seal::random;
use numib::store::StoreError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::plan::BAD_PLAN;
use crate::{body, keys, members};

const BAD_EMAIL: Problem =
    Problem::field("owner_email", "`owner_email` is the e-mail address of the owner.");
const TAKEN: Problem = Problem::conflict(
    "This person is a member of an account already, or somebody has this address unverified.",
);

/// Whose account is opened, and with what plan.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccount {
    /// Where the owner is invited.
    #[schemars(email, length(max = EMAIL_LEN_MAX))]
    owner_email: String,
    /// How many days messages are kept.
    #[schemars(extend("enum" = [7, 30, 90, 365]))]
    plan_days: u16,
}

/// An account that was opened.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OpenedAccount")]
pub(crate) struct Opened {
    account: String,
    /// The member who owns it.
    owner: String,
    plan_days: u16,
}

/// Opens an account, and has its owner invited by e-mail.
//= R1.2, R4.3
pub(crate) async fn open(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let NewAccount { owner_email, plan_days } = body::json(call.request, &[BAD_EMAIL, BAD_PLAN])?;
    let address = profile::email(&owner_email).ok_or(BAD_EMAIL)?;
    let plan = Plan::from_days(plan_days).ok_or(BAD_PLAN)?;
    let id = random::account_id().map_err(keys::failed)?;
    let owner = members::invite(call, &address, (&id, Role::Owner)).await?.ok_or(TAKEN)?;
    match call.app.store.open_account(&id, plan, &owner).await {
        Err(StoreError::Conflict) => return Err(TAKEN),
        opened => opened?,
    }
    let (account, owner) = (id.to_string(), owner.to_string());
    let body = Opened { account, owner, plan_days };
    Ok(json(StatusCode::CREATED, "application/json", &body))
}
