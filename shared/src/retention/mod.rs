//! Retention: what has expired is destroyed, and a change of plan re-times what is stored.
//!
//! Every step may be repeated, and may run beside another: each write names what it expects.

mod expiry;
mod plan;

pub use expiry::{Expired, KeysLeft, destroy_expired_keys, keys_left};
pub use plan::{change_plan, retime};
