//! Removes what has expired: the rows that time to live has left, and the day keys that a run of
//! `retention` had no time for. An index finds both, so no message says where to go on.

use jiff::{SignedDuration, Timestamp};
use numib::domain::work::Work;
use numib::edge::clock::Clock;
use numib::edge::telemetry::{Metrics, Unit};
use numib::retention::{Expired, Swept, destroy_expired_keys, sweep_expired_rows};

use crate::{AGAIN, App, WorkError};

/// How long after its schedule was due work is queued again. By then the next run of the schedule
/// has queued it anew, with a later moment.
const RUNS: SignedDuration = SignedDuration::from_hours(1);

/// Removes the rows that had expired by a moment, while there is time.
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

/// Destroys the day keys whose day had come by a moment, while there is time.
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
    key_metrics(&done, at).emit();
    done.tally(store, at).await?;
    go_on_unless(app, complete, Work::DestroyDayKeys { at }, clock.now().duration_since(at)).await
}

/// The metrics of destroyed day keys. `retention` has the same for what it destroys itself.
fn key_metrics(done: &Expired, at: Timestamp) -> Metrics {
    let mut metrics = Metrics::new(at);
    metrics.add("KeysDue", Unit::Count, done.due);
    metrics.add("KeysDestroyed", Unit::Count, done.destroyed);
    metrics.add("KeysHeld", Unit::Count, done.held);
    metrics.add("SweepFailures", Unit::Count, done.failed);
    metrics
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

/// Queues the rest of the work, unless all is done. `since` is the time since the schedule was due:
/// when it is long, the schedule's next run has queued the rest.
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

#[cfg(test)]
mod tests {
    use super::*;

    //= R6.2
    #[test]
    fn the_keys_that_the_worker_destroys_are_in_the_metrics_of_destroyed_keys() {
        let done = Expired { due: 5, destroyed: 3, held: 2, ..Expired::default() };
        let metrics = format!("{:?}", key_metrics(&done, Timestamp::UNIX_EPOCH));
        for counted in [("KeysDue", 5), ("KeysDestroyed", 3), ("KeysHeld", 2)] {
            let expected = format!("({:?}, Count, Number({}))", counted.0, counted.1);
            assert!(metrics.contains(&expected), "{expected} in {metrics}");
        }
    }
}
