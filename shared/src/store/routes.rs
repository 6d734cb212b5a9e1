//! Whose webhooks are whose: the connections at the routes that a body names, read in batches.
//!
//! A body can name a thousand accounts that are not connected, and comes again until it is
//! acknowledged: what it costs to find that out must be little.

use std::collections::{BTreeMap, BTreeSet};

use super::batch::{Asked, GET_MAX};
use super::connections::{connection, connection_id, connection_key};
use super::item::Item;
use super::schema::{self, Table};
use super::{Store, StoreError};
use crate::concurrent::all;
use crate::domain::connection::{Connection, ConnectionState};
use crate::domain::ids::{ConnectionId, RouteId};

/// Routes that one request asks for: each is an item of two tables.
const ROUTES_MAX: usize = GET_MAX / 2;
/// Requests under way at once.
const CONCURRENCY: usize = 16;

/// Whose the webhooks of a route are.
#[derive(Debug)]
pub enum RouteOwner {
    /// This connection's, whose contacts and messages are named with this key.
    Active(Box<Connection>, IndexKeyBytes),
    /// Those of a connection that is erased.
    Erased,
    /// No connection's.
    Nobody,
}

/// Bytes of an index key, as stored. `seal` gives them a meaning.
pub type IndexKeyBytes = zeroize::Zeroizing<Vec<u8>>;

/// The owner of each route asked for. One that cannot be told does not hold up the others.
pub type RouteOwners = BTreeMap<RouteId, Result<RouteOwner, StoreError>>;

impl Store {
    /// The active connections that webhooks for these routes belong to, with their index keys.
    ///
    /// One round trip, whose answer may be a moment old: writers look again. That there is no
    /// active connection is only believed of a consistent read, since what arrives for it is then
    /// dropped for good. Nothing of it is remembered: a connection may be made at any moment.
    ///
    /// The errors are [`StoreError`]s; `Conflict` while a connection is being replaced.
    //= R8.1
    pub async fn routes(&self, routes: &BTreeSet<RouteId>) -> RouteOwners {
        let mut owners = self.read_routes(routes.iter(), false).await;
        let doubtful = |owner: &Result<RouteOwner, StoreError>| {
            let absent = matches!(owner, Ok(RouteOwner::Erased | RouteOwner::Nobody));
            absent || matches!(owner, Err(StoreError::Conflict))
        };
        let in_doubt = owners.iter().filter(|(_, owner)| doubtful(owner));
        let in_doubt: Vec<RouteId> = in_doubt.map(|(route, _)| route.clone()).collect();
        owners.extend(self.read_routes(in_doubt.iter(), true).await);
        owners
    }

    /// The owner of one route, as [`Self::routes`].
    ///
    /// # Errors
    /// [`StoreError`]; `Conflict` while the connection is being replaced.
    pub async fn route(&self, route: &RouteId) -> Result<RouteOwner, StoreError> {
        let mut owners = self.routes(&BTreeSet::from([route.clone()])).await;
        owners.remove(route).unwrap_or(Ok(RouteOwner::Nobody))
    }

    async fn read_routes(
        &self,
        routes: impl Iterator<Item = &RouteId>,
        consistent: bool,
    ) -> RouteOwners {
        let routes: Vec<&RouteId> = routes.collect();
        let batches = routes.chunks(ROUTES_MAX).map(async |batch| {
            let read = self.read_batch(batch, consistent).await;
            let owners = batch.iter().map(|route| ((*route).clone(), Ok(RouteOwner::Nobody)));
            match read {
                Ok(known) => owners.chain(known).collect(),
                Err(error) => owners.map(|(route, _)| (route, Err(error.clone()))).collect(),
            }
        });
        let batches: Vec<RouteOwners> = all(batches, CONCURRENCY).await;
        batches.into_iter().flatten().collect()
    }

    /// The owners of the routes where a connection is.
    async fn read_batch(
        &self,
        routes: &[&RouteId],
        consistent: bool,
    ) -> Result<RouteOwners, StoreError> {
        let index_key = |route: &&RouteId| schema::key(schema::route_pk(route), schema::INDEX);
        let asked = [
            Asked {
                table: Table::Core,
                keys: routes.iter().map(|route| connection_key(route)).collect(),
                only: &[],
            },
            Asked {
                table: Table::Keys,
                keys: routes.iter().map(index_key).collect(),
                only: &[schema::CONNECTION_ID, schema::INDEX_KEY],
            },
        ];
        let [connections, index_keys] = self.batch(asked, consistent).await?;
        // An index key names its connection, which is all that tells it from the others.
        let mut index_keys: BTreeMap<ConnectionId, Item> = index_keys
            .into_iter()
            .filter_map(|item| Some((connection_id(&item).ok()?, item)))
            .collect();
        connections
            .iter()
            .map(|item| {
                let route = item.parsed(schema::PK, schema::route_of)?;
                Ok((route, owner(item, &mut index_keys)))
            })
            .collect()
    }
}

fn owner(
    item: &Item,
    index_keys: &mut BTreeMap<ConnectionId, Item>,
) -> Result<RouteOwner, StoreError> {
    let connection = connection(item)?;
    match connection.state {
        ConnectionState::Erased => Ok(RouteOwner::Erased),
        ConnectionState::Active => {
            let index = index_keys.remove(&connection.id).ok_or(StoreError::Conflict)?;
            let key = index.bytes(schema::INDEX_KEY)?.to_vec();
            Ok(RouteOwner::Active(Box::new(connection), IndexKeyBytes::new(key)))
        }
    }
}
