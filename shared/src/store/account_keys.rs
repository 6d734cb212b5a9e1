//! The key pairs of accounts. The wrapped private halves are in `keys`, `ACCOUNT#account` and
//! `TAX#account`, `KEY`; the public halves are with the account, where whoever seals finds them.

use super::accounts::{account_key, is_active};
use super::expression::Changes;
use super::item::{Item, binary};
use super::read::Get;
use super::schema::{self, Attribute, Table};
use super::write::Write;
use super::{Store, StoreError};
use crate::domain::account::Use;
use crate::domain::ids::AccountId;
use crate::domain::sealed::{PublicKey, WrappedPair};

const fn attribute(of: Use) -> Attribute {
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
    schema::key(pk, schema::account::KEY)
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
        let wrapped = key(account, of).with(schema::WRAPPED_KEY, binary(pair.wrapped_key));
        let publish = Changes::new().set(attribute(of), binary(pair.public_key.as_bytes()));
        let publish = Write::update(Table::Core, account_key(account), publish)
            .only_if(is_active().and(attribute(of).is_absent()));
        let put = self.transaction().with(Write::put_new(Table::Keys, wrapped));
        put.with(publish).run().await?;
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
        let item = self.item(Table::Keys, key(account, of)).await?;
        item.map(|item| Ok(item.bytes(schema::WRAPPED_KEY)?.to_vec())).transpose()
    }

    /// Whether an account has a key for this use, read consistently; without reading it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_account_key(&self, account: &AccountId, of: Use) -> Result<bool, StoreError> {
        let get = Get::of(Table::Keys, key(account, of)).only(&[schema::PK]);
        Ok(self.get(get).await?.is_some())
    }

    /// Destroys a key of an account: nothing opens what was sealed to it, in any table or backup.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.1, R6.3, R6.6
    pub async fn delete_account_key(&self, account: &AccountId, of: Use) -> Result<(), StoreError> {
        self.delete(Table::Keys, key(account, of)).await
    }
}
