//! Day keys: `keys`, `CONNECTION#connection` / `DAY#date`. Deleting one shreds that day.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;

use super::expiries::DueAfter;
use super::schema::{self, Item};
use super::{Store, StoreError, classify, met, unless_refused};
use crate::domain::ids::{AccountId, ConnectionId};
use crate::domain::sealed::{PublicKey, WrappedPair};
use crate::domain::time::Day;

/// Keys of one page of due ones.
const PAGE: i32 = 500;

/// A wrapped private key, and whose it is.
#[derive(Debug, Clone)]
pub struct WrappedDayKey {
    /// The account it was made for: part of the encryption context.
    pub account: AccountId,
    /// The private half, as only KMS can read it.
    pub wrapped_key: Vec<u8>,
}

/// A day key whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueKey {
    /// The account it was made for.
    pub account: AccountId,
    /// The connection.
    pub connection: ConnectionId,
    /// The day that it opens.
    pub day: Day,
}

impl Store {
    /// A page of the day keys that are to be destroyed on a day, by the index of those days: what
    /// lives longer costs nothing. From the page that `after` came with, where there is one. A key
    /// that cannot be read holds up no other.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keys_due(
        &self,
        on: Day,
        after: Option<DueAfter>,
    ) -> Result<(Vec<Result<DueKey, StoreError>>, Option<DueAfter>), StoreError> {
        let index = (&self.tables.keys, schema::expiries::BY_SHRED_DATE);
        let (keys, next) = self.due_on(index, "shred_on = :day", on, (after, PAGE)).await?;
        Ok((keys.iter().map(due_key).collect(), next))
    }

    /// Destroys a day key, if its day has come by now: an upgrade may have put it off since it was
    /// read. True when it was destroyed.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.2
    pub async fn destroy_due_key(&self, key: &DueKey, today: Day) -> Result<bool, StoreError> {
        let destroyed = self
            .client
            .delete_item()
            .table_name(&self.tables.keys)
            .set_key(Some(day_key(&key.connection, key.day)))
            .condition_expression("shred_on <= :today")
            .expression_attribute_values(":today", schema::text(today.to_string()))
            .send()
            .await;
        met(destroyed.map_err(|error| classify(&error)))
    }

    /// The account whose connection it is, by its day keys; `None` when it has none (any more).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account_of_keys(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<AccountId>, StoreError> {
        self.any_key(connection, schema::ACCOUNT_ID).await?.as_ref().map(account_of).transpose()
    }

    /// Whether a connection has any day key, read consistently. A connection gets its keys with its
    /// first day and loses the last one when it is erased: what has none is erased, or has never
    /// taken a message in.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_day_keys(&self, connection: &ConnectionId) -> Result<bool, StoreError> {
        Ok(self.any_key(connection, schema::SK).await?.is_some())
    }

    /// One attribute of any of a connection's day keys: not every role may read another one.
    async fn any_key(
        &self,
        connection: &ConnectionId,
        attribute: &str,
    ) -> Result<Option<Item>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.keys)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .projection_expression(attribute)
            .expression_attribute_values(":pk", schema::text(schema::connection_pk(connection)))
            .limit(1)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        Ok(answer.items.unwrap_or_default().into_iter().next())
    }

    /// Puts off a day key whose day has come until tomorrow, unless it has another day by now.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.7
    pub async fn put_off_key(&self, key: &DueKey, today: Day) -> Result<(), StoreError> {
        let moved = self
            .client
            .update_item()
            .table_name(&self.tables.keys)
            .set_key(Some(day_key(&key.connection, key.day)))
            .update_expression("SET shred_on = :tomorrow, due_on = if_not_exists(due_on, shred_on)")
            .condition_expression("shred_on <= :today")
            .expression_attribute_values(":today", schema::text(today.to_string()))
            .expression_attribute_values(":tomorrow", schema::text(today.plus(1).to_string()))
            .send()
            .await;
        unless_refused(moved.map(|_| ()).map_err(|error| classify(&error)))
    }

    /// Has a day key destroyed on another day; does nothing where it is destroyed already, or was
    /// put off. One whose day has come is not given a later one: what it opens has expired.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.2, R6.5
    pub async fn retime_key(
        &self,
        connection: &ConnectionId,
        day: Day,
        shred_on: Day,
        today: Day,
    ) -> Result<(), StoreError> {
        let moved = self
            .client
            .update_item()
            .table_name(&self.tables.keys)
            .set_key(Some(day_key(connection, day)))
            .update_expression("SET shred_on = :day")
            .condition_expression(
                "shred_on > :today AND shred_on <> :day AND attribute_not_exists(due_on)",
            )
            .expression_attribute_values(":today", schema::text(today.to_string()))
            .expression_attribute_values(":day", schema::text(shred_on.to_string()))
            .send()
            .await;
        unless_refused(moved.map(|_| ()).map_err(|error| classify(&error)))
    }

    /// Stores a new day key, unless that day has one; returns the public key that counts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_day_key(
        &self,
        (account, connection): (&AccountId, &ConnectionId),
        (day, shred_on): (Day, Day),
        pair: WrappedPair,
    ) -> Result<PublicKey, StoreError> {
        let public_key = pair.public_key;
        let put = self
            .client
            .put_item()
            .table_name(&self.tables.keys)
            .set_item(Some(day_key(connection, day)))
            .item(schema::ACCOUNT_ID, schema::text(account.as_str()))
            .item(schema::PUBLIC_KEY, schema::binary(public_key.as_bytes()))
            .item(schema::WRAPPED_KEY, schema::binary(pair.wrapped_key))
            .item(schema::expiries::SHRED_ON, schema::text(shred_on.to_string()))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match put {
            Ok(_) => Ok(public_key),
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), PutItemError::ConditionalCheckFailedException(_)) =>
            {
                // A run beside this one made it first: its key is the day's.
                self.public_day_key(connection, day).await?.ok_or(StoreError::Conflict)
            }
            Err(error) => Err(classify(&error)),
        }
    }

    /// The public key of a day, read consistently; `None` when the day has none (any more).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn public_day_key(
        &self,
        connection: &ConnectionId,
        day: Day,
    ) -> Result<Option<PublicKey>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.tables.keys)
            .set_key(Some(day_key(connection, day)))
            .projection_expression(schema::PUBLIC_KEY)
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        answer
            .item
            .map(|item| {
                PublicKey::from_sec1(schema::get_bytes(&item, schema::PUBLIC_KEY)?)
                    .ok_or(StoreError::Corrupt(schema::PUBLIC_KEY))
            })
            .transpose()
    }

    /// The wrapped private key of a day, read consistently; `None` once the day is shredded.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn wrapped_day_key(
        &self,
        connection: &ConnectionId,
        day: Day,
    ) -> Result<Option<WrappedDayKey>, StoreError> {
        let item = self.item(&self.tables.keys, day_key(connection, day)).await?;
        item.map(|item| {
            Ok(WrappedDayKey {
                account: account_of(&item)?,
                wrapped_key: schema::get_bytes(&item, schema::WRAPPED_KEY)?.to_vec(),
            })
        })
        .transpose()
    }
}

fn day_key(connection: &ConnectionId, day: Day) -> Item {
    schema::key(schema::connection_pk(connection), schema::day_sk(day))
}

fn account_of(item: &Item) -> Result<AccountId, StoreError> {
    AccountId::parse(schema::get_text(item, schema::ACCOUNT_ID)?)
        .ok_or(StoreError::Corrupt(schema::ACCOUNT_ID))
}

fn due_key(item: &Item) -> Result<DueKey, StoreError> {
    Ok(DueKey {
        account: account_of(item)?,
        connection: schema::connection_of(schema::get_text(item, schema::PK)?)
            .ok_or(StoreError::Corrupt(schema::PK))?,
        day: schema::day_of(schema::get_text(item, schema::SK)?)
            .ok_or(StoreError::Corrupt(schema::SK))?,
    })
}
