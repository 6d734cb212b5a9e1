//! Records in the chain of each account what Meta had erased of its data (R1.3).

use std::time::Duration;

use jiff::Timestamp;
use numib::domain::audit::{Action, Actor, Event, SUBJECTS_MAX, Subject, erased_of_each};
use numib::domain::erasure::Target;
use numib::domain::ids::{AccountId, RequestId};
use numib::edge::telemetry::{Metrics, Unit};
use numib::seal::{SealError, random};
use numib::store::StoreError;
use numib::store::concurrent::all;

use crate::App;

/// Meta waits for the answer, and what was done is done.
const TIME: Duration = Duration::from_secs(2);
/// Accounts whose chains are written at once.
const AT_ONCE: usize = 16;

/// Why an event was not recorded.
#[derive(Debug, thiserror::Error)]
enum Unrecorded {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("it took longer than {TIME:?}")]
    Late(#[from] tokio::time::error::Elapsed),
}

/// Records an erasure with each account that it was of: under its code, where there is one and no
/// other account was in it. What is not recorded is in the log, and an alarm rings.
//= R1.3, R4.6
pub(crate) async fn record(
    app: &App,
    (action, code): (Action, Option<&RequestId>),
    targets: &[Target],
    now: Timestamp,
) {
    let accounts = erased_of_each(targets, code);
    let recorded = accounts.iter().map(async |(account, subjects)| {
        let appended = append(app, account, (action, subjects), now);
        tokio::time::timeout(TIME, appended).await.map_err(Unrecorded::from).flatten()
    });
    let mut failures = 0_u32;
    for recorded in all(recorded, AT_ONCE).await {
        if let Err(error) = recorded {
            failures = failures.saturating_add(1);
            tracing::error!(error = %error, "an audit event was not recorded");
        }
    }
    let mut metrics = Metrics::new(now);
    metrics.add("AuditFailures", Unit::Count, failures);
    metrics.emit();
}

async fn append(
    app: &App,
    account: &AccountId,
    (action, subjects): (Action, &[Subject]),
    at: Timestamp,
) -> Result<(), Unrecorded> {
    for subjects in subjects.chunks(SUBJECTS_MAX) {
        let id = random::event_id()?;
        let event = Event::from_outside(id, at, Actor::Meta, action, subjects);
        app.store.append_audit_event(account, event).await?;
    }
    Ok(())
}
