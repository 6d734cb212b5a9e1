//! `cargo xtask export`: has the running stack export an account, and checks and unpacks what it
//! gets.

#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what it does not have")]

use std::fs;
use std::io::{Cursor, Read as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use aws_lc_rs::digest;
use numib::domain::ids::{AccountId, MemberId};
use numib::domain::role::Role;
use numib::edge::clock::Stopwatch;
use numib::seal::receipt::{Jwk, verify_file};
use numib::store::accounts::Member;
use serde_json::Value;
use zip::ZipArchive;

use crate::meta::{self, Answer};
use crate::progress::{Step, say};
use crate::project;
use crate::stack::Stack;

/// A worker is started by its queue, and needs a moment.
const PATIENCE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(500);
/// An archive larger than this is not for memory.
const ARCHIVE_LEN_MAX: u64 = 1 << 30;

/// Whose data.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The account
    #[arg(long)]
    account: String,
}

/// An archive that was checked and unpacked.
#[derive(Debug)]
pub struct Unpacked {
    /// Where it is.
    pub folder: PathBuf,
    /// What it says of itself.
    pub manifest: Value,
    /// Files in it.
    pub files: usize,
}

/// Exports it, and says where the result is.
///
/// # Errors
/// When an answer is not what it should be, or the archive is not good.
pub async fn run(stack: &Stack, options: &Options, password: &str) -> anyhow::Result<()> {
    let unpacked = export(stack, &options.account, password).await?;
    tell(&unpacked);
    Ok(())
}

/// Says what is in it, and where.
fn tell(unpacked: &Unpacked) {
    for (kind, said) in unpacked.manifest["kinds"].as_object().into_iter().flatten() {
        match said["records"].as_u64() {
            Some(records) => say(&format!("   {kind:<14} {records:>8}")),
            None => say(&format!("   {kind:<14}        – {}", said["legal_basis"])),
        }
    }
    say("\n   open it in a browser:");
    say(&format!("   {}", unpacked.folder.join("index.html").display()));
}

/// Asks as an owner of the account, follows, downloads, checks and unpacks.
///
/// # Errors
/// As [`run`].
pub async fn export(stack: &Stack, account: &str, password: &str) -> anyhow::Result<Unpacked> {
    let account = AccountId::parse(account).context("that is no account's id")?;
    let email = format!("owner@{account}.example");
    let login = stack.login(&email, Role::Owner.as_str(), password)?;
    let id = MemberId::parse(&login.sub).context("the user pool's id is no id")?;
    stack.store().put_member(&id, &Member { account, role: Role::Owner }).await?;
    let token = login.access_token.as_str();
    let asked = post(stack, "/v1/exports", token)?;
    let path = format!("/v1/exports/{}", asked["export"].as_str().context("no export")?);
    let step = Step::start("Export");
    let done = wait(stack, &path, token, &step)?;
    step.done(&format!("{} messages, {} bytes", done["messages"], done["bytes"]));
    let link = post(stack, &format!("{path}/download"), token)?;
    let archive = ureq::get(link["url"].as_str().context("no link")?).call()?;
    let archive = archive.into_body().with_config().limit(ARCHIVE_LEN_MAX).read_to_vec()?;
    let step = Step::start("Archive");
    let unpacked = unpack(stack, &archive)?;
    step.done(&format!("{} files, signed, and as their digests say", unpacked.files));
    Ok(unpacked)
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
        match found["state"].as_str() {
            Some("ready") => return Ok(found),
            Some("asked" | "running") => {
                step.at(&format!("{} of about {}", found["messages"], found["messages_about"]));
            }
            _ => anyhow::bail!("the export ended: {found}"),
        }
        ensure!(stopwatch.elapsed() < PATIENCE, "the export is not done: {found}");
        std::thread::sleep(POLL);
    }
}

/// Checks the manifest's signature with the published key, each file with its digest, and unpacks.
fn unpack(stack: &Stack, archive: &[u8]) -> anyhow::Result<Unpacked> {
    let mut zip = ZipArchive::new(Cursor::new(archive))?;
    let mut read = |name: &str| -> anyhow::Result<Vec<u8>> {
        let mut text = Vec::new();
        zip.by_name(name)?.read_to_end(&mut text)?;
        Ok(text)
    };
    let manifest = read("manifest.json")?;
    let jws = String::from_utf8(read("manifest.jws")?)?;
    let keys = meta::get_json(&stack.deployed, "/.well-known/jwks.json")?.json();
    let keys: Vec<Jwk> = serde_json::from_value(keys["keys"].clone())?;
    verify_file(&jws, &manifest, &keys)?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    let files = manifest["files"].as_array().context("no files")?;
    for file in files {
        let name = file["name"].as_str().context("a file without a name")?;
        let digest = digest::digest(&digest::SHA256, &read(name)?);
        let digest: Vec<String> =
            digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        ensure!(file["sha256"] == digest.concat(), "{name} is not as the manifest says");
    }
    let files = files.len();
    let folder = project::local().join("export");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    zip.extract(&folder)?;
    Ok(Unpacked { folder, manifest, files })
}
