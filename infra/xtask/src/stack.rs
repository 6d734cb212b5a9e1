//! The deployed stack: its state file, its clients, and what `stack.py` does with it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use numib::archive::attestations::Attestations;
use numib::edge::clients;
use numib::edge::config::Config;
use numib::edge::secrets::MetaSecrets;
use numib::seal::kms::DataKeys;
use numib::store::{Store, Tables};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::progress::{self, Step};
use crate::project;
use crate::python::Venv;

/// What `stack.py deploy` writes down, and how to reach it.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The stack as deployed.
    pub deployed: Deployed,
    venv: Venv,
    file: PathBuf,
}

/// The state file.
#[derive(Debug, Clone, Deserialize)]
pub struct Deployed {
    /// The emulator's address.
    pub endpoint: String,
    /// The region it pretends to be.
    pub region: String,
    /// The stack's name.
    pub stack: String,
    /// Where the HTTP API listens.
    pub api_url: String,
    /// The `Host` it answers to.
    pub api_host: String,
    /// The template's outputs.
    pub outputs: Outputs,
}

/// Outputs of the template.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the template describes its outputs")]
pub struct Outputs {
    pub core_table: String,
    pub messages_table: String,
    pub keys_table: String,
    pub ledger_table: String,
    pub data_key_arn: String,
    pub meta_secret_arn: String,
    pub meta_webhook_function: String,
    pub meta_webhook_role: String,
    pub inbox_api_role: String,
    pub privacy_api_role: String,
    pub operator_api_role: String,
    pub data_deletion_role: String,
    pub worker_function: String,
    pub work_queue_url: String,
    pub worker_role: String,
    pub attestation_bucket: String,
    pub data_export_role: String,
    pub export_bucket: String,
    pub export_queue_url: String,
    pub retention_function: String,
    pub retention_role: String,
    pub user_pool_id: String,
}

/// A member who has logged in.
#[derive(Debug, Clone, Deserialize)]
pub struct Login {
    /// The member's id in the user pool.
    pub sub: String,
    /// The token that the API takes.
    pub access_token: String,
    /// A token that the API does not take.
    pub id_token: String,
}

/// Temporary credentials of a role.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "STS describes them")]
pub struct RoleCredentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
}

impl Stack {
    /// Deploys the template with these zips, and writes the state file into `folder`.
    ///
    /// # Errors
    /// What CloudFormation says.
    pub fn deploy(
        venv: &Venv,
        endpoint: &str,
        artifacts: &Path,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let step = Step::start("Stack");
        let (file, template) = (folder.join("stack.json"), project::template());
        let mut command = venv.stack(&["deploy", "--endpoint", endpoint]);
        command.arg("--artifacts").arg(artifacts).arg("--template").arg(template);
        command.arg("--state").arg(&file);
        step.run(&mut command)?;
        let stack = Self::read(venv, &file)?;
        step.done(&format!("{} is deployed", stack.deployed.stack));
        Ok(stack)
    }

