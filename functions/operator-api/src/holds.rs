//! Legal holds (R6.7): what is held is not erased, whoever asks, until the last hold is lifted.

use std::collections::BTreeSet;

use lambda_http::http::StatusCode;
use lambda_http::{Request, RequestExt as _};
use numib::api::body;
use numib::api::described::Described;
use numib::api::done::Done;
use numib::api::who::OPERATORS;
use numib::concurrent::try_all;
use numib::domain::audit::Action;
use numib::domain::hold::{Held, Hold};
use numib::domain::ids::HoldId;
use numib::domain::reference::is_reference;
use numib::domain::work::Work;
use numib::edge::problem::Problem;
use numib::retention;
use numib::store::holds::Holds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::app::{App, Call, Route};
use crate::lodge::{BAD_REFERENCE, REFERENCE};

/// Characters of a reason.
const REASON_LEN_MAX: usize = 500;
/// Requests that are queued at once.
const AT_ONCE: usize = 32;

const BAD_ON: Problem = Problem::field(
    "on",
    "`on` must be account:ID, connection:ID or contact:ID; a contact's id is its conversation's.",
);
const BAD_REASON: Problem = Problem::field(
    "reason",
    "`reason` must be one line of 1 to 500 characters: the law or the order, never a person.",
);
const BAD_HOLD: Problem =
    Problem::field("hold", "Please give the hold an id of 1 to 64 of A–Z a–z 0–9 _ and -.");

/// What a hold is on: a contact's id is that of its conversation.
const RECORD: &str = "^(account:|connection:|contact:[A-Za-z0-9_-]{1,64}[.])[A-Za-z0-9_-]{1,64}$";

/// A hold, as an operator sets it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WantedHold")]
struct Wanted {
    #[schemars(regex(pattern = RECORD))]
    on: String,
    /// On one line.
    #[schemars(length(min = 1, max = 500))]
    reason: String,
    #[schemars(length(max = 100), regex(pattern = REFERENCE))]
    reference: String,
}

pub(crate) static SET: Route = Route {
    key: "PUT /v1/operator/holds/{hold_id}",
    name: "setHold",
    summary: "Set a legal hold on a record",
    who: OPERATORS.just_signed_in(),
    action: Some(Action::SetHold),
    describe: |of| {
        let described = Described::gives::<Record>(of, 201, "It is set.");
        described.or_gives::<Record>(of, 200, "It was there.").takes::<Wanted>(of)
    },
    handler: |call| Box::pin(set(call)),
};

/// Sets a hold. A hold that is there stays as it was set. A worker keeps the rows from time to
/// live, at once and again every six hours. Until then, nothing can go that has not expired by now.
//= R6.7
async fn set(call: &Call<'_>) -> Result<Done, Problem> {
    let &Call { app, request, now, .. } = call;
    let id = hold_id(request)?;
    let Wanted { on, reason, reference } =
        body::json(request, &[BAD_ON, BAD_REASON, BAD_REFERENCE])?;
    let on = Held::parse(&on).ok_or(BAD_ON)?;
    if !is_reason(&reason) {
        return Err(BAD_REASON);
    }
    if !is_reference(&reference) {
        return Err(BAD_REFERENCE);
    }
    let hold = Hold { id, reason, reference, set_at: now };
    if !is_there(app, &on).await? {
        return Err(Problem::not_found());
    }
    let is_new = app.store.put_hold(&on, &hold).await?;
    app.queue.put(Work::FollowHold { held: on.clone(), cursor: None }).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let held = app.store.holds(&on).await?;
    // The hold is neither set nor there: it met another change of the same record.
    if !held.holds.iter().any(|one| one.id == hold.id) {
        return Err(Problem::internal());
    }
    Ok(Done::json(status, &wire(&on, &held)).about("on", &on))
}

pub(crate) static LIST: Route = Route {
    key: "GET /v1/operator/holds",
    name: "listHolds",
    summary: "The legal holds on a record",
    who: OPERATORS,
    action: None,
    describe: |of| {
        let described = Described::gives::<Record>(of, 200, "The holds.");
        described.asks("on", true, &json!({"type": "string", "pattern": RECORD}))
    },
    handler: |call| Box::pin(list(call)),
};

