//! `cargo xtask test`: everything that must hold before a change lands.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use numib::domain::audit::export::Line;
use numib::edge::clock::Stopwatch;

use crate::own_stack::deploy;
use crate::progress::note;
use crate::project::cargo;
use crate::python::{self, Venv};
use crate::stack::Stack;
use crate::step::check;
use crate::{audit, chaos, conformance, copies, documents, pages, project, up};

/// The seeds of a long run: some ten minutes.
const WORLDS: &str = "1000..2000";

/// Runs every check, the quick ones first.
///
/// # Errors
/// At the first check that fails, by its name.
pub async fn run() -> anyhow::Result<()> {
    let stopwatch = Stopwatch::start();
    let linters = python::lint_venv()?;
    check("format", cargo(&["fmt", "--all", "--check"]))?;
    let fuzz = ["fmt", "--manifest-path", "tests/fuzz/Cargo.toml", "--check"];
    check("format of the fuzz targets", cargo(&fuzz))?;
    check("template", cfn_lint(&linters))?;
    check("dependencies", cargo_deny(&linters))?;
    let clippy = ["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    check("clippy", cargo(&clippy))?;
    check("documentation", rustdoc())?;
    check("commands of AWS in the documents", aws_commands()?)?;
    check("jitter entropy is off", no_jitter_entropy())?;
    copies::one_of_each_library()?;
    tests().await?;
    demonstration().await?;
    note(&format!("\nAll checks passed in {:.0} s.", stopwatch.elapsed().as_secs_f32()));
    Ok(())
}

/// Runs unit, property and database tests, and end-to-end tests on a stack that is deployed for
/// them. Then it tries the stack's HTTP API against its description, and its public pages in a
/// browser.
async fn tests() -> anyhow::Result<()> {
    let (emulator, stack) = deploy("test")?;
    // Tests that stop processes of the stack come last, so that they disturb no other test.
    let without_chaos = ["--include-ignored", "--skip", chaos::MODULE];
    let mut command = cargo(&["test", "--locked", "--workspace", "--no-fail-fast", "--"]);
    command.args(without_chaos);
    command.env("NUMIB_MINISTACK_ENDPOINT", &emulator.endpoint);
    command.env("NUMIB_STACK", stack.file());
    check("tests", command)?;
    check("tests with processes stopped and killed", chaos::round(&stack, 1, ""))?;
    conformance::run(&stack).await?;
    look_at_pages(&stack).await
}

/// Shows what `cargo xtask up` shows, on a stack of its own: days go by there, which would end what
/// other tests have stored. Then it runs what the documents run beside `up` and no test does.
async fn demonstration() -> anyhow::Result<()> {
    note("\n── what `cargo xtask up` shows");
    let (_emulator, stack) = deploy("demonstration")?;
    up::show(&stack).await?;
    up::token(&stack)?;
    let chain = stack.file().with_file_name("chain.ndjson");
    let lines = audit::lines(&stack.store(), &up::demo_account()?).await?;
    let lines: Vec<String> = lines.iter().map(Line::write).collect();
    fs::write(&chain, lines.join("\n"))?;
    audit::run(&audit::VerifyOptions { chain, keys: None })
}

/// Worlds in which intake and erasure meet, beyond those that every run tries: see
/// `tests/src/databases/erasure/world`.
///
/// # Errors
/// When a world ends wrong.
pub fn worlds() -> anyhow::Result<()> {
    let test = ["--test", "databases", "erasure::world"];
    let mut command = cargo(&["test", "--locked", "--workspace"]);
    command.args(test).env("NUMIB_WORLD_SEEDS", WORLDS);
    check(&format!("worlds {WORLDS} of intake and erasure"), command)
}

/// The pages of a running stack, in a real browser where there is one.
///
/// # Errors
/// When anything is wrong with a page.
pub async fn look_at_pages(stack: &Stack) -> anyhow::Result<()> {
    match pages::check(stack).await? {
        Some(command) => check("pages", command),
        None => Ok(()),
    }
}

fn cfn_lint(venv: &Venv) -> Command {
    let mut command = Command::new(venv.program("cfn-lint"));
    command.current_dir(project::root()).args(["--template", "template.yaml"]);
    command
}

/// The policy of `deny.toml` on what is in the lock file; advisories need a network, and are left
/// out.
fn cargo_deny(venv: &Venv) -> Command {
    let mut command = Command::new(venv.program("cargo-deny"));
    command.current_dir(project::root());
    command.args(["--locked", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"]);
    command
}

fn rustdoc() -> Command {
    let mut command = cargo(&["doc", "--locked", "--workspace", "--no-deps", "--quiet"]);
    command.env("RUSTDOCFLAGS", "--deny warnings");
    command
}

/// Asks what the AWS CLI is made of whether it knows every command that the documents show.
fn aws_commands() -> anyhow::Result<Command> {
    let mut command = Command::new(python::emulator_venv()?.program("python"));
    command.arg(project::root().join("tests/documents/check.py"));
    command.arg(serde_json::to_string(&documents::commands("aws")?)?);
    Ok(command)
}

/// Fails when aws-lc was built with its jitter entropy source: 30 ms at each cold start.
fn no_jitter_entropy() -> Command {
    let mut command = Command::new("sh");
    let search =
        "! find \"$1\" -name 'libaws_lc*crypto.a' -exec grep -l jent_entropy_init {} + | grep .";
    command.args(["-c", search, "sh"]).arg(project::target());
    command
}

/// Builds the release binaries and runs the benchmark with these further arguments.
///
/// # Errors
/// When a build fails, or a bar is missed.
pub fn bench(arguments: &[String]) -> anyhow::Result<()> {
    let functions = ["meta-webhook", "floor", "worker", "data-export"];
    let mut build = cargo(&["build", "--release", "--locked"]);
    build.args(functions.into_iter().flat_map(|name| ["-p", name]));
    check("release build (the first takes minutes)", build)?;
    // Built apart, so that the harness's own dependencies change nothing in the measured binaries.
    check("harness", cargo(&["build", "--profile", "bench", "--locked", "-p", "bench"]))?;
    let program: PathBuf = project::target().join("release/bench");
    let mut command = Command::new(program);
    command.args(arguments);
    check("benchmark", command)
}
