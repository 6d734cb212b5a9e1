//! Sealed things as data: bytes that only `seal` can make or open.

use super::time::Day;

/// A sealed value and the day whose key opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The day of the key.
    pub day: Day,
    /// Ciphertext with everything needed to open it but the key.
    pub bytes: Vec<u8>,
}

/// Bytes of an uncompressed SEC1 point of P-256.
pub const POINT_LEN: usize = 65;

/// The public half of a key pair, as an uncompressed SEC1 point. With it one can seal, and not
/// open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; POINT_LEN]);

impl PublicKey {
    /// Takes a point; `None` unless it has 65 bytes. Whether it is on the curve shows when it is
    /// first sealed to.
    #[must_use]
    pub fn from_sec1(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The point.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A new key pair: the public half, and the private half encrypted by KMS.
#[derive(Debug, Clone)]
pub struct WrappedPair {
    /// The public half: it seals.
    pub public_key: PublicKey,
    /// The private half, encrypted by KMS: only KMS can decrypt it.
    pub wrapped_key: Vec<u8>,
}
