//! Meta's formats: the handshake, signatures, webhook bodies, signed requests, lists of ids.
//!
//! Everything here is a pure function of bytes. One bad part never spoils the rest: a delivery is
//! read item by item, and each item ends as an update or as a reason to ignore it. What is known of
//! the formats is in docs/meta-platform.md.

pub mod deletion_list;
pub mod handshake;
pub(crate) mod json;
pub mod signature;
pub mod signed_request;
pub mod webhook;
