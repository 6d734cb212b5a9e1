//! Key pairs: the public half seals, the private half opens.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::DhP256HkdfSha256;
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use zeroize::Zeroizing;

use super::SealError;
use super::key_name::KeyName;
use crate::domain::sealed::{POINT_LEN, PublicKey};

const NONCE_LEN: usize = 12;
const AES_KEY_LEN: usize = 32;
/// The layout of a sealed value: version, encapsulated key, nonce, ciphertext with tag.
const VERSION: u8 = 1;
const HEADER_LEN: usize = 1 + POINT_LEN + NONCE_LEN;
/// Encapsulations that a warm container remembers, one for each connection and day.
const CONTEXTS_MAX: usize = 512;
/// Messages under one encapsulation at most. Random nonces need a new key only after 2³².
const MESSAGES_PER_CONTEXT_MAX: u32 = 1 << 24;
const EXPORT_CONTEXT: &[u8] = b"numib message key v1";

/// Reads the DER `SubjectPublicKeyInfo` that KMS returns.
///
/// # Errors
/// [`SealError::BadKey`] when it is not a P-256 key.
pub fn public_key_from_der(der: &[u8]) -> Result<PublicKey, SealError> {
    let key = p256::PublicKey::from_public_key_der(der).map_err(|_| SealError::BadKey)?;
    PublicKey::from_sec1(&key.to_sec1_point(false).to_bytes()).ok_or(SealError::BadKey)
}

/// The private half. It is in memory only while a reader holds it, and is wiped when dropped.
pub struct PrivateKey(<DhP256HkdfSha256 as Kem>::PrivateKey);

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

impl PrivateKey {
    /// Takes the DER `PrivateKeyInfo` (PKCS #8) that KMS decrypts to.
    ///
    /// # Errors
    /// [`SealError::BadKey`] when it is not a P-256 key.
    pub fn from_der(der: &[u8]) -> Result<Self, SealError> {
        let key = p256::SecretKey::from_pkcs8_der(der).map_err(|_| SealError::BadKey)?;
        let scalar = Zeroizing::new(key.to_bytes());
        <DhP256HkdfSha256 as Kem>::PrivateKey::from_bytes(&scalar)
            .map(Self)
            .map_err(|_| SealError::BadKey)
    }
}

/// Seals to public keys. It remembers its encapsulations, which are the expensive part.
#[derive(Default)]
pub struct Sealer {
    contexts: BTreeMap<PublicKey, Context>,
}

struct Context {
    encapsulated: [u8; POINT_LEN],
    key: RandomizedNonceKey,
    messages_left: u32,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({} contexts)", self.contexts.len())
    }
}

impl Sealer {
    /// Seals `plain` to the key of that name, bound to `place`. The value opens at no other place.
    ///
    /// # Errors
    /// [`SealError::BadKey`] if the key is no point of the curve; [`SealError::DoesNotSeal`] if the
    /// cipher or the random source fails.
    //= R4.1
    pub fn seal(
        &mut self,
        (name, key): (KeyName<'_>, &PublicKey),
        place: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let context = self.context(name, key)?;
        let mut text = plain.to_vec();
        let nonce = context
            .key
            .seal_in_place_append_tag(Aad::from(place), &mut text)
            .map_err(|_| SealError::DoesNotSeal)?;
        let mut bytes = Vec::with_capacity(HEADER_LEN.saturating_add(text.len()));
        bytes.push(VERSION);
        bytes.extend_from_slice(&context.encapsulated);
        bytes.extend_from_slice(nonce.as_ref());
        bytes.append(&mut text);
        Ok(bytes)
    }

    fn context(&mut self, name: KeyName<'_>, key: &PublicKey) -> Result<&Context, SealError> {
        let usable = self.contexts.get(key).is_some_and(|known| known.messages_left > 0);
        if !usable {
            if self.contexts.len() >= CONTEXTS_MAX {
                self.contexts.clear();
            }
            self.contexts.insert(key.clone(), encapsulate(name, key)?);
        }
        let context = self.contexts.get_mut(key).ok_or(SealError::DoesNotSeal)?;
        context.messages_left = context.messages_left.saturating_sub(1);
        Ok(context)
    }
}

fn encapsulate(name: KeyName<'_>, key: &PublicKey) -> Result<Context, SealError> {
    let recipient = <DhP256HkdfSha256 as Kem>::PublicKey::from_bytes(key.as_bytes())
        .map_err(|_| SealError::BadKey)?;
    let (encapsulated, hpke) = hpke::setup_sender::<AesGcm256, HkdfSha256, DhP256HkdfSha256>(
        &OpModeS::Base,
        &recipient,
        &name.info(),
    )
    .map_err(|_| SealError::BadKey)?;
    let mut secret = Zeroizing::new([0; AES_KEY_LEN]);
    hpke.export(EXPORT_CONTEXT, secret.as_mut()).map_err(|_| SealError::DoesNotSeal)?;
    Ok(Context {
        encapsulated: encapsulated.to_bytes().into(),
        key: message_key(&secret)?,
        messages_left: MESSAGES_PER_CONTEXT_MAX,
    })
}

/// Opens what was sealed to one key. It remembers its decapsulations for the next value.
pub struct Opener {
    /// The key's name, in the form that was bound to the sealed values.
    info: Vec<u8>,
    key: PrivateKey,
    contexts: BTreeMap<Vec<u8>, RandomizedNonceKey>,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opener(..)")
    }
}

