//! Watches the deadlines of requests (R5.8). A request that is at risk or late raises an alarm.

use jiff::Timestamp;
use numib::concurrent::try_all;
use numib::domain::deadline::{is_at_risk, is_late};
use numib::edge::telemetry::{Metrics, Unit};
use numib::store::StoreError;
use serde::Serialize;

use crate::App;

/// Requests that a run looks at, the oldest first. Far fewer are ever open for days.
const RUN_MAX: usize = 10_000;
/// Requests that are read at once.
const AT_ONCE: usize = 32;

/// How many requests are open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Watched {
    /// Requests that a worker has to end.
    pub(crate) open: usize,
    /// Open requests whose deadline is near.
    pub(crate) at_risk: usize,
    /// Open requests whose deadline is over.
    pub(crate) late: usize,
}

/// Counts open requests, for the alarms.
//= R5.8
pub(crate) async fn run(app: &App, now: Timestamp) -> Result<Watched, StoreError> {
    let found = watch(app, now).await?;
    let Watched { open, at_risk, late } = found;
    tracing::info!(open, at_risk, late, "deadlines watched");
    let mut metrics = Metrics::new(now);
    metrics.add("RequestsOpen", Unit::Count, open);
    metrics.add("RequestsAtRisk", Unit::Count, at_risk);
    metrics.add("RequestsLate", Unit::Count, late);
    metrics.emit();
    Ok(found)
}

/// Counts the requests that are due by now and not over. A request that waits for a hold does not
/// count: it is lawfully late.
//= R5.8
pub(crate) async fn watch(app: &App, now: Timestamp) -> Result<Watched, StoreError> {
    // No time is too late here: a request that a worker is at counts as stuck only later.
    let ids = app.store.stuck_requests(Timestamp::MAX).first(RUN_MAX).await?;
    let each = try_all(ids.iter().map(|id| app.store.request(id)), AT_ONCE).await?;
    let mut found = Watched::default();
    for request in each.into_iter().flatten().map(|stored| stored.request) {
        if request.is_early(now) || request.requested_at > now {
            continue;
        }
        found.open = found.open.saturating_add(1);
        if is_late(request.deadline, now) {
            found.late = found.late.saturating_add(1);
        } else if is_at_risk(request.deadline, now) {
            found.at_risk = found.at_risk.saturating_add(1);
        }
    }
    Ok(found)
}
