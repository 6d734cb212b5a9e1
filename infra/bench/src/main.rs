//! Runs the release binary of meta-webhook as Lambda would, on a database in this process, beside a
//! floor that makes the same calls and does nothing else; says what both cost and which bars hold.
//! Or erases connections of different volumes, and runs the release binary of erasure; or lets the
//! same expire beside different volumes; or exports an account, and runs that of data-export.

mod calls;
mod cloud;
mod endpoint;
mod erasure_report;
mod erasures;
mod expiries;
mod export_report;
mod exports;
mod process;
mod report;
mod sandbox;
mod scenarios;
mod seed;
mod stats;
mod table;
mod webhooks;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Parser;
use numib::edge::clock;
use numib::store::Tables;
use xtask::progress::{Step, note, say};

use crate::endpoint::Endpoint;
use crate::erasures::Erased;
use crate::exports::Exported;
use crate::report::Results;
use crate::sandbox::{Program, Sandbox, environment};
use crate::scenarios::{Amounts, Scene};

/// Where distributions keep their certificates in one file; the image of Lambda has the first.
const CERTIFICATES: [&str; 2] =
    ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"];

/// The time that the template gives meta-webhook, erasure, and data-export.
const TIMEOUT: Duration = Duration::from_secs(10);
const ERASURE_TIMEOUT: Duration = Duration::from_mins(2);
const EXPORT_TIMEOUT: Duration = Duration::from_mins(5);

