//! Destroys the keys of days whose last message has expired.

use jiff::Timestamp;
use numib::domain::tally::{Peak, Tally};
use numib::domain::time::Day;
use numib::edge::telemetry::{Metrics, Unit};
use numib::retention::{Expired, destroy_expired_keys};
use numib::store::{Store, StoreError};

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
    tally(&app.store, now, &done).await?;
    Ok(done)
}

/// For the day's attestation.
async fn tally(store: &Store, now: Timestamp, done: &Expired) -> Result<(), StoreError> {
    let today = Day::of(now);
    let counts = [
        (Tally::KeysDestroyed, done.destroyed),
        (Tally::KeysDestroyedLate, done.late),
        (Tally::KeysHeld, done.held),
    ];
    store.add_tally(today, &counts).await?;
    if done.destroyed == 0 {
        return Ok(());
    }
    let due_on = i32::try_from(done.days_late).map_or(today, |days| today.plus(-days));
    let seconds = now.duration_since(due_on.start()).as_secs();
    store.raise_peak(today, Peak::KeysSeconds, u64::try_from(seconds).unwrap_or_default()).await
}
