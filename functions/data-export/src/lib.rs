//! Writes archives of what accounts have: a part of some megabytes at a time, each saved before the
//! next is, so that a worker that dies loses a part and no more. Messages of the queue name
//! exports; one that needs more time than an invocation has is queued again.

mod account;
mod finish;
mod reader;
mod saving;
mod scene;
mod work;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::Diagnostic;
use numib::archive::ArchiveError;
use numib::archive::exports::Exports;
use numib::domain::work::ExportWork;
use numib::edge::clock::Clock;
use numib::edge::queue::{ExportQueue, QueueError};
use numib::edge::telemetry::{Metrics, Unit};
use numib::identity::{IdentityError, UserPool};
use numib::seal::kms::{DataKeys, KmsError};
use numib::seal::receipt::{SigningError, SigningKey};
use numib::store::{Store, StoreError};
use serde::Deserialize;
use serde_json::{Value, json};

pub use crate::work::{Ended, PART_LEN, work};
pub use crate::writer::WriteError;

/// Kept back from the invocation's time for the last part and the answer.
const RESERVE: Duration = Duration::from_secs(20);

/// What one warm container works with.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub store: Store,
    /// The keys that open messages, profiles and invoices.
    pub keys: DataKeys,
    /// What signs manifests.
    pub receipts: SigningKey,
    /// Where archives are.
    pub exports: Exports,
    /// The members' addresses.
    pub user_pool: UserPool,
    /// How long a part is, at least: [`PART_LEN`], where S3 takes it.
    pub part_len: usize,
    /// Where unfinished work goes.
    pub queue: ExportQueue,
}

/// A batch of the queue.
#[derive(Debug, Deserialize)]
pub struct Event {
    /// Its messages.
    #[serde(rename = "Records")]
    pub records: Vec<Record>,
}

/// A message of the queue.
#[derive(Debug, Deserialize)]
pub struct Record {
    /// Its id, to name it in the answer.
    #[serde(rename = "messageId")]
    pub message_id: String,
    /// An [`ExportWork`].
    pub body: String,
}

/// Why an export did not go on. All of it may be tried again.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The message is not one of ours.
    #[error("the message is not one of ours")]
    Unreadable,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bucket.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A day key could not be unwrapped.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// The manifest could not be signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The members' addresses.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A part was not written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// It does not fit the most parts that an upload has.
    #[error("more parts than an upload has")]
    TooLarge,
    /// A task ended before it was done: the process is stopping.
    #[error("a task was stopped")]
    Stopped,
}

/// Why the whole batch failed: never.
#[derive(Debug, thiserror::Error)]
#[error("the batch failed")]
pub struct BatchError;

impl From<BatchError> for Diagnostic {
    fn from(error: BatchError) -> Self {
        Self { error_type: "Batch".to_owned(), error_message: error.to_string() }
    }
}

/// Works on a batch until it is done or time is nearly up; returns which messages are to come
/// again.
///
/// # Errors
/// None: what failed is in the answer.
pub async fn handle(app: &Arc<App>, event: Event, clock: Clock) -> Result<Value, BatchError> {
    let has_time = || clock.has_more_than(RESERVE);
    let mut failures = Vec::new();
    for record in &event.records {
        if let Err(error) = carry_on(app, record, &clock, &has_time).await {
            tracing::error!(error = %error, "an export was not carried on");
            failures.push(json!({ "itemIdentifier": record.message_id }));
        }
    }
    let mut metrics = Metrics::new(clock.began);
    metrics.add("ExportSteps", Unit::Count, event.records.len());
    metrics.add("ExportErrors", Unit::Count, failures.len());
    metrics.emit();
    Ok(json!({ "batchItemFailures": failures }))
}

async fn carry_on(
    app: &Arc<App>,
    record: &Record,
    clock: &Clock,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<(), ExportError> {
    let ExportWork { export, not_before } =
        serde_json::from_str(&record.body).map_err(|_| ExportError::Unreadable)?;
    match work(app, &export, clock.no_earlier_than(not_before), has_time).await {
        Ok(Ended::ForGood) => Ok(()),
        // Whoever else saved it may be an erasure, which has it begin anew.
        Ok(Ended::ForNow) | Err(ExportError::Store(StoreError::Conflict)) => {
            Ok(app.queue.put(ExportWork { export, not_before }).await?)
        }
        Err(error) => Err(error),
    }
}
