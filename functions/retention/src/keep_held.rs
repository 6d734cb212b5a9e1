//! Has what came under a legal hold since yesterday kept from time to live, too (R6.7). A message
//! lives for days at least, so once a day is in time.

use jiff::Timestamp;
use numib::edge::telemetry::{Metrics, Unit};
use serde::Serialize;

use crate::{App, RetentionError};

/// What a run did.
#[derive(Debug, Serialize)]
pub(crate) struct Run {
    /// Records that are held, and were queued.
    pub(crate) records: usize,
}

/// Queues every record that is held, once. The list is as long as there are
/// holds.
///
/// # Errors
/// [`RetentionError`]; what was queued stays queued, and once more does no harm.
//= R6.7
pub(crate) async fn run(app: &App, now: Timestamp) -> Result<Run, RetentionError> {
    let mut records = 0_usize;
    let mut last = None;
    loop {
        let page = app.store.held_after(last.as_ref()).await?;
        if page.is_empty() {
            break;
        }
        for place in page {
            let is_known = last.as_ref().is_some_and(|last| last.held == place.held);
            if !is_known {
                app.queue.follow_hold(&place.held).await?;
                records = records.saturating_add(1);
            }
            last = Some(place);
        }
    }
    tracing::info!(records, "held records queued");
    let mut metrics = Metrics::new(now);
    metrics.add("RecordsHeld", Unit::Count, records);
    metrics.emit();
    Ok(Run { records })
}
