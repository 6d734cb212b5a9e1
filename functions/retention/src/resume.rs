//! Queues erasures again that have not ended in time: the message of one may have been lost, or its
//! door may have died before it sent any.

use jiff::{SignedDuration, Timestamp};
use numib::domain::work::Work;
use numib::edge::telemetry::{Metrics, Unit};
use serde::Serialize;

use crate::{App, RetentionError};

/// What is under way, and was not saved by a worker, for longer than this is queued again. One that
/// a worker is at is not: each message that finds work left queues another.
const STUCK: SignedDuration = SignedDuration::from_mins(15);
/// Erasures of one run, the oldest first; the next run goes on.
const RUN_MAX: usize = 1000;

/// What a run did.
#[derive(Debug, Serialize)]
pub(crate) struct Run {
    /// Erasures that were queued.
    pub(crate) resumed: usize,
}

/// Queues them.
///
/// # Errors
/// [`RetentionError`]; what was queued stays queued.
//= R5.8
pub(crate) async fn run(app: &App, now: Timestamp) -> Result<Run, RetentionError> {
    let before = now.saturating_sub(STUCK).unwrap_or(Timestamp::MIN);
    let stuck = app.store.stuck_requests(before, RUN_MAX).await?;
    for request in &stuck {
        app.queue.put(Work::Erase { request: request.clone(), at: Some(now) }).await?;
    }
    tracing::info!(resumed = stuck.len(), "stuck erasures queued again");
    let mut metrics = Metrics::new(now);
    metrics.add("ErasuresResumed", Unit::Count, stuck.len());
    metrics.emit();
    Ok(Run { resumed: stuck.len() })
}
