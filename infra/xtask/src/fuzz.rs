//! `cargo xtask fuzz`: searches for bytes that make a parser of foreign bytes panic, or keep it
//! busy for long.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use numib::meta::{deletion_list, signed_request};
use serde_json::Value;

use crate::project;
use crate::step::check;

/// A parser, and the inputs that its search begins with.
struct Target {
    name: &'static str,
    /// The longest input that the parser does not refuse for its length.
    len_max: usize,
    seeds: fn() -> anyhow::Result<Vec<Vec<u8>>>,
}

const TARGETS: [Target; 3] = [
    Target { name: "signed_request", len_max: signed_request::FORM_LEN_MAX, seeds: callbacks },
    // The parser itself has no bound. This one is `meta-webhook`'s.
    Target { name: "webhook", len_max: 4 * 1024 * 1024, seeds: webhooks },
    Target { name: "deletion_list", len_max: deletion_list::LEN_MAX, seeds: || Ok(lists()) },
];

/// Lists as people make them: plain, of a spreadsheet, and with a note over several lines.
const LISTS: [&str; 4] = [
    "4811000000000001\n4811000000000002\n",
    "\u{feff}user_id;when\r\n\"4811000000000001\";\"2026-01-01\"\r\n\r\n0007,x\r\n",
    "4811\t\"a note\n4812\nof \"\"three\"\" lines\"\n 4813 , 1\r1.23E+17\n",
    "\"\n4811\"\n",
];

/// Searches for so many seconds in each target. What is found stays in `.local/fuzz`, and later
/// searches begin with it.
///
/// # Errors
/// When an input panics, takes over five seconds, or breaks what its target asserts; or when the
/// tools are missing.
pub fn run(seconds: u32) -> anyhow::Result<()> {
    let is_there = cargo_fuzz(&["--version"]).output().is_ok_and(|output| output.status.success());
    if !is_there {
        bail!(
            "Fuzzing needs a nightly compiler, cargo-fuzz and a C++ compiler: \
             `rustup toolchain install nightly --profile minimal`, `cargo install cargo-fuzz` and, \
             on Debian, `apt install g++`."
        );
    }
    for target in &TARGETS {
        let corpus = project::local().join("fuzz").join(target.name);
        plant(&corpus, &(target.seeds)()?)?;
        check(&format!("fuzz {} for {seconds} s", target.name), search(target, &corpus, seconds))?;
    }
    Ok(())
}

/// By rustup, since the cargo that runs this task belongs to the stable toolchain.
fn cargo_fuzz(arguments: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.current_dir(project::root());
    command.args(["run", "nightly", "cargo", "fuzz"]).args(arguments);
    command
}

fn search(target: &Target, corpus: &Path, seconds: u32) -> Command {
    // Address sanitizer finds what safe code cannot do, and all of ours is (`unsafe_code =
    // "forbid"`); without it more inputs are tried in the same time.
    let mut command = cargo_fuzz(&["run", "--fuzz-dir", "tests/fuzz", "--sanitizer", "none"]);
    command.arg("--target-dir").arg(project::target().join("fuzz"));
    command.arg(target.name).arg(corpus).arg("--");
    // One byte more than is allowed, so that the refusal is tried, too.
    command.arg(format!("-max_len={}", target.len_max.saturating_add(1)));
    command.arg(format!("-max_total_time={seconds}"));
    // The slowest input of the greatest size takes well under a second. A parser that is not linear
    // would take minutes.
    command.args([
        "-timeout=5",
        "-dict=tests/fuzz/words.dict",
        "-verbosity=0",
        "-print_final_stats=1",
    ]);
    command
}

fn plant(corpus: &Path, seeds: &[Vec<u8>]) -> anyhow::Result<()> {
    fs::create_dir_all(corpus)?;
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(corpus.join(format!("seed-{number}")), seed)?;
    }
    Ok(())
}

fn fixtures() -> PathBuf {
    project::root().join("tests/fixtures")
}

fn webhooks() -> anyhow::Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for entry in fs::read_dir(fixtures().join("webhooks"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            seeds.push(fs::read(path)?);
        }
    }
    Ok(seeds)
}

/// The forms, and the payloads in them: the target signs these itself.
fn callbacks() -> anyhow::Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for line in fs::read_to_string(fixtures().join("signed_requests.jsonl"))?.lines() {
        let fixture: Value = serde_json::from_str(line)?;
        let form = fixture.get("body").and_then(Value::as_str).context("a fixture has a body")?;
        let payload = form.split_once('.').map(|(_, payload)| URL_SAFE_NO_PAD.decode(payload));
        seeds.extend([form.as_bytes().to_vec()].into_iter().chain(payload.and_then(Result::ok)));
    }
    Ok(seeds)
}

fn lists() -> Vec<Vec<u8>> {
    LISTS.map(|list| list.as_bytes().to_vec()).into()
}
