//! The emulated AWS: one `ministack` process on loopback, with IAM enforced.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use numib::edge::clock::Stopwatch;

use crate::progress::Step;
use crate::python::Venv;

/// How long it may take to answer its first health check.
const START_MAX: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(100);
const LOG_LINES_SHOWN: usize = 15;

/// A running emulator.
#[derive(Debug)]
pub struct Emulator {
    /// Its one address, for every service.
    pub endpoint: String,
    log: PathBuf,
    /// `None` for one that another command started, and will stop.
    child: Option<Child>,
}

impl Emulator {
    /// Starts one that keeps its files in `folder`, or joins the one that already runs there.
    ///
    /// # Errors
    /// When the port is taken by something else, or it does not start.
    pub fn start(venv: &Venv, folder: &Path, port: u16) -> anyhow::Result<Self> {
        let endpoint = format!("http://127.0.0.1:{port}");
        let log = folder.join("emulator.log");
        let marker = folder.join("emulator.endpoint");
        if answers(&endpoint) {
            if fs::read_to_string(&marker).is_ok_and(|known| known == endpoint) {
                return Ok(Self { endpoint, log, child: None });
            }
            bail!(
                "Port {port} is taken by another emulator, which this project did not start. Stop \
                 it, or choose another port with --port"
            );
        }
        if TcpListener::bind(("127.0.0.1", port)).is_err() {
            bail!(
                "Port {port} is taken by another program. Stop it, or choose another port with \
                 --port"
            );
        }
        // Its files say which emulator they belong to; those of one that is gone serve nobody.
        let scratch = folder.join("scratch");
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir_all(&scratch)?;
        let output = File::create(&log)?;
        let child = Command::new(venv.program("ministack"))
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("AUTH", "true")
            // Its MQTT listener, which nothing here uses, does not keep to BIND_HOST.
            .env("IOT_MTLS_ENABLED", "0")
            .env("AWS_ENDPOINT_URL", &endpoint)
            .env("TMPDIR", &scratch)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("the emulator cannot be started")?;
        let mut emulator = Self { endpoint, log, child: Some(child) };
        emulator.wait_until_it_answers()?;
        fs::write(&marker, &emulator.endpoint)?;
        Ok(emulator)
    }

    /// Whether this command started it, and so will stop it.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        self.child.is_some()
    }

    /// Fails once it is gone, with the last it said.
    ///
    /// # Errors
    /// When it no longer runs.
    pub fn check(&mut self) -> anyhow::Result<()> {
        let gone = match &mut self.child {
            Some(child) => child.try_wait()?.is_some(),
            None => !answers(&self.endpoint),
        };
        if gone {
            bail!(
                "The emulator stopped. The last it said, of {}:\n{}",
                self.log.display(),
                self.last_lines()
            );
        }
        Ok(())
    }

    fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let step = Step::start("Emulator start");
        let stopwatch = Stopwatch::start();
        while !answers(&self.endpoint) {
            self.check()?;
            if stopwatch.elapsed() > START_MAX {
                bail!(
                    "The emulator has not answered for {} s. The last it said, of {}:\n{}",
                    START_MAX.as_secs(),
                    self.log.display(),
                    self.last_lines()
                );
            }
            std::thread::sleep(POLL);
        }
        step.done(&format!("on {}", self.endpoint));
        Ok(())
    }

    fn last_lines(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(LOG_LINES_SHOWN);
        lines.get(from..).unwrap_or_default().join("\n")
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Interrupted, it stops the functions it runs; killed, it would leave them behind.
            let pid = child.id().to_string();
            let _ = Command::new("kill").args(["-INT", &pid]).status();
            let stopwatch = Stopwatch::start();
            while matches!(child.try_wait(), Ok(None)) && stopwatch.elapsed() < START_MAX / 6 {
                std::thread::sleep(POLL);
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that nothing listens on right now.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn answers(endpoint: &str) -> bool {
    ureq::get(format!("{endpoint}/_ministack/health"))
        .config()
        .timeout_global(Some(Duration::from_secs(2)))
        .build()
        .call()
        .is_ok()
}
