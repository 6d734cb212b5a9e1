//! Carries erasures out, once they are shredded: deletes the rows, proves that none is left, signs
//! the receipt. And has rows expire by another plan, or stay for a hold, sweeps those that time to
//! live has left, has identities go that were invited in vain, and owners told of a new privacy
//! policy. Messages name requests, accounts, members, held records, rules or versions; what needs
//! more time than an invocation has is queued again.
//!
//! An operator invokes it by hand to apply the erasure ledger again after a restore:
//! `{"reapply": {"after": 0}}` (see `docs/runbook.md`).

mod announce;
mod expire;
mod notice;

use std::time::Duration;

use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use numib::domain::hold::Held;
use numib::domain::ids::{AccountId, RequestId};
use numib::domain::plan::PlanCursor;
use numib::domain::work::Work;
use numib::edge::clock::Clock;
use numib::edge::mail::Mailer;
use numib::edge::queue::{QueueError, WorkQueue};
use numib::edge::telemetry::{Metrics, Unit};
use numib::erasure::{Eraser, ErasureError, Progress, Reapplied};
use numib::identity::Page;
use numib::retention;
use numib::store::StoreError;
use numib::store::holds::Holds;
use serde::Deserialize;
use serde_json::{Value, json};

/// Kept back from the invocation's time for the last batch and the answer.
const RESERVE: Duration = Duration::from_secs(10);
/// How long a request waits for its next step, where there is one to wait for.
const AGAIN: Duration = Duration::from_secs(3);
/// How long it waits for another request to end, which may wait for a hold.
const BEHIND: Duration = Duration::from_mins(1);

/// What one warm container works with.
#[derive(Debug)]
pub struct App {
    /// What carries erasures out.
    pub eraser: Eraser,
    /// Where unfinished work goes.
    pub queue: WorkQueue,
    /// What e-mail is sent with, where any is.
    pub mailer: Option<Mailer>,
    /// Where people find the service.
    pub public_url: String,
}

/// What invokes the function.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Event {
    /// A batch of the queue.
    Queue {
        /// Its messages.
        #[serde(rename = "Records")]
        records: Vec<Record>,
    },
    /// An operator, after a restore.
    Reapply {
        /// Where to start.
        reapply: Start,
    },
}

/// A message of the queue.
#[derive(Debug, Deserialize)]
pub struct Record {
    /// Its id, to name it in the answer.
    #[serde(rename = "messageId")]
    pub message_id: String,
    /// A [`Work`].
    pub body: String,
}

/// The ledger position after which to start: 0 for its beginning.
#[derive(Debug, Deserialize)]
pub struct Start {
    /// The position.
    pub after: u64,
}

/// Why applying the ledger again stopped.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ReapplyError(#[from] ErasureError);

impl From<ReapplyError> for Diagnostic {
    fn from(error: ReapplyError) -> Self {
        Self { error_type: "Reapply".to_owned(), error_message: error.to_string() }
    }
}

#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error("the message is not one of ours")]
    Unreadable,
    #[error(transparent)]
    Erasure(#[from] ErasureError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Announce(#[from] announce::AnnounceError),
}

/// Works on a batch until it is done or time is nearly up; returns which messages are to come
/// again.
///
/// # Errors
/// [`ReapplyError`] when the ledger could not be applied; start again after the last
/// position logged.
pub async fn handle(app: &App, event: Event, clock: Clock) -> Result<Value, ReapplyError> {
    let has_time = || clock.has_more_than(RESERVE);
    match event {
        Event::Queue { records } => {
            let mut failures = Vec::new();
            for record in &records {
                if let Err(error) = work(app, record, &clock, &has_time).await {
                    tracing::error!(error = %error, "a message was not worked on");
                    failures.push(json!({ "itemIdentifier": record.message_id }));
                }
            }
            report(&records, &failures, clock.began);
            Ok(json!({ "batchItemFailures": failures }))
        }
        Event::Reapply { reapply } => {
            Ok(reapply_all(app, reapply.after, clock.began, &has_time).await?)
        }
    }
}

