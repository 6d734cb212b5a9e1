//! Day keys: `keys`, `CONNECTION#connection` / `DAY#date`. Deleting one shreds that day.

use super::expiries::DueAfter;
use super::expression::Changes;
use super::item::{Item, binary, text};
use super::read::{Get, Query};
use super::schema::{self, Attribute, Table};
use super::write::Write;
use super::{Store, StoreError, item};
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
        let page = self.due_on(&schema::BY_SHRED_DATE, on, after, PAGE).await?;
        Ok((page.items.iter().map(due_key).collect(), page.next.map(DueAfter)))
    }

    /// Destroys a day key, if its day has come by now: an upgrade may have put it off since it was
    /// read. True when it was destroyed.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.2
    pub async fn destroy_due_key(&self, key: &DueKey, today: Day) -> Result<bool, StoreError> {
        let destroy = Write::delete(Table::Keys, day_key(&key.connection, key.day))
            .only_if(schema::SHRED_ON.is_at_most(item::day(today)));
        self.write_if_met(destroy).await
    }

    /// The account whose connection it is, by its day keys; `None` when it has none (any more).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account_of_keys(
        &self,
        connection: &ConnectionId,
    ) -> Result<Option<AccountId>, StoreError> {
        self.any_key(connection, &[schema::ACCOUNT_ID]).await?.as_ref().map(account_of).transpose()
    }

    /// Whether a connection has any day key, read consistently. A connection gets its keys with its
    /// first day and loses the last one when it is erased: what has none is erased, or has never
    /// taken a message in.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_day_keys(&self, connection: &ConnectionId) -> Result<bool, StoreError> {
        Ok(self.any_key(connection, &[schema::SK]).await?.is_some())
    }

    /// One attribute of any of a connection's day keys: not every role may read another one.
    async fn any_key(
        &self,
        connection: &ConnectionId,
        attribute: &'static [Attribute],
    ) -> Result<Option<Item>, StoreError> {
        let keys = Query::partition(Table::Keys, schema::connection_pk(connection));
        let page = self.page(keys.only(attribute).limit(1)).await?;
        Ok(page.items.into_iter().next())
    }

    /// Puts off a day key whose day has come until tomorrow, unless it has another day by now.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.7
    pub async fn put_off_key(&self, key: &DueKey, today: Day) -> Result<(), StoreError> {
        let put_off = Changes::new()
            .set(schema::SHRED_ON, item::day(today.plus(1)))
            .set_once(schema::DUE_ON, schema::SHRED_ON);
        let put_off = Write::update(Table::Keys, day_key(&key.connection, key.day), put_off)
            .only_if(schema::SHRED_ON.is_at_most(item::day(today)));
        self.write_unless_refused(put_off).await
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
        let is_to_come = schema::SHRED_ON.is_above(item::day(today));
        let is_another = schema::SHRED_ON.is_not(item::day(shred_on));
        let is_on_time = schema::DUE_ON.is_absent();
        let retime = Changes::new().set(schema::SHRED_ON, item::day(shred_on));
        let retime = Write::update(Table::Keys, day_key(connection, day), retime)
            .only_if(is_to_come.and(is_another).and(is_on_time));
        self.write_unless_refused(retime).await
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
        let item = day_key(connection, day)
            .with(schema::ACCOUNT_ID, text(account.as_str()))
            .with(schema::PUBLIC_KEY, binary(public_key.as_bytes()))
            .with(schema::WRAPPED_KEY, binary(pair.wrapped_key))
            .with(schema::SHRED_ON, item::day(shred_on));
        if self.write_if_met(Write::put_new(Table::Keys, item)).await? {
            return Ok(public_key);
        }
        // A run beside this one made it first: its key is the day's.
        self.public_day_key(connection, day).await?.ok_or(StoreError::Conflict)
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
        let get = Get::of(Table::Keys, day_key(connection, day)).only(&[schema::PUBLIC_KEY]);
        let key = |item: Item| {
            let key = PublicKey::from_sec1(item.bytes(schema::PUBLIC_KEY)?);
            key.ok_or_else(|| item.corrupt(schema::PUBLIC_KEY))
        };
        self.get(get).await?.map(key).transpose()
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
        let item = self.item(Table::Keys, day_key(connection, day)).await?;
        item.map(|item| {
            Ok(WrappedDayKey {
                account: account_of(&item)?,
                wrapped_key: item.bytes(schema::WRAPPED_KEY)?.to_vec(),
            })
        })
        .transpose()
    }
}

fn day_key(connection: &ConnectionId, day: Day) -> Item {
    schema::key(schema::connection_pk(connection), schema::day_sk(day))
}

fn account_of(item: &Item) -> Result<AccountId, StoreError> {
    item.parsed(schema::ACCOUNT_ID, AccountId::parse)
}

fn due_key(item: &Item) -> Result<DueKey, StoreError> {
    Ok(DueKey {
        account: account_of(item)?,
        connection: item.parsed(schema::PK, schema::connection_of)?,
        day: item.parsed(schema::SK, schema::day_of)?,
    })
}
