//! Attests each day what retention did on the day before: a report, the signed report, and a page.
//!
//! The report is filed first, and once. The signed report and the page are made of the filed one.
//! So a run that is repeated, or comes late, completes what is there and changes nothing. A look at
//! every row finds rows astray. The report states them as violations, and then a worker removes
//! them.

mod page;

use jiff::Timestamp;
use numib::archive::ArchiveError;
use numib::archive::attestations::Form;
use numib::domain::attestation::{Facts, HISTORY_DAYS, Report, Requests};
use numib::domain::audit::KEPT;
use numib::domain::tally::Peak;
use numib::domain::time::Day;
use numib::domain::work::Work;
use numib::edge::queue::QueueError;
use numib::edge::telemetry::{Metrics, Unit};
use numib::erasure::astray::{Astray, rows_astray};
use numib::retention::{keys_left, tax_records_left, visits_left};
use numib::seal::receipt::SigningError;
use numib::store::{Store, StoreError};
use serde::Serialize;

use crate::{App, HasTime, watch_deadlines};

/// Why a day was not attested.
#[derive(Debug, thiserror::Error)]
pub enum AttestError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The removal of rows astray was not queued.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The bucket failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The report was not signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The report was not written, or the filed report cannot be read.
    #[error("the report cannot be written or read")]
    Unreadable(#[from] serde_json::Error),
    /// The page was not written.
    #[error("the page cannot be written")]
    Page(#[from] askama::Error),
}

/// What a run did.
#[derive(Debug, Serialize)]
pub(crate) struct Run {
    day: Day,
    violations: u64,
    /// Whether this run filed the report, and not an earlier one.
    new: bool,
}

/// Attests the day before.
//= R6.2, R5.8
pub(crate) async fn run(
    app: &App,
    now: Timestamp,
    has_time: HasTime<'_>,
) -> Result<Run, AttestError> {
    let day = Day::of(now).plus(-1);
    let facts = facts(app, day, now).await?;
    // The look at every row comes last, for it may take all the time. If it fails, that counts as a
    // violation.
    let astray = rows_astray(&app.store, has_time).await.unwrap_or_else(|error| {
        tracing::error!(%error, "not every row was looked at");
        Astray::default()
    });
    let mut report = Report::of(&Facts { rows_astray: astray.count(), ..facts });
    let filed = &app.attestations;
    let is_new = filed.file(day, Form::Report, serde_json::to_vec_pretty(&report)?).await?;
    if !is_new {
        report = serde_json::from_slice(&filed.filed(day, Form::Report).await?)?;
    }
    let key = app.receipts.public().await?;
    let signed = app.receipts.sign(&key, &report.claims()).await?;
    filed.file(day, Form::Signed, signed.into_bytes()).await?;
    filed.file(day, Form::Page, page::html(&report)?.into_bytes()).await?;
    app.store.raise_peak(day, Peak::Violations, report.violations).await?;
    announce(&report, &astray, now);
    if !astray.erased.is_empty() {
        app.queue.put(Work::RemoveAstray { at: now }).await?;
    }
    Ok(Run { day, violations: report.violations, new: is_new })
}

/// The facts at the end of the day, without the rows astray.
async fn facts(app: &App, day: Day, written_at: Timestamp) -> Result<Facts, StoreError> {
    let first = day.plus(1_i32.saturating_sub(HISTORY_DAYS));
    let tallies = app.store.tallies(first, day).await?;
    let left = keys_left(&app.store, day).await?;
    let visits_left = visits_left(&app.store, day).await?;
    let tax = tax_records_left(&app.store, day).await?;
    let audit_left = audit_left(&app.store, day).await?;
    let exports_left = app.store.old_exports(day.plus(1).start(), EXPORTS_COUNTED_MAX).await?;
    let watched = watch_deadlines::watch(app, day.plus(1).start()).await?;
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let requests = Requests {
        open: count(watched.open),
        at_risk: count(watched.at_risk),
        late: count(watched.late),
    };
    Ok(Facts {
        day,
        written_at,
        tallies,
        keys_held: left.held,
        keys_overdue: left.overdue,
        visits_left,
        tax_held: tax.held,
        tax_overdue: tax.overdue,
        audit_left,
        exports_left: count(exports_left.len()),
        rows_astray: 0,
        requests,
    })
}

/// A count of exports ends here. Then the report says "so many or more".
const EXPORTS_COUNTED_MAX: i32 = 1000;

/// A count of days of accounts ends here. Then the report says "so many or more".
const COUNTED_MAX: usize = 10_000;

/// How many days of accounts have audit events that are too old at the end of that day.
//= R6.4
async fn audit_left(store: &Store, day: Day) -> Result<u64, StoreError> {
    let kept_days = i32::try_from(KEPT.as_hours() / 24).unwrap_or(i32::MAX);
    let (last_day, mut after, mut count) = (day.plus(-kept_days), None, 0_usize);
    while count < COUNTED_MAX {
        let page = store.audited_until(last_day, after.as_ref()).await?;
        let Some(last) = page.last().cloned() else { break };
        count = count.saturating_add(page.len());
        after = Some(last);
    }
    Ok(u64::try_from(count).unwrap_or(u64::MAX))
}

fn announce(report: &Report, astray: &Astray, now: Timestamp) {
    let violations = report.violations;
    let Astray { erased, unlisted, looked_at, unreadable, complete } = astray;
    let (erased, unlisted) = (erased.len(), unlisted.len());
    tracing::info!(looked_at, erased, unlisted, unreadable, complete, "every row looked at");
    tracing::info!(day = %report.day, violations, "retention attested");
    let mut metrics = Metrics::new(now);
    // A repeated run counts the attestation again: the metric says what there is, not what this
    // run did.
    metrics.add("AttestationsWritten", Unit::Count, 1);
    metrics.add("RetentionViolations", Unit::Count, violations);
    metrics.emit();
}