async fn work(
    app: &App,
    record: &Record,
    clock: &Clock,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<(), WorkError> {
    match serde_json::from_str(&record.body).map_err(|_| WorkError::Unreadable)? {
        Work::Erase { request, at } => erase(app, request, at, clock, has_time).await,
        Work::FollowHold { held, cursor } => {
            follow_hold(app, held, cursor, clock.now(), has_time).await
        }
        Work::Retime { account, cursor } => {
            retime(app, account, cursor, clock.now(), has_time).await
        }
        Work::DestroyDayKeys { at } => expire::destroy_day_keys(app, at, clock, has_time).await,
        Work::SweepRows { at } => expire::sweep_rows(app, at, clock, has_time).await,
        Work::RemoveAstray { at } => expire::remove_astray(app, at, clock, has_time).await,
        Work::ForgetUnlessMember { member, account } => {
            Ok(app.eraser.forget_unless_member(&member, &account).await?)
        }
        Work::Announce { version, page } => {
            match announce::run(app, &version, page.map(Page), clock.now(), has_time).await? {
                Some(Page(next)) => {
                    Ok(app.queue.put(Work::Announce { version, page: Some(next) }).await?)
                }
                None => Ok(()),
            }
        }
    }
}

/// Has rows follow the holds on a record; and where there is none any more, has what waited for
/// them go on. Whoever lifted the last one has asked for both, but may have died before.
async fn follow_hold(
    app: &App,
    held: Held,
    cursor: Option<PlanCursor>,
    now: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<(), WorkError> {
    let store = &app.eraser.store;
    let next = retention::follow_hold(store, &held, cursor, now, has_time).await?;
    if let Some(cursor) = next {
        let rest = Work::FollowHold { held, cursor: Some(cursor) };
        return Ok(app.queue.put_after(rest, AGAIN).await?);
    }
    let Holds { holds, waiting } = store.holds(&held).await?;
    if holds.is_empty() {
        for request in waiting {
            app.queue.put(Work::Erase { request, at: None }).await?;
        }
    }
    Ok(store.forget_lifted(&held).await?)
}

async fn retime(
    app: &App,
    account: AccountId,
    cursor: Option<PlanCursor>,
    now: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<(), WorkError> {
    let store = &app.eraser.store;
    match retention::retime(store, &account, cursor, now, has_time).await? {
        Some(cursor) => {
            let rest = Work::Retime { account, cursor: Some(cursor) };
            Ok(app.queue.put_after(rest, AGAIN).await?)
        }
        None => Ok(()),
    }
}

async fn erase(
    app: &App,
    request: RequestId,
    at: Option<Timestamp>,
    clock: &Clock,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<(), WorkError> {
    let found = app.eraser.store.request(&request).await.map_err(ErasureError::from)?;
    // Looked at once the request has been read: the marks of one that is shredded are older.
    let now = clock.no_earlier_than(at).now();
    if let Some(found) = found {
        notice::before(app, &found.request, now).await;
        notice::at_risk(app, &found.request, now).await;
    }
    match Box::pin(app.eraser.work(&request, now, has_time)).await {
        Ok(Progress::Nothing) => Ok(()),
        Ok(Progress::Completed(done)) => {
            notice::after(app, &done, clock.now()).await;
            Ok(())
        }
        Ok(Progress::Behind(other)) => {
            app.queue.put(Work::Erase { request: other, at }).await?;
            let at = at.and_then(|at| at.checked_add(BEHIND).ok());
            Ok(app.queue.put_after(Work::Erase { request, at }, BEHIND).await?)
        }
        // Whoever else saved it may have left it to this message: it comes again until it is over.
        Ok(Progress::More) | Err(ErasureError::Store(StoreError::Conflict)) => {
            // Another day's clock goes on, too.
            let at = at.and_then(|at| at.checked_add(AGAIN).ok());
            Ok(app.queue.put_after(Work::Erase { request, at }, AGAIN).await?)
        }
        Err(error) => Err(error.into()),
    }
}

async fn reapply_all(
    app: &App,
    after: u64,
    now: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<Value, ErasureError> {
    let mut total = Reapplied { position: after, ..Reapplied::default() };
    while !total.complete && has_time() {
        let page = Box::pin(app.eraser.reapply(total.position, now, has_time)).await?;
        total.position = page.position;
        total.entries = total.entries.saturating_add(page.entries);
        total.found = total.found.saturating_add(page.found);
        total.held = total.held.saturating_add(page.held);
        total.complete = page.complete;
        for (kind, count) in page.removed {
            kind.count(&mut total.removed, count);
        }
        tracing::info!(position = total.position, found = total.found, "ledger applied again");
    }
    Ok(json!({
        "position": total.position,
        "entries": total.entries,
        "targets_found_again": total.found,
        "targets_held": total.held,
        "removed": total.removed,
        "complete": total.complete,
    }))
}

fn report(records: &[Record], failures: &[Value], now: Timestamp) {
    let mut metrics = Metrics::new(now);
    metrics.add("WorkSteps", Unit::Count, records.len());
    metrics.add("WorkFailures", Unit::Count, failures.len());
    metrics.emit();
}