    /// The stack that a state file describes.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(venv: &Venv, file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file)
            .with_context(|| format!("{} is missing: is the stack up?", file.display()))?;
        let deployed = serde_json::from_str(&text)
            .with_context(|| format!("{} is not what deploying writes", file.display()))?;
        Ok(Self { deployed, venv: venv.clone(), file: file.to_owned() })
    }

    /// Makes a member of the user pool, in this group, and logs in.
    ///
    /// # Errors
    /// What Cognito says.
    pub fn login(&self, email: &str, group: &str, password: &str) -> anyhow::Result<Login> {
        let file = self.file.to_string_lossy();
        let who = ["token", "--email", email, "--group", group, "--password", password];
        Ok(serde_json::from_str(&self.ask(&[&who[..], &["--state", &file]].concat())?)?)
    }

    /// Gives a member an authenticator app and logs in with it. Returns what the pool answered.
    ///
    /// # Errors
    /// What Cognito says.
    pub fn second_factor(
        &self,
        email: &str,
        password: &str,
        access_token: &str,
    ) -> anyhow::Result<Value> {
        let file = self.file.to_string_lossy();
        let who = ["second-factor", "--email", email, "--password", password];
        let token = ["--access-token", access_token, "--state", &file];
        Ok(serde_json::from_str(&self.ask(&[&who[..], &token].concat())?)?)
    }

    /// Runs a scheduled task as EventBridge Scheduler would at that time; returns its result.
    ///
    /// # Errors
    /// When the function fails.
    pub fn run_task(&self, task: &str, time: &str) -> anyhow::Result<Value> {
        let schedule = format!(
            "arn:aws:scheduler:{}:000000000000:schedule/default/{}-{task}",
            self.deployed.region, self.deployed.stack
        );
        self.invoke_retention(&json!({ "time": time, "resources": [schedule] }))
    }

    /// Runs the function of schedules and streams with an event of AWS; returns its result.
    ///
    /// # Errors
    /// When the function fails.
    pub fn invoke_retention(&self, event: &Value) -> anyhow::Result<Value> {
        self.invoke(&self.deployed.outputs.retention_function, event)
    }

    /// Runs the function of this name with an event; returns its result.
    ///
    /// # Errors
    /// When the function fails.
    pub fn invoke(&self, function: &str, event: &Value) -> anyhow::Result<Value> {
        let event = event.to_string();
        let answer = self.ask(&["invoke", "--function", function, "--event", &event])?;
        Ok(serde_json::from_str(&answer)?)
    }

    /// The state file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Credentials of one of the functions' roles, to try what it may do.
    ///
    /// # Errors
    /// What STS says.
    pub fn assume(&self, role: &str) -> anyhow::Result<RoleCredentials> {
        Ok(serde_json::from_str(&self.ask(&["assume", "--role", role])?)?)
    }

    /// Everything the emulator stores anywhere, one JSON value a line.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn dump(&self) -> anyhow::Result<String> {
        self.ask(&["dump"])
    }

    /// Makes a log group with so many numbered lines.
    ///
    /// # Errors
    /// When there is one of that name.
    pub fn log(&self, group: &str, lines: u32) -> anyhow::Result<()> {
        self.ask(&["log", "--group", group, "--lines", &lines.to_string()]).map(|_| ())
    }

    /// Every e-mail that was sent.
    ///
    /// # Errors
    /// When the emulator cannot be reached.
    pub fn mail(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.ask(&["mail"])?)?)
    }

    /// What a short command of `stack.py` answers. Its progress is not shown.
    fn ask(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = self.venv.stack(arguments);
        progress::run(command.args(["--endpoint", &self.deployed.endpoint]), |_| ())
    }

    /// Clients of the emulator as the root of its account.
    #[must_use]
    pub fn sdk(&self) -> SdkConfig {
        self.sdk_as(Credentials::new("test", "test", None, None, "local stack"))
    }

    /// Clients of the emulator as a role.
    #[must_use]
    pub fn sdk_of(&self, role: &RoleCredentials) -> SdkConfig {
        let token = Some(role.session_token.clone());
        let (id, secret) = (role.access_key_id.as_str(), role.secret_access_key.as_str());
        self.sdk_as(Credentials::new(id, secret, token, None, "assumed role"))
    }

    fn sdk_as(&self, credentials: Credentials) -> SdkConfig {
        let config = Config {
            function: "xtask".to_owned(),
            region: self.deployed.region.clone(),
            endpoint_url: Some(self.deployed.endpoint.clone()),
            log_level: tracing::Level::ERROR,
        };
        let provider = SharedCredentialsProvider::new(credentials);
        clients::sdk_config(&config).into_builder().credentials_provider(provider).build()
    }

    /// The names of the tables.
    #[must_use]
    pub fn tables(&self) -> Tables {
        let outputs = &self.deployed.outputs;
        Tables {
            core: outputs.core_table.clone(),
            messages: outputs.messages_table.clone(),
            keys: outputs.keys_table.clone(),
            ledger: outputs.ledger_table.clone(),
        }
    }

    /// The database, as the root of the account.
    #[must_use]
    pub fn store(&self) -> Store {
        Store::new(aws_sdk_dynamodb::Client::new(&self.sdk()), self.tables())
    }

    /// Where attestations are filed, as the root of the account.
    #[must_use]
    pub fn attestations(&self) -> Attestations {
        let bucket = self.deployed.outputs.attestation_bucket.clone();
        Attestations::new(clients::s3(&self.sdk()), bucket)
    }

    /// The keys, as a role: the key's policy lets nobody else use it, not even the account's root.
    #[must_use]
    pub fn day_keys_of(&self, role: &RoleCredentials) -> DataKeys {
        let client = aws_sdk_kms::Client::new(&self.sdk_of(role));
        DataKeys::new(client, self.deployed.outputs.data_key_arn.clone())
    }

    /// Puts app secrets and verify tokens into the secret, beside the pepper that is there.
    ///
    /// # Errors
    /// What Secrets Manager says.
    pub async fn put_meta_secrets(
        &self,
        app_secrets: &[&str],
        verify_tokens: &[&str],
    ) -> anyhow::Result<MetaSecrets> {
        let client = aws_sdk_secretsmanager::Client::new(&self.sdk());
        let arn = self.deployed.outputs.meta_secret_arn.as_str();
        let held = client.get_secret_value().secret_id(arn).send().await?;
        let mut secret: Value = serde_json::from_str(held.secret_string().unwrap_or_default())?;
        let secret_map = secret.as_object_mut().context("the secret is not an object")?;
        let before = secret_map.clone();
        secret_map.insert("app_secrets".to_owned(), json!(app_secrets));
        secret_map.insert("verify_tokens".to_owned(), json!(verify_tokens));
        let changed = *secret_map != before;
        let text = secret.to_string();
        if changed {
            client.put_secret_value().secret_id(arn).secret_string(&text).send().await?;
        }
        Ok(MetaSecrets::parse(&text)?)
    }
}
