//! Scheduled tasks. Each schedule of the template is named for its task, and `now` is the event's
//! own `time`, so a run can be repeated, or tried at another time, by sending its event again.
//!
//! And a look at how late DynamoDB removes what has expired, by the stream of `messages`.

mod attest;
mod cut_audit;
mod deadlines;
mod expire;
mod lateness;
mod provision;
mod purge_tax;
mod resume;

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use lambda_runtime::Diagnostic;
use numib::archive::attestations::Attestations;
use numib::edge::clock;
use numib::edge::queue::ErasureQueue;
use numib::seal::kms::DataKeys;
use numib::seal::receipt::SigningKey;
use numib::store::removals::Removal;
use numib::store::{Store, StoreError};
use serde::Deserialize;
use serde_json::{Value, json};

pub use crate::attest::AttestError;
pub use crate::cut_audit::CutError;
pub use crate::resume::ResumeError;

/// What one warm container works with.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub store: Store,
    /// Where day keys are made.
    pub day_keys: DataKeys,
    /// Where erasures go on.
    pub queue: ErasureQueue,
    /// What signs the checkpoints of audit chains, and attestations.
    pub receipts: SigningKey,
    /// Where attestations are filed.
    pub attestations: Attestations,
}

/// What the function is invoked with.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Event {
    /// A schedule is due.
    Schedule(Schedule),
    /// Rows are gone, by the stream of `messages`.
    Removals {
        /// At most a batch of them.
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

/// Why a run failed. The scheduler retries it, then it lands in the dead-letter queue.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// `time` is not a time.
    #[error("the event's `time` is not an RFC 3339 instant")]
    BadTime,
    /// The schedule's name ends with no task.
    #[error("the schedule is named for no task of this function")]
    UnknownTask,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Stuck erasures were not queued again.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// The day before was not attested, or not in every form.
    #[error(transparent)]
    Attest(#[from] AttestError),
    /// Audit chains were not cut.
    #[error(transparent)]
    Cut(#[from] CutError),
}

impl From<RetentionError> for Diagnostic {
    fn from(error: RetentionError) -> Self {
        let error_type = match error {
            RetentionError::BadTime => "BadTime",
            RetentionError::UnknownTask => "UnknownTask",
            RetentionError::Store(_) => "Store",
            RetentionError::Resume(_) => "Resume",
            RetentionError::Attest(_) => "Attest",
            RetentionError::Cut(_) => "Cut",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

/// The tasks, by the ends of their schedules' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    ProvisionDayKeys,
    ResumeErasures,
    DestroyExpiredKeys,
    WatchDeadlines,
    Attest,
    CutAudit,
    PurgeTaxRecords,
}

impl Task {
    fn of(resources: &[String]) -> Option<Self> {
        let [schedule] = resources else { return None };
        let tasks = [
            ("provision-day-keys", Self::ProvisionDayKeys),
            ("resume-erasures", Self::ResumeErasures),
            ("destroy-expired-keys", Self::DestroyExpiredKeys),
            ("watch-deadlines", Self::WatchDeadlines),
            ("attest", Self::Attest),
            ("cut-audit", Self::CutAudit),
            ("purge-tax-records", Self::PurgeTaxRecords),
        ];
        tasks.into_iter().find(|(name, _)| schedule.ends_with(name)).map(|(_, task)| task)
    }
}

/// Runs the task the event is for, until it is done or `deadline` is near. Returns its counts.
///
/// # Errors
/// [`RetentionError`]; never for records of the stream, which would come again and hold up those
/// behind them.
pub async fn handle(
    app: &App,
    event: Event,
    deadline: SystemTime,
) -> Result<Value, RetentionError> {
    let schedule = match event {
        Event::Schedule(schedule) => schedule,
        Event::Removals { records } => return Ok(lateness::measure(&app.store, &records).await),
    };
    let now: Timestamp = schedule.time.parse().map_err(|_| RetentionError::BadTime)?;
    let task = Task::of(&schedule.resources).ok_or(RetentionError::UnknownTask)?;
    run(app, task, now, deadline).await
}

async fn run(
    app: &App,
    task: Task,
    now: Timestamp,
    deadline: SystemTime,
) -> Result<Value, RetentionError> {
    let time_left = clock::until(deadline);
    let has_time = || clock::until(deadline) > RESERVE;
    match task {
        Task::ResumeErasures => {
            let resumed = resume::run(app, now).await?;
            Ok(json!({ "task": "resume-erasures", "resumed": resumed }))
        }
        Task::DestroyExpiredKeys => {
            let done = expire::run(app, now, &has_time).await?;
            Ok(json!({
                "task": "destroy-expired-keys",
                "due": done.due,
                "destroyed": done.destroyed,
                "held": done.held,
                "days_late": done.days_late,
                "complete": done.complete,
            }))
        }
        Task::WatchDeadlines => {
            let found = deadlines::run(app, now).await?;
            Ok(json!({
                "task": "watch-deadlines",
                "open": found.open,
                "at_risk": found.at_risk,
                "late": found.late,
            }))
        }
        Task::Attest => {
            let attested = attest::run(app, now).await?;
            Ok(json!({
                "task": "attest",
                "day": attested.report.day,
                "violations": attested.report.violations,
                "new": attested.is_new,
            }))
        }
        Task::CutAudit => {
            let done = cut_audit::run(app, now, time_left).await?;
            Ok(json!({
                "task": "cut-audit",
                "days_done": done.days_done,
                "events_cut": done.events_cut,
                "failed": done.failed,
                "broken": done.broken,
                "complete": done.complete,
            }))
        }
        Task::PurgeTaxRecords => Ok(purge_tax::run(app, now, &has_time).await?),
        Task::ProvisionDayKeys => {
            let done = provision::run(app, now, time_left).await?;
            Ok(json!({
                "task": "provision-day-keys",
                "connections_done": done.connections_done,
                "connections_failed": done.connections_failed,
                "keys_made": done.keys_made,
                "horizon_days": done.horizon_days,
                "complete": done.complete,
            }))
        }
    }
}

/// Kept back from the invocation's time for the last write and the answer.
const RESERVE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_known_by_the_end_of_its_schedules_name() {
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
