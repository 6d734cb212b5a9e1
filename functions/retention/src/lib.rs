//! Scheduled tasks. The name of a schedule ends with its task, and the task's module has its name.
//! `now` is the event's own `time`, so a run can be repeated, or tried at another time, by sending
//! its event again.
//!
//! The function also takes the stream of `messages`, and measures by it how late DynamoDB removes
//! what has expired (`lateness`).

mod attest;
mod carry_on_exports;
mod cut_audit;
mod destroy_expired_keys;
mod keep_held;
mod lateness;
mod provision_day_keys;
mod purge_tax_records;
mod resume_erasures;
mod sweep_expired_rows;
mod watch_deadlines;

use std::time::Duration;

use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use numib::archive::attestations::Attestations;
use numib::archive::exports::Exports;
use numib::edge::clock::Clock;
use numib::edge::queue::{ExportQueue, QueueError, WorkQueue};
use numib::seal::kms::DataKeys;
use numib::seal::receipt::SigningKey;
use numib::store::removals::Removal;
use numib::store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::attest::AttestError;
pub use crate::carry_on_exports::ExportsError;
pub use crate::cut_audit::CutError;

/// What one warm container works with.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub store: Store,
    /// Where day keys are made.
    pub day_keys: DataKeys,
    /// Where the worker's tasks are queued.
    pub queue: WorkQueue,
    /// What signs the checkpoints of audit chains, and attestations.
    pub receipts: SigningKey,
    /// Where attestations are filed.
    pub attestations: Attestations,
    /// The archives of exports.
    pub exports: Exports,
    /// Where exports are queued.
    pub export_queue: ExportQueue,
}

/// What the function is invoked with.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Event {
    /// A schedule is due.
    Schedule(Schedule),
    /// The stream of `messages` tells of removed rows.
    Removals {
        /// A batch of its records.
        #[serde(rename = "Records")]
        records: Vec<Removal>,
    },
}

/// What EventBridge Scheduler sends when a schedule has no input of its own.
#[derive(Debug, Deserialize)]
pub struct Schedule {
    /// When the schedule was due, RFC 3339.
    pub time: String,
    /// The schedule's ARN.
    pub resources: Vec<String>,
}

