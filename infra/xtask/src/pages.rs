//! The pages in a real browser: the public ones, with a request in each state, and those that are
//! kept as files. `tests/pages/check.py` looks at them.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use jiff::{SignedDuration, Timestamp};
use numib::domain::data_kind::DataKind;
use numib::domain::erasure::{Request, Source, State, Target};
use numib::domain::time::Day;
use numib::edge::clock;
use numib::seal::random;
use numib::store::Store;
use numib::store::requests::Opened;

use crate::progress::note;
use crate::stack::Stack;
use crate::{project, python, sheets};

/// Names under which a Chromium may be found, the preferred first.
const CANDIDATES: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const INSTALL: &str = "on Debian: apt install chromium";

/// The check, ready to run. Without a browser: `None`, and a line that says so.
///
/// # Errors
/// When the browser's driver cannot be installed, or the pages' requests cannot be stored.
pub async fn check(stack: &Stack) -> anyhow::Result<Option<Command>> {
    let Some(chromium) = CANDIDATES.into_iter().find(|name| is_there(name)) else {
        note(&format!("\n── pages: skipped, there is no Chromium to see them with ({INSTALL})"));
        return Ok(None);
    };
    let venv = python::pages_venv()?;
    let codes = seed(&stack.store(), clock::now()).await?;
    let mut command = Command::new(venv.program("python"));
    command.arg(project::root().join("tests/pages/check.py"));
    command.args(["--chromium", chromium, "--states", &serde_json::to_string(&codes)?]);
    command.arg("--url").arg(format!("http://{}", stack.deployed.api_host));
    let folder = project::local().join("pages");
    fs::create_dir_all(&folder)?;
    command.arg("--attestation").arg(sheets::attestation(stack, &folder).await?);
    command.arg("--archive").arg(sheets::archive(stack, &folder).await?);
    command.arg("--screenshots").arg(folder);
    Ok(Some(command))
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Stores a request for each look of the page, and returns their codes.
async fn seed(store: &Store, now: Timestamp) -> anyhow::Result<BTreeMap<&'static str, String>> {
    let held = request(State::Held, now)?;
    let due_at = Some(now.saturating_add(SignedDuration::from_hours(14 * 24))?);
    let held_part = Some(held.id.clone());
    let completed = request(State::Completed, now)?;
    let nothing = Request { targets: Vec::new(), counts: BTreeMap::new(), ..completed };
    let requests = [
        ("requested", request(State::Requested, now)?),
        ("scheduled", Request { due_at, ..request(State::Requested, now)? }),
        ("held", held),
        // Sweeping and verified look the same.
        ("under-way", request(State::Shredded, now)?),
        ("completed", request(State::Completed, now)?),
        ("partly-held", Request { held_part, ..request(State::Completed, now)? }),
        ("nothing-held", nothing),
        ("rejected", request(State::Rejected, now)?),
        ("cancelled", request(State::Cancelled, now)?),
    ];
    let mut codes = BTreeMap::new();
    for (name, request) in requests {
        ensure!(
            store.open_request(&request, None, None).await? == Opened::New,
            "{name} is there already"
        );
        codes.insert(name, request.id.to_string());
    }
    Ok(codes)
}

/// A contact's request that has come so far.
fn request(state: State, now: Timestamp) -> anyhow::Result<Request> {
    let id = random::request_id()?;
    let target = Target::parse("contact a1 c1.p1 1796100000000").context("not a target")?;
    let at = |minutes| now.saturating_sub(SignedDuration::from_mins(minutes));
    let is_shredded = (State::Shredded..=State::Completed).contains(&state);
    let is_completed = state == State::Completed;
    Ok(Request {
        subject: format!("pages {id}"),
        id,
        source: Source::MetaDeletion,
        reference: None,
        targets: vec![target],
        held_part: None,
        state,
        requested_at: at(20)?,
        due_at: None,
        deadline: Day::of(now).plus(30),
        shredded_at: is_shredded.then(|| at(20)).transpose()?,
        sweeping_at: None,
        completed_at: is_completed.then(|| at(10)).transpose()?,
        ledger_position: None,
        counts: [(DataKind::Message, 1234)].into_iter().filter(|_| is_shredded).collect(),
        targets_swept: 0,
        receipt: is_completed.then(|| "e30.e30.c2ln".to_owned()),
        version: 0,
    })
}
