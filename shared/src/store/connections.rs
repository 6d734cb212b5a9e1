//! Connections: `core`, `ROUTE#route` / `CONNECTION`, with the index key beside them in `keys`.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::accounts::plan;
use super::expression::{Changes, Condition};
use super::item::{Item, binary, day, milliseconds, number, seconds, text};
use super::read::{Get, Query};
use super::requests::{counts, counts_map};
use super::schema::{self, Table};
use super::write::Write;
use super::{Store, StoreError};
use crate::domain::connection::{Connection, ConnectionState};
use crate::domain::erasure::Counts;
use crate::domain::ids::{AccountId, Channel, ConnectionId, PersonId, RequestId, RouteId};
use crate::domain::sealed::PublicKey;
use crate::domain::time::Day;

/// Partitions of the provisioning index: enough that no one of them is hot.
pub const PROVISION_SHARDS: u8 = 16;
/// A date before every key: a connection that has none yet is due at once.
const NO_KEYS_YET: &str = "0000-01-01";

/// Where a page of due connections ended.
#[derive(Debug)]
pub struct DueAfter(Item);

impl Store {
    /// The connection at this route; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn connection(
        &self,
        route: &RouteId,
        consistent: bool,
    ) -> Result<Option<Connection>, StoreError> {
        let get = Get::of(Table::Core, connection_key(route)).consistently(consistent);
        self.get(get).await?.map(|item| connection(&item)).transpose()
    }

    /// Connects a channel: the connection, its index key, and its place in the account, or nothing.
    /// It has no day keys yet; provisioning finds it at once.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when an active connection already has this route, or the account is
    /// not active: one that is being deleted gets no new data.
    pub async fn create_connection(
        &self,
        connection: &Connection,
        index_key: &[u8],
    ) -> Result<(), StoreError> {
        let item = item(connection).with(schema::KEYS_UNTIL, text(NO_KEYS_YET));
        let is_free = schema::STATE.is(text(ConnectionState::Erased.as_str()));
        let is_free = schema::PK.is_absent().or(is_free);
        let id = text(connection.id.as_str());
        let index = schema::key(schema::route_pk(&connection.route), schema::INDEX)
            .with(schema::CONNECTION_ID, id)
            .with(schema::INDEX_KEY, binary(index_key));
        let (account, id) = (&connection.account, &connection.id);
        let place = schema::key(schema::account_pk(account), schema::connection_pk(id))
            .with(schema::ROUTE_ID, text(connection.route.as_str()));
        self.transaction()
            .with(Write::put(Table::Core, item).only_if(is_free))
            .with(Write::put(Table::Keys, index))
            .with(Write::put(Table::Core, place))
            .require_active(account)
            .run()
            .await
    }

    /// The routes of connections in this shard whose keys end before `until`, the shortest first:
    /// a page of at most `limit`, after the one that `after` came with.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn routes_due(
        &self,
        shard: u8,
        until: Day,
        limit: i32,
        after: Option<DueAfter>,
    ) -> Result<(Vec<RouteId>, Option<DueAfter>), StoreError> {
        let due = Query::index(&schema::PROVISIONING, shard.to_string())
            .within(schema::KEYS_UNTIL.is_below(day(until)))
            .from(after.map(|after| after.0))
            .limit(limit);
        let page = self.page(due).await?;
        let route = |item: &Item| item.parsed(schema::PK, schema::route_of);
        let routes: Result<_, _> = page.items.iter().map(route).collect();
        Ok((routes?, page.next.map(DueAfter)))
    }

    /// The earliest last day any connection of this shard has a key for; `None` when it has no
    /// connection. A connection without keys counts as long ago.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn shortest_keys(&self, shard: u8) -> Result<Option<Day>, StoreError> {
        let shortest = Query::index(&schema::PROVISIONING, shard.to_string()).limit(1);
        let page = self.page(shortest).await?;
        page.items.first().map(|item| item.day(schema::KEYS_UNTIL)).transpose()
    }

    /// Publishes the day keys that intake seals to, as long as the connection is the same and
    /// active.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it was erased or replaced in the meantime.
    pub async fn publish_day_keys(
        &self,
        connection: &Connection,
        day_keys: &BTreeMap<Day, PublicKey>,
        until: Day,
    ) -> Result<(), StoreError> {
        let publish = Changes::new()
            .set(schema::DAY_KEYS, day_key_map(day_keys))
            .set(schema::KEYS_UNTIL, day(until));
        let publish = Write::update(Table::Core, connection_key(&connection.route), publish);
        self.write(publish.only_if(is_active(&connection.id))).await
    }

    /// Marks a connection erased, and takes its sealing keys away: nothing that arrives for it from
    /// then on is kept (R8.3). Its route is free for a new connection; does nothing when another
    /// has it by now. The mark lives until `kept_until`.
    ///
    /// The first mark stays, with the request that set it and how many keys there were. Returns
    /// these counts to that request, however often it asks, and none to any other: so keys are
    /// counted once, whoever destroys them and whoever dies meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R8.3
    pub async fn mark_connection_erased(
        &self,
        route: &RouteId,
        id: &ConnectionId,
        (by, keys): (&RequestId, Counts),
        kept_until: Timestamp,
    ) -> Result<Counts, StoreError> {
        let mark = Changes::new()
            .set(schema::STATE, text(ConnectionState::Erased.as_str()))
            .set(schema::DAY_KEYS, day_key_map(&BTreeMap::new()))
            .set(schema::EXPIRES_AT, seconds(kept_until))
            .set(schema::REQUEST_ID, text(by.as_str()))
            .set(schema::COUNTS, counts_map(&keys))
            .remove(schema::KEYS_UNTIL)
            .remove(schema::PERSON_ID);
        let mark = Write::update(Table::Core, connection_key(route), mark);
        if self.write_if_met(mark.only_if(is_active(id))).await? {
            return Ok(keys);
        }
        // It is marked already; or another connection has the route by now.
        let Some(item) = self.item(Table::Core, connection_key(route)).await? else {
            return Ok(Counts::new());
        };
        let is_own = connection_id(&item)? == *id
            && item.optional_text(schema::REQUEST_ID)? == Some(by.as_str());
        if is_own { counts(&item) } else { Ok(Counts::new()) }
    }
}

