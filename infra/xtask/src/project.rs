//! Where things are.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// Every resource and permission of the service.
#[must_use]
pub fn template() -> PathBuf {
    root().join("template.yaml")
}

/// The folder for what the commands install and write, outside version control.
#[must_use]
pub fn local() -> PathBuf {
    root().join(".local")
}

/// Where cargo puts what it builds.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "cargo's own variable, read by its own task")]
pub fn target() -> PathBuf {
    std::env::var("CARGO_TARGET_DIR").map_or_else(|_| root().join("target"), PathBuf::from)
}

/// The cargo that runs this task, in the root of the repository.
#[must_use]
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()).args(arguments);
    command
}
