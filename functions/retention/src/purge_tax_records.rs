//! Purges tax records whose period is over.

use jiff::Timestamp;
use numib::domain::tally::Tally;
use numib::domain::time::Day;
use numib::edge::telemetry::{Metrics, Unit};
use numib::retention::{Purged, purge_tax_records};
use numib::store::StoreError;

use crate::{App, HasTime};

/// Purges tax records while there is time, and adds the result to the tallies.
//= R6.3
pub(crate) async fn run(
    app: &App,
    now: Timestamp,
    has_time: HasTime<'_>,
) -> Result<Purged, StoreError> {
    let done = purge_tax_records(&app.store, now, has_time).await?;
    let Purged { purged, late, held, failed, complete } = done;
    tracing::info!(purged, late, held, failed, complete, "tax records purged");
    let mut metrics = Metrics::new(now);
    metrics.add("TaxRecordsPurged", Unit::Count, purged);
    metrics.add("TaxRecordsHeld", Unit::Count, held);
    metrics.add("ExpiryFailures", Unit::Count, failed);
    metrics.emit();
    let counts = [
        (Tally::TaxRecordsPurged, purged),
        (Tally::TaxRecordsPurgedLate, late),
        (Tally::TaxRecordsHeld, held),
    ];
    app.store.add_tally(Day::of(now), &counts).await?;
    Ok(done)
}
