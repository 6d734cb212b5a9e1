//! Receipts of erasures: JWS compact serialisation (RFC 7515) with ES256 (RFC 7518 §3.4), signed by
//! a KMS key whose private half nobody has. Any JOSE library verifies them with the published key.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::Signature;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::SealError;
use super::key_pair::public_key_from_der;
use super::kms::{KmsError, classify};
use crate::domain::sealed::PublicKey;

/// Bytes of a receipt at most. Real ones have a few kilobytes.
const RECEIPT_LEN_MAX: usize = 256 * 1024;

/// The KMS key that signs receipts.
#[derive(Debug, Clone)]
pub struct SigningKey {
    client: aws_sdk_kms::Client,
    key_arn: String,
}

/// A public key in the form of RFC 7517.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
    /// RFC 7638 thumbprint of the key.
    pub kid: String,
    alg: String,
    r#use: String,
}

/// Why a receipt was not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// KMS failed.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// KMS answered with something that is no key or signature of ES256.
    #[error("KMS answered with something that is no ES256 key or signature")]
    Unreadable,
}

/// Why a text is not a receipt of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The text is no JWS in compact serialisation with ES256.
    #[error("not a JWS in compact serialisation with ES256")]
    Malformed,
    /// The receipt names a key that is not among the given ones.
    #[error("signed with a key that is not among those given")]
    UnknownKey,
    /// The signature does not fit the text: it was altered, or another key made it.
    #[error("the signature does not fit: it was altered, or another key made it")]
    BadSignature,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

impl SigningKey {
    /// The signing key with that ARN.
    #[must_use]
    pub const fn new(client: aws_sdk_kms::Client, key_arn: String) -> Self {
        Self { client, key_arn }
    }

    /// The public half, by one KMS call.
    pub async fn public(&self) -> Result<Jwk, SigningError> {
        let answer = self.client.get_public_key().key_id(&self.key_arn).send().await;
        let answer = answer.map_err(|error| classify(&error))?;
        let der = answer.public_key.ok_or(SigningError::Unreadable)?;
        let key = public_key_from_der(der.as_ref()).map_err(|_| SigningError::Unreadable)?;
        Jwk::of(&key).ok_or(SigningError::Unreadable)
    }

    /// Signs claims by one KMS call. Returns the JWS.
    pub async fn sign(&self, key: &Jwk, claims: &Value) -> Result<String, SigningError> {
        let claims = serde_json::to_vec(claims).map_err(|_| SigningError::Unreadable)?;
        let signed = signing_input(key, "JWT", &claims).ok_or(SigningError::Unreadable)?;
        self.sign_input(signed).await
    }

    /// Signs a file by one KMS call. Returns the detached JWS (RFC 7515, appendix F): the form of a
    /// receipt without the text in its middle.
    //= R5.4
    pub async fn sign_file(&self, key: &Jwk, file: &[u8]) -> Result<String, SigningError> {
        let signed = signing_input(key, "JOSE", file).ok_or(SigningError::Unreadable)?;
        let jws = self.sign_input(signed).await?;
        let (header, rest) = jws.split_once('.').ok_or(SigningError::Unreadable)?;
        let (_, signature) = rest.split_once('.').ok_or(SigningError::Unreadable)?;
        Ok(format!("{header}..{signature}"))
    }

    async fn sign_input(&self, signed: String) -> Result<String, SigningError> {
        let digest = digest::digest(&digest::SHA256, signed.as_bytes());
        let answer = self
            .client
            .sign()
            .key_id(&self.key_arn)
            .message_type(MessageType::Digest)
            .message(Blob::new(digest.as_ref()))
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let der = answer.signature.ok_or(SigningError::Unreadable)?;
        let signature = Signature::from_der(der.as_ref()).map_err(|_| SigningError::Unreadable)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes())))
    }
}

fn signing_input(key: &Jwk, typ: &str, payload: &[u8]) -> Option<String> {
    let header = Header { alg: "ES256".to_owned(), kid: key.kid.clone(), typ: typ.to_owned() };
    let header = serde_json::to_vec(&header).ok()?;
    Some(format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload)))
}

impl Jwk {
    /// The key for this point of P-256.
    fn of(key: &PublicKey) -> Option<Self> {
        let (_, point) = key.as_bytes().split_first()?;
        let (x, y) = point.split_at_checked(32)?;
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        // RFC 7638: the required members in lexicographic order, nothing else.
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let thumbprint = digest::digest(&digest::SHA256, canonical.as_bytes());
        Some(Self {
            kty: "EC".to_owned(),
            crv: "P-256".to_owned(),
            x,
            y,
            kid: URL_SAFE_NO_PAD.encode(thumbprint.as_ref()),
            alg: "ES256".to_owned(),
            r#use: "sig".to_owned(),
        })
    }

    fn point(&self) -> Option<Vec<u8>> {
        let mut point = vec![4];
        for coordinate in [&self.x, &self.y] {
            point.extend(URL_SAFE_NO_PAD.decode(coordinate).ok()?);
        }
        (self.kty == "EC" && self.crv == "P-256" && point.len() == 65).then_some(point)
    }
}

