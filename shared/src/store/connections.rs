//! Connections: `core`, `ROUTE#route` / `CONNECTION`, with the index key beside them in `keys`.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Put, TransactWriteItem};
use jiff::Timestamp;

use super::accounts::account_key;
use super::requests::{counts, counts_map};
use super::schema::{self, Item};
use super::{Store, StoreError, classify};
use crate::domain::account::AccountState;
use crate::domain::connection::{Connection, ConnectionState};
use crate::domain::erasure::Counts;
use crate::domain::ids::{AccountId, Channel, ConnectionId, PersonId, RequestId, RouteId};
use crate::domain::plan::Plan;
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
        self.client
            .get_item()
            .table_name(&self.tables.core)
            .set_key(Some(connection_key(route)))
            .consistent_read(consistent)
            .send()
            .await
            .map_err(|error| classify(&error))?
            .item
            .map(|item| connection(&item))
            .transpose()
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
        let route = schema::route_pk(&connection.route);
        let mut item = connection_key(&connection.route);
        item.extend(attributes(connection));
        let person = connection.authorized_by.as_ref().map(|person| schema::text(person.as_str()));
        item.extend(person.map(|person| (schema::PERSON_ID.to_owned(), person)));
        item.insert(schema::KEYS_UNTIL.to_owned(), schema::text(NO_KEYS_YET));
        let mut index = schema::key(route, schema::INDEX.to_owned());
        let id = schema::text(connection.id.as_str());
        index.insert(schema::CONNECTION_ID.to_owned(), id);
        index.insert(schema::INDEX_KEY.to_owned(), schema::binary(index_key));
        let mut place = schema::key(
            schema::account_pk(&connection.account),
            schema::connection_pk(&connection.id),
        );
        let route_id = schema::text(connection.route.as_str());
        place.insert(schema::ROUTE_ID.to_owned(), route_id);

        let claim = Put::builder()
            .table_name(&self.tables.core)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR #state = :erased")
            .expression_attribute_names("#state", schema::STATE)
            .expression_attribute_values(":erased", schema::text(ConnectionState::Erased.as_str()))
            .build()
            .map_err(|_| StoreError::Refused("put".to_owned()))?;
        let active = ConditionCheck::builder()
            .table_name(&self.tables.core)
            .set_key(Some(account_key(&connection.account)))
            .condition_expression("#state = :active")
            .expression_attribute_names("#state", schema::STATE)
            .expression_attribute_values(":active", schema::text(AccountState::Active.as_str()))
            .build()
            .map_err(|_| StoreError::Refused("check".to_owned()))?;
        self.client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(claim).build())
            .transact_items(
                TransactWriteItem::builder().put(put(&self.tables.keys, index)?).build(),
            )
            .transact_items(
                TransactWriteItem::builder().put(put(&self.tables.core, place)?).build(),
            )
            .transact_items(TransactWriteItem::builder().condition_check(active).build())
            .send()
            .await
            .map(|_| ())
            .map_err(|error| classify(&error))
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
        let answer = self
            .client
            .query()
            .table_name(&self.tables.core)
            .index_name(schema::PROVISIONING)
            .key_condition_expression("provision_shard = :shard AND keys_until < :until")
            .expression_attribute_values(":shard", schema::text(shard.to_string()))
            .expression_attribute_values(":until", schema::text(until.to_string()))
            .limit(limit)
            .set_exclusive_start_key(after.map(|after| after.0))
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let routes: Result<_, StoreError> = answer
            .items
            .unwrap_or_default()
            .iter()
            .map(|item| {
                schema::route_of(schema::get_text(item, schema::PK)?)
                    .ok_or(StoreError::Corrupt(schema::PK))
            })
            .collect();
        Ok((routes?, answer.last_evaluated_key.map(DueAfter)))
    }

    /// The earliest last day any connection of this shard has a key for; `None` when it has no
    /// connection. A connection without keys counts as long ago.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn shortest_keys(&self, shard: u8) -> Result<Option<Day>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.core)
            .index_name(schema::PROVISIONING)
            .key_condition_expression("provision_shard = :shard")
            .expression_attribute_values(":shard", schema::text(shard.to_string()))
            .limit(1)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let items = answer.items.unwrap_or_default();
        items.first().map(|item| schema::get_day(item, schema::KEYS_UNTIL)).transpose()
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
        self.client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(connection_key(&connection.route)))
            .update_expression("SET day_keys = :keys, keys_until = :until")
            .condition_expression("connection_id = :id AND #state = :active")
            .expression_attribute_names("#state", schema::STATE)
            .expression_attribute_values(":keys", day_key_map(day_keys))
            .expression_attribute_values(":until", schema::text(until.to_string()))
            .expression_attribute_values(":id", schema::text(connection.id.as_str()))
            .expression_attribute_values(":active", schema::text(ConnectionState::Active.as_str()))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| classify(&error))
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
        let marked = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(connection_key(route)))
            .update_expression(
                "SET #state = :erased, day_keys = :none, expires_at = :kept, request_id = :by, \
                 counts = :counts REMOVE keys_until, person_id",
            )
            .expression_attribute_values(":kept", schema::seconds(kept_until))
            .condition_expression("connection_id = :id AND #state = :active")
            .expression_attribute_names("#state", schema::STATE)
            .expression_attribute_values(":erased", schema::text(ConnectionState::Erased.as_str()))
            .expression_attribute_values(":active", schema::text(ConnectionState::Active.as_str()))
            .expression_attribute_values(":none", day_key_map(&BTreeMap::new()))
            .expression_attribute_values(":id", schema::text(id.as_str()))
            .expression_attribute_values(":by", schema::text(by.as_str()))
            .expression_attribute_values(":counts", counts_map(&keys))
            .send()
            .await;
        match marked.map_err(|error| classify(&error)) {
            Ok(_) => return Ok(keys),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
        // It is marked already; or another connection has the route by now.
        let Some(item) = self.item(&self.tables.core, connection_key(route)).await? else {
            return Ok(Counts::new());
        };
        let is_own = connection_id(&item)? == *id
            && schema::get_optional(&item, schema::REQUEST_ID)? == Some(by.as_str());
        if is_own { counts(&item) } else { Ok(Counts::new()) }
    }
}

