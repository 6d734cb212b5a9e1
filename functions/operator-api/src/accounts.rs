//! An account begins with its owner.

use lambda_http::http::StatusCode;
use numib::api::described::Described;
use numib::api::done::Done;
use numib::api::invite::invite;
use numib::api::who::OPERATORS;
use numib::api::{account_keys, body};
use numib::domain::audit::Action;
use numib::domain::plan::Plan;
use numib::domain::profile::{self, EMAIL_LEN_MAX};
use numib::domain::role::Role;
use numib::edge::problem::Problem;
use numib::seal::random;
use numib::store::StoreError;
use numib::store::accounts::Member;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{Call, Route};
use crate::plan::{BAD_PLAN, subject as plan_subject};

const BAD_EMAIL: Problem =
    Problem::field("owner_email", "`owner_email` must be the owner's e-mail address.");
const TAKEN: Problem = Problem::conflict(
    "This person is a member of an account already, or somebody has this address unverified.",
);

/// The account to open: its owner and its plan.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    /// The address to which the owner's invitation goes.
    #[schemars(email, length(max = EMAIL_LEN_MAX))]
    owner_email: String,
    /// How many days messages are kept.
    #[schemars(extend("enum" = [7, 30, 90, 365]))]
    plan_days: u16,
}

/// An account that was opened.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OpenedAccount")]
struct Opened {
    account: String,
    /// The member who owns it.
    owner: String,
    plan_days: u16,
}

pub(crate) static OPEN: Route = Route {
    key: "POST /v1/operator/accounts",
    name: "openAccount",
    summary: "Open an account, and have its owner invited",
    who: OPERATORS.just_signed_in(),
    action: Some(Action::OpenAccount),
    describe: |of| {
        let described = Described::gives::<Opened>(of, 201, "It is open, its owner invited.");
        described.takes::<NewAccount>(of)
    },
    handler: |call| Box::pin(open(call)),
};

/// Opens an account, and invites its owner by e-mail.
//= R1.2, R4.3
async fn open(call: &Call<'_>) -> Result<Done, Problem> {
    let app = call.app;
    let NewAccount { owner_email, plan_days } = body::json(call.request, &[BAD_EMAIL, BAD_PLAN])?;
    let address = profile::email(&owner_email).ok_or(BAD_EMAIL)?;
    let plan = Plan::from_days(plan_days).ok_or(BAD_PLAN)?;
    let id = random::account_id().map_err(account_keys::failed)?;
    let to_be = Member { account: id.clone(), role: Role::Owner };
    let owner = invite(&app.store, &app.queue, &app.user_pool, &address, &to_be).await?;
    let owner = owner.ok_or(TAKEN)?;
    match app.store.open_account(&id, plan, &owner).await {
        Err(StoreError::Conflict) => return Err(TAKEN),
        opened => opened?,
    }
    let body = Opened { account: id.to_string(), owner: owner.to_string(), plan_days };
    let done = Done::json(StatusCode::CREATED, &body).about("account", &id).about("member", owner);
    Ok(done.about("plan", plan_subject(plan)).to_account(id))
}
