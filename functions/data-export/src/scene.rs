//! What a run knows: its account, and the time.

use std::collections::BTreeSet;
use std::sync::Arc;

use numib::domain::account::{Account, AccountState};
use numib::domain::connection::Connection;
use numib::domain::export::Export;
use numib::edge::clock::Clock;
use numib::store::{Store, StoreError};

/// What a run knows: its account, and the time.
pub(crate) struct Scene {
    pub(crate) account: Account,
    pub(crate) connections: Vec<Arc<Connection>>,
    pub(crate) clock: Clock,
}

/// The account, while it serves, with the channels that it had when it asked.
pub(crate) async fn scene(
    store: &Store,
    export: &Export,
    clock: Clock,
) -> Result<Option<Scene>, StoreError> {
    let Some(account) = active(store, export).await? else { return Ok(None) };
    let routes = store.account_connections(&export.account).await?.into_iter().collect();
    let sight = store.look_again(&routes, &BTreeSet::new()).await?;
    let serves =
        |one: &Connection| one.serves(&export.account) && one.connected_at <= export.asked_at;
    let connections = sight.connections.into_values().filter(serves);
    let mut connections: Vec<_> = connections.map(Arc::new).collect();
    connections.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(Some(Scene { account, connections, clock }))
}

/// The export's account, while it serves.
pub(crate) async fn active(store: &Store, export: &Export) -> Result<Option<Account>, StoreError> {
    let account = store.account(&export.account).await?;
    Ok(account.filter(|account| account.state == AccountState::Active))
}
