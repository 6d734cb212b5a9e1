//! Runs the release binary of meta-webhook as Lambda would, on a database in this process, beside a
//! floor that makes the same calls and does nothing else; says what both cost and which bars hold.
//! Or erases connections of different volumes, and runs the release binary of worker; or lets the
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
#[cfg(test)]
mod small;
mod stats;
mod table;
mod webhooks;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Parser;
use numib::edge::clock;
use numib::store::Tables;
use serde_json::Value;
use xtask::progress::{Step, note, say};

use crate::endpoint::Endpoint;
use crate::erasures::Erased;
use crate::expiries::Measured;
use crate::exports::Exported;
use crate::report::Results;
use crate::sandbox::{Program, Sandbox, environment};
use crate::scenarios::{Amounts, Scene};
use crate::table::Table;

/// Where distributions keep their certificates in one file; the image of Lambda has the first.
const CERTIFICATES: [&str; 2] =
    ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"];

/// The time that the template gives meta-webhook, worker, and data-export.
const TIMEOUT: Duration = Duration::from_secs(10);
const WORKER_TIMEOUT: Duration = Duration::from_mins(2);
const EXPORT_TIMEOUT: Duration = Duration::from_mins(5);

/// Measures meta-webhook beside a floor; fails when a bar does not hold.
#[derive(Debug, Parser)]
struct Options {
    /// The folder of the functions' and the floor's binaries [default: this one's]
    #[arg(long)]
    binaries: Option<PathBuf>,
    /// The template whose tables to use
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml"))]
    template: PathBuf,
    /// The certificates that functions trust, as one file [default: the distribution's]
    #[arg(long)]
    certificates: Option<PathBuf>,
    /// Cold starts of the function, and of the floor
    #[arg(long, default_value_t = 60)]
    cold_starts: usize,
    /// Webhooks with one message each
    #[arg(long, default_value_t = 2000)]
    webhooks: usize,
    /// Contacts that the webhooks come from
    #[arg(long, default_value_t = 300)]
    contacts: usize,
    /// Large bodies
    #[arg(long, default_value_t = 10)]
    bodies: usize,
    /// Messages in each large body; Meta sends 1000 at most
    #[arg(long, default_value_t = 1000)]
    body_messages: usize,
    /// Contacts that the messages of a large body come from; the default is the worst case
    #[arg(long, default_value_t = 1000)]
    body_contacts: usize,
    /// Measure erasures of connections with so many messages each, and nothing else; the first is
    /// what the others are compared with
    #[arg(long, value_delimiter = ',')]
    erasures: Vec<usize>,
    /// How often each connection is erased
    #[arg(long, default_value_t = 50)]
    erasure_samples: usize,
    /// Measure what it costs to have ten messages of each channel expire, beside so many live ones
    /// in all, and nothing else; the first is what the others are compared with
    #[arg(long, value_delimiter = ',')]
    expiries: Vec<usize>,
    /// Channels that the messages are spread over
    #[arg(long, default_value_t = 100)]
    channels: usize,
    /// Measure the export of an account with so many messages, and nothing else
    #[arg(long)]
    exports: Option<usize>,
    /// Writes every number behind the table to this file
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What a benchmark prints, and every number behind it.
#[derive(Debug)]
struct Report {
    table: Table,
    raw: Value,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let Report { table, raw } = run(&options).await?;
    if let Some(path) = &options.json {
        let raw = serde_json::to_vec_pretty(&raw)?;
        std::fs::write(path, raw).with_context(|| format!("writing {}", path.display()))?;
    }
    say(&table.text);
    note("Times are this machine's, with the database beside the function and no TLS to it.");
    note(if table.all_hold { "Every bar holds." } else { "A bar does not hold." });
    Ok(if table.all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the benchmark that is asked for.
async fn run(options: &Options) -> anyhow::Result<Report> {
    Ok(if let Some(volume) = options.exports {
        let exported = measure_export(options, volume).await?;
        Report { raw: export_report::raw(&exported), table: export_report::table(&exported) }
    } else if !options.erasures.is_empty() {
        let erased = measure_erasures(options).await?;
        Report { raw: erasure_report::raw(&erased), table: erasure_report::table(&erased) }
    } else if !options.expiries.is_empty() {
        let measured = measure_expiries(options).await?;
        Report { raw: expiries::raw(&measured), table: expiries::table(&measured) }
    } else {
        let results = measure(options).await?;
        Report { raw: results.raw(), table: results.table() }
    })
}

async fn measure(options: &Options) -> anyhow::Result<Results> {
    let amounts = options.amounts()?;
    let step = Step::start("database and tables");
    let endpoint = Endpoint::start(&seed::secret()).await?;
    let tables = seed::seed(&endpoint.database_url, &options.template, clock::now()).await?;
    let function = options.program("meta-webhook", TIMEOUT, &endpoint.url, tables.clone())?;
    let floor = options.program("floor", TIMEOUT, &endpoint.url, tables)?;
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
    let program = |url: &str, tables| options.program("worker", WORKER_TIMEOUT, url, tables);
    erasures::measure(template, volumes, *samples, program).await
}

async fn measure_expiries(options: &Options) -> anyhow::Result<Vec<Measured>> {
    let Options { template, expiries: volumes, channels, .. } = options;
    ensure!(*channels > 0, "nothing can be measured of nothing");
    expiries::measure(template, volumes, *channels).await
}

async fn measure_export(options: &Options, volume: usize) -> anyhow::Result<Exported> {
    ensure!(volume > 0, "nothing can be measured of nothing");
    let program = |url: &str, tables| options.program("data-export", EXPORT_TIMEOUT, url, tables);
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
    /// A function on a stack at this endpoint.
    fn program(
        &self,
        name: &str,
        timeout: Duration,
        url: &str,
        tables: Tables,
    ) -> anyhow::Result<Program> {
        let path = match &self.binaries {
            Some(folder) => folder.join(name),
            None => std::env::current_exe()?.with_file_name(name),
        };
        ensure!(path.is_file(), "{} is not there: cargo build --release -p {name}", path.display());
        let bundle = CERTIFICATES.iter().map(PathBuf::from).find(|path| path.is_file());
        let certificates = self.certificates.clone().or(bundle);
        let environment = environment(url, tables, certificates.as_deref());
        Ok(Program { path, argument: None, environment, timeout })
    }
}
