//! Retention destroys what has expired, and re-times what is stored when a plan or a legal hold
//! changes.
//!
//! Every step may be repeated, and may run beside another step: each write names what it expects.

mod expiry;
mod look_back;
mod plan;
mod rows;
mod tax;
mod visits;

pub use expiry::{Expired, KeysLeft, destroy_expired_keys, keys_left};
pub use plan::change_plan;
pub use rows::{account_of, follow_hold, retime};
pub use tax::{Purged, RecordsLeft, purge_tax_records, tax_records_left};
pub use visits::{Swept, sweep_expired_rows, visits_left};

use crate::domain::hold::Held;
use crate::store::{Store, StoreError};

/// What a run did with an item that an index says is due.
enum Due {
    /// The run removed the item.
    Gone {
        /// Whether the item was there for longer than promised.
        is_late: bool,
    },
    /// A legal hold keeps the item.
    Held,
    /// The item is not due, or was gone already: the index was a moment old.
    NotYet,
}

/// Whether one of these records has a hold.
//= R6.7
async fn is_any_held(store: &Store, records: &[Held]) -> Result<bool, StoreError> {
    for record in records {
        if store.is_held(record).await? {
            return Ok(true);
        }
    }
    Ok(false)
}
