//! The key pairs of accounts. The wrapped private halves are in `keys`, `ACCOUNT#account` and
//! `TAX#account`, `KEY`; the public halves are with the account, where whoever seals finds them.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};

use super::accounts::account_key;
use super::schema::{self, Item};
use super::{Store, StoreError, classify};
use crate::domain::account::{AccountState, Use};
use crate::domain::ids::AccountId;
use crate::domain::sealed::{PublicKey, WrappedPair};

const fn attribute(of: Use) -> &'static str {
    match of {
        Use::Profile => schema::account::ACCOUNT_KEY,
        Use::TaxRecords => schema::account::TAX_KEY,
    }
}

fn key(account: &AccountId, of: Use) -> Item {
    let pk = match of {
        Use::Profile => schema::account_pk(account),
        Use::TaxRecords => schema::account::tax_pk(account),
    };
    schema::key(pk, schema::account::KEY.to_owned())
}

impl Store {
    /// Stores a key pair of an account that has none for this use; returns its public half.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it has one by now, or is not active: nothing that is being
    /// erased gets a new key.
    pub async fn put_account_key(
        &self,
        account: &AccountId,
        of: Use,
        pair: WrappedPair,
    ) -> Result<PublicKey, StoreError> {
        let mut item = key(account, of);
        item.insert(schema::WRAPPED_KEY.to_owned(), schema::binary(pair.wrapped_key));
        let wrapped = Put::builder()
            .table_name(&self.tables.keys)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .build();
        let publish = Update::builder()
            .table_name(&self.tables.core)
            .set_key(Some(account_key(account)))
            .update_expression("SET #key = :key")
            .condition_expression("#state = :active AND attribute_not_exists(#key)")
            .expression_attribute_names("#key", attribute(of))
            .expression_attribute_names("#state", schema::STATE)
            .expression_attribute_values(":key", schema::binary(pair.public_key.as_bytes()))
            .expression_attribute_values(":active", schema::text(AccountState::Active.as_str()))
            .build();
        let refused = |_| StoreError::Refused("key".to_owned());
        self.client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(wrapped.map_err(refused)?).build())
            .transact_items(TransactWriteItem::builder().update(publish.map_err(refused)?).build())
            .send()
            .await
            .map_err(|error| classify(&error))?;
        Ok(pair.public_key)
    }

    /// A wrapped private key of an account, read consistently; `None` once it is destroyed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn wrapped_account_key(
        &self,
        account: &AccountId,
        of: Use,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let item = self.item(&self.tables.keys, key(account, of)).await?;
        let wrapped = |item| Ok(schema::get_bytes(&item, schema::WRAPPED_KEY)?.to_vec());
        item.map(wrapped).transpose()
    }

    /// Whether an account has a key for this use, read consistently; without reading it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_account_key(&self, account: &AccountId, of: Use) -> Result<bool, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.tables.keys)
            .set_key(Some(key(account, of)))
            .projection_expression(schema::PK)
            .consistent_read(true)
            .send()
            .await;
        Ok(answer.map_err(|error| classify(&error))?.item.is_some())
    }

    /// Destroys a key of an account: nothing opens what was sealed to it, in any table or backup.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.1, R6.3, R6.6
    pub async fn delete_account_key(&self, account: &AccountId, of: Use) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.tables.keys);
        let deleted = delete.set_key(Some(key(account, of))).send().await;
        deleted.map(|_| ()).map_err(|error| classify(&error))
    }
}
