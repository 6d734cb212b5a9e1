//! Queues the visits that delete what time to live has left. The worker makes them, since this
//! function has no right to any row.

use jiff::Timestamp;
use numib::domain::work::Work;
use numib::edge::queue::QueueError;
use serde::Serialize;

use crate::App;

/// What a run did.
#[derive(Debug, Serialize)]
pub(crate) struct Run {
    /// Whether the visits are queued.
    queued: bool,
}

/// Queues the visits of what has expired by now.
//= R6.2
pub(crate) async fn run(app: &App, now: Timestamp) -> Result<Run, QueueError> {
    app.queue.put(Work::SweepRows { at: now }).await?;
    Ok(Run { queued: true })
}
