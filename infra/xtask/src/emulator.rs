//! The emulated AWS: one `ministack` process on loopback, with IAM enforced.

use std::fs::{self, File, TryLockError};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use numib::edge::clock::Stopwatch;
use serde::{Deserialize, Serialize};

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
    /// Its process.
    pub pid: u32,
    program: PathBuf,
    folder: PathBuf,
    /// `None` for one that another command started.
    child: Option<Child>,
    /// The command that will stop the emulator holds this lock. The system releases the lock
    /// however that command ends.
    lock: Option<File>,
}

/// What a running emulator's folder says about the emulator.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    endpoint: String,
    pid: u32,
}

impl Emulator {
    /// Starts an emulator that keeps its files in `folder`, or joins the one that already runs
    /// there. If the command that started that one is gone, this command will stop it.
    ///
    /// # Errors
    /// When the folder's emulator runs on another port, the port is taken by something else, or
    /// it does not start.
    pub fn start(venv: &Venv, folder: &Path, port: u16) -> anyhow::Result<Self> {
        let endpoint = format!("http://127.0.0.1:{port}");
        let program = venv.program("ministack");
        let lock = lock(folder)?;
        let found = found(folder, &program);
        let how = match (&found, &lock) {
            (None, Some(_)) => "",
            (None, None) => bail!(
                "Another command is just starting or stopping the emulator of {}. Try again in a \
                 moment",
                folder.display()
            ),
            (Some(other), _) if other.endpoint != endpoint => {
                bail!(elsewhere(folder, other, lock.is_some()))
            }
            (Some(_), Some(_)) => ", taken over: the command that started it is gone",
            (Some(_), None) => ", started by another command",
        };
        let (pid, child) = if let Some(found) = found {
            (found.pid, None)
        } else {
            let child = spawn(&program, folder, &endpoint, port)?;
            (child.id(), Some(child))
        };
        let folder = folder.to_owned();
        let mut emulator = Self { endpoint, pid, program, folder, child, lock };
        if emulator.child.is_some() {
            emulator.write_marker()?;
        }
        emulator.wait_until_it_answers(how)?;
        Ok(emulator)
    }

    /// Whether this command will stop it.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        self.lock.is_some()
    }

    /// Fails once the emulator is gone, with its last output.
    ///
    /// # Errors
    /// When it no longer runs.
    pub fn check(&mut self) -> anyhow::Result<()> {
        if self.is_gone()? {
            bail!(
                "The emulator stopped. The last it said, of {}:\n{}",
                log(&self.folder).display(),
                self.last_lines()
            );
        }
        Ok(())
    }

    fn is_gone(&mut self) -> anyhow::Result<bool> {
        Ok(match &mut self.child {
            Some(child) => child.try_wait()?.is_some(),
            None => !runs(self.pid, &self.program),
        })
    }

    fn write_marker(&self) -> anyhow::Result<()> {
        let marker = Marker { endpoint: self.endpoint.clone(), pid: self.pid };
        Ok(fs::write(marker_file(&self.folder), serde_json::to_string(&marker)?)?)
    }

    fn wait_until_it_answers(&mut self, how: &str) -> anyhow::Result<()> {
        let step = Step::start("Emulator start");
        let stopwatch = Stopwatch::start();
        while !answers(&self.endpoint) {
            self.check()?;
            if stopwatch.elapsed() > START_MAX {
                bail!(
                    "The emulator has not answered for {} s. The last it said, of {}:\n{}",
                    START_MAX.as_secs(),
                    log(&self.folder).display(),
                    self.last_lines()
                );
            }
            std::thread::sleep(POLL);
        }
        step.done(&format!("on {}, process {}{how}", self.endpoint, self.pid));
        Ok(())
    }

    fn signal(&self, signal: &str) {
        let _ = Command::new("kill").args([signal, &self.pid.to_string()]).status();
    }

    fn last_lines(&self) -> String {
        let text = fs::read_to_string(log(&self.folder)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(LOG_LINES_SHOWN);
        lines.get(from..).unwrap_or_default().join("\n")
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if !self.is_ours() {
            return;
        }
        let is_gone = |emulator: &mut Self| matches!(emulator.is_gone(), Ok(true));
        if !is_gone(self) {
            // Interrupted, it stops the functions it runs; killed, it would leave them behind.
            self.signal("-INT");
        }
        let stopwatch = Stopwatch::start();
        while !is_gone(self) {
            if stopwatch.elapsed() > START_MAX / 6 {
                self.signal("-KILL");
                break;
            }
            std::thread::sleep(POLL);
        }
        if let Some(child) = &mut self.child {
            let _ = child.wait();
        }
        let _ = fs::remove_file(marker_file(&self.folder));
    }
}

