//! Progress of long work: a moving line on a terminal, plain lines in a log.

use std::io::{BufRead as _, BufReader, IsTerminal as _, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use numib::edge::clock::Stopwatch;

const TICK: Duration = Duration::from_millis(100);
/// Lines of a failed command's output that its error repeats.
const LINES_SHOWN_MAX: usize = 25;

/// A piece of work under way.
#[derive(Debug)]
pub struct Step {
    name: &'static str,
    bar: ProgressBar,
    stopwatch: Stopwatch,
}

impl Step {
    /// Shows that a step begins.
    #[must_use]
    pub fn start(name: &'static str) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {wide_msg:.dim}") {
                bar.set_style(style);
            }
            bar.set_prefix(name);
            bar.enable_steady_tick(TICK);
            bar
        } else {
            note(&format!("  … {name}"));
            ProgressBar::hidden()
        };
        Self { name, bar, stopwatch: Stopwatch::start() }
    }

    /// Shows what the step is doing.
    pub fn at(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// Shows how much is done, of about how much.
    pub fn of(&self, done: u64, about: u64) {
        if about > 0 && self.bar.length() != Some(about.max(done)) {
            self.bar.set_length(about.max(done));
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {prefix} {wide_bar} {percent} %")
            {
                self.bar.set_style(style);
            }
        }
        self.bar.set_position(done);
    }

    /// Shows that the step is done, and its result.
    pub fn done(self, result: &str) {
        self.bar.finish_and_clear();
        let seconds = self.stopwatch.elapsed().as_secs_f32();
        note(&format!("  ✓ {:<28} {result} ({seconds:.1} s)", self.name));
    }

    /// Runs a command, showing each line it writes to standard error; returns its standard output.
    pub fn run(&self, command: &mut Command) -> anyhow::Result<String> {
        run(command, |line| self.at(line.trim()))
    }
}

/// Runs a command, telling each line it writes to standard error; returns its standard output.
///
/// # Errors
/// When the command cannot be started, or fails. The error ends with the last lines that the
/// command wrote.
pub fn run(command: &mut Command, mut tell: impl FnMut(&str)) -> anyhow::Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{program} cannot be started"))?;
    let stdout = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.map(|mut pipe| pipe.read_to_string(&mut text)).transpose();
        read.map(|_| text)
    });
    let mut lines = Vec::new();
    if let Some(pipe) = child.stderr.take() {
        for line in BufReader::new(pipe).lines() {
            let line = line?;
            tell(&line);
            lines.push(line);
        }
    }
    let status = child.wait()?;
    let Ok(output) = reader.join() else { bail!("the output of {program} was lost") };
    let output = output.with_context(|| format!("the output of {program} is no text"))?;
    if !status.success() {
        let from = lines.len().saturating_sub(LINES_SHOWN_MAX);
        let last = lines.get(from..).unwrap_or_default().join("\n");
        bail!("{last}\n{program} failed ({status})");
    }
    Ok(output)
}

impl Drop for Step {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Prints a line for the user that is no part of the result.
#[expect(clippy::print_stderr, reason = "a command-line tool talks to its user")]
pub fn note(line: &str) {
    eprintln!("{line}");
}

/// Prints a line of the command's result.
#[expect(clippy::print_stdout, reason = "a command-line tool talks to its user")]
pub fn say(line: &str) {
    println!("{line}");
}
