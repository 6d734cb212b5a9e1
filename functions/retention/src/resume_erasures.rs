//! Queues erasures again that have not ended in time. Their message may have been lost, or their
//! door may have died before it sent one.

use jiff::{SignedDuration, Timestamp};
use numib::concurrent::try_all;
use numib::domain::work::Work;
use numib::edge::telemetry::{Metrics, Unit};
use serde::Serialize;

use crate::{App, HasTime, RetentionError};

/// An erasure that no worker saved for longer than this is queued again. While a worker is at an
/// erasure, each message that finds work left queues another.
const STUCK: SignedDuration = SignedDuration::from_mins(15);
/// Erasures that are queued at once.
const AT_ONCE: usize = 32;

/// What a run did.
#[derive(Debug, Serialize)]
pub(crate) struct Run {
    /// Erasures that were queued.
    pub(crate) resumed: usize,
}

/// Queues every erasure that is stuck, the oldest first, while there is time. Those that stay stuck
/// hold up none behind them.
///
/// # Errors
/// [`RetentionError`]. What was queued stays queued.
//= R5.8
pub(crate) async fn run(
    app: &App,
    now: Timestamp,
    has_time: HasTime<'_>,
) -> Result<Run, RetentionError> {
    let before = now.saturating_sub(STUCK).unwrap_or(Timestamp::MIN);
    let mut stuck = app.store.stuck_requests(before);
    let mut run = Run { resumed: 0 };
    while has_time()
        && let Some(page) = stuck.next_page().await?
    {
        let count = page.len();
        let each = page
            .into_iter()
            .map(|request| app.queue.put(Work::Erase { request, not_before: Some(now) }));
        try_all(each, AT_ONCE).await?;
        run.resumed = run.resumed.saturating_add(count);
    }
    tracing::info!(resumed = run.resumed, "stuck erasures queued again");
    let mut metrics = Metrics::new(now);
    metrics.add("ErasuresResumed", Unit::Count, run.resumed);
    metrics.emit();
    Ok(run)
}
