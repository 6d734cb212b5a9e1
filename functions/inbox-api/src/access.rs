//! Who may read what, decided on what the database says now.

use std::collections::{BTreeMap, BTreeSet};

use numib::api::who::Who;
use numib::domain::connection::Connection;
use numib::domain::ids::{AccountId, ConnectionId, ConversationId};
use numib::domain::role::Role;
use numib::edge::problem::Problem;
use numib::store::Store;
use numib::store::contacts::Contact;

/// Who reads messages: not staff, nor data-protection officers, and nobody while the account is
/// being deleted.
//= R4.3, R2.1, R6.1
pub(crate) const READERS: Who = Who::new(
    Role::READERS,
    "Only agents, admins and owners read messages. Please ask an owner for such a role.",
)
.of_active_account();

/// The account's active connections.
pub(crate) async fn connections(
    store: &Store,
    account: &AccountId,
) -> Result<BTreeMap<ConnectionId, Connection>, Problem> {
    let routes: BTreeSet<_> = store.account_connections(account).await?.into_iter().collect();
    let sight = store.look_again(&routes, &BTreeSet::new()).await?;
    let active = sight.connections.into_values().filter(|one| one.serves(account));
    Ok(active.map(|connection| (connection.id.clone(), connection)).collect())
}

/// The connection and contact of a conversation of this account.
///
/// # Errors
/// 404 when it is another account's, erased, or never was: the same for all of them.
pub(crate) async fn conversation(
    store: &Store,
    account: &AccountId,
    id: &ConversationId,
) -> Result<(Connection, Contact), Problem> {
    store.account_conversation(account, id).await?.ok_or(Problem::not_found())
}