/// Shows the holds on a record, and how many requests wait for them.
//= R6.7
async fn list(call: &Call<'_>) -> Result<Done, Problem> {
    let &Call { app, request, .. } = call;
    let on = on(request)?;
    let held = app.store.holds(&on).await?;
    Ok(Done::ok(&wire(&on, &held)))
}

pub(crate) static LIFT: Route = Route {
    key: "DELETE /v1/operator/holds/{hold_id}",
    name: "liftHold",
    summary: "Lift a legal hold, and have what waited for it go on",
    who: OPERATORS.just_signed_in(),
    action: Some(Action::LiftHold),
    describe: |of| {
        let described = Described::gives::<Lifted>(of, 200, "It is lifted.");
        described.asks("on", true, &json!({"type": "string", "pattern": RECORD}))
    },
    handler: |call| Box::pin(lift(call)),
};

/// Lifts a hold; after the last one, what waited goes on.
///
/// The hold is lifted first, and then the waiting requests are read. A request that is held back
/// meanwhile is noted first, and then looks again (see `erasure::shred`). So one of the two sees
/// the other. If queueing fails, the operator lifts the hold again, although it is gone: that
/// queues whatever waits.
//= R6.7
async fn lift(call: &Call<'_>) -> Result<Done, Problem> {
    let &Call { app, request, .. } = call;
    let (id, on) = (hold_id(request)?, on(request)?);
    let was_there = app.store.lift_hold(&on, &id).await?;
    // Queued in any case: lifting again makes up for a lift that was not followed.
    app.queue.put(Work::FollowHold { held: on.clone(), cursor: None }).await?;
    let Holds { holds, waiting } = app.store.holds(&on).await?;
    let resumed = if holds.is_empty() { waiting } else { Vec::new() };
    if !was_there && holds.iter().any(|one| one.id == id) {
        return Err(Problem::internal());
    }
    if !was_there && resumed.is_empty() {
        return Err(Problem::not_found());
    }
    let count = resumed.len();
    let sent =
        resumed.into_iter().map(|request| app.queue.put(Work::Erase { request, not_before: None }));
    try_all(sent, AT_ONCE).await?;
    let (resumed, holds_left) = (count, holds.len());
    tracing::info!(resumed, holds_left, "hold lifted");
    let body = Lifted { on: on.to_string(), resumed, holds_left };
    Ok(Done::ok(&body).about("on", &on))
}

/// Whether there is something to hold. A connection and its contacts are there as long as the
/// connection has keys.
async fn is_there(app: &App, on: &Held) -> Result<bool, Problem> {
    if let Held::Contact(conversation) = on {
        let asked = BTreeSet::from([conversation.clone()]);
        if app.store.look_again(&BTreeSet::new(), &asked).await?.contacts.is_empty() {
            return Ok(false);
        }
    }
    let Some(account) = retention::account_of(&app.store, on).await? else { return Ok(false) };
    Ok(app.store.account(&account).await?.is_some())
}

fn hold_id(request: &Request) -> Result<HoldId, Problem> {
    request.path_parameters().first("hold_id").and_then(HoldId::parse).ok_or(BAD_HOLD)
}

fn on(request: &Request) -> Result<Held, Problem> {
    request.query_string_parameters().first("on").and_then(Held::parse).ok_or(BAD_ON)
}

fn is_reason(text: &str) -> bool {
    let is_short = (1..=REASON_LEN_MAX).contains(&text.chars().count());
    is_short && !text.trim().is_empty() && !text.chars().any(char::is_control)
}

/// The holds on a record.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HoldsOnRecord")]
struct Record {
    on: String,
    holds: Vec<Shown>,
    /// How many requests wait for them.
    waiting: usize,
}

/// A hold, as the API shows it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Hold")]
struct Shown {
    id: String,
    reason: String,
    reference: String,
    /// RFC 3339, UTC.
    set_at: String,
}

/// What lifting a hold did.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LiftedHold")]
struct Lifted {
    on: String,
    /// How many requests go on.
    resumed: usize,
    /// Other holds on the record.
    holds_left: usize,
}

fn wire(on: &Held, Holds { holds, waiting }: &Holds) -> Record {
    let hold = |hold: &Hold| Shown {
        id: hold.id.to_string(),
        reason: hold.reason.clone(),
        reference: hold.reference.clone(),
        set_at: hold.set_at.to_string(),
    };
    Record { on: on.to_string(), holds: holds.iter().map(hold).collect(), waiting: waiting.len() }
}
