//! Sealing an account's profile and its tax records, each to a key of its own.

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::SealError;
use super::key_name::KeyName;
use super::key_pair::{Opener, Sealer};
use crate::domain::ids::{AccountId, InvoiceId};
use crate::domain::invoice::Content;
use crate::domain::profile::Profile;
use crate::domain::sealed::PublicKey;

/// Seals an account's profile.
//= R4.1, R1.2
pub fn seal_profile(
    sealer: &mut Sealer,
    (account, key): (&AccountId, &PublicKey),
    profile: &Profile,
) -> Result<Vec<u8>, SealError> {
    seal(sealer, (KeyName::Account(account), key), &profile_place(account), profile)
}

/// Opens a profile with a key of [`KeyName::Account`].
///
/// # Errors
/// [`SealError::DoesNotOpen`] if the value was altered or moved, or is no profile.
pub fn open_profile(
    opener: &mut Opener,
    account: &AccountId,
    sealed: &[u8],
) -> Result<Profile, SealError> {
    open(opener, &profile_place(account), sealed)
}

/// Seals an invoice's content.
//= R4.1, R6.3
pub fn seal_invoice(
    sealer: &mut Sealer,
    (account, key): (&AccountId, &PublicKey),
    invoice: &InvoiceId,
    content: &Content,
) -> Result<Vec<u8>, SealError> {
    seal(sealer, (KeyName::Tax(account), key), &invoice_place(account, invoice), content)
}

/// Opens an invoice with a key of [`KeyName::Tax`].
///
/// # Errors
/// [`SealError::DoesNotOpen`] if the value was altered or moved, or is no invoice.
pub fn open_invoice(
    opener: &mut Opener,
    (account, invoice): (&AccountId, &InvoiceId),
    sealed: &[u8],
) -> Result<Content, SealError> {
    open(opener, &invoice_place(account, invoice), sealed)
}

/// The place of a profile: table, key and field. A ciphertext that was moved does not open.
fn profile_place(account: &AccountId) -> Vec<u8> {
    format!("numib core v1\0ACCOUNT\0{account}\0profile").into_bytes()
}

fn invoice_place(account: &AccountId, invoice: &InvoiceId) -> Vec<u8> {
    format!("numib core v1\0INVOICE\0{account}\0{invoice}\0content").into_bytes()
}

fn seal(
    sealer: &mut Sealer,
    to: (KeyName<'_>, &PublicKey),
    place: &[u8],
    value: &impl Serialize,
) -> Result<Vec<u8>, SealError> {
    let plain = Zeroizing::new(serde_json::to_vec(value).map_err(|_| SealError::DoesNotSeal)?);
    sealer.seal(to, place, &plain)
}

fn open<T: DeserializeOwned>(
    opener: &mut Opener,
    place: &[u8],
    sealed: &[u8],
) -> Result<T, SealError> {
    let plain = opener.open(place, sealed)?;
    serde_json::from_slice(&plain).map_err(|_| SealError::DoesNotOpen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::key_pair::tests::key_pair;

    fn account(id: &str) -> AccountId {
        AccountId::parse(id).unwrap()
    }

    //= R1.2, R4.1
    #[test]
    fn a_profile_opens_at_its_own_account_only() {
        let (public, private) = key_pair();
        let (ours, other) = (account("a1"), account("a2"));
        let profile = Profile { name: Some("Ana".to_owned()), ..Profile::default() };
        let mut sealer = Sealer::default();
        let sealed = seal_profile(&mut sealer, (&ours, &public), &profile).unwrap();
        assert!(!sealed.windows(3).any(|part| part == b"Ana"));
        let mut opener = Opener::new(KeyName::Account(&ours), private);
        assert!(open_profile(&mut opener, &ours, &sealed).unwrap() == profile);
        let moved = open_profile(&mut opener, &other, &sealed);
        assert_eq!(moved.unwrap_err(), SealError::DoesNotOpen);
    }

    //= R6.3
    #[test]
    fn an_invoice_opens_with_the_tax_key_at_its_own_place_only() {
        let (public, private) = key_pair();
        let ours = account("a1");
        let [first, second] = ["i1", "i2"].map(|id| InvoiceId::parse(id).unwrap());
        let content = Content {
            number: "1".to_owned(),
            currency: "GTQ".to_owned(),
            total_minor: 100,
            fel: None,
            lines: vec!["x".to_owned()],
        };
        let to = (&ours, &public);
        let sealed = seal_invoice(&mut Sealer::default(), to, &first, &content).unwrap();
        let mut opener = Opener::new(KeyName::Tax(&ours), private);
        assert!(open_invoice(&mut opener, (&ours, &first), &sealed).unwrap() == content);
        let moved = open_invoice(&mut opener, (&ours, &second), &sealed);
        assert_eq!(moved.unwrap_err(), SealError::DoesNotOpen);
    }
}
