//! Python environments with pinned, hashed packages, in `.local`: of the emulator, of the linters,
//! and of the checks of the API and the pages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::progress::Step;
use crate::project;

/// Names under which a usable Python may be found, the preferred first.
const CANDIDATES: [&str; 5] = ["python3", "python3.11", "python3.12", "python3.13", "python"];
const OLDEST: (u32, u32) = (3, 11);

/// A virtual environment with what it was made for.
#[derive(Debug, Clone)]
pub struct Venv {
    path: PathBuf,
}

impl Venv {
    /// A program of the environment.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.path.join("bin").join(name)
    }

    /// `infra/local/stack.py` with these arguments.
    #[must_use]
    pub fn stack(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program("python"));
        command.arg(project::root().join("infra/local/stack.py")).args(arguments);
        command
    }
}

/// The environment that runs the local stack, made if it is not there or its pins have changed.
///
/// # Errors
/// When there is no Python 3.11 or later, or its packages cannot be installed.
pub fn emulator_venv() -> anyhow::Result<Venv> {
    venv("Emulator", "venv", "requirements.txt")
}

/// The environment of the linters.
///
/// # Errors
/// As [`emulator_venv`].
pub fn lint_venv() -> anyhow::Result<Venv> {
    venv("Linters", "venv-lint", "requirements-lint.txt")
}

/// The environment of the check of the HTTP API.
///
/// # Errors
/// As [`emulator_venv`].
pub fn api_venv() -> anyhow::Result<Venv> {
    venv("schemathesis", "venv-api", "requirements-api.txt")
}

/// The environment of the check of the public pages.
///
/// # Errors
/// As [`emulator_venv`].
pub fn pages_venv() -> anyhow::Result<Venv> {
    venv("Browser driver", "venv-pages", "requirements-pages.txt")
}

fn venv(name: &'static str, folder: &str, requirements: &str) -> anyhow::Result<Venv> {
    let venv = Venv { path: project::local().join(folder) };
    let requirements = project::root().join("infra/local").join(requirements);
    let wanted = fs::read_to_string(&requirements)?;
    let stamp = venv.path.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(venv);
    }
    let step = Step::start(name);
    let python = find()?;
    step.at("making a virtual environment");
    step.run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&venv.path)).context(
        "Python could not make a virtual environment; on Debian and Ubuntu: \
         apt install python3-venv",
    )?;
    install(&step, &venv, &requirements)?;
    fs::write(&stamp, wanted)?;
    step.done("installed");
    Ok(venv)
}

fn install(step: &Step, venv: &Venv, requirements: &Path) -> anyhow::Result<()> {
    step.at("installing its packages from PyPI");
    let mut pip = Command::new(venv.program("python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(["--require-hashes", "--only-binary", ":all:", "--requirement"])
        .arg(requirements);
    step.run(&mut pip).context(
        "The packages could not be installed from PyPI. Is there a network? A proxy or a mirror \
         can be named with pip's own settings (PIP_PROXY, PIP_INDEX_URL)",
    )?;
    Ok(())
}

/// The first Python that is new enough.
fn find() -> anyhow::Result<&'static str> {
    for candidate in CANDIDATES {
        let script = "import sys; print(*sys.version_info[:2])";
        let Ok(output) = Command::new(candidate).args(["-c", script]).output() else { continue };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut numbers = text.split_whitespace().filter_map(|number| number.parse().ok());
        if let (Some(major), Some(minor)) = (numbers.next(), numbers.next())
            && (major, minor) >= OLDEST
        {
            return Ok(candidate);
        }
    }
    bail!(
        "No Python {}.{} or later was found as {}. Install one (on Debian and Ubuntu: apt install \
         python3 python3-venv)",
        OLDEST.0,
        OLDEST.1,
        CANDIDATES.join(", ")
    )
}
