//! Which legal holds keep a target from being erased (R6.7).

use std::collections::{BTreeMap, BTreeSet};

use super::{ErasureError, TARGETS_AT_ONCE};
use crate::concurrent::try_all;
use crate::domain::erasure::Target;
use crate::domain::hold::Held;
use crate::store::{Store, StoreError};

/// The records whose holds keep a target. A hold on a channel keeps its account, too.
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

/// The records that keep a target, since a hold is on them.
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

/// These targets, by the records that keep them. Those that no hold keeps are under no record.
//= R6.7
pub(super) async fn group_by_holds(
    store: &Store,
    targets: &[Target],
) -> Result<BTreeMap<BTreeSet<Held>, Vec<Target>>, ErasureError> {
    let each = targets.iter().map(|target| holds_on(store, target));
    let each = try_all(each, TARGETS_AT_ONCE).await?;
    let mut groups: BTreeMap<_, Vec<Target>> = BTreeMap::new();
    for (target, holds) in targets.iter().zip(each) {
        groups.entry(holds).or_default().push(target.clone());
    }
    Ok(groups)
}

/// The subject of what these records keep of a request.
pub(super) fn subject_of_held(subject: &str, holds: &BTreeSet<Held>) -> String {
    let holds: Vec<String> = holds.iter().map(ToString::to_string).collect();
    format!("{subject} held {}", holds.join(" "))
}

/// The records that keep any of these targets.
pub(super) async fn holds_on_any(
    store: &Store,
    targets: &[Target],
) -> Result<BTreeSet<Held>, ErasureError> {
    let each = targets.iter().map(|target| holds_on(store, target));
    Ok(try_all(each, TARGETS_AT_ONCE).await?.into_iter().flatten().collect())
}
