//! Meta's wire formats: webhooks and their signatures.
//!
//! Everything here is a pure function of bytes. Nothing fails as a whole for one bad part: a
//! delivery is read item by item, and each item ends as an update or as a reason to ignore it.

pub mod deletion_list;
pub mod handshake;
mod json;
pub mod signature;
pub mod signed_request;
pub mod webhook;
