//! Measures how late time to live is. DynamoDB promises to remove a row within days of its expiry,
//! not within minutes. The row is unreadable before, since its day key is destroyed.

use jiff::Timestamp;
use numib::domain::tally::{Peak, Tally};
use numib::domain::time::Day;
use numib::edge::telemetry::{Metrics, Unit};
use numib::store::removals::Removal;
use numib::store::{Store, StoreError};
use serde_json::{Value, json};

/// What a batch of the stream's records says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Batch {
    /// How many seconds late each row was that time to live removed, the latest row first.
    seconds_late: Vec<i64>,
    unreadable: usize,
}

/// Counts removed rows, and how late each was removed. This never fails, so it never holds up the
/// stream.
pub(crate) async fn measure(store: &Store, records: &[Removal], now: Timestamp) -> Value {
    let batch = Batch::of(records);
    report(&batch, now);
    if let Err(error) = tally(store, &batch, Day::of(now)).await {
        // The metrics and the log have these rows. An attestation that says too little is better
        // than a stream that stands still, or than rows that count twice.
        tracing::error!(error = %error, removed = batch.seconds_late.len(), "not tallied");
    }
    json!({
        "task": "time-to-live",
        "removed": batch.seconds_late.len(),
        "seconds_late_max": batch.seconds_late.first(),
        "unreadable": batch.unreadable,
    })
}

impl Batch {
    fn of(records: &[Removal]) -> Self {
        let mut batch = Self::default();
        for record in records {
            match *record {
                Removal::Expired { expired_at, removed_at } => {
                    batch.seconds_late.push(seconds_late(expired_at, removed_at));
                }
                Removal::Unreadable => batch.unreadable = batch.unreadable.saturating_add(1),
                Removal::Other => {}
            }
        }
        // A metric takes a hundred values, and the worst must be among them.
        batch.seconds_late.sort_unstable_by(|one, other| other.cmp(one));
        batch
    }
}

/// Adds the batch to the tallies of today, whenever the rows were removed: yesterday's attestation
/// may be filed by now.
async fn tally(store: &Store, batch: &Batch, today: Day) -> Result<(), StoreError> {
    let removed = batch.seconds_late.len().try_into().unwrap_or(u64::MAX);
    store.add_tally(today, &[(Tally::RowsRemoved, removed)]).await?;
    match batch.seconds_late.first().map(|seconds| u64::try_from(*seconds)) {
        Some(Ok(seconds)) => store.raise_peak(today, Peak::RowsSeconds, seconds).await,
        Some(Err(_)) | None => Ok(()),
    }
}

/// How many seconds a row outlived its expiry. The stream's time is approximate, so it may be a
/// little before the expiry. No row is removed early, so that counts as 0.
fn seconds_late(expired_at: Timestamp, removed_at: Timestamp) -> i64 {
    removed_at.duration_since(expired_at).as_secs().max(0)
}

fn report(batch: &Batch, now: Timestamp) {
    tracing::info!(
        removed = batch.seconds_late.len(),
        seconds_late_max = batch.seconds_late.first(),
        unreadable = batch.unreadable,
        "expired rows removed"
    );
    let mut metrics = Metrics::new(now);
    metrics.add("TtlRemoved", Unit::Count, batch.seconds_late.len());
    metrics.observe("TtlLatenessSeconds", Unit::Seconds, batch.seconds_late.clone());
    metrics.add("TtlUnreadable", Unit::Count, batch.unreadable);
    metrics.emit();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn expired(expired_at: i64, removed_at: i64) -> Removal {
        Removal::Expired { expired_at: at(expired_at), removed_at: at(removed_at) }
    }

    #[test]
    fn lateness_is_from_expiry_to_removal_and_never_negative() {
        assert_eq!(seconds_late(at(1000), at(1000)), 0);
        assert_eq!(seconds_late(at(1000), at(1000 + 259_201)), 259_201);
        assert_eq!(seconds_late(at(1000), at(941)), 0);
        assert_eq!(seconds_late(Timestamp::MAX, Timestamp::MIN), 0);
        assert!(seconds_late(Timestamp::MIN, Timestamp::MAX) > 0);
    }

    #[test]
    fn a_batch_counts_what_time_to_live_removed_and_what_it_could_not_read() {
        let records = [
            expired(100, 160),
            Removal::Other,
            Removal::Unreadable,
            expired(100, 100_100),
            Removal::Other,
        ];
        let expected = Batch { seconds_late: vec![100_000, 60], unreadable: 1 };
        assert_eq!(Batch::of(&records), expected);
        assert_eq!(Batch::of(&[]), Batch::default());
    }

    #[test]
    fn the_latest_of_many_is_among_the_values_that_a_metric_takes() {
        let records: Vec<_> = (0..1000).map(|late| expired(0, late)).collect();
        assert_eq!(Batch::of(&records).seconds_late[0], 999);
    }
}
