//! Which legal holds keep a target from being erased (R6.7).

use std::collections::BTreeSet;

use super::{ErasureError, TARGETS_AT_ONCE};
use crate::concurrent::try_all;
use crate::domain::erasure::Target;
use crate::domain::hold::Held;
use crate::store::{Store, StoreError};

/// The records whose holds cover a target. An account waits for what keeps any of its channels.
pub(super) async fn records(store: &Store, target: &Target) -> Result<Vec<Held>, StoreError> {
    let mut records = own_records(target);
    if let Target::Account { account } = target {
        for (_, connection) in store.account_channels(account).await? {
            records.extend([Held::Connection(connection.clone()), Held::Within(connection)]);
        }
    }
    Ok(records)
}

fn own_records(target: &Target) -> Vec<Held> {
    let account = Held::Account(target.account().clone());
    match target {
        Target::Account { .. } | Target::Member { .. } => vec![account],
        Target::Connection { account, connection, .. } => {
            Held::of_connection(account, connection).to_vec()
        }
        Target::Contact { conversation, .. } | Target::Message { conversation, .. } => {
            let connection = Held::Connection(conversation.connection.clone());
            vec![account, connection, Held::Contact(conversation.clone())]
        }
    }
}

/// Whether a hold keeps a target.
//= R6.7
pub async fn is_held(store: &Store, target: &Target) -> Result<bool, ErasureError> {
    Ok(!holds_on(store, target).await?.is_empty())
}

/// The records with a hold that cover a target.
pub(super) async fn holds_on(
    store: &Store,
    target: &Target,
) -> Result<BTreeSet<Held>, ErasureError> {
    let mut held = BTreeSet::new();
    for record in records(store, target).await? {
        if store.is_held(&record).await? {
            held.insert(record);
        }
    }
    Ok(held)
}

/// The records with a hold that cover any of these targets.
pub(super) async fn holds_on_any(
    store: &Store,
    targets: &[Target],
) -> Result<BTreeSet<Held>, ErasureError> {
    let each = targets.iter().map(|target| holds_on(store, target));
    Ok(try_all(each, TARGETS_AT_ONCE).await?.into_iter().flatten().collect())
}
