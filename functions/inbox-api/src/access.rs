//! Who may read what, decided on what the database says now.

use std::collections::{BTreeMap, BTreeSet};

use numib::domain::account::AccountState;
use numib::domain::connection::Connection;
use numib::domain::ids::{AccountId, ConnectionId, ConversationId};
use numib::edge::auth::Caller;
use numib::edge::problem::Problem;
use numib::store::Store;
use numib::store::contacts::Contact;

const NO_READER: Problem =
    Problem::forbidden("Reading messages takes the role agent, admin or owner of an account.");

const NOT_ACTIVE: Problem = Problem::forbidden("The account is being deleted.");

/// The account whose messages the caller may read.
///
/// Both must agree: the membership in the database, which a removal changes at once, and the groups
/// the token was issued with.
///
/// # Errors
/// 403 for anyone else: staff, data-protection officers, people without an account, or with one
/// that is being deleted.
//= R4.3, R2.1, R6.1
pub(crate) async fn reader(store: &Store, caller: &Caller) -> Result<AccountId, Problem> {
    let member = store.member(&caller.member).await?.ok_or(NO_READER)?;
    if !member.role.reads_messages() || !caller.groups.contains(&member.role) {
        return Err(NO_READER);
    }
    let account = store.account(&member.account).await?;
    let active = account.filter(|account| account.state == AccountState::Active);
    active.map(|account| account.id).ok_or(NOT_ACTIVE)
}

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
