//! Destroys the keys of days whose last message has expired.

use jiff::Timestamp;
use numib::edge::telemetry::{Metrics, Unit};
use numib::retention::{Expired, destroy_expired_keys};
use numib::store::StoreError;

use crate::{App, HasTime};

/// Destroys them while there is time.
//= R6.2
pub(crate) async fn run(
    app: &App,
    now: Timestamp,
    has_time: HasTime<'_>,
) -> Result<Expired, StoreError> {
    let done = destroy_expired_keys(&app.store, now, has_time).await?;
    let Expired { due, destroyed, late, held, days_late, complete } = done;
    tracing::info!(due, destroyed, late, held, days_late, complete, "expired day keys destroyed");
    let mut metrics = Metrics::new(now);
    metrics.add("KeysDue", Unit::Count, due);
    metrics.add("KeysDestroyed", Unit::Count, destroyed);
    metrics.add("KeysHeld", Unit::Count, held);
    metrics.add("KeysDaysLate", Unit::None, days_late);
    metrics.emit();
    done.tally(&app.store, now).await?;
    Ok(done)
}
