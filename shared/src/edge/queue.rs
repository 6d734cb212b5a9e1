//! The work queues: erasures, one message per request by its id, with what follows a change of plan
//! or of a legal hold, what has expired, an invitation, and the announcement of a policy; and
//! exports.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::attestation::Rule;
use crate::domain::erasure::Request;
use crate::domain::hold::Held;
use crate::domain::ids::{AccountId, ExportId, MemberId, PolicyVersion, RequestId};
use crate::domain::plan::PlanCursor;

/// What a message says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Work {
    /// An erasure.
    Erase {
        /// The request to go on with.
        request: String,
        /// When the schedule that queued it was due, where one did: the worker's clock is never
        /// behind it, so a schedule tried at another time takes the work with it.
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// A change of a hold.
    Hold {
        /// The record that is held, or is not any more.
        held: String,
        /// Where to go on.
        #[serde(skip_serializing_if = "Option::is_none")]
        cursor: Option<PlanCursor>,
    },
    /// A change of plan.
    Retime {
        /// The account whose messages are to expire by the plan it has now.
        retime: String,
        /// Where to go on.
        #[serde(skip_serializing_if = "Option::is_none")]
        cursor: Option<PlanCursor>,
    },
    /// What has expired.
    Expire {
        /// The rule to keep.
        expire: Rule,
        /// When the schedule that queued it was due: what had expired by then goes.
        at: Timestamp,
    },
    /// An invitation.
    Invited {
        /// Whose identity is removed, if they are no member by now.
        invited: String,
        /// The account that they were to be members of.
        account: String,
    },
    /// A new version of the privacy policy.
    Announce {
        /// The version that owners are to be told of.
        announce: String,
        /// The page of owners to go on with.
        #[serde(skip_serializing_if = "Option::is_none")]
        page: Option<String>,
    },
}

/// A message was not queued: the caller's own retry brings it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the queue did not take the message ({0})")]
pub struct QueueError(String);

#[derive(Debug, Clone)]
struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

/// The queue of erasures.
#[derive(Debug, Clone)]
pub struct WorkQueue(Queue);

/// The queue of exports.
#[derive(Debug, Clone)]
pub struct ExportQueue(Queue);

/// What a message of that says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExportWork {
    /// The export to go on with.
    pub export: String,
    /// As in [`Work::Erase`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl WorkQueue {
    /// The queue at that URL.
    #[must_use]
    pub const fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self(Queue { client, url })
    }

    /// Has a worker go on with a request, if it has something to do for it now.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn carry_on(&self, request: &Request, now: Timestamp) -> Result<(), QueueError> {
        if !request.is_work(now) {
            return Ok(());
        }
        self.send(&request.id, None, Duration::ZERO).await
    }

    /// Asks a worker to go on with a request, after this delay (15 minutes at most). `at` is the
    /// time of the schedule that asks, where one does.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn send(
        &self,
        request: &RequestId,
        at: Option<Timestamp>,
        delay: Duration,
    ) -> Result<(), QueueError> {
        self.0.put(&Work::Erase { request: request.to_string(), at }, delay).await
    }

    /// Asks a worker to have what an account stores expire by its plan, from the cursor on, after
    /// this delay.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn retime(
        &self,
        account: &AccountId,
        cursor: Option<PlanCursor>,
        delay: Duration,
    ) -> Result<(), QueueError> {
        self.0.put(&Work::Retime { retime: account.to_string(), cursor }, delay).await
    }

    /// Asks a worker to have what is stored under a record stay, or go, by the holds on it; from
    /// the cursor on, after this delay.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn follow_hold(
        &self,
        held: &Held,
        cursor: Option<PlanCursor>,
        delay: Duration,
    ) -> Result<(), QueueError> {
        self.0.put(&Work::Hold { held: held.to_string(), cursor }, delay).await
    }

    /// Asks a worker to remove what had expired by then under a rule, after this delay.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn expire(
        &self,
        rule: Rule,
        at: Timestamp,
        delay: Duration,
    ) -> Result<(), QueueError> {
        self.0.put(&Work::Expire { expire: rule, at }, delay).await
    }

    /// Asks a worker to look, after this delay, whether someone who was invited has become a
    /// member, and to remove their identity if not.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn look_after(
        &self,
        invited: &MemberId,
        account: &AccountId,
        delay: Duration,
    ) -> Result<(), QueueError> {
        let (invited, account) = (invited.to_string(), account.to_string());
        self.0.put(&Work::Invited { invited, account }, delay).await
    }

    /// Asks a worker to tell the owners of accounts of a version of the privacy policy, from this
    /// page of them on.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn announce(
        &self,
        version: &PolicyVersion,
        page: Option<String>,
    ) -> Result<(), QueueError> {
        self.0.put(&Work::Announce { announce: version.to_string(), page }, Duration::ZERO).await
    }
}

impl ExportQueue {
    /// The queue at that URL.
    #[must_use]
    pub const fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self(Queue { client, url })
    }

    /// Asks a worker to go on with an export; `at` is the time of the schedule that asks, where one
    /// does.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn send(&self, export: &ExportId, at: Option<Timestamp>) -> Result<(), QueueError> {
        let work = ExportWork { export: export.to_string(), at };
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
