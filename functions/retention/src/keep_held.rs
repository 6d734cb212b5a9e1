//! Queues every record that is held, or was until lately. The worker then keeps from time to live
//! what came under the hold since (R6.7), and makes what a lifted hold kept expire again.

use jiff::Timestamp;
use numib::concurrent::try_all;
use numib::domain::work::Work;
use numib::edge::telemetry::{Metrics, Unit};
use serde::Serialize;

use crate::{App, HasTime, RetentionError};

/// Records that are queued at once.
const AT_ONCE: usize = 32;

/// What a run did.
#[derive(Debug, Serialize)]
pub(crate) struct Run {
    /// Records that were queued.
    pub(crate) records: usize,
    /// Whether these were all.
    pub(crate) complete: bool,
}

/// Queues each of these records once. Their list is as long as there are holds.
///
/// # Errors
/// [`RetentionError`]. What was queued stays queued, and to queue it again does no harm.
//= R6.7
pub(crate) async fn run(
    app: &App,
    now: Timestamp,
    has_time: HasTime<'_>,
) -> Result<Run, RetentionError> {
    let mut run = Run { records: 0, complete: true };
    let mut page = app.store.held_after(None).await?;
    let mut before = None;
    while let Some(last) = page.last().cloned() {
        if !has_time() {
            run.complete = false;
            break;
        }
        let mut records: Vec<_> = page.into_iter().map(|place| place.held).collect();
        records.dedup();
        records.retain(|held| before.as_ref() != Some(held));
        let sent = records
            .iter()
            .map(|held| app.queue.put(Work::FollowHold { held: held.clone(), cursor: None }));
        try_all(sent, AT_ONCE).await?;
        run.records = run.records.saturating_add(records.len());
        page = app.store.held_after(Some(&last)).await?;
        before = Some(last.held);
    }
    let Run { records, complete } = run;
    tracing::info!(records, complete, "held records queued");
    let mut metrics = Metrics::new(now);
    metrics.add("RecordsHeld", Unit::Count, records);
    metrics.emit();
    Ok(run)
}