/// Measures meta-webhook beside a floor; fails when a bar does not hold.
#[derive(Debug, Parser)]
struct Options {
    /// The binary of meta-webhook [default: beside this one]
    #[arg(long)]
    function: Option<PathBuf>,
    /// The binary of the floor [default: beside this one]
    #[arg(long)]
    floor: Option<PathBuf>,
    /// The template whose tables to use
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml"))]
    template: PathBuf,
    /// The certificates that functions trust, as one file [default: the distribution's]
    #[arg(long)]
    certificates: Option<PathBuf>,
    /// Cold starts of each
    #[arg(long, default_value_t = 60)]
    cold_starts: usize,
    /// Webhooks with one message each
    #[arg(long, default_value_t = 2000)]
    webhooks: usize,
    /// Contacts that those come from
    #[arg(long, default_value_t = 300)]
    contacts: usize,
    /// Large bodies
    #[arg(long, default_value_t = 10)]
    bodies: usize,
    /// Messages in each of them; Meta sends 1000 at most
    #[arg(long, default_value_t = 1000)]
    body_messages: usize,
    /// Contacts that those come from; the default is the worst case
    #[arg(long, default_value_t = 1000)]
    body_contacts: usize,
    /// Measure erasures of connections with so many messages each, and nothing else; the first is
    /// what the others are compared with
    #[arg(long, value_delimiter = ',')]
    erasures: Vec<usize>,
    /// How often each of them is erased
    #[arg(long, default_value_t = 50)]
    erasure_samples: usize,
    /// Measure what it costs to have a thousand messages expire beside so many live ones each, and
    /// nothing else; the first is what the others are compared with
    #[arg(long, value_delimiter = ',')]
    expiries: Vec<usize>,
    /// Measure the export of an account with so many messages, and nothing else
    #[arg(long)]
    exports: Option<usize>,
    /// Writes every number behind the table to this file
    #[arg(long)]
    json: Option<PathBuf>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let (raw, (table, all_hold)) = if let Some(volume) = options.exports {
        let exported = measure_export(&options, volume).await?;
        (export_report::raw(&exported), export_report::table(&exported))
    } else if !options.erasures.is_empty() {
        let erased = measure_erasures(&options).await?;
        (erasure_report::raw(&erased), erasure_report::table(&erased))
    } else if !options.expiries.is_empty() {
        let measured = expiries::measure(&options.template, &options.expiries).await?;
        (expiries::raw(&measured), expiries::table(&measured))
    } else {
        let results = measure(&options).await?;
        (results.raw(), results.table())
    };
    if let Some(path) = &options.json {
        let raw = serde_json::to_vec_pretty(&raw)?;
        std::fs::write(path, raw).with_context(|| format!("writing {}", path.display()))?;
    }
    say(&table);
    note("Times are this machine's, with the database beside the function and no TLS to it.");
    note(if all_hold { "Every bar holds." } else { "A bar does not hold." });
    Ok(if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(options: &Options) -> anyhow::Result<Results> {
    let amounts = options.amounts()?;
    let step = Step::start("database and tables");
    let endpoint = Endpoint::start(&seed::secret()).await?;
    let tables = seed::seed(&endpoint.database_url, &options.template, clock::now()).await?;
    let function = program(options.function.as_deref(), "meta-webhook", options, &endpoint.url)?;
    let function = intake(function, tables);
    let floor = program(options.floor.as_deref(), "floor", options, &endpoint.url)?;
    let binary_len =
        [std::fs::metadata(&function.path)?.len(), std::fs::metadata(&floor.path)?.len()];
    step.done("dynoxide, as the template says");

    let mut scene = Scene::new(&endpoint);
    let watched = scene.watch(&mut Sandbox::start(&function).await?).await?;
    let floor = Program { argument: Some(watched.hot_path.to_string()), ..floor };
    let cold_starts = scene.cold_starts([&function, &floor], options.cold_starts).await?;

    let mut function = Sandbox::start(&function).await?;
    let mut floor = Sandbox::start(&floor).await?;
    let steady = scene.steady([&mut function, &mut floor], amounts).await?;
    let steady_peak_kib = [function.peak_kib()?, floor.peak_kib()?];
    let [new_bodies, old_bodies] = scene.bodies(&mut function, amounts).await?;
    let peak_kib = function.peak_kib()?;
    Ok(Results {
        watched,
        cold_starts,
        steady,
        new_bodies,
        old_bodies,
        steady_peak_kib,
        peak_kib,
        binary_len,
    })
}

async fn measure_erasures(options: &Options) -> anyhow::Result<Vec<Erased>> {
    let Options { template, erasures: volumes, erasure_samples: samples, .. } = options;
    ensure!(*samples > 0 && !volumes.contains(&0), "nothing can be measured of nothing");
    let program = |endpoint: &Endpoint| {
        let program = program(None, "erasure", options, &endpoint.url)?;
        Ok(Program { timeout: ERASURE_TIMEOUT, ..program })
    };
    erasures::measure(template, volumes, *samples, program).await
}

async fn measure_export(options: &Options, volume: usize) -> anyhow::Result<Exported> {
    ensure!(volume > 0, "nothing can be measured of nothing");
    let program = |url: &str| {
        let program = program(None, "data-export", options, url)?;
        Ok(Program { timeout: EXPORT_TIMEOUT, ..program })
    };
    exports::measure(&options.template, volume, program).await
}

impl Options {
    fn amounts(&self) -> anyhow::Result<Amounts> {
        let Self { cold_starts, webhooks, contacts, bodies, body_messages, body_contacts, .. } =
            *self;
        let all = [cold_starts, webhooks, contacts, bodies, body_messages, body_contacts];
        ensure!(
            !all.contains(&0),
            "nothing can be measured of nothing: every number is at least 1"
        );
        Ok(Amounts { webhooks, contacts, bodies, body_messages, body_contacts })
    }
}

/// A program with what every function is told.
fn program(
    path: Option<&Path>,
    name: &str,
    options: &Options,
    url: &str,
) -> anyhow::Result<Program> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => std::env::current_exe()?.with_file_name(name),
    };
    ensure!(path.is_file(), "{} is not there: cargo build --release -p {name}", path.display());
    let bundle = CERTIFICATES.iter().map(PathBuf::from).find(|path| path.is_file());
    let certificates = options.certificates.clone().or(bundle);
    let environment = environment(url, certificates.as_deref());
    Ok(Program { path, argument: None, environment, timeout: TIMEOUT })
}

/// What the template tells meta-webhook on top.
fn intake(mut program: Program, tables: Tables) -> Program {
    program.environment.extend([
        ("CORE_TABLE", tables.core),
        ("MESSAGES_TABLE", tables.messages),
        ("KEYS_TABLE", tables.keys),
        ("META_SECRET_ARN", "bench".to_owned()),
    ]);
    program
}