fn marker_file(folder: &Path) -> PathBuf {
    folder.join("emulator.json")
}

fn log(folder: &Path) -> PathBuf {
    folder.join("emulator.log")
}

/// The right to stop the folder's emulator; `None` while another command has it.
fn lock(folder: &Path) -> anyhow::Result<Option<File>> {
    let path = folder.join("emulator.lock");
    let file = File::create(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} cannot be locked", path.display()))
        }
    }
}

/// The emulator that runs on this folder.
fn found(folder: &Path, program: &Path) -> Option<Marker> {
    let text = fs::read_to_string(marker_file(folder)).ok()?;
    let marker: Marker = serde_json::from_str(&text).ok()?;
    runs(marker.pid, program).then_some(marker)
}

/// Whether that process is this program. The system may have given the number to another process.
fn runs(pid: u32, program: &Path) -> bool {
    let mut ps = Command::new("ps");
    ps.args(["-ww", "-o", "stat=", "-o", "args=", "-p", &pid.to_string()]);
    let Ok(output) = ps.stderr(Stdio::null()).output() else { return false };
    let line = String::from_utf8_lossy(&output.stdout);
    // Z: the process has ended, and its parent has not noticed yet.
    !line.trim_start().starts_with('Z') && line.contains(&*program.to_string_lossy())
}

fn elsewhere(folder: &Path, other: &Marker, is_orphan: bool) -> String {
    let (folder, Marker { endpoint, pid }) = (folder.display(), other);
    let stop = if is_orphan {
        format!("`kill {pid}`, for the command that started it is gone")
    } else {
        format!("Ctrl-C where it was started, or `kill {pid}`")
    };
    format!(
        "The emulator of {folder} already runs, on {endpoint} (process {pid}). Use that one, or \
         stop it first: {stop}"
    )
}

fn spawn(program: &Path, folder: &Path, endpoint: &str, port: u16) -> anyhow::Result<Child> {
    let taken = if answers(endpoint) {
        Some("another emulator, which this project did not start")
    } else if TcpListener::bind(("127.0.0.1", port)).is_err() {
        Some("another program")
    } else {
        None
    };
    if let Some(by) = taken {
        bail!("Port {port} is taken by {by}. Stop it, or choose another port with --port");
    }
    // These files name the emulator that they belong to. Nobody needs the files of one that is
    // gone.
    let scratch = folder.join("scratch");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch)?;
    let output = File::create(log(folder))?;
    Command::new(program)
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.to_string())
        .env("AUTH", "true")
        // The MQTT listener ignores BIND_HOST, and nothing here uses it.
        .env("IOT_MTLS_ENABLED", "0")
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("TMPDIR", &scratch)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .context("the emulator cannot be started")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project;

    fn folder(name: &str) -> PathBuf {
        let folder = project::target().join("tmp").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn one_command_at_a_time_may_stop_a_folders_emulator() {
        let folder = folder("emulator-lock");
        let first = lock(&folder).unwrap();
        assert!(first.is_some());
        assert!(lock(&folder).unwrap().is_none());
        drop(first);
        assert!(lock(&folder).unwrap().is_some());
    }

    #[test]
    fn a_process_is_found_only_while_it_is_the_emulators_program() {
        let folder = folder("emulator-found");
        let this = std::env::current_exe().unwrap();
        let marker = Marker { endpoint: "http://127.0.0.1:1".to_owned(), pid: std::process::id() };
        assert!(found(&folder, &this).is_none());
        fs::write(marker_file(&folder), serde_json::to_string(&marker).unwrap()).unwrap();
        assert_eq!(found(&folder, &this).map(|found| found.pid), Some(marker.pid));
        assert!(found(&folder, Path::new("/another/ministack")).is_none());
    }

    #[test]
    fn a_process_that_has_ended_does_not_run_even_before_its_parent_takes_note() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(runs(child.id(), Path::new("cat")));
        drop(child.stdin.take());
        let mut looks = 0..100;
        assert!(looks.any(|_| {
            std::thread::sleep(POLL);
            !runs(child.id(), Path::new("cat"))
        }));
        child.wait().unwrap();
    }
}
