//! "Write, then look again": the consistent read after a write that tells whether an erasure or a
//! restriction came in between. Erasure marks first and reads after; so at least one side sees the
//! other, in any interleaving.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::KeysAndAttributes;
use futures_util::future::try_join_all;

use super::connections::{connection, connection_key};
use super::contacts::{Contact, contact, contact_id, contact_key};
use super::schema::{self, Item};
use super::{Store, StoreError, classify};
use crate::domain::connection::Connection;
use crate::domain::ids::{ConnectionId, ConversationId, RouteId};

/// `BatchGetItem`'s own limit.
const BATCH_MAX: usize = 100;
/// Rounds for keys that DynamoDB left unprocessed, before it counts as throttling.
const ROUNDS_MAX: usize = 4;

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
        let batches = keys.chunks(BATCH_MAX).map(|batch| self.batch(batch.to_vec()));
        let mut sight = Sight::default();
        for item in try_join_all(batches).await?.into_iter().flatten() {
            let pk = schema::get_text(&item, schema::PK)?;
            if let Some(id) = pk.strip_prefix(schema::CONNECTION_PREFIX) {
                let id = ConnectionId::parse(id).ok_or(StoreError::Corrupt(schema::PK))?;
                let conversation = ConversationId { connection: id, contact: contact_id(&item)? };
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

    async fn batch(&self, mut keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::with_capacity(keys.len());
        for _ in 0..ROUNDS_MAX {
            if keys.is_empty() {
                return Ok(items);
            }
            let request = KeysAndAttributes::builder()
                .set_keys(Some(std::mem::take(&mut keys)))
                .consistent_read(true)
                .build()
                .map_err(|_| StoreError::Refused("batch".to_owned()))?;
            let answer = self
                .client
                .batch_get_item()
                .request_items(&self.tables.core, request)
                .send()
                .await
                .map_err(|error| classify(&error))?;
            let found = answer.responses.and_then(|mut all| all.remove(&self.tables.core));
            items.extend(found.unwrap_or_default());
            let left = answer.unprocessed_keys.and_then(|mut all| all.remove(&self.tables.core));
            keys = left.map(|left| left.keys).unwrap_or_default();
        }
        if keys.is_empty() { Ok(items) } else { Err(StoreError::Throttled) }
    }
}
