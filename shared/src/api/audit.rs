//! Records events in audit chains within the time that a caller waits (R1.3).

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::audit::{Action, Actor, Event, SUBJECTS_MAX, Subject};
use crate::domain::ids::AccountId;
use crate::edge::secrets::SecretsError;
use crate::seal::{SealError, random};
use crate::store::concurrent::all;
use crate::store::{Store, StoreError};

/// The caller waits for the answer, and what was done is done.
const TIME: Duration = Duration::from_secs(2);
/// Accounts whose chains are written at once.
const AT_ONCE: usize = 16;

/// Why an event was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum Unrecorded {
    /// The database did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no pepper for the pseudonyms in it.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// No id could be made for it.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The caller does not wait any longer.
    #[error("it took longer than {TIME:?}")]
    Late(#[from] tokio::time::error::Elapsed),
}

/// Records in the chains of accounts what one who is none of their members did to them, and returns
/// how many of the chains have it not. Each of those is in the log.
//= R1.3, R4.6
pub async fn tell_accounts(
    store: &Store,
    (actor, action): (&Actor, Action),
    accounts: &BTreeMap<&AccountId, Vec<Subject>>,
    at: Timestamp,
) -> usize {
    let told = accounts.iter().map(|(account, subjects)| {
        in_time(action, append(store, (actor, action), account, subjects, at))
    });
    all(told, AT_ONCE).await.into_iter().filter(|is_recorded| !is_recorded).count()
}

async fn append(
    store: &Store,
    (actor, action): (&Actor, Action),
    account: &AccountId,
    subjects: &[Subject],
    at: Timestamp,
) -> Result<(), Unrecorded> {
    for subjects in subjects.chunks(SUBJECTS_MAX) {
        let id = random::event_id()?;
        let event = Event::from_outside(id, at, actor.clone(), action, subjects);
        store.append_audit_event(account, event).await?;
    }
    Ok(())
}

/// Whether an event is recorded within the time there is; if not, the log says why.
pub async fn in_time(
    action: Action,
    recorded: impl Future<Output = Result<(), Unrecorded>>,
) -> bool {
    let recorded = tokio::time::timeout(TIME, recorded).await;
    let recorded = recorded.map_err(Unrecorded::from).flatten();
    if let Err(error) = &recorded {
        let action = action.as_str();
        tracing::error!(action, error = %error, "an audit event was not recorded");
    }
    recorded.is_ok()
}