/// That it is this connection that has the route, and it is not erased.
fn is_active(id: &ConnectionId) -> Condition {
    let is_active = schema::STATE.is(text(ConnectionState::Active.as_str()));
    schema::CONNECTION_ID.is(text(id.as_str())).and(is_active)
}

pub(super) fn connection_key(route: &RouteId) -> Item {
    schema::key(schema::route_pk(route), schema::CONNECTION)
}

fn item(connection: &Connection) -> Item {
    let person = connection.authorized_by.as_ref().map(|person| text(person.as_str()));
    connection_key(&connection.route)
        .with(schema::ACCOUNT_ID, text(connection.account.as_str()))
        .with(schema::CONNECTION_ID, text(connection.id.as_str()))
        .with(schema::CHANNEL, text(connection.channel.as_str()))
        .with(schema::PLAN_DAYS, number(connection.plan.days()))
        .with(schema::STATE, text(connection.state.as_str()))
        .with(schema::CONNECTED_AT, milliseconds(connection.connected_at))
        .with(schema::DAY_KEYS, day_key_map(&connection.day_keys))
        .with(schema::PROVISION_SHARD, text(shard(&connection.id).to_string()))
        .with_some(schema::PERSON_ID, person)
}

/// The shard of a connection: any even spread of its random id will do.
fn shard(connection: &ConnectionId) -> u8 {
    let sum = connection.as_str().bytes().fold(0_u8, u8::wrapping_add);
    sum % PROVISION_SHARDS
}

fn day_key_map(day_keys: &BTreeMap<Day, PublicKey>) -> AttributeValue {
    let entries =
        day_keys.iter().map(|(day, key)| (day.to_string(), binary(key.as_bytes()))).collect();
    AttributeValue::M(entries)
}

pub(super) fn connection(item: &Item) -> Result<Connection, StoreError> {
    Ok(Connection {
        route: item.parsed(schema::PK, schema::route_of)?,
        id: connection_id(item)?,
        account: item.parsed(schema::ACCOUNT_ID, AccountId::parse)?,
        channel: item.parsed(schema::CHANNEL, Channel::parse)?,
        plan: plan(item)?,
        authorized_by: item.optional_parsed(schema::PERSON_ID, PersonId::parse)?,
        state: item.parsed(schema::STATE, ConnectionState::parse)?,
        connected_at: item.time(schema::CONNECTED_AT)?,
        day_keys: day_keys(item)?,
    })
}

fn day_keys(item: &Item) -> Result<BTreeMap<Day, PublicKey>, StoreError> {
    let entries = item.map(schema::DAY_KEYS)?.iter().map(|(day, key)| {
        let key = PublicKey::from_sec1(key.as_b().ok()?.as_ref())?;
        Some((Day::parse(day)?, key))
    });
    entries.collect::<Option<_>>().ok_or_else(|| item.corrupt(schema::DAY_KEYS))
}

pub(super) fn connection_id(item: &Item) -> Result<ConnectionId, StoreError> {
    item.parsed(schema::CONNECTION_ID, ConnectionId::parse)
}
