//! `cargo xtask chaos`: erases while processes of the functions are stopped, continued and killed,
//! round after round, each with a seed of its own.

use std::process::Command;

use anyhow::Context as _;
use numib::edge::clock::Stopwatch;

use crate::own_stack::deploy;
use crate::progress::note;
use crate::project::cargo;
use crate::stack::Stack;
use crate::step::check;

/// The end-to-end tests that stop processes of the stack. They need the stack for themselves.
pub(crate) const MODULE: &str = "chaos::";

/// The modules there. Each has the test of one recipe.
const RECIPES: [&str; 6] = ["at_once", "busy", "killed", "redelivered", "resumed", "stopped"];

/// How many rounds, from which seed on, and of what.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Rounds, each of every recipe
    #[arg(long, default_value_t = 20)]
    rounds: u64,
    /// The first round's seed; each further round has the next
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this recipe
    #[arg(long, value_parser = RECIPES)]
    recipe: Option<String>,
    /// Go on after a round that failed, and say at the end how many did
    #[arg(long)]
    keep_going: bool,
}

/// Runs the rounds on a stack of its own.
///
/// # Errors
/// At the first round that leaves a row or counts wrong, with its seed.
pub fn run(options: &Options) -> anyhow::Result<()> {
    // A stack for this seed, so that runs with other seeds may go on beside it once it is deployed.
    let (_emulator, stack) = deploy(&format!("chaos-{}", options.seed))?;
    let stopwatch = Stopwatch::start();
    let mut failed = Vec::new();
    for (number, seed) in (1..=options.rounds).zip(options.seed..) {
        let name = format!("round {number} of {}, seed {seed}", options.rounds);
        let recipe = options.recipe.as_deref().unwrap_or_default();
        let ran = check(&name, round(&stack, seed, recipe));
        if ran.is_err() && options.keep_going {
            failed.push(seed.to_string());
            continue;
        }
        ran.with_context(|| format!("`cargo xtask chaos --rounds 1 --seed {seed}` repeats it"))?;
    }
    let seconds = stopwatch.elapsed().as_secs_f32();
    anyhow::ensure!(
        failed.is_empty(),
        "{} rounds failed, of the seeds {}",
        failed.len(),
        failed.join(", ")
    );
    note(&format!(
        "\n{} rounds in {seconds:.0} s: nothing was left, all was counted",
        options.rounds
    ));
    Ok(())
}

/// Runs one recipe once, or all of them, one at a time, if the name is empty. `--workspace` makes
/// cargo build the tests as `cargo xtask test` does.
pub(crate) fn round(stack: &Stack, seed: u64, recipe: &str) -> Command {
    let mut command = cargo(&["test", "--locked", "--quiet", "--workspace", "--test", "stack"]);
    command.args(["--", "--include-ignored", "--test-threads=1", "--nocapture"]);
    command.arg(format!("{MODULE}{recipe}"));
    command.env("NUMIB_STACK", stack.file());
    command.env("NUMIB_CHAOS_SEED", seed.to_string());
    command
}
