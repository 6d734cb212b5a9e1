//! Ids that cannot be guessed.

use aws_lc_rs::rand;

use super::SealError;
use crate::domain::ids::{AccountId, EventId, ExportId, RequestId};

/// Crockford's base 32: digits and letters that people do not confuse.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of an id: 130 bits.
const LEN: usize = 26;

/// A new request's id, which is also its confirmation code: 26 letters and digits, 130 random bits.
///
/// # Errors
/// [`SealError::DoesNotSeal`] when the random source fails.
pub fn request_id() -> Result<RequestId, SealError> {
    RequestId::parse(&code()?).ok_or(SealError::DoesNotSeal)
}

/// A new account's id.
///
/// # Errors
/// [`SealError::DoesNotSeal`] when the random source fails.
pub fn account_id() -> Result<AccountId, SealError> {
    AccountId::parse(&code()?).ok_or(SealError::DoesNotSeal)
}

/// A new audit event's id.
///
/// # Errors
/// [`SealError::DoesNotSeal`] when the random source fails.
pub fn event_id() -> Result<EventId, SealError> {
    EventId::parse(&code()?).ok_or(SealError::DoesNotSeal)
}

/// A new export's id.
///
/// # Errors
/// [`SealError::DoesNotSeal`] when the random source fails.
pub fn export_id() -> Result<ExportId, SealError> {
    ExportId::parse(&code()?).ok_or(SealError::DoesNotSeal)
}

fn code() -> Result<String, SealError> {
    let mut bytes = [0_u8; LEN];
    rand::fill(&mut bytes).map_err(|_| SealError::DoesNotSeal)?;
    // 32 divides 256, so all letters are equally likely.
    let letter = |byte: &u8| ALPHABET.get(usize::from(byte % 32)).copied().map_or('0', char::from);
    Ok(bytes.iter().map(letter).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_alphanumeric_and_never_the_same() {
        let codes: std::collections::BTreeSet<_> = (0..1000).map(|_| code().unwrap()).collect();
        assert_eq!(codes.len(), 1000);
        assert!(codes.iter().all(|code| code.len() == 26));
        assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_alphanumeric())));
    }
}
