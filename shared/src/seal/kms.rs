//! Key pairs through KMS. They are made without ever seeing the private half, and unwrapped only to
//! read.

use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeyPairSpec;
use zeroize::Zeroizing;

use super::SealError;
use super::key_name::KeyName;
use super::key_pair::{PrivateKey, public_key_from_der};
use crate::domain::sealed::WrappedPair;

/// The KMS key that wraps every private half.
#[derive(Debug, Clone)]
pub struct DataKeys {
    client: aws_sdk_kms::Client,
    key_arn: String,
}

/// Why KMS did not give a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KmsError {
    /// Too many calls: the SDK's own retries are used up.
    #[error("KMS is throttling")]
    Throttled,
    /// The role may not do this, or the encryption context does not match.
    #[error("KMS denied the call ({0})")]
    Denied(String),
    /// KMS did not answer or failed.
    #[error("KMS failed ({0})")]
    Unavailable(String),
    /// KMS answered with something that is not a P-256 key.
    #[error(transparent)]
    Key(#[from] SealError),
}

#[expect(clippy::disallowed_types, reason = "the SDK takes encryption contexts as a HashMap")]
type EncryptionContext = std::collections::HashMap<String, String>;

impl DataKeys {
    /// The data keys that the KMS key with that ARN wraps.
    #[must_use]
    pub const fn new(client: aws_sdk_kms::Client, key_arn: String) -> Self {
        Self { client, key_arn }
    }

    /// Makes a key pair by one KMS call. The quota is tens of calls per second.
    ///
    /// # Errors
    /// [`KmsError`], told apart by what the caller can do.
    pub async fn generate(&self, name: KeyName<'_>) -> Result<WrappedPair, KmsError> {
        let pair = self
            .client
            .generate_data_key_pair_without_plaintext()
            .key_id(&self.key_arn)
            .key_pair_spec(DataKeyPairSpec::EccNistP256)
            .set_encryption_context(Some(encryption_context(name)))
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let public = pair.public_key.ok_or(SealError::BadKey)?;
        let wrapped = pair.private_key_ciphertext_blob.ok_or(SealError::BadKey)?;
        Ok(WrappedPair {
            public_key: public_key_from_der(public.as_ref())?,
            wrapped_key: wrapped.into_inner(),
        })
    }

    /// Unwraps a private key by one KMS call, to read what is sealed to it.
    ///
    /// # Errors
    /// [`KmsError`]. `Denied` also if the wrapped key belongs to another [`KeyName`].
    pub async fn unwrap(&self, name: KeyName<'_>, wrapped: &[u8]) -> Result<PrivateKey, KmsError> {
        let opened = self
            .client
            .decrypt()
            .key_id(&self.key_arn)
            .ciphertext_blob(Blob::new(wrapped))
            .set_encryption_context(Some(encryption_context(name)))
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let der = Zeroizing::new(opened.plaintext.ok_or(SealError::BadKey)?.into_inner());
        Ok(PrivateKey::from_der(&der)?)
    }
}

fn encryption_context(name: KeyName<'_>) -> EncryptionContext {
    let context = name.encryption_context().into_iter();
    context.map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(super) fn classify<E, R>(error: &SdkError<E, R>) -> KmsError
where
    E: ProvideErrorMetadata,
{
    let code = error.code().unwrap_or("no answer").to_owned();
    match code.as_str() {
        "ThrottlingException" | "LimitExceededException" => KmsError::Throttled,
        "AccessDeniedException"
        | "InvalidCiphertextException"
        | "IncorrectKeyException"
        | "DisabledException"
        | "KMSInvalidStateException"
        | "NotFoundException" => KmsError::Denied(code),
        _ => KmsError::Unavailable(code),
    }
}