/// Why a run failed. The event is tried again, and ends in the dead-letter queue.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// `time` is not a time.
    #[error("the event's `time` is not an RFC 3339 instant")]
    BadTime,
    /// The schedule's name does not end with a task.
    #[error("the schedule's name does not end with a task of this function")]
    UnknownTask,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Work was not queued.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Exports were not all removed or queued again.
    #[error(transparent)]
    Exports(#[from] ExportsError),
    /// The day before was not attested in every form.
    #[error(transparent)]
    Attest(#[from] AttestError),
    /// Audit chains were not all cut.
    #[error(transparent)]
    Cut(#[from] CutError),
}

impl From<RetentionError> for Diagnostic {
    fn from(error: RetentionError) -> Self {
        let error_type = match error {
            RetentionError::BadTime => "BadTime",
            RetentionError::UnknownTask => "UnknownTask",
            RetentionError::Store(_) => "Store",
            RetentionError::Queue(_) => "Queue",
            RetentionError::Exports(_) => "Exports",
            RetentionError::Attest(_) => "Attest",
            RetentionError::Cut(_) => "Cut",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

/// The tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    ProvisionDayKeys,
    ResumeErasures,
    DestroyExpiredKeys,
    SweepExpiredRows,
    KeepHeld,
    WatchDeadlines,
    Attest,
    CutAudit,
    PurgeTaxRecords,
    CarryOnExports,
}

impl Task {
    const ALL: [Self; 10] = [
        Self::ProvisionDayKeys,
        Self::ResumeErasures,
        Self::DestroyExpiredKeys,
        Self::SweepExpiredRows,
        Self::KeepHeld,
        Self::WatchDeadlines,
        Self::Attest,
        Self::CutAudit,
        Self::PurgeTaxRecords,
        Self::CarryOnExports,
    ];

    /// The end of its schedule's name.
    const fn name(self) -> &'static str {
        match self {
            Self::ProvisionDayKeys => "provision-day-keys",
            Self::ResumeErasures => "resume-erasures",
            Self::DestroyExpiredKeys => "destroy-expired-keys",
            Self::SweepExpiredRows => "sweep-expired-rows",
            Self::KeepHeld => "keep-held",
            Self::WatchDeadlines => "watch-deadlines",
            Self::Attest => "attest",
            Self::CutAudit => "cut-audit",
            Self::PurgeTaxRecords => "purge-tax-records",
            Self::CarryOnExports => "carry-on-exports",
        }
    }

    fn of(resources: &[String]) -> Option<Self> {
        let [schedule] = resources else { return None };
        Self::ALL.into_iter().find(|task| schedule.ends_with(task.name()))
    }

    /// The answer of a run: the task's name and the run's counts.
    fn answer(self, run: impl Serialize) -> Value {
        #[derive(Serialize)]
        struct Answer<T> {
            task: &'static str,
            #[serde(flatten)]
            run: T,
        }
        serde_json::to_value(Answer { task: self.name(), run }).unwrap_or_default()
    }
}

/// Runs the task of the event's schedule until it is done or time is nearly up, and returns its
/// counts.
///
/// # Errors
/// [`RetentionError`]. Records of the stream cause no error: they would come again, and hold up the
/// records behind them.
pub async fn handle(app: &App, event: Event, clock: Clock) -> Result<Value, RetentionError> {
    let schedule = match event {
        Event::Schedule(schedule) => schedule,
        Event::Removals { records } => {
            return Ok(lateness::measure(&app.store, &records, clock.began).await);
        }
    };
    let now: Timestamp = schedule.time.parse().map_err(|_| RetentionError::BadTime)?;
    let task = Task::of(&schedule.resources).ok_or(RetentionError::UnknownTask)?;
    let has_time = || clock.has_more_than(RESERVE);
    Ok(match task {
        Task::ResumeErasures => task.answer(resume_erasures::run(app, now, &has_time).await?),
        Task::DestroyExpiredKeys => {
            task.answer(destroy_expired_keys::run(app, now, &has_time).await?)
        }
        Task::SweepExpiredRows => task.answer(sweep_expired_rows::run(app, now).await?),
        Task::KeepHeld => task.answer(keep_held::run(app, now, &has_time).await?),
        Task::WatchDeadlines => task.answer(watch_deadlines::run(app, now).await?),
        // The look at every row gets seven tenths of the time; signing and filing get the rest.
        Task::Attest => {
            let rest = clock.lasts.saturating_sub(RESERVE) / 10 * 3;
            let has_time_to_look = || clock.has_more_than(RESERVE.saturating_add(rest));
            task.answer(attest::run(app, now, &has_time_to_look).await?)
        }
        Task::CarryOnExports => task.answer(carry_on_exports::run(app, now).await?),
        Task::CutAudit => task.answer(cut_audit::run(app, now, &has_time).await?),
        Task::PurgeTaxRecords => task.answer(purge_tax_records::run(app, now, &has_time).await?),
        Task::ProvisionDayKeys => task.answer(provision_day_keys::run(app, now, &has_time).await?),
    })
}

/// Whether there is time for another step.
type HasTime<'a> = &'a (dyn Fn() -> bool + Sync);

/// Kept back from the invocation's time for the last write and the answer.
const RESERVE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_schedules_name_tells_the_task() {
        let arn = |name: &str| {
            vec![format!("arn:aws:scheduler:eu-west-1:111122223333:schedule/default/{name}")]
        };
        assert_eq!(Task::of(&arn("numib-provision-day-keys")), Some(Task::ProvisionDayKeys));
        assert_eq!(Task::of(&arn("numib-resume-erasures")), Some(Task::ResumeErasures));
        assert_eq!(Task::of(&arn("numib-cut-audit")), Some(Task::CutAudit));
        assert_eq!(Task::of(&arn("numib-make-coffee")), None);
        assert_eq!(Task::of(&[]), None);
    }
}
