//! Meta's app secrets, our verify tokens and the pepper: from Secrets Manager, kept for minutes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::clock::Stopwatch;
use crate::seal::pseudonym::Pepper;

/// The age of a copy at most. An older copy is fetched again before use, so a rotation arrives
/// within minutes.
const MAX_AGE: Duration = Duration::from_mins(5);
/// The age of a copy before it is fetched again because nothing matched. A signature that matches
/// no secret may mean a rotation. But anyone can send wrong signatures, so they cause one attempt
/// in this time at most, whether it succeeds or not.
const MIN_AGE: Duration = Duration::from_secs(30);
/// How long a request waits for a fresh copy if it can go on with an older one.
const PATIENCE: Duration = Duration::from_secs(1);
/// Secrets, and tokens, that are used at most. Every request is compared with each of them.
const CANDIDATES_MAX: usize = 8;

/// The content of the secret.
pub struct MetaSecrets {
    /// Facebook and Instagram app secrets, old and new during a rotation.
    pub app_secrets: Vec<Zeroizing<String>>,
    /// Tokens that the webhook handshake accepts.
    pub verify_tokens: Vec<Zeroizing<String>>,
    /// The key of pseudonyms that no connection owns.
    pub pepper: Pepper,
}

impl std::fmt::Debug for MetaSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MetaSecrets(..)")
    }
}

/// Why the secret cannot be used. The error never says what is in the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// Secrets Manager did not give it.
    #[error("Secrets Manager did not give the secret ({0})")]
    Unavailable(String),
    /// The secret is not the JSON object that docs/deploy.md describes.
    #[error("the secret is not an object with app_secrets, verify_tokens and a pepper")]
    Malformed,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    app_secrets: Vec<Zeroizing<String>>,
    #[serde(default)]
    verify_tokens: Vec<Zeroizing<String>>,
    pepper: Zeroizing<String>,
}

impl MetaSecrets {
    /// Reads the secret's JSON. Empty secrets and tokens are dropped: they must never match
    /// anything.
    pub fn parse(json: &str) -> Result<Self, SecretsError> {
        let wire: Wire = serde_json::from_str(json).map_err(|_| SecretsError::Malformed)?;
        let usable = |candidates: Vec<Zeroizing<String>>| -> Vec<Zeroizing<String>> {
            candidates.into_iter().filter(|one| !one.is_empty()).take(CANDIDATES_MAX).collect()
        };
        Ok(Self {
            app_secrets: usable(wire.app_secrets),
            verify_tokens: usable(wire.verify_tokens),
            pepper: Pepper::new(wire.pepper.as_bytes()).map_err(|_| SecretsError::Malformed)?,
        })
    }
}

/// The secret, and the copy that a warm container keeps.
#[derive(Debug)]
pub struct SecretsCache {
    client: aws_sdk_secretsmanager::Client,
    arn: String,
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug, Clone)]
struct Kept {
    secrets: Arc<MetaSecrets>,
    age: Stopwatch,
    /// Runs since the last attempt to fetch the secret.
    tried: Stopwatch,
}

impl SecretsCache {
    /// A cache of the secret with that ARN. Nothing is fetched yet.
    #[must_use]
    pub const fn new(client: aws_sdk_secretsmanager::Client, arn: String) -> Self {
        Self { client, arn, kept: Mutex::new(None) }
    }

    /// The secrets, at most five minutes old. If Secrets Manager fails, an older copy goes on to
    /// serve.
    ///
    /// # Errors
    /// [`SecretsError`] if there is no older copy either.
    pub async fn get(&self) -> Result<Arc<MetaSecrets>, SecretsError> {
        match self.kept() {
            Some(kept) if kept.age.elapsed() < MAX_AGE => Ok(kept.secrets),
            Some(kept) => Ok(self.refresh().await.unwrap_or(kept.secrets)),
            None => self.fetch().await,
        }
    }

    /// Fetches the secret again after nothing matched. `None` if there is nothing newer, or if it
    /// is too soon to ask.
    async fn refresh(&self) -> Option<Arc<MetaSecrets>> {
        if self.kept().is_some_and(|kept| kept.tried.elapsed() < MIN_AGE) {
            return None;
        }
        if let Some(kept) = &mut *self.lock() {
            kept.tried = Stopwatch::start();
        }
        let fetched = tokio::time::timeout(PATIENCE, self.fetch()).await;
        match fetched {
            Ok(Ok(secrets)) => Some(secrets),
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "the secret could not be fetched again");
                None
            }
            Err(_) => {
                tracing::warn!("the secret was not fetched again within {PATIENCE:?}");
                None
            }
        }
    }

    /// Checks something against the secrets. Where it matches none, that may mean a rotation: it is
    /// checked once more, against a fresh copy. Returns what the last check said, and the secrets
    /// that it was made with.
    ///
    /// # Errors
    /// [`SecretsError`] when there are no secrets to check with.
    pub async fn check<T, E>(
        &self,
        check: impl Fn(&MetaSecrets) -> Result<T, E>,
        is_mismatch: impl Fn(&E) -> bool,
    ) -> Result<(Result<T, E>, Arc<MetaSecrets>), SecretsError> {
        let secrets = self.get().await?;
        let checked = check(&secrets);
        if checked.as_ref().is_err_and(is_mismatch)
            && let Some(fresh) = self.refresh().await
        {
            return Ok((check(&fresh), fresh));
        }
        Ok((checked, secrets))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> Option<Kept> {
        self.lock().clone()
    }

    async fn fetch(&self) -> Result<Arc<MetaSecrets>, SecretsError> {
        use aws_sdk_secretsmanager::error::ProvideErrorMetadata as _;
        let answer = self.client.get_secret_value().secret_id(&self.arn).send().await;
        let answer = answer.map_err(|error| {
            SecretsError::Unavailable(error.code().unwrap_or("no answer").to_owned())
        })?;
        let json = Zeroizing::new(answer.secret_string.ok_or(SecretsError::Malformed)?);
        let secrets = Arc::new(MetaSecrets::parse(&json)?);
        let (age, tried) = (Stopwatch::start(), Stopwatch::start());
        *self.lock() = Some(Kept { secrets: Arc::clone(&secrets), age, tried });
        Ok(secrets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEPPER: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn empty_candidates_never_become_secrets() {
        let json =
            format!(r#"{{"app_secrets":["","s1","s2"],"verify_tokens":[""],"pepper":"{PEPPER}"}}"#);
        let secrets = MetaSecrets::parse(&json).unwrap();
        assert_eq!(secrets.app_secrets.len(), 2);
        assert!(secrets.verify_tokens.is_empty());
    }

    #[test]
    fn a_secret_without_a_strong_pepper_is_refused_without_showing_it() {
        for json in [r#"{"app_secrets":["canary"]}"#, r#"{"pepper":"canary"}"#, "canary", "[]"] {
            let error = MetaSecrets::parse(json).unwrap_err();
            assert!(matches!(error, SecretsError::Malformed), "{json}");
            assert!(!format!("{error:?} {error}").contains("canary"));
        }
    }
}
