//! "Write, then look again": the consistent read after a write that tells whether an erasure or a
//! restriction came in between. Erasure marks first and reads after; so at least one side sees the
//! other, in any interleaving.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;

use super::batch::{Asked, GET_MAX};
use super::connections::{connection, connection_key};
use super::contacts::{Contact, contact, contact_id, contact_key};
use super::item::Item;
use super::schema::{self, Table};
use super::{Store, StoreError};
use crate::domain::connection::Connection;
use crate::domain::ids::{ConversationId, RouteId};

/// Connections and contacts as they are now.
#[derive(Debug, Default)]
pub struct Sight {
    /// The connections that exist at the routes asked for.
    pub connections: BTreeMap<RouteId, Connection>,
    /// The contacts that exist of the conversations asked for.
    pub contacts: BTreeMap<ConversationId, Contact>,
}

impl Store {
    /// Reads connections and contacts consistently, in batches.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn look_again(
        &self,
        routes: &BTreeSet<RouteId>,
        conversations: &BTreeSet<ConversationId>,
    ) -> Result<Sight, StoreError> {
        let mut keys: Vec<Item> = routes.iter().map(connection_key).collect();
        keys.extend(conversations.iter().map(contact_key));
        let batches = keys.chunks(GET_MAX).map(|keys| {
            let core = Asked { table: Table::Core, keys: keys.to_vec(), only: &[] };
            self.batch([core], true)
        });
        let mut sight = Sight::default();
        for item in try_join_all(batches).await?.into_iter().flatten().flatten() {
            if item.text(schema::PK)?.starts_with(schema::CONNECTION_PREFIX) {
                let connection = item.parsed(schema::PK, schema::connection_of)?;
                let conversation = ConversationId { connection, contact: contact_id(&item)? };
                sight.contacts.insert(conversation, contact(&item)?);
            } else {
                let connection = connection(&item)?;
                sight.connections.insert(connection.route.clone(), connection);
            }
        }
        Ok(sight)
    }

    /// Whether a contact has anything that no erasure covers, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_contact_known(&self, id: &ConversationId) -> Result<bool, StoreError> {
        let sight = self.look_again(&BTreeSet::new(), &BTreeSet::from([id.clone()])).await?;
        Ok(sight.contacts.get(id).is_some_and(|contact| contact.is_known))
    }
}