pub(super) fn put(table: &str, item: Item) -> Result<Put, StoreError> {
    Put::builder()
        .table_name(table)
        .set_item(Some(item))
        .build()
        .map_err(|_| StoreError::Refused("put".to_owned()))
}

pub(super) fn connection_key(route: &RouteId) -> Item {
    schema::key(schema::route_pk(route), schema::CONNECTION.to_owned())
}

fn attributes(connection: &Connection) -> Item {
    Item::from([
        (schema::ACCOUNT_ID.to_owned(), schema::text(connection.account.as_str())),
        (schema::CONNECTION_ID.to_owned(), schema::text(connection.id.as_str())),
        (schema::CHANNEL.to_owned(), schema::text(connection.channel.as_str())),
        (schema::PLAN_DAYS.to_owned(), schema::number(connection.plan.days())),
        (schema::STATE.to_owned(), schema::text(connection.state.as_str())),
        (schema::CONNECTED_AT.to_owned(), schema::milliseconds(connection.connected_at)),
        (schema::DAY_KEYS.to_owned(), day_key_map(&connection.day_keys)),
        (schema::PROVISION_SHARD.to_owned(), schema::text(shard(&connection.id).to_string())),
    ])
}

/// The shard of a connection: any even spread of its random id will do.
fn shard(connection: &ConnectionId) -> u8 {
    let sum = connection.as_str().bytes().fold(0_u8, u8::wrapping_add);
    sum % PROVISION_SHARDS
}

fn day_key_map(day_keys: &BTreeMap<Day, PublicKey>) -> AttributeValue {
    let entries = day_keys
        .iter()
        .map(|(day, key)| (day.to_string(), schema::binary(key.as_bytes())))
        .collect();
    AttributeValue::M(entries)
}

pub(super) fn connection(item: &Item) -> Result<Connection, StoreError> {
    let plan_days = schema::get_number(item, schema::PLAN_DAYS)?;
    Ok(Connection {
        route: schema::route_of(schema::get_text(item, schema::PK)?)
            .ok_or(StoreError::Corrupt(schema::PK))?,
        id: connection_id(item)?,
        account: AccountId::parse(schema::get_text(item, schema::ACCOUNT_ID)?)
            .ok_or(StoreError::Corrupt(schema::ACCOUNT_ID))?,
        channel: Channel::parse(schema::get_text(item, schema::CHANNEL)?)
            .ok_or(StoreError::Corrupt(schema::CHANNEL))?,
        plan: plan_days.and_then(Plan::from_days).ok_or(StoreError::Corrupt(schema::PLAN_DAYS))?,
        authorized_by: schema::get_optional(item, schema::PERSON_ID)?
            .map(|id| PersonId::parse(id).ok_or(StoreError::Corrupt(schema::PERSON_ID)))
            .transpose()?,
        state: ConnectionState::parse(schema::get_text(item, schema::STATE)?)
            .ok_or(StoreError::Corrupt(schema::STATE))?,
        connected_at: schema::get_milliseconds(item, schema::CONNECTED_AT)?
            .ok_or(StoreError::Corrupt(schema::CONNECTED_AT))?,
        day_keys: day_keys(item)?,
    })
}

fn day_keys(item: &Item) -> Result<BTreeMap<Day, PublicKey>, StoreError> {
    let corrupt = StoreError::Corrupt(schema::DAY_KEYS);
    let Some(AttributeValue::M(entries)) = item.get(schema::DAY_KEYS) else { return Err(corrupt) };
    entries
        .iter()
        .map(|(day, key)| match (Day::parse(day), key) {
            (Some(day), AttributeValue::B(key)) => Some((day, PublicKey::from_sec1(key.as_ref())?)),
            _ => None,
        })
        .collect::<Option<_>>()
        .ok_or(corrupt)
}

pub(super) fn connection_id(item: &Item) -> Result<ConnectionId, StoreError> {
    ConnectionId::parse(schema::get_text(item, schema::CONNECTION_ID)?)
        .ok_or(StoreError::Corrupt(schema::CONNECTION_ID))
}
