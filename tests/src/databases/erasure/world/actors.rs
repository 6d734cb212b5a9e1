//! The actors of a world. Each is a process of its own, whose requests go out one at a time.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_config::SdkConfig;
use jiff::{SignedDuration, Timestamp};
use numib::archive::exports::Exports;
use numib::domain::erasure::Request;
use numib::domain::hold::Held;
use numib::domain::ids::{HoldId, RequestId};
use numib::edge::clients;
use numib::erasure::{self, Asked, Eraser, ErasureError, Progress};
use numib::identity::UserPool;
use numib::retention;
use numib::seal::receipt::SigningKey;
use numib::store::StoreError;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use super::super::process::Process;
use crate::database::Database;
use crate::webhook::Intake;

/// An actor, by its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// Whoever stored what was there before.
    Setup,
    Intake(usize),
    Door(usize),
    Worker(usize),
    Lifter(usize),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setup => write!(f, "setup"),
            Self::Intake(number) => write!(f, "intake {number}"),
            Self::Door(number) => write!(f, "door {number}"),
            Self::Worker(number) => write!(f, "worker {number}"),
            Self::Lifter(number) => write!(f, "lifter {number}"),
        }
    }
}

/// A task. If a process dies at it, another one does it again.
#[derive(Debug, Clone)]
pub(super) enum Task {
    /// Bodies by their numbers.
    Deliver(Vec<(usize, Value)>),
    Ask(Box<Asked>),
    Work(RequestId),
    Lift(Held, HoldId),
}

impl Task {
    /// How long a process has for the task. Then Lambda ends the process.
    pub(super) const fn life(&self) -> SignedDuration {
        match self {
            Self::Deliver(_) => SignedDuration::from_secs(5),
            Self::Ask(_) | Self::Lift(..) => SignedDuration::from_secs(30),
            Self::Work(_) => SignedDuration::from_mins(15),
        }
    }
}

/// The result of a task.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A body by its number, and its status.
    Answered(usize, u16),
    Asked(Result<Box<Request>, ErasureError>),
    Worked(RequestId, Result<Progress, ErasureError>),
    /// The requests that waited for the hold.
    Lifted(Result<Vec<RequestId>, ErasureError>),
}

/// A process that is under way.
pub(super) struct Actor {
    pub(super) who: Who,
    pub(super) task: Task,
    pub(super) born: Timestamp,
    /// How often it has its turn, compared with others.
    pub(super) speed: usize,
    pub(super) process: Process,
}

/// A channel that takes the results of tasks.
pub(super) type Ear = UnboundedSender<(Who, Outcome)>;

/// Begins a task. A worker looks at the clock so many times, and then its time is up.
pub(super) fn begin(
    db: &Database,
    (who, task): (Who, Task),
    (now, looks): (Timestamp, usize),
    ear: Ear,
) -> Process {
    let run = async move |db: Database| {
        let outcome = match task {
            Task::Deliver(bodies) => {
                let intake = Intake::start(&db);
                for (number, body) in bodies {
                    let status = intake.deliver_at(now, &body).await.status;
                    ear.send((who, Outcome::Answered(number, status))).unwrap();
                }
                return;
            }
            Task::Ask(asked) => {
                Outcome::Asked(Box::pin(erasure::begin(&db.store, *asked, now)).await.map(Box::new))
            }
            Task::Work(id) => {
                let looks = AtomicUsize::new(looks);
                let has_time = || {
                    let left = looks.load(Ordering::Relaxed);
                    looks.store(left.saturating_sub(1), Ordering::Relaxed);
                    left > 0
                };
                let worked = Box::pin(eraser(&db).work(&id, now, &has_time)).await;
                Outcome::Worked(id, worked)
            }
            Task::Lift(held, id) => {
                Outcome::Lifted(Box::pin(lift(&db, &held, &id, now)).await.map_err(Into::into))
            }
        };
        ear.send((who, outcome)).unwrap();
    };
    Process::start(db, |_| true, run)
}

/// The eraser, with a cloud behind the same wire.
pub(super) fn eraser(db: &Database) -> Eraser {
    let sdk = db.wire.tap(&db.sdk);
    Eraser {
        store: db.store.clone(),
        user_pool: UserPool::new(&sdk, "pool".to_owned()),
        receipts: signing_key(&sdk),
        exports: Exports::new(clients::s3(&sdk), "exports".to_owned()),
    }
}

pub(super) fn signing_key(sdk: &SdkConfig) -> SigningKey {
    SigningKey::new(aws_sdk_kms::Client::new(sdk), "key".to_owned())
}

/// Lifts a hold, and finds the requests that waited for it, as the API and the worker do.
async fn lift(
    db: &Database,
    held: &Held,
    id: &HoldId,
    now: Timestamp,
) -> Result<Vec<RequestId>, StoreError> {
    let store = &db.store;
    store.lift_hold(held, id).await?;
    retention::follow_hold(store, held, None, now, &|| true).await?;
    let waiting = store.holds(held).await?.waiting;
    store.forget_lifted(held).await?;
    Ok(waiting)
}
