//! Removes what has expired: the rows that time to live has left, and the day keys that a run of
//! `retention` had no time for. Both are found by index, so a message says no place to go on from.

use jiff::{SignedDuration, Timestamp};
use numib::domain::attestation::Rule;
use numib::edge::clock;
use numib::edge::telemetry::{Metrics, Unit};
use numib::retention::{Expired, Swept, destroy_expired_keys, sweep_expired_rows};
use numib::store::{Store, StoreError};

use crate::{AGAIN, App, WorkError};

/// Every hour the schedule queues it anew, with another time: so long the one before goes on.
const RUNS: SignedDuration = SignedDuration::from_hours(1);

/// Removes what had expired by then while there is time, and has another worker go on.
//= R6.2
pub(crate) async fn run(
    app: &App,
    rule: Rule,
    at: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<(), WorkError> {
    let store = &app.eraser.store;
    let is_complete = match rule {
        Rule::Rows => sweep(store, at, has_time).await?,
        Rule::DayKeys => destroy(store, at, has_time).await?,
        Rule::Erasures => app.eraser.remove_astray(at, has_time).await?.complete,
        Rule::AuditEvents | Rule::TaxRecords | Rule::Exports | Rule::Requests => {
            return Err(WorkError::Unreadable);
        }
    };
    if is_complete || clock::now().duration_since(at) >= RUNS {
        return Ok(());
    }
    Ok(app.queue.expire(rule, at, AGAIN).await?)
}

async fn sweep(
    store: &Store,
    at: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<bool, StoreError> {
    let done = sweep_expired_rows(store, at, has_time).await?;
    let Swept { visited, rows, held, failed, seconds_late, complete } = done;
    tracing::info!(visited, rows, held, failed, seconds_late, complete, "expired rows swept");
    let mut metrics = Metrics::new(at);
    metrics.add("ConversationsVisited", Unit::Count, visited);
    metrics.add("RowsSwept", Unit::Count, rows);
    metrics.add("SweepFailures", Unit::Count, failed);
    metrics.emit();
    done.tally(store, at).await?;
    Ok(complete)
}

async fn destroy(
    store: &Store,
    at: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<bool, StoreError> {
    let done = destroy_expired_keys(store, at, has_time).await?;
    let Expired { destroyed, held, failed, complete, .. } = done;
    tracing::info!(destroyed, held, failed, complete, "expired day keys destroyed");
    let mut metrics = Metrics::new(at);
    metrics.add("SweepFailures", Unit::Count, failed);
    metrics.emit();
    done.tally(store, at).await?;
    Ok(complete)
}
