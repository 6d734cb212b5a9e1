//! Retention: what has expired is destroyed, and a change of plan re-times what is stored.
//!
//! Every step may be repeated, and may run beside another: each write names what it expects.

mod expiry;
mod plan;
mod tax;

pub use expiry::{Expired, KeysLeft, destroy_expired_keys, keys_left};
pub use plan::{change_plan, retime};
pub use tax::{Purged, RecordsLeft, purge_tax_records, tax_records_left};

use crate::domain::ids::{AccountId, ConnectionId};
use crate::store::holds::Held;
use crate::store::{Store, StoreError};

/// Whether a hold keeps what is an account's own.
//= R6.7
async fn is_account_held(store: &Store, account: &AccountId) -> Result<bool, StoreError> {
    store.is_held(&Held::Account(account.clone())).await
}

/// Whether a hold keeps some of a connection: on the account, on itself, or on anyone in it.
//= R6.7
async fn is_held(
    store: &Store,
    account: &AccountId,
    connection: &ConnectionId,
) -> Result<bool, StoreError> {
    for record in &Held::of_connection(account, connection) {
        if store.is_held(record).await? {
            return Ok(true);
        }
    }
    Ok(false)
}