/// The digest by which a receipt names a target: SHA-256 of the target and the request's
/// unguessable id, in base64url.
#[must_use]
pub fn target_digest(request: &str, target: &str) -> String {
    let digest = digest::digest(&digest::SHA256, format!("{request} {target}").as_bytes());
    URL_SAFE_NO_PAD.encode(digest.as_ref())
}

/// The key set that is published (RFC 7517 §5).
#[must_use]
pub fn jwks(keys: &[Jwk]) -> Value {
    json!({ "keys": keys })
}

/// Checks a receipt against published keys, offline. Returns its claims.
//= R8.5
pub fn verify(receipt: &str, keys: &[Jwk]) -> Result<Value, ReceiptError> {
    if receipt.len() > RECEIPT_LEN_MAX {
        return Err(ReceiptError::Malformed);
    }
    let (signed, signature) = receipt.trim().rsplit_once('.').ok_or(ReceiptError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(ReceiptError::Malformed)?;
    verify_input((header, signed, signature), keys)?;
    serde_json::from_slice(&decode(claims)?).map_err(|_| ReceiptError::Malformed)
}

/// Checks the detached JWS of a file against published keys, offline.
//= R5.4
pub fn verify_file(jws: &str, file: &[u8], keys: &[Jwk]) -> Result<(), ReceiptError> {
    if jws.len() > RECEIPT_LEN_MAX {
        return Err(ReceiptError::Malformed);
    }
    let (header, signature) = jws.trim().split_once("..").ok_or(ReceiptError::Malformed)?;
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(file));
    verify_input((header, &signed, signature), keys)
}

fn decode(part: &str) -> Result<Vec<u8>, ReceiptError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| ReceiptError::Malformed)
}

fn verify_input(
    (header, signed, signature): (&str, &str, &str),
    keys: &[Jwk],
) -> Result<(), ReceiptError> {
    let header: Header =
        serde_json::from_slice(&decode(header)?).map_err(|_| ReceiptError::Malformed)?;
    if header.alg != "ES256" {
        return Err(ReceiptError::Malformed);
    }
    let key = keys.iter().find(|key| key.kid == header.kid).ok_or(ReceiptError::UnknownKey)?;
    let point = key.point().ok_or(ReceiptError::UnknownKey)?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point)
        .verify(signed.as_bytes(), &decode(signature)?)
        .map_err(|_| ReceiptError::BadSignature)
}

impl From<SealError> for SigningError {
    fn from(_: SealError) -> Self {
        Self::Unreadable
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey as Local;
    use p256::ecdsa::signature::Signer as _;
    use p256::elliptic_curve::Generate as _;

    use super::*;

    fn signed() -> (String, Jwk) {
        let local = Local::generate();
        let point = local.verifying_key().to_sec1_point(false);
        let key = Jwk::of(&PublicKey::from_sec1(point.as_bytes()).unwrap()).unwrap();
        let input = signing_input(&key, "JWT", br#"{"jti":"r1"}"#).unwrap();
        let signature: Signature = local.sign(input.as_bytes());
        (format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes())), key)
    }

    //= R8.5
    #[test]
    fn a_receipt_verifies_with_its_key_and_no_altered_one_does() {
        let (receipt, key) = signed();
        let (_, other) = signed();
        let keys = [other.clone(), key];
        assert_eq!(verify(&receipt, &keys).unwrap(), json!({"jti": "r1"}));
        assert_eq!(verify(&receipt, &[other]), Err(ReceiptError::UnknownKey));
        for at in 0..receipt.len() - 1 {
            let mut altered = receipt.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert!(verify(&altered, &keys).is_err(), "byte {at}");
        }
    }

    //= R5.4
    #[test]
    fn a_files_signature_fits_that_file_and_no_other() {
        // A detached JWS has the form of a receipt without the text in its middle.
        let (receipt, key) = signed();
        let parts: Vec<&str> = receipt.split('.').collect();
        let jws = format!("{}..{}", parts[0], parts[2]);
        let keys = [key];
        assert_eq!(verify_file(&jws, br#"{"jti":"r1"}"#, &keys), Ok(()));
        let other = verify_file(&jws, br#"{"jti":"r2"}"#, &keys);
        assert_eq!(other, Err(ReceiptError::BadSignature));
        assert_eq!(verify_file(&receipt, b"", &keys), Err(ReceiptError::Malformed));
    }

    #[test]
    fn what_is_no_es256_jws_is_malformed() {
        let (receipt, key) = signed();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"x","typ":"JWT"}"#);
        let claims = receipt.split('.').nth(1).unwrap();
        for bad in ["", "a.b", "a.b.c", &format!("{none}.{claims}."), &"a".repeat(300_000)] {
            assert_eq!(verify(bad, std::slice::from_ref(&key)), Err(ReceiptError::Malformed));
        }
    }

    /// RFC 7638 is defined over the JSON; RFC 7515 A.3 has a P-256 key to try it on.
    #[test]
    fn the_thumbprint_is_of_the_canonical_key() {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let mut point = vec![4];
        point.extend(decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"));
        point.extend(decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"));
        let key = Jwk::of(&PublicKey::from_sec1(&point).unwrap()).unwrap();
        assert_eq!(key.kid, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
    }
}
