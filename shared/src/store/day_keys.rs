//! Day keys: `keys`, `CONNECTION#connection` / `DAY#date`. Deleting one shreds that day.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;

use super::schema;
use super::{Store, StoreError, classify};
use crate::domain::ids::{AccountId, ConnectionId};
use crate::domain::sealed::{PublicKey, WrappedPair};
use crate::domain::time::Day;

/// A wrapped private key, and whose it is.
#[derive(Debug, Clone)]
pub struct WrappedDayKey {
    /// The account it was made for: part of the encryption context.
    pub account: AccountId,
    /// The private half, as only KMS can read it.
    pub wrapped_key: Vec<u8>,
}

impl Store {
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
            .set_item(Some(schema::key(schema::connection_pk(connection), schema::day_sk(day))))
            .item(schema::ACCOUNT_ID, schema::text(account.as_str()))
            .item(schema::PUBLIC_KEY, schema::binary(public_key.as_bytes()))
            .item(schema::WRAPPED_KEY, schema::binary(pair.wrapped_key))
            .item(schema::SHRED_ON, schema::text(shred_on.to_string()))
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
            .set_key(Some(schema::key(schema::connection_pk(connection), schema::day_sk(day))))
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
        let answer = self
            .client
            .get_item()
            .table_name(&self.tables.keys)
            .set_key(Some(schema::key(schema::connection_pk(connection), schema::day_sk(day))))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        answer
            .item
            .map(|item| {
                let account = schema::get_text(&item, schema::ACCOUNT_ID)?;
                Ok(WrappedDayKey {
                    account: AccountId::parse(account)
                        .ok_or(StoreError::Corrupt(schema::ACCOUNT_ID))?,
                    wrapped_key: schema::get_bytes(&item, schema::WRAPPED_KEY)?.to_vec(),
                })
            })
            .transpose()
    }
}
