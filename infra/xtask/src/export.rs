//! `cargo xtask export`: asks the running stack for an export of an account, checks the archive,
//! and unpacks it.

#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what it does not have")]

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Cursor, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use aws_lc_rs::digest;
use numib::domain::hex::hex;
use numib::domain::ids::AccountId;
use numib::domain::role::Role;
use numib::edge::clock::Stopwatch;
use numib::seal::receipt::{Jwk, verify_file};
use serde_json::Value;
use zip::ZipArchive;

use crate::account::member;
use crate::meta::{self, Answer};
use crate::progress::{Step, say};
use crate::project;
use crate::stack::{Login, Stack};

/// The queue starts a worker, which needs a moment.
const PATIENCE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(500);
/// A larger archive does not fit into memory.
const ARCHIVE_LEN_MAX: u64 = 1 << 30;

/// The account, and what to do with its archive.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The account
    #[arg(long)]
    account: String,
    /// Say where the summary is, and do not open it
    #[arg(long)]
    no_open: bool,
}

/// An archive that was checked: the published key signed it, and every file has its digest.
#[derive(Debug)]
pub struct Archive {
    /// The archive's manifest.
    pub manifest: Value,
    zip: ZipArchive<Cursor<Vec<u8>>>,
}

impl Archive {
    /// The content of one of its files.
    ///
    /// # Errors
    /// When there is no file of that name.
    pub fn read(&mut self, name: &str) -> anyhow::Result<Vec<u8>> {
        let mut text = Vec::new();
        self.zip.by_name(name)?.read_to_end(&mut text)?;
        Ok(text)
    }

    /// The archive's files, with what the manifest says of each.
    #[must_use]
    pub fn files(&self) -> &[Value] {
        self.manifest["files"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// Unpacks the archive into a folder that has nothing else.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn unpack(mut self, folder: &Path) -> anyhow::Result<()> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        Ok(self.zip.extract(folder)?)
    }
}

/// Exports an account, says what is in the archive, and opens the summary if there is a screen.
///
/// # Errors
/// When an answer is not what it should be, or the archive is not good.
pub async fn run(stack: &Stack, options: &Options, password: &str) -> anyhow::Result<()> {
    let summary = show(stack, &options.account, password).await?;
    if !options.no_open && std::io::stdout().is_terminal() {
        // On a machine without a browser, the path was printed.
        let _ = open::that_detached(summary);
    }
    Ok(())
}

/// Exports an account and says what is in the archive; returns where its summary is.
pub(crate) async fn show(stack: &Stack, account: &str, password: &str) -> anyhow::Result<PathBuf> {
    let account = AccountId::parse(account).context("that is no account's id")?;
    let owner = owner(stack, &account, password).await?;
    let archive = export(stack, &owner)?;
    let folder = project::local().join("export");
    let manifest = archive.manifest.clone();
    archive.unpack(&folder)?;
    let mut left_out = Vec::new();
    for (kind, said) in manifest["kinds"].as_object().into_iter().flatten() {
        match said["records"].as_u64() {
            Some(records) => say(&format!("   {records:>8}  {kind}")),
            None => left_out.push(kind.as_str()),
        }
    }
    say("   left out, each for a reason that the manifest gives:");
    for kinds in left_out.chunks(5) {
        say(&format!("             {}", kinds.join(", ")));
    }
    let summary = folder.join("summary.html");
    say("\n   for people, offline, in English and Spanish:");
    say(&format!("   {}", folder.join("index.html").display()));
    say(&format!("   {}", summary.display()));
    Ok(summary)
}

/// An owner of the account, signed in just now.
///
/// # Errors
/// When the owner cannot be made, or cannot sign in.
pub async fn owner(stack: &Stack, account: &AccountId, password: &str) -> anyhow::Result<Login> {
    let email = format!("owner@{account}.example");
    member(stack, (account, Role::Owner), (&email, password)).await
}

/// Asks for an archive as an owner, follows, downloads and checks it.
pub fn export(stack: &Stack, owner: &Login) -> anyhow::Result<Archive> {
    let token = owner.access_token.as_str();
    let asked = post(stack, "/v1/exports", token)?;
    let path = format!("/v1/exports/{}", text(&asked["export"]));
    let step = Step::start("Export");
    let done = wait(stack, &path, token, &step)?;
    step.done(&format!("{} messages, {} bytes", done["messages"], done["bytes"]));
    let link = post(stack, &format!("{path}/download"), token)?;
    let archive = ureq::get(text(&link["url"])).call()?;
    let archive = archive.into_body().with_config().limit(ARCHIVE_LEN_MAX).read_to_vec()?;
    let step = Step::start("Archive");
    let archive = checked(stack, archive)?;
    step.done(&format!("{} files, signed, and as their digests say", archive.files().len()));
    Ok(archive)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn post(stack: &Stack, path: &str, token: &str) -> anyhow::Result<Value> {
    let answer = meta::send(&stack.deployed, ("POST", path), token, ("", ""))?;
    ensure!(matches!(answer.status, 200 | 202), "{path}: {} {}", answer.status, answer.body);
    Ok(answer.json())
}

fn wait(stack: &Stack, path: &str, token: &str, step: &Step) -> anyhow::Result<Value> {
    let stopwatch = Stopwatch::start();
    loop {
        let answer: Answer = meta::get(&stack.deployed, path, Some(token))?;
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.body);
        let found = answer.json();
        match text(&found["state"]) {
            "ready" => return Ok(found),
            "asked" | "running" => {
                let count = |name: &str| found[name].as_u64().unwrap_or_default();
                step.of(count("messages"), count("messages_about"));
            }
            _ => anyhow::bail!("the export ended: {found}"),
        }
        ensure!(stopwatch.elapsed() < PATIENCE, "the export is not done: {found}");
        std::thread::sleep(POLL);
    }
}

/// Checks the manifest's signature with the published key, and each file with its digest.
fn checked(stack: &Stack, archive: Vec<u8>) -> anyhow::Result<Archive> {
    let zip = ZipArchive::new(Cursor::new(archive))?;
    let mut archive = Archive { manifest: Value::Null, zip };
    let manifest = archive.read("manifest.json")?;
    let jws = String::from_utf8(archive.read("manifest.jws")?)?;
    let keys = meta::get_json(&stack.deployed, "/.well-known/jwks.json")?.json();
    let keys: Vec<Jwk> = serde_json::from_value(keys["keys"].clone())?;
    verify_file(&jws, &manifest, &keys)?;
    archive.manifest = serde_json::from_slice(&manifest)?;
    let mut named = BTreeSet::from(["manifest.json", "manifest.jws"].map(str::to_owned));
    for file in archive.files().to_vec() {
        let name = text(&file["name"]);
        named.insert(name.to_owned());
        let digest = digest::digest(&digest::SHA256, &archive.read(name)?);
        ensure!(file["sha256"] == hex(digest.as_ref()), "{name} is not as the manifest says");
    }
    let there = archive.zip.file_names().map(|name| name.map(Cow::into_owned));
    let there = there.collect::<Result<BTreeSet<String>, _>>()?;
    ensure!(there == named, "the archive has other files than the manifest");
    Ok(archive)
}
