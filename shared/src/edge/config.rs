//! The one reader of the environment.

use crate::store::Tables;

/// A variable of the environment is missing or unreadable. The function cannot start.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {0} is missing or unreadable")]
pub struct ConfigError(&'static str);

/// What the template tells every function.
#[derive(Debug, Clone)]
pub struct Config {
    /// `AWS_LAMBDA_FUNCTION_NAME`.
    pub function: String,
    /// `AWS_REGION`.
    pub region: String,
    /// `AWS_ENDPOINT_URL`: set by a local stack only.
    pub endpoint_url: Option<String>,
    /// `LOG_LEVEL`: `info` if it is not set.
    pub log_level: tracing::Level,
}

impl Config {
    /// Reads the variables that every function needs.
    ///
    /// # Errors
    /// [`ConfigError`] names the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        let level = var("LOG_LEVEL").ok();
        Ok(Self {
            function: var("AWS_LAMBDA_FUNCTION_NAME")?,
            region: var("AWS_REGION")?,
            endpoint_url: var("AWS_ENDPOINT_URL").ok(),
            log_level: match level {
                Some(level) => level.parse().map_err(|_| ConfigError("LOG_LEVEL"))?,
                None => tracing::Level::INFO,
            },
        })
    }
}

/// The tables: `CORE_TABLE`, `MESSAGES_TABLE`, `KEYS_TABLE` and `LEDGER_TABLE`. A function is told
/// only the tables that it works with.
///
/// # Errors
/// [`ConfigError`] when `CORE_TABLE` or `KEYS_TABLE` is missing.
pub fn tables() -> Result<Tables, ConfigError> {
    Ok(Tables {
        core: var("CORE_TABLE")?,
        messages: var("MESSAGES_TABLE").unwrap_or_default(),
        keys: var("KEYS_TABLE")?,
        ledger: var("LEDGER_TABLE").unwrap_or_default(),
    })
}

/// `META_SECRET_ARN`: the secret with Meta's app secrets, our verify tokens and the pepper.
///
/// # Errors
/// [`ConfigError`] when it is missing.
pub fn meta_secret_arn() -> Result<String, ConfigError> {
    var("META_SECRET_ARN")
}

/// `DATA_KEY_ARN`: the KMS key that wraps day keys.
///
/// # Errors
/// [`ConfigError`] when it is missing.
pub fn data_key_arn() -> Result<String, ConfigError> {
    var("DATA_KEY_ARN")
}

/// `RECEIPT_KEY_ARN`: the KMS key that signs receipts of erasures.
///
/// # Errors
/// [`ConfigError`] when it is missing.
pub fn receipt_key_arn() -> Result<String, ConfigError> {
    var("RECEIPT_KEY_ARN")
}

/// `ATTESTATION_BUCKET`: where attestations of retention are filed.
///
/// # Errors
/// [`ConfigError`] when it is missing.
pub fn attestation_bucket() -> Result<String, ConfigError> {
    var("ATTESTATION_BUCKET")
}

/// `WORK_QUEUE_URL`: the work queue of erasures.
///
/// # Errors
/// [`ConfigError`] when it is missing.
pub fn work_queue_url() -> Result<String, ConfigError> {
    var("WORK_QUEUE_URL")
}

/// `EXPORT_BUCKET`: where archives of exports are.
///
/// # Errors
/// [`ConfigError`] when it is missing.
pub fn export_bucket() -> Result<String, ConfigError> {
    var("EXPORT_BUCKET")
}

/// `EXPORT_QUEUE_URL`: the work queue of exports.
///
/// # Errors
/// [`ConfigError`] when it is missing.
pub fn export_queue_url() -> Result<String, ConfigError> {
    var("EXPORT_QUEUE_URL")
}

/// `USER_POOL_ID`: the user pool of the members.
///
/// # Errors
/// [`ConfigError`] when it is missing.
pub fn user_pool_id() -> Result<String, ConfigError> {
    var("USER_POOL_ID")
}

/// `ACCOUNT_GRACE_DAYS`: for how many days the deletion of an account can be taken back.
///
/// # Errors
/// [`ConfigError`] when it is missing, or no number of days.
pub fn account_grace_days() -> Result<u8, ConfigError> {
    const NAME: &str = "ACCOUNT_GRACE_DAYS";
    var(NAME)?.parse().map_err(|_| ConfigError(NAME))
}

/// `SENDER_ADDRESS`: the address that e-mail comes from; `None` if no e-mail is sent.
#[must_use]
pub fn sender_address() -> Option<String> {
    var("SENDER_ADDRESS").ok()
}

/// `PUBLIC_URL`: where people find the service, without a slash at the end; `None` if people use
/// the HTTP API's own address.
#[must_use]
pub fn public_url() -> Option<String> {
    var("PUBLIC_URL").ok()
}

#[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
fn var(name: &'static str) -> Result<String, ConfigError> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or(ConfigError(name))
}
