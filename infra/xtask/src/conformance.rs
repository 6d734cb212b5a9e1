//! Tries the HTTP API against its description. Schemathesis sends requests that the description
//! allows, and requests that it does not. Every answer has to be a described one.

use std::process::Command;

use anyhow::Context as _;
use numib::domain::ids::AccountId;
use numib::domain::plan::Plan;
use numib::domain::role::Role;

use crate::account::{member, random_id, random_password};
use crate::stack::Stack;
use crate::step::check;
use crate::{project, python};

/// What is checked of each answer: no crash, and status, type and body as described.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance";
/// Seconds for each member, and cases for each operation. A run ends with whichever comes first.
const SECONDS: &str = "85";
const CASES: &str = "10";
/// A fixed seed, so that a failure can be repeated.
const SEED: &str = "20261201";

/// Tries the API of a stack.
///
/// # Errors
/// At the first answer that is not described.
pub async fn run(stack: &Stack) -> anyhow::Result<()> {
    for (name, command) in checks(stack).await? {
        check(name, command)?;
    }
    Ok(())
}

/// The check as an owner, and as an operator, each ready to run.
///
/// # Errors
/// When schemathesis cannot be installed, or nobody can sign in.
async fn checks(stack: &Stack) -> anyhow::Result<Vec<(&'static str, Command)>> {
    let venv = python::api_venv()?;
    let account = AccountId::parse(&random_id()?).context("no account id")?;
    stack.store().create_account(&account, Plan::Days7).await?;
    let mut checks = Vec::new();
    for (name, role) in [("API as an owner", Role::Owner), ("API as an operator", Role::Operator)] {
        let token = sign_in(stack, &account, role).await?;
        let mut command = Command::new(venv.program("st"));
        command.current_dir(project::local()).args(["run"]);
        command.arg(project::root().join("docs/openapi.json"));
        command.args(["--url", &stack.deployed.api_url]);
        command.arg("--header").arg(format!("Host:{}", stack.deployed.api_host));
        command.arg("--header").arg(format!("Authorization:Bearer {token}"));
        command.args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing"]);
        command.args(["--max-time", SECONDS, "--max-examples", CASES, "--seed", SEED]);
        command.args(["--generation-database", "none", "--max-redirects", "0"]);
        // This operation would end the account that the other requests need.
        command.args(["--exclude-operation-id", "deleteAccount", "--warnings", "off"]);
        checks.push((name, command));
    }
    Ok(checks)
}

async fn sign_in(stack: &Stack, account: &AccountId, role: Role) -> anyhow::Result<String> {
    let email = format!("{}@test.example", random_id()?);
    let password = random_password()?;
    Ok(member(stack, (account, role), (&email, &password)).await?.access_token)
}
