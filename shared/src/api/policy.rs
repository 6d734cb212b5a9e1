//! A version of the privacy policy, as it is named in bodies (R10.1).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A version, as text.
pub const VERSION: &str = "^[A-Za-z0-9_-]{1,64}$";

/// A version of the privacy policy.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PolicyVersion")]
pub struct PrivacyPolicy {
    /// What it is called.
    #[schemars(regex(pattern = VERSION))]
    pub version: String,
}
