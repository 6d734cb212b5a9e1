//! Pseudonyms: stable names for Meta ids. Without the key they say nothing.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::SealError;
use crate::domain::ids::{
    AddressId, Channel, ContactId, MessageId, MetaId, Mid, PersonId, RouteId, UserAgentId,
};
use crate::domain::personal::Personal;

/// Bytes of HMAC-SHA-256 in a pseudonym: 128 bits, so that two ids never collide by chance.
const PSEUDONYM_LEN: usize = 16;
/// Bytes of an index key.
const INDEX_KEY_LEN: usize = 32;
/// Bytes of a pepper at least: 256 bits of text.
const PEPPER_MIN_LEN: usize = 32;

/// The secret key of pseudonyms that no connection owns: routes, persons, addresses. There is one
/// per deployment, in Secrets Manager.
#[derive(Clone)]
pub struct Pepper(hmac::Key);

impl std::fmt::Debug for Pepper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pepper(..)")
    }
}

impl Pepper {
    /// Takes the pepper as it is stored.
    ///
    /// # Errors
    /// [`SealError::BadKey`] if the pepper is shorter than 32 bytes.
    pub fn new(secret: &[u8]) -> Result<Self, SealError> {
        if secret.len() < PEPPER_MIN_LEN {
            return Err(SealError::BadKey);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    /// The route of webhooks for this account.
    #[must_use]
    pub fn route(&self, channel: Channel, account: &MetaId) -> RouteId {
        let name = pseudonym(&self.0, channel.as_str(), account.expose());
        RouteId::parse(&name).unwrap_or_else(|| unreachable!("base64url is a valid id"))
    }

    /// The person with that Meta id, of whichever sort the id is.
    #[must_use]
    pub fn person(&self, id: &MetaId) -> PersonId {
        let name = pseudonym(&self.0, "person", id.expose());
        PersonId::parse(&name).unwrap_or_else(|| unreachable!("base64url is a valid id"))
    }

    /// An IP address. Two events from one address show the same pseudonym, and nobody reads the
    /// address from it.
    //= R1.3, R4.1
    #[must_use]
    pub fn address(&self, address: &Personal<String>) -> AddressId {
        let name = pseudonym(&self.0, "address", address.expose());
        AddressId::parse(&name).unwrap_or_else(|| unreachable!("base64url is a valid id"))
    }

    /// The fingerprint of a request, made of its parts. Two equal requests have the same
    /// fingerprint, and nobody reads the request from it.
    #[must_use]
    pub fn fingerprint(&self, parts: &[&[u8]]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"request\0");
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        kept(&context.sign())
    }

    /// A user agent, in the same way as [`Self::address`].
    //= R1.3, R4.1
    #[must_use]
    pub fn user_agent(&self, name: &Personal<String>) -> UserAgentId {
        let name = pseudonym(&self.0, "user-agent", name.expose());
        UserAgentId::parse(&name).unwrap_or_else(|| unreachable!("base64url is a valid id"))
    }
}

/// The key of one connection for the pseudonyms of its contacts and messages. It dies with the
/// connection.
#[derive(Clone)]
pub struct IndexKey(Zeroizing<[u8; INDEX_KEY_LEN]>);

impl std::fmt::Debug for IndexKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IndexKey(..)")
    }
}

impl IndexKey {
    /// A new random key.
    ///
    /// # Errors
    /// [`SealError::DoesNotSeal`] when the random source fails.
    pub fn generate() -> Result<Self, SealError> {
        let mut key = Zeroizing::new([0; INDEX_KEY_LEN]);
        aws_lc_rs::rand::fill(key.as_mut()).map_err(|_| SealError::DoesNotSeal)?;
        Ok(Self(key))
    }

