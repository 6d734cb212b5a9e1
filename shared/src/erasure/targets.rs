//! Finds the targets of a request that names a Meta id or an account.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::ErasureError;
use crate::domain::callback::{connected_by_then, erased_until};
use crate::domain::connection::{Connection, ConnectionState};
use crate::domain::erasure::Target;
use crate::domain::ids::{AccountId, Channel, ConversationId, MetaId, RouteId};
use crate::seal::pseudonym::Pepper;
use crate::store::Store;

/// All targets of a person: the conversations with them, and the channels that they connected or
/// that are theirs. What began after the request was issued does not count.
pub async fn of_person(
    store: &Store,
    pepper: &Pepper,
    id: &MetaId,
    issued_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Vec<Target>, ErasureError> {
    let held = store.person(&pepper.person(id)).await?;
    let until = erased_until(issued_at, now);
    // The index may be a moment old. A person who was erased and has not written since has no
    // contact any more.
    let conversations = held.contacts.iter().map(|(_, conversation)| conversation.clone());
    let sight = store.look_again(&BTreeSet::new(), &conversations.collect()).await?;
    let is_known = |conversation: &ConversationId| {
        sight.contacts.get(conversation).is_some_and(|one| one.is_known)
    };
    let known = held.contacts.into_iter().filter(|(_, conversation)| is_known(conversation));
    let contact = |(account, conversation)| Target::Contact { account, conversation, until };
    let mut targets: Vec<Target> = known.map(contact).collect();
    targets.extend(channels(store, held.connections, connected_by_then(issued_at, now)).await?);
    targets.extend(of_channel(store, pepper, id, issued_at, now).await?);
    targets.sort();
    targets.dedup();
    Ok(targets)
}

/// The channels that a person connected, found by the id of their login at Meta.
pub async fn connected_by(
    store: &Store,
    pepper: &Pepper,
    id: &MetaId,
    issued_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Vec<Target>, ErasureError> {
    let held = store.person(&pepper.person(id)).await?;
    channels(store, held.connections, connected_by_then(issued_at, now)).await
}

/// The channel that is this Page or Instagram account.
pub async fn of_channel(
    store: &Store,
    pepper: &Pepper,
    id: &MetaId,
    issued_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Vec<Target>, ErasureError> {
    let routes = Channel::ALL.iter().map(|channel| pepper.route(*channel, id)).collect();
    channels(store, routes, connected_by_then(issued_at, now)).await
}

/// The channels that an account still has, in any state.
pub async fn of_account(store: &Store, account: &AccountId) -> Result<Vec<Target>, ErasureError> {
    let channel = |(route, connection)| {
        let account = account.clone();
        Target::Connection { account, route, connection }
    };
    Ok(store.account_channels(account).await?.into_iter().map(channel).collect())
}

/// The active connections at these routes that were connected by a moment. Our own unsubscribing
/// makes Meta send a callback, and callbacks may come again. Neither may take a channel that was
/// connected anew.
async fn channels(
    store: &Store,
    routes: Vec<RouteId>,
    by: Timestamp,
) -> Result<Vec<Target>, ErasureError> {
    let mut targets = Vec::new();
    for route in routes {
        let found = store.connection(&route, true).await?;
        let is_meant =
            |one: &Connection| one.state == ConnectionState::Active && one.connected_at <= by;
        if let Some(Connection { account, id, .. }) = found.filter(is_meant) {
            targets.push(Target::Connection { account, route, connection: id });
        }
    }
    Ok(targets)
}
