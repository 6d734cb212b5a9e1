//! Does the work that others queued. It carries erasures out once they are shredded: it deletes the
//! rows, proves that none is left, and signs the receipt. It also makes rows expire by another
//! plan, keeps rows that a hold is on, sweeps rows that time to live has left, deletes identities
//! that were invited in vain, and tells owners of a new privacy policy. Work that takes more time
//! than an invocation has is queued again.
//!
//! After a restore, an operator invokes the function by hand to apply the erasure ledger again:
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

/// Time of an invocation that is kept for the last batch and the answer.
const RESERVE: Duration = Duration::from_secs(10);
/// How long unfinished work waits before it goes on.
const AGAIN: Duration = Duration::from_secs(3);
/// How long a request waits before it looks again whether another request has ended. That request
/// may wait for a hold.
const BEHIND: Duration = Duration::from_mins(1);

/// What one warm container works with.
#[derive(Debug)]
pub struct App {
    /// What carries erasures out.
    pub eraser: Eraser,
    /// Where unfinished work goes.
    pub queue: WorkQueue,
    /// What sends e-mail; `None` on a stack that sends none.
    pub mailer: Option<Mailer>,
    /// The address at which people find the service.
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
    /// An operator applies the ledger again, after a restore.
    Reapply {
        /// Where to start.
        reapply: Start,
    },
}

/// A message of the queue.
#[derive(Debug, Deserialize)]
pub struct Record {
    /// The id by which the answer names the message.
    #[serde(rename = "messageId")]
    pub message_id: String,
    /// A [`Work`], as JSON.
    pub body: String,
}

/// The ledger position after which to start: 0 for the beginning.
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
    #[error("the message asks for no known work")]
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

/// Works on a batch until it is done or time is nearly up. Returns which messages have to come
/// again.
///
/// # Errors
/// [`ReapplyError`] if the ledger was not applied. Start again after the position that was logged
/// last.
pub async fn handle(app: &App, event: Event, clock: Clock) -> Result<Value, ReapplyError> {
    let has_time = || clock.has_more_than(RESERVE);
    match event {
        Event::Queue { records } => {
            let mut failures = Vec::new();
            for record in &records {
                if let Err(error) = work(app, record, &clock, &has_time).await {
                    tracing::error!(error = %error, "the work of a message failed");
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
        Work::Erase { request, not_before } => {
            erase(app, request, not_before, clock, has_time).await
        }
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

/// Makes rows follow the holds on a record. If no hold is left, queues the requests that waited.
/// Whoever lifted the last hold queues them, too, but may have died before.
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
            app.queue.put(Work::Erase { request, not_before: None }).await?;
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
    not_before: Option<Timestamp>,
    clock: &Clock,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<(), WorkError> {
    let found = app.eraser.store.request(&request).await.map_err(ErasureError::from)?;
    // The clock is read after the request, so it is later than the marks of a shredded request.
    let now = clock.no_earlier_than(not_before).now();
    if let Some(found) = found {
        notice::tell_before(app, &found.request, now).await;
        notice::tell_at_risk(app, &found.request, now).await;
    }
    match Box::pin(app.eraser.work(&request, now, has_time)).await {
        Ok(Progress::Nothing) => Ok(()),
        Ok(Progress::Completed(done)) => {
            notice::tell_after(app, &done, clock.now()).await;
            Ok(())
        }
        Ok(Progress::Behind(other)) => {
            app.queue.put(Work::Erase { request: other, not_before }).await?;
            erase_after(app, request, not_before, BEHIND).await
        }
        // After a conflict, whoever saved the request may leave the rest to this message.
        Ok(Progress::More) | Err(ErasureError::Store(StoreError::Conflict)) => {
            erase_after(app, request, not_before, AGAIN).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Queues the next step of an erasure, to be taken after the delay.
async fn erase_after(
    app: &App,
    request: RequestId,
    not_before: Option<Timestamp>,
    delay: Duration,
) -> Result<(), WorkError> {
    // The clock of a schedule that is tried at another time goes on, too.
    let not_before = not_before.and_then(|at| at.checked_add(delay).ok());
    Ok(app.queue.put_after(Work::Erase { request, not_before }, delay).await?)
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
