//! Destroys day keys on their shredding day.

use jiff::Timestamp;
use numib::domain::work::Work;
use numib::edge::telemetry::{Metrics, Unit};
use numib::retention::{Expired, destroy_expired_keys};

use crate::{App, HasTime, RetentionError};

/// Destroys day keys while there is time, and queues the rest for the worker.
//= R6.2
pub(crate) async fn run(
    app: &App,
    now: Timestamp,
    has_time: HasTime<'_>,
) -> Result<Expired, RetentionError> {
    let done = destroy_expired_keys(&app.store, now, has_time).await?;
    let Expired { due, destroyed, late, held, failed, days_late, complete } = done;
    tracing::info!(
        due,
        destroyed,
        late,
        held,
        failed,
        days_late,
        complete,
        "expired day keys destroyed"
    );
    let mut metrics = Metrics::new(now);
    metrics.add("KeysDue", Unit::Count, due);
    metrics.add("KeysDestroyed", Unit::Count, destroyed);
    metrics.add("KeysHeld", Unit::Count, held);
    metrics.add("ExpiryFailures", Unit::Count, failed);
    metrics.add("KeysDaysLate", Unit::None, days_late);
    metrics.emit();
    done.tally(&app.store, now).await?;
    if !complete {
        app.queue.put(Work::DestroyDayKeys { at: now }).await?;
    }
    Ok(done)
}
