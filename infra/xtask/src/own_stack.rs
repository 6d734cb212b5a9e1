//! A stack that a command has to itself.

use crate::emulator::{self, Emulator};
use crate::stack::Stack;
use crate::{functions, project, python};

/// Deploys a stack for one command. Its files are in this folder of `.local`. The stack ends with
/// its emulator.
///
/// # Errors
/// When a function cannot be built, or the stack not be deployed.
pub(crate) fn deploy(folder: &str) -> anyhow::Result<(Emulator, Stack)> {
    let venv = python::emulator_venv()?;
    let folder = project::local().join(folder);
    std::fs::create_dir_all(&folder)?;
    let emulator = Emulator::start(&venv, &folder, emulator::free_port()?)?;
    let artifacts = functions::pack()?;
    let stack = Stack::deploy(&venv, &emulator.endpoint, &artifacts, &folder)?;
    Ok((emulator, stack))
}