    /// Takes a key as it is stored.
    ///
    /// # Errors
    /// [`SealError::BadKey`] unless the key has 32 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, SealError> {
        let bytes = bytes.try_into().map_err(|_| SealError::BadKey)?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// The key's bytes, to store them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// The contact with that Meta id.
    #[must_use]
    pub fn contact(&self, id: &MetaId) -> ContactId {
        let name = pseudonym(&self.hmac_key(), "contact", id.expose());
        ContactId::parse(&name).unwrap_or_else(|| unreachable!("base64url is a valid id"))
    }

    /// The message with that Meta message id.
    #[must_use]
    pub fn message(&self, mid: &Mid) -> MessageId {
        let name = pseudonym(&self.hmac_key(), "message", mid.expose());
        MessageId::parse(&name).unwrap_or_else(|| unreachable!("base64url is a valid id"))
    }

    fn hmac_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.as_ref())
    }
}

/// The first 128 bits of HMAC-SHA-256 over the domain and the value, in base64url.
fn pseudonym(key: &hmac::Key, domain: &str, value: &str) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(domain.as_bytes());
    context.update(&[0]);
    context.update(value.as_bytes());
    kept(&context.sign())
}

fn kept(tag: &hmac::Tag) -> String {
    let kept: &[u8] = tag.as_ref().get(..PSEUDONYM_LEN).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> MetaId {
        MetaId::from(text.to_owned())
    }

    #[test]
    fn pseudonyms_are_stable_and_differ_by_key_domain_and_value() {
        let key = IndexKey::new(&[7; 32]).unwrap();
        assert_eq!(key.contact(&id("1")), key.contact(&id("1")));
        assert_ne!(key.contact(&id("1")), key.contact(&id("2")));
        assert_ne!(key.contact(&id("1")).as_str(), key.message(&id("1")).as_str());
        let other = IndexKey::generate().unwrap();
        assert_ne!(key.contact(&id("1")), other.contact(&id("1")));
    }

    #[test]
    fn a_route_depends_on_channel_and_account() {
        let pepper = Pepper::new(&[1; 32]).unwrap();
        let route = pepper.route(Channel::Messenger, &id("1"));
        assert_ne!(route, pepper.route(Channel::Instagram, &id("1")));
        assert_eq!(route.as_str().len(), 22);
        assert!(!route.as_str().contains('1') || route.as_str() != "1");
    }

    //= R1.3, R4.1
    #[test]
    fn an_address_and_a_user_agent_are_told_apart_and_never_told() {
        let pepper = Pepper::new(&[1; 32]).unwrap();
        let text = |text: &str| Personal::new(text.to_owned());
        let address = pepper.address(&text("203.0.113.7"));
        assert_eq!(address, pepper.address(&text("203.0.113.7")));
        assert_ne!(address, pepper.address(&text("203.0.113.8")));
        assert_ne!(address.as_str(), pepper.user_agent(&text("203.0.113.7")).as_str());
        let other = Pepper::new(&[2; 32]).unwrap();
        assert_ne!(address, other.address(&text("203.0.113.7")), "nobody recomputes it");
    }

    #[test]
    fn a_fingerprint_depends_on_every_part_and_where_it_ends() {
        let pepper = Pepper::new(&[1; 32]).unwrap();
        let one = pepper.fingerprint(&[b"ab", b"c"]);
        assert_eq!(one, pepper.fingerprint(&[b"ab", b"c"]));
        for other in [&[b"a".as_slice(), b"bc"], &[b"ab".as_slice(), b"d"]] {
            assert_ne!(one, pepper.fingerprint(other));
        }
        let other = Pepper::new(&[2; 32]).unwrap();
        assert_ne!(one, other.fingerprint(&[b"ab", b"c"]), "nobody tries Meta ids out");
    }

    #[test]
    fn short_keys_are_refused_and_no_key_prints() {
        assert_eq!(Pepper::new(&[1; 31]).unwrap_err(), SealError::BadKey);
        assert_eq!(IndexKey::new(&[1; 16]).unwrap_err(), SealError::BadKey);
        assert_eq!(format!("{:?}", IndexKey::new(&[65; 32]).unwrap()), "IndexKey(..)");
    }
}
