//! The end of an account (R6.1): its Meta data goes at once, itself after a time in which its owner
//! may take that back.

use jiff::Timestamp;
use lambda_http::http::StatusCode;
use numib::api::described::Described;
use numib::api::done::Done;
use numib::api::erase::{report, void_exports};
use numib::concurrent::all;
use numib::domain::account::erased_at;
use numib::domain::audit::Action;
use numib::domain::erasure::{Request as Erasure, Source, Target};
use numib::domain::ids::{AccountId, RequestId};
use numib::domain::work::Work;
use numib::edge::problem::Problem;
use numib::erasure::targets::of_account;
use numib::erasure::{self, Asked, CancelError, ErasureError};
use numib::store::StoreError;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::{App, Call, Route};
use crate::requests::{Followed, status_page};
use crate::who::OWNER;

const TOO_LATE: Problem = Problem::conflict(
    "This request cannot be cancelled. Only the deletion of an account can, until its day.",
);
const AT_ONCE: usize = 8;

/// The deletion of an account.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AccountDeletion")]
struct Deletion {
    /// The code of the account's own deletion.
    request: String,
    state: &'static str,
    /// Its public page.
    status_url: String,
    /// RFC 3339, UTC: when it is carried out; until then it can be taken back.
    due_at: Option<String>,
    /// The code of the erasure of its channels; null where none is left to erase.
    data_request: Option<String>,
    data_status_url: Option<String>,
}

pub(crate) static DELETE: Route = Route {
    key: "DELETE /v1/account",
    name: "deleteAccount",
    summary: "Delete the account and all that is its",
    who: OWNER.just_signed_in(),
    action: Some(Action::DeleteAccount),
    describe: |of| Described::gives::<Deletion>(of, 202, "The account is locked."),
    handler: |call| Box::pin(delete(call)),
};

/// Locks the account, erases its channels, and has the account itself erased
/// when the time to take that back is over. Asked again, it is the same deletion.
//= R5.3, R6.1, R8.3
async fn delete(call: &Call<'_>) -> Result<Done, Problem> {
    let &Call { app, now, .. } = call;
    let account = call.account().clone();
    let target = Target::Account { account: account.clone() };
    let asked = Asked {
        source: Source::AccountDeletion,
        reference: None,
        subject: target.subject(),
        targets: vec![target],
        due_at: Some(erased_at(now, app.grace_days)),
    };
    // The channels first, so that nothing of the account's end waits for them; and once more behind
    // the lock, with which this comes: no channel is connected any more.
    let before = erase_channels(app, &account, now).await?;
    let deletion = erasure::begin(&app.store, asked, now).await?;
    let data = erase_channels(app, &account, now).await?.or(before);
    // Whether or not it had channels, and whatever is held: archives are copies.
    void_exports(&app.store, &app.export_queue, &account).await?;
    // Whatever its day: the worker tells the owners first.
    app.queue.put(Work::Erase { request: deletion.id.clone(), not_before: None }).await?;
    sign_out(app, &account).await;
    report(1, now);
    let url = |code: &RequestId| status_page(call, code);
    let body = Deletion {
        request: deletion.id.to_string(),
        state: deletion.state.as_str(),
        status_url: url(&deletion.id),
        due_at: deletion.due_at.map(|at| at.to_string()),
        data_request: data.as_ref().map(|data| data.id.to_string()),
        data_status_url: data.as_ref().map(|data| url(&data.id)),
    };
    let done = Done::json(StatusCode::ACCEPTED, &body).about("request", deletion.id);
    Ok(match data {
        Some(data) => done.about("request", data.id),
        None => done,
    })
}

/// Erases what is left of the account's channels; `None` when it has none.
async fn erase_channels(
    app: &App,
    account: &AccountId,
    now: Timestamp,
) -> Result<Option<Erasure>, Problem> {
    let targets = of_account(&app.store, account).await?;
    let asked = Asked::channels(account, targets);
    if asked.targets.is_empty() {
        let under_way = app.store.request_under_way(&asked.subject).await?;
        let Some(id) = under_way else { return Ok(None) };
        return Ok(app.store.request(&id).await?.map(|stored| stored.request));
    }
    let erasure = erasure::begin(&app.store, asked, now).await?;
    app.queue.carry_on(&erasure, now).await?;
    Ok(Some(erasure))
}

/// Ends the members' sessions. The lock keeps them out already; so a pool that does not answer is
/// no reason to fail.
async fn sign_out(app: &App, account: &AccountId) {
    let members = match app.store.account_members(account).await {
        Ok(members) => members,
        Err(error) => return tracing::error!(error = %error, "no member was signed out"),
    };
    let each = members.iter().map(async |member| {
        if let Err(error) = app.user_pool.sign_out(member).await {
            tracing::error!(error = %error, "a member was not signed out");
        }
    });
    all(each, AT_ONCE).await;
}

pub(crate) static CANCEL: Route = Route {
    key: "POST /v1/requests/{code}/cancel",
    name: "cancelRequest",
    summary: "Take the deletion of the account back",
    who: OWNER,
    action: Some(Action::CancelDeletion),
    describe: |of| Described::gives::<Followed>(of, 200, "The request, cancelled."),
    handler: |call| Box::pin(cancel(call)),
};

/// Takes the deletion of the account back. What is gone stays
/// gone.
//= R6.1
async fn cancel(call: &Call<'_>) -> Result<Done, Problem> {
    let app = call.app;
    let code = call.parameter("code", RequestId::parse)?;
    let found = app.store.request(&code).await?.map(|stored| stored.request);
    found.filter(|found| found.is_of(call.account())).ok_or(Problem::not_found())?;
    let cancelled = match erasure::cancel(&app.store, &code).await {
        Ok(cancelled) => cancelled,
        Err(
            CancelError::TooLate | CancelError::Failed(ErasureError::Store(StoreError::Conflict)),
        ) => {
            return Err(TOO_LATE);
        }
        Err(CancelError::Failed(error)) => return Err(error.into()),
    };
    Ok(Done::ok(&Followed::new(&cancelled, status_page(call, &cancelled.id))))
}