impl Opener {
    /// An opener with the key of that name.
    #[must_use]
    pub fn new(name: KeyName<'_>, key: PrivateKey) -> Self {
        Self { info: name.info(), key, contexts: BTreeMap::new() }
    }

    /// Opens a value at the place it was sealed for.
    ///
    /// # Errors
    /// [`SealError::DoesNotOpen`] if the value was altered, moved, or sealed to another key.
    pub fn open(&mut self, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (encapsulated, nonce, text) = split(sealed).ok_or(SealError::DoesNotOpen)?;
        if !self.contexts.contains_key(encapsulated) {
            if self.contexts.len() >= CONTEXTS_MAX {
                self.contexts.clear();
            }
            let key = self.decapsulate(encapsulated)?;
            self.contexts.insert(encapsulated.to_vec(), key);
        }
        let key = self.contexts.get(encapsulated).ok_or(SealError::DoesNotOpen)?;
        let mut text = Zeroizing::new(text.to_vec());
        let len = key
            .open_in_place(Nonce::from(nonce), Aad::from(place), &mut text)
            .map_err(|_| SealError::DoesNotOpen)?
            .len();
        text.truncate(len);
        Ok(text)
    }

    fn decapsulate(&self, encapsulated: &[u8]) -> Result<RandomizedNonceKey, SealError> {
        let encapsulated = <DhP256HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated)
            .map_err(|_| SealError::DoesNotOpen)?;
        let hpke = hpke::setup_receiver::<AesGcm256, HkdfSha256, DhP256HkdfSha256>(
            &OpModeR::Base,
            &self.key.0,
            &encapsulated,
            &self.info,
        )
        .map_err(|_| SealError::DoesNotOpen)?;
        let mut secret = Zeroizing::new([0; AES_KEY_LEN]);
        hpke.export(EXPORT_CONTEXT, secret.as_mut()).map_err(|_| SealError::DoesNotOpen)?;
        message_key(&secret)
    }
}

fn message_key(secret: &[u8; AES_KEY_LEN]) -> Result<RandomizedNonceKey, SealError> {
    RandomizedNonceKey::new(&AES_256_GCM, secret).map_err(|_| SealError::DoesNotSeal)
}

fn split(sealed: &[u8]) -> Option<(&[u8], &[u8; NONCE_LEN], &[u8])> {
    let (&VERSION, rest) = sealed.split_first()? else { return None };
    let (encapsulated, rest) = rest.split_at_checked(POINT_LEN)?;
    let (nonce, text) = rest.split_first_chunk()?;
    Some((encapsulated, nonce, text))
}

