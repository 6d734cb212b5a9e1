//! A step of a command: a program that has to succeed.

use std::process::Command;

use anyhow::{Context as _, bail};

use crate::progress::note;

/// Runs a check, and says which one failed.
///
/// # Errors
/// When it cannot be started, or fails.
pub(crate) fn check(name: &str, mut command: Command) -> anyhow::Result<()> {
    note(&format!("\n── {name}"));
    let status = command.status().with_context(|| format!("{name} cannot be started"))?;
    if !status.success() {
        bail!("The check `{name}` failed ({status}).");
    }
    Ok(())
}
