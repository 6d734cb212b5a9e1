//! An account's own key pairs. They are made for the first value to seal, and opened to show the
//! account its own data.

use crate::domain::account::{Account, Use};
use crate::domain::ids::AccountId;
use crate::domain::sealed::PublicKey;
use crate::edge::problem::Problem;
use crate::seal::key_name::KeyName;
use crate::seal::key_pair::Opener;
use crate::seal::kms::DataKeys;
use crate::store::{Store, StoreError};

const NOT_ACTIVE: Problem =
    Problem::conflict("This account does not exist, or is being deleted. Please check its id.");

/// The public key for this use. The first call makes the pair.
///
/// # Errors
/// 409 if the account is not active and has no such key: it gets none any more.
pub async fn public(
    (store, keys): (&Store, &DataKeys),
    account: &Account,
    of: Use,
) -> Result<PublicKey, Problem> {
    if let Some(key) = of_account(account, of) {
        return Ok(key);
    }
    let pair = keys.generate(KeyName::of_account(&account.id, of)).await.map_err(failed)?;
    match store.put_account_key(&account.id, of, pair).await {
        // A call beside this one made it first: its key is the account's.
        Err(StoreError::Conflict) => {
            let now = store.account(&account.id).await?;
            now.and_then(|account| of_account(&account, of)).ok_or(NOT_ACTIVE)
        }
        made => Ok(made?),
    }
}

/// The opener for this use; `None` if nothing was sealed, or if the key is destroyed.
///
/// # Errors
/// 500 if the key cannot be read or unwrapped.
pub async fn opener(
    (store, keys): (&Store, &DataKeys),
    account: &AccountId,
    of: Use,
) -> Result<Option<Opener>, Problem> {
    let Some(wrapped) = store.wrapped_account_key(account, of).await? else { return Ok(None) };
    let name = KeyName::of_account(account, of);
    let key = keys.unwrap(name, &wrapped).await.map_err(failed)?;
    Ok(Some(Opener::new(name, key)))
}

fn of_account(account: &Account, of: Use) -> Option<PublicKey> {
    match of {
        Use::Profile => account.account_key.clone(),
        Use::TaxRecords => account.tax_key.clone(),
    }
}

/// The answer when KMS failed, or a value does not open: the fault is ours, and the log says so.
pub fn failed(error: impl std::error::Error) -> Problem {
    tracing::error!(error = %error, "an account's own data was not sealed or opened");
    Problem::internal()
}