#[cfg(test)]
pub(crate) mod tests {
    use p256::elliptic_curve::Generate as _;
    use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};

    use super::*;
    use crate::domain::ids::{AccountId, ConnectionId};
    use crate::domain::time::Day;

    /// A key pair in the encodings that KMS uses.
    pub(crate) fn key_pair() -> (PublicKey, PrivateKey) {
        let secret = p256::SecretKey::generate();
        let public = secret.public_key().to_public_key_der().unwrap();
        let private = secret.to_pkcs8_der().unwrap();
        (
            public_key_from_der(public.as_bytes()).unwrap(),
            PrivateKey::from_der(private.as_bytes()).unwrap(),
        )
    }

    fn account() -> AccountId {
        AccountId::parse("a1").unwrap()
    }

    fn connection(name: &str) -> ConnectionId {
        ConnectionId::parse(name).unwrap()
    }

    fn day() -> Day {
        Day::parse("2026-12-01").unwrap()
    }

    //= R4.1, R4.5
    #[test]
    fn what_is_sealed_to_a_key_opens_with_that_key_at_its_place_only() {
        let (public, private) = key_pair();
        let (account, connection) = (account(), connection("c1"));
        let name = KeyName::Day { account: &account, connection: &connection, day: day() };
        let sealed = Sealer::default().seal((name, &public), b"place", b"hello").unwrap();
        let mut opener = Opener::new(name, private);
        assert_eq!(opener.open(b"place", &sealed).unwrap().as_slice(), b"hello");
        assert_eq!(opener.open(b"elsewhere", &sealed).unwrap_err(), SealError::DoesNotOpen);
        let (_, other) = key_pair();
        let mut wrong_key = Opener::new(name, other);
        assert_eq!(wrong_key.open(b"place", &sealed).unwrap_err(), SealError::DoesNotOpen);
    }

    //= R2.1, R6.3
    #[test]
    fn a_key_of_another_name_does_not_open_even_with_the_same_bytes() {
        let (account, other) = (account(), AccountId::parse("a2").unwrap());
        let (c1, c2) = (connection("c1"), connection("c2"));
        let day_of = |connection, day| KeyName::Day { account: &account, connection, day };
        let names = [
            day_of(&c1, day()),
            day_of(&c1, day().plus(1)),
            day_of(&c2, day()),
            KeyName::Account(&account),
            KeyName::Account(&other),
            KeyName::Tax(&account),
            KeyName::Tax(&other),
        ];
        let secret = p256::SecretKey::generate();
        let public = secret.public_key().to_public_key_der().unwrap();
        let public = public_key_from_der(public.as_bytes()).unwrap();
        for name in names {
            let sealed = Sealer::default().seal((name, &public), b"p", b"x").unwrap();
            for other in names {
                let private = secret.to_pkcs8_der().unwrap();
                let private = PrivateKey::from_der(private.as_bytes()).unwrap();
                let opened = Opener::new(other, private).open(b"p", &sealed);
                assert_eq!(opened.is_ok(), name == other, "{name:?} {other:?}");
            }
        }
    }

    #[test]
    fn every_altered_byte_and_every_truncation_is_refused() {
        let (public, private) = key_pair();
        let account = account();
        let name = KeyName::Account(&account);
        let sealed = Sealer::default().seal((name, &public), b"p", b"hello").unwrap();
        let mut opener = Opener::new(name, private);
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(opener.open(b"p", &altered).is_err(), "byte {at}");
            altered.truncate(at);
            assert!(opener.open(b"p", &altered).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn one_encapsulation_serves_many_messages_and_no_nonce_repeats() {
        let (public, _) = key_pair();
        let account = account();
        let mut sealer = Sealer::default();
        let mut nonces = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let to = (KeyName::Account(&account), &public);
            let sealed = sealer.seal(to, b"p", b"same").unwrap();
            nonces.insert(split(&sealed).unwrap().1.to_vec());
        }
        assert_eq!(sealer.contexts.len(), 1);
        assert_eq!(nonces.len(), 100);
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        let off = PublicKey::from_sec1(&[4; 65]).unwrap();
        let sealed = Sealer::default().seal((KeyName::Tax(&account()), &off), b"p", b"x");
        assert_eq!(sealed.unwrap_err(), SealError::BadKey);
        assert_eq!(PublicKey::from_sec1(&[4; 33]), None);
        assert_eq!(public_key_from_der(b"junk").unwrap_err(), SealError::BadKey);
    }
}
