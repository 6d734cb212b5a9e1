//! AWS clients. All share one HTTP client, and take their credentials from the function's role
//! only.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use super::config::Config;

/// The longest that one operation takes, retries included: Meta wants an answer within 5 seconds
/// (docs/meta-platform.md#delivery).
const OPERATION_TIMEOUT: Duration = Duration::from_millis(3500);
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1500);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Attempts at most, the first one included. The SDK backs off between them.
const ATTEMPTS_MAX: u32 = 4;
const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// The configuration that every client is made from.
///
/// The default chain of credentials (profiles, IMDS, ECS, SSO) is left out on purpose. A function
/// only ever has its role, and every link of the chain makes the binary larger and its start
/// slower.
#[must_use]
pub fn sdk_config(config: &Config) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    let retries =
        RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX).with_initial_backoff(FIRST_BACKOFF);
    let mut builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(config.region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(
            EnvironmentVariableCredentialsProvider::new(),
        ))
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(retries);
    builder.set_endpoint_url(config.endpoint_url.clone());
    builder.build()
}

/// A client of S3. A local stack has no host name for each bucket, so there the path names the
/// bucket.
#[must_use]
pub fn s3(sdk: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(sdk);
    let is_local = sdk.endpoint_url().is_some();
    aws_sdk_s3::Client::from_conf(config.force_path_style(is_local).build())
}
