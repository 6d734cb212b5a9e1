//! `PUT /v1/operator/accounts/{account_id}/plan`: the plan follows what the account pays for.

use std::time::Duration;

use jiff::Timestamp;
use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, RequestExt as _, Response};
use numib::domain::ids::AccountId;
use numib::domain::plan::Plan;
use numib::edge::auth::Caller;
use numib::edge::problem::{Problem, json};
use numib::retention;
use numib::store::StoreError;
use serde::Deserialize;
use serde_json::json;

use crate::{App, access, body};

const BAD_PLAN: Problem =
    Problem::bad_request("plan", "`plan_days` is how long messages are kept: 7, 30, 90 or 365.");
const NOT_ACTIVE: Problem = Problem::conflict("There is no such account, or it is being deleted.");
/// So long until nobody writes by the old plan any more: longer than intake may take.
const SETTLED: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    plan_days: u16,
}

/// Changes an account's plan: what is too old for it is not shown any more, and its keys are
/// destroyed, before this answers; rows follow.
//= R6.5
pub(crate) async fn change(
    app: &App,
    request: &Request,
    caller: &Caller,
    now: Timestamp,
) -> Result<Response<Body>, Problem> {
    access::operator(&app.store, caller).await?;
    let parameters = request.path_parameters();
    let account = parameters.first("account_id").and_then(AccountId::parse);
    let account = account.ok_or(Problem::not_found())?;
    let Wanted { plan_days } = body::json(request)?;
    let plan = Plan::from_days(plan_days).ok_or(BAD_PLAN)?;
    match retention::change_plan(&app.store, &account, plan, now).await {
        Err(StoreError::Conflict) => return Err(NOT_ACTIVE),
        changed => changed?,
    }
    app.queue.retime(&account, None, SETTLED).await?;
    tracing::info!(plan_days, "plan changed");
    let body = json!({ "account": account.as_str(), "plan_days": plan.days() });
    Ok(json(StatusCode::OK, "application/json", &body))
}
