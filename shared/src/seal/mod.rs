//! Sealing: intake writes what it cannot open.
//!
//! Messages are sealed to their connection's key of the day with HPKE base mode (RFC 9180:
//! DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM). Only [`kms`] can unwrap the private half,
//! so destroying one day key makes that day unreadable in every table, index, stream and backup.
//!
//! Contacts and messages are named by pseudonyms ([`pseudonym`]): HMAC-SHA-256 under a key that
//! dies with the connection.

pub mod account;
pub mod key_name;
pub mod key_pair;
pub mod kms;
pub mod message;
pub mod pseudonym;
pub mod random;
pub mod receipt;

/// Why something could not be sealed or opened. The error says nothing about the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// A stored or received key is not a P-256 key in the expected encoding.
    #[error("the key is not a P-256 key in the expected encoding")]
    BadKey,
    /// A sealed value is truncated, altered, moved from another place or sealed to another key.
    #[error("the sealed value does not open here")]
    DoesNotOpen,
    /// The cipher refused to seal; nothing was written.
    #[error("the cipher refused to seal")]
    DoesNotSeal,
}
