//! Removes exports that are a week old, with their archives. Queues exports again that are stuck.

use jiff::{SignedDuration, Timestamp};
use numib::archive::ArchiveError;
use numib::domain::export::Export;
use numib::domain::ids::ExportId;
use numib::domain::policy::{Clock, Verdict, verdict};
use numib::domain::tally::Tally;
use numib::domain::time::Day;
use numib::domain::work::ExportWork;
use numib::edge::queue::QueueError;
use numib::edge::telemetry::{Metrics, Unit};
use numib::store::StoreError;
use serde::Serialize;

use crate::App;

/// An export that nobody saved for longer than this is queued again.
const STUCK: SignedDuration = SignedDuration::from_mins(20);
/// Exports of each sort in one run. The next run goes on.
const RUN_MAX: i32 = 200;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum ExportsError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The bucket failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Done {
    /// Exports that are gone.
    pub(crate) removed: usize,
    /// Exports that were queued again.
    pub(crate) resumed: usize,
    /// Exports that could not be removed or read. The next run tries again.
    pub(crate) failed: usize,
}

/// Removes and queues exports. An export that fails is counted, and holds up no other.
///
/// # Errors
/// [`ExportsError`]. What was done stays done.
//= R5.4
pub(crate) async fn run(app: &App, now: Timestamp) -> Result<Done, ExportsError> {
    let mut done = Done { removed: 0, resumed: 0, failed: 0 };
    for id in &app.store.old_exports(now, RUN_MAX).await? {
        let is_removed = remove(app, id, now).await;
        done.removed = done.removed.saturating_add(matches!(is_removed, Ok(true)).into());
        done.count_failure(is_removed);
    }
    let removed = u64::try_from(done.removed).unwrap_or(u64::MAX);
    app.store.add_tally(Day::of(now), &[(Tally::ExportsRemoved, removed)]).await?;
    let before = now.saturating_sub(STUCK).unwrap_or(Timestamp::MIN);
    for id in &app.store.stuck_exports(before, RUN_MAX).await? {
        let is_freed = free(app, id, now).await;
        if matches!(is_freed, Ok(true)) {
            let work = ExportWork { export: id.clone(), not_before: Some(now) };
            app.export_queue.put(work).await?;
            done.resumed = done.resumed.saturating_add(1);
        }
        done.count_failure(is_freed.map_err(ExportsError::from));
    }
    let Done { removed, resumed, failed } = done;
    tracing::info!(removed, resumed, failed, "exports carried on");
    let mut metrics = Metrics::new(now);
    metrics.add("ExportsRemoved", Unit::Count, done.removed);
    metrics.add("ExportsResumed", Unit::Count, done.resumed);
    metrics.add("ExpiryFailures", Unit::Count, done.failed);
    metrics.emit();
    Ok(done)
}

impl Done {
    fn count_failure(&mut self, result: Result<bool, ExportsError>) {
        if let Err(error) = result {
            tracing::error!(%error, "an export was neither removed nor carried on");
            self.failed = self.failed.saturating_add(1);
        }
    }
}

/// Removes an export with its archive. False if the export is gone already, or not due after all:
/// the index was a moment old.
async fn remove(app: &App, id: &ExportId, now: Timestamp) -> Result<bool, ExportsError> {
    let Some(export) = app.store.export(id).await? else { return Ok(false) };
    let clock = Clock::Export { kept_until: export.kept_until() };
    if verdict(clock, false, now) != Verdict::EraseNow {
        return Ok(false);
    }
    // The object goes first: without the record, nobody would know of the object.
    app.exports.discard(&export).await?;
    app.store.delete_export(&export).await?;
    Ok(true)
}

/// Marks an export as free, and as saved now, so that a slow queue does not get one more message
/// with every run. False if a worker has the export after all.
async fn free(app: &App, id: &ExportId, now: Timestamp) -> Result<bool, StoreError> {
    let Some(export) = app.store.export(id).await? else { return Ok(false) };
    if !export.state.is_work() || export.is_taken_at(now) {
        return Ok(false);
    }
    let freed = Export { is_taken: false, saved_at: now, ..export };
    match app.store.save_export(freed, None).await {
        Err(StoreError::Conflict) => Ok(false),
        saved => saved.map(|_| true),
    }
}
