//! The plan follows what the account pays for.

use std::time::Duration;

use numib::api::body;
use numib::api::described::Described;
use numib::api::done::Done;
use numib::api::erase::void_exports;
use numib::api::who::OPERATORS;
use numib::domain::audit::Action;
use numib::domain::ids::AccountId;
use numib::domain::plan::Plan;
use numib::domain::work::Work;
use numib::edge::problem::Problem;
use numib::retention;
use numib::store::StoreError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{Call, Route};

pub(crate) const BAD_PLAN: Problem = Problem::field(
    "plan_days",
    "`plan_days` must be 7, 30, 90 or 365: the days for which messages are kept.",
);
const NOT_ACTIVE: Problem =
    Problem::conflict("This account does not exist, or is being deleted. Please check its id.");
/// How long until nobody writes by the old plan any more: this function's time, and then intake's.
const SETTLED: Duration = Duration::from_secs(45);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WantedPlan")]
struct Wanted {
    /// How many days messages are kept: 7, 30, 90 or 365.
    #[schemars(extend("enum" = [7, 30, 90, 365]))]
    plan_days: u16,
}

/// The plan that an account has now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ChangedPlan")]
struct Changed {
    account: String,
    plan_days: u16,
}

pub(crate) static CHANGE: Route = Route {
    key: "PUT /v1/operator/accounts/{account_id}/plan",
    name: "changePlan",
    summary: "Change an account's plan",
    who: OPERATORS,
    action: Some(Action::ChangePlan),
    describe: |of| {
        let described = Described::gives::<Changed>(of, 200, "The plan it has now.");
        described.takes::<Wanted>(of).refuses(&[409])
    },
    handler: |call| Box::pin(change(call)),
};

/// Changes an account's plan. Before this answers, nothing shows what is too old for the new plan,
/// and its keys are destroyed. Rows follow.
//= R6.5
async fn change(call: &Call<'_>) -> Result<Done, Problem> {
    let &Call { app, request, now, .. } = call;
    let account = call.parameter("account_id", AccountId::parse)?;
    let Wanted { plan_days } = body::json(request, &[BAD_PLAN])?;
    let plan = Plan::from_days(plan_days).ok_or(BAD_PLAN)?;
    if app.store.account(&account).await?.is_none() {
        return Err(NOT_ACTIVE);
    }
    // Queued first, so that no change is left half done. The run goes by the plan that it finds.
    let work = Work::Retime { account: account.clone(), cursor: None };
    app.queue.put_after(work, SETTLED).await?;
    let before = app.store.account(&account).await?.map(|account| account.plan.days());
    match retention::change_plan(&app.store, &account, plan, now).await {
        Err(StoreError::Conflict) => return Err(NOT_ACTIVE),
        changed => changed?,
    }
    // Archives have what a shorter plan hides. The same plan may be a shorter one that is repeated.
    if before.is_none_or(|before| plan.days() <= before) {
        void_exports(&app.store, &app.export_queue, &account).await?;
    }
    tracing::info!(plan_days, "plan changed");
    let body = Changed { account: account.to_string(), plan_days: plan.days() };
    let done = Done::ok(&body).about("plan", subject(plan));
    Ok(done.to_account(account))
}

/// A plan in the audit trail. The trail takes no numbers, for a number might be somebody's id.
pub(crate) fn subject(plan: Plan) -> String {
    format!("{}-days", plan.days())
}
