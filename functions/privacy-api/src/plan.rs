//! `PUT /v1/operator/accounts/{account_id}/plan`: the plan follows what the account pays for.

use std::time::Duration;

use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use numib::domain::ids::AccountId;
use numib::domain::plan::Plan;
use numib::edge::problem::{Problem, json};
use numib::retention;
use numib::store::StoreError;
use serde::Deserialize;
use serde_json::json;

use crate::body;
use crate::call::Call;

const BAD_PLAN: Problem =
    Problem::bad_request("plan", "`plan_days` is how long messages are kept: 7, 30, 90 or 365.");
const NOT_ACTIVE: Problem = Problem::conflict("There is no such account, or it is being deleted.");
/// So long until nobody writes by the old plan any more: what this may take, and then intake.
const SETTLED: Duration = Duration::from_secs(45);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    plan_days: u16,
}

/// Changes an account's plan: what is too old for it is not shown any more, and its keys are
/// destroyed, before this answers; rows follow.
//= R6.5
pub(crate) async fn change(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let &Call { app, request, now, .. } = call;
    let account = call.parameter("account_id", AccountId::parse)?;
    let Wanted { plan_days } = body::json(request)?;
    let plan = Plan::from_days(plan_days).ok_or(BAD_PLAN)?;
    // Queued first, so that no change is left half done: the run goes by what it finds then.
    app.queue.retime(&account, None, SETTLED).await?;
    match retention::change_plan(&app.store, &account, plan, now).await {
        Err(StoreError::Conflict) => return Err(NOT_ACTIVE),
        changed => changed?,
    }
    tracing::info!(plan_days, "plan changed");
    let body = json!({ "account": account.as_str(), "plan_days": plan.days() });
    Ok(json(StatusCode::OK, "application/json", &body))
}
