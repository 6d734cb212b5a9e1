//! Removes what has expired: the rows that time to live has left, and the day keys that a run of
//! `retention` had no time for. Both are found by index, so a message says no place to go on from.

use jiff::{SignedDuration, Timestamp};
use numib::domain::work::Work;
use numib::edge::clock::Clock;
use numib::edge::telemetry::{Metrics, Unit};
use numib::retention::{Expired, Swept, destroy_expired_keys, sweep_expired_rows};

use crate::{AGAIN, App, WorkError};

/// How long work goes on after its schedule: by then the schedules of keys and rows have queued it
/// anew, with another time.
const RUNS: SignedDuration = SignedDuration::from_hours(1);

/// Removes the rows that had expired by then, while there is time.
//= R6.2
pub(crate) async fn sweep_rows(
    app: &App,
    at: Timestamp,
    clock: &Clock,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<(), WorkError> {
    let store = &app.eraser.store;
    let done = sweep_expired_rows(store, at, has_time).await?;
    let Swept { visited, rows, held, failed, seconds_late, complete } = done;
    tracing::info!(visited, rows, held, failed, seconds_late, complete, "expired rows swept");
    let mut metrics = Metrics::new(at);
    metrics.add("ConversationsVisited", Unit::Count, visited);
    metrics.add("RowsSwept", Unit::Count, rows);
    metrics.add("SweepFailures", Unit::Count, failed);
    metrics.emit();
    done.tally(store, at).await?;
    go_on_unless(app, complete, Work::SweepRows { at }, clock.now().duration_since(at)).await
}

/// Destroys the day keys whose day had come by then, while there is time.
//= R6.2
pub(crate) async fn destroy_day_keys(
    app: &App,
    at: Timestamp,
    clock: &Clock,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<(), WorkError> {
    let store = &app.eraser.store;
    let done = destroy_expired_keys(store, at, has_time).await?;
    let Expired { destroyed, held, failed, complete, .. } = done;
    tracing::info!(destroyed, held, failed, complete, "expired day keys destroyed");
    let mut metrics = Metrics::new(at);
    metrics.add("SweepFailures", Unit::Count, failed);
    metrics.emit();
    done.tally(store, at).await?;
    go_on_unless(app, complete, Work::DestroyDayKeys { at }, clock.now().duration_since(at)).await
}

/// Removes the rows of what was erased, wherever they are, while there is time.
//= R8.3, R6.6
pub(crate) async fn remove_astray(
    app: &App,
    at: Timestamp,
    clock: &Clock,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<(), WorkError> {
    let complete = app.eraser.remove_astray(at, has_time).await?.complete;
    go_on_unless(app, complete, Work::RemoveAstray { at }, clock.now().duration_since(at)).await
}

/// Queues the rest of the work, unless all is done, or it is so long `since` the schedule was due
/// that its next run has queued it.
async fn go_on_unless(
    app: &App,
    complete: bool,
    rest: Work,
    since: SignedDuration,
) -> Result<(), WorkError> {
    if complete || since >= RUNS {
        return Ok(());
    }
    Ok(app.queue.put_after(rest, AGAIN).await?)
}
