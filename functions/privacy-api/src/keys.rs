//! An account's own key pairs: made when there is first something to seal, opened to show it what
//! is its own.

use numib::domain::account::{Account, Use};
use numib::domain::ids::AccountId;
use numib::domain::sealed::PublicKey;
use numib::edge::problem::Problem;
use numib::seal::key_name::KeyName;
use numib::seal::key_pair::Opener;
use numib::store::StoreError;

use crate::App;

const NOT_ACTIVE: Problem = Problem::conflict("There is no such account, or it is being deleted.");

/// What is sealed to, for this use.
///
/// # Errors
/// 409 where an account that is not active has no such key: it gets none any more.
pub(crate) async fn public(app: &App, account: &Account, of: Use) -> Result<PublicKey, Problem> {
    if let Some(key) = of_account(account, of) {
        return Ok(key);
    }
    let pair = app.keys.generate(KeyName::of_account(&account.id, of)).await.map_err(failed)?;
    match app.store.put_account_key(&account.id, of, pair).await {
        // A call beside this one made it first: its key is the account's.
        Err(StoreError::Conflict) => {
            let now = app.store.account(&account.id).await?;
            now.and_then(|account| of_account(&account, of)).ok_or(NOT_ACTIVE)
        }
        made => Ok(made?),
    }
}

/// What opens what was sealed for this use; `None` where nothing was, or its key is destroyed.
pub(crate) async fn opener(
    app: &App,
    account: &AccountId,
    of: Use,
) -> Result<Option<Opener>, Problem> {
    let Some(wrapped) = app.store.wrapped_account_key(account, of).await? else { return Ok(None) };
    let name = KeyName::of_account(account, of);
    let key = app.keys.unwrap(name, &wrapped).await.map_err(failed)?;
    Ok(Some(Opener::new(name, key)))
}

fn of_account(account: &Account, of: Use) -> Option<PublicKey> {
    match of {
        Use::Profile => account.account_key.clone(),
        Use::TaxRecords => account.tax_key.clone(),
    }
}

/// KMS, or a value that does not open, failed: our fault, and told in the log.
pub(crate) fn failed(error: impl std::error::Error) -> Problem {
    tracing::error!(error = %error, "an account's own data was not sealed or opened");
    Problem::internal()
}
