//! The queues: of the worker, and of exports.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::erasure::Request;
use crate::domain::work::{ExportWork, Work};

/// A message was not queued: the caller's own retry brings it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the queue did not take the message ({0})")]
pub struct QueueError(String);

/// The work queue, which the worker takes messages from.
#[derive(Debug, Clone)]
pub struct WorkQueue(Queue);

/// The queue that `data-export` takes messages from.
#[derive(Debug, Clone)]
pub struct ExportQueue(Queue);

#[derive(Debug, Clone)]
struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl WorkQueue {
    /// The queue at that URL.
    #[must_use]
    pub const fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self(Queue { client, url })
    }

    /// Asks the worker for this work now.
    ///
    /// # Errors
    /// [`QueueError`] when SQS did not take the message.
    pub async fn put(&self, work: Work) -> Result<(), QueueError> {
        self.put_after(work, Duration::ZERO).await
    }

    /// Asks the worker for this work after a delay, of 15 minutes at most.
    ///
    /// # Errors
    /// [`QueueError`] when SQS did not take the message.
    pub async fn put_after(&self, work: Work, delay: Duration) -> Result<(), QueueError> {
        self.0.put(&work, delay).await
    }

    /// Asks the worker to go on with an erasure, if there is anything to do for it at `now`.
    ///
    /// # Errors
    /// [`QueueError`] when SQS did not take the message.
    pub async fn carry_on(&self, request: &Request, now: Timestamp) -> Result<(), QueueError> {
        if !request.is_work(now) {
            return Ok(());
        }
        self.put(Work::Erase { request: request.id.clone(), not_before: None }).await
    }
}

impl ExportQueue {
    /// The queue at that URL.
    #[must_use]
    pub const fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self(Queue { client, url })
    }

    /// Asks `data-export` for this work now.
    ///
    /// # Errors
    /// [`QueueError`] when SQS did not take the message.
    pub async fn put(&self, work: ExportWork) -> Result<(), QueueError> {
        self.0.put(&work, Duration::ZERO).await
    }
}

impl Queue {
    async fn put(&self, work: &(impl Serialize + Sync), delay: Duration) -> Result<(), QueueError> {
        let body = serde_json::to_string(work).map_err(|error| QueueError(error.to_string()))?;
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .delay_seconds(i32::try_from(delay.as_secs()).unwrap_or(i32::MAX))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| QueueError(error.to_string()))
    }
}
