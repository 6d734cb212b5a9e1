//! `cargo xtask verify-receipt`: checks a receipt of an erasure, or an attestation of retention,
//! without any service: the same key signs both, and `iss` tells them apart.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use numib::seal::receipt::{self, Jwk};
use serde::Deserialize;
use serde_json::Value;

use crate::progress::{note, say};

/// What to check, and against which keys.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The receipt: what `GET /data-deletion/{code}/receipt` answered; or an attestation's
    /// `report.jws`
    receipt: PathBuf,
    /// The published keys: what `GET /.well-known/jwks.json` answered
    #[arg(long)]
    keys: PathBuf,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

/// Prints what the receipt says, if one of the keys signed it.
///
/// # Errors
/// When a file cannot be read, or the receipt is not one of these keys'.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let claims = verify(&read(&options.receipt)?, &read(&options.keys)?)?;
    say(&serde_json::to_string_pretty(&claims)?);
    note("The signature is good: this is what was signed.");
    Ok(())
}

/// The claims of a receipt, checked against a JWK set.
///
/// # Errors
/// When the keys are no JWK set, or the receipt is not one of theirs.
//= R8.5
pub fn verify(receipt: &str, keys: &str) -> anyhow::Result<Value> {
    let set: KeySet = serde_json::from_str(keys).context("the keys are no JWK set (RFC 7517)")?;
    match receipt::verify(receipt, &set.keys) {
        Ok(claims) => Ok(claims),
        Err(error) => bail!("The receipt is not good: {error}"),
    }
}

/// A file's text.
pub(crate) fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}
