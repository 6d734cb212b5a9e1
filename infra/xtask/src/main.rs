//! The project's commands; see the README.

use clap::{Parser, Subcommand};
use xtask::{
    audit, chaos, check, conformance, export, fuzz, openapi, progress, receipt, released, replay,
    template, up,
};

const FUZZ_SECONDS: u32 = 60;

/// NUMIB's commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Start the whole service here, show its main job, stay until Ctrl-C
    Up(up::Options),
    /// Print a fresh access token of the demo member
    Token,
    /// Deliver recorded webhook bodies to the running stack; print what each left in the store
    Replay(replay::Options),
    /// Check the receipt of an erasure against the published keys, offline
    VerifyReceipt(receipt::Options),
    /// Export an account of the running stack; check and unpack the archive
    Export(export::Options),
    /// Write the audit chain of an account of the running stack, one event a line
    Audit(audit::ExportOptions),
    /// Check an audit chain, offline
    VerifyAudit(audit::VerifyOptions),
    /// Write the API's description, docs/openapi.json
    Openapi,
    /// Put template.yaml together from the parts beside what they describe
    Template,
    /// After a release is deployed, note what outlives its stack, to compare the next release with
    Released,
    /// Try the HTTP API of the running stack against its description
    Conformance,
    /// Look at every page of the running stack in a real browser
    Pages,
    /// Run every check: format, lints, dependencies, all tests
    Test {
        /// Try many more worlds of intake and erasure, and fuzz, a minute for each target
        #[arg(long)]
        long: bool,
    },
    /// Erase while functions are stopped and killed: no row is left, all is counted
    Chaos(chaos::Options),
    /// Fuzz what reads the bytes of others: no panic, and no input that takes long
    Fuzz {
        /// Seconds for each target
        #[arg(long, default_value_t = FUZZ_SECONDS)]
        seconds: u32,
    },
    /// Measure the release binary of meta-webhook beside a floor
    Bench {
        /// Passed on to the benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match run(Cli::parse().command).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            progress::note(&format!("\nerror: {error:#}"));
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Up(options) => up::run(&options).await,
        Task::Token => {
            progress::say(&up::token(&up::running()?)?);
            Ok(())
        }
        Task::Export(options) => export::run(&up::running()?, &options, &up::password()?).await,
        Task::Replay(options) => replay::run(up::running()?, options).await,
        Task::VerifyReceipt(options) => receipt::run(&options),
        Task::Audit(options) => audit::export(&up::running()?.store(), &options).await,
        Task::VerifyAudit(options) => audit::run(&options),
        Task::Conformance => conformance::run(&up::running()?).await,
        Task::Pages => check::look_at_pages(&up::running()?).await,
        Task::Openapi => openapi::write(),
        Task::Template => template::write(),
        Task::Released => released::write(),
        Task::Test { long } => {
            check::run().await?;
            if long {
                check::worlds()?;
                fuzz::run(FUZZ_SECONDS)?;
            }
            Ok(())
        }
        Task::Chaos(options) => chaos::run(&options),
        Task::Fuzz { seconds } => fuzz::run(seconds),
        Task::Bench { arguments } => check::bench(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;
    use clap::error::ErrorKind;
    use xtask::documents::{self, Shown};

    use super::*;

    #[test]
    fn the_documents_show_these_commands_and_leave_out_none() {
        let mut shown = BTreeSet::new();
        for Shown { at, words } in documents::commands("cargo").unwrap() {
            // A capital letter alone stands for a number.
            let is_number = |word: &str| word.len() == 1 && word.chars().all(char::is_uppercase);
            let given = words.iter().map(|word| if is_number(word) { "1" } else { word });
            let given: Vec<&str> = given.collect();
            let ["cargo", own @ ..] = given.as_slice() else { continue };
            let ["xtask", task, ..] = own else { continue };
            shown.insert((*task).to_owned());
            if let Err(error) = Cli::try_parse_from(own) {
                assert_eq!(error.kind(), ErrorKind::DisplayHelp, "{at}: {given:?}: {error}");
            }
        }
        let command = Cli::command();
        let missing = command.get_subcommands().filter(|task| !shown.contains(task.get_name()));
        let missing: Vec<&str> = missing.map(clap::Command::get_name).collect();
        assert_eq!(missing, [""; 0], "no document says what these are for");
    }
}
