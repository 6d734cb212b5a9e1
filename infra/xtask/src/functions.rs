//! Builds the functions and packs each as Lambda wants it: a zip with one executable `bootstrap`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use zip::write::SimpleFileOptions;

use crate::progress::note;
use crate::project;

/// The packages of `functions/`, in the order of their names.
pub(crate) fn names() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(project::root().join("functions"))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Builds every function for this machine and packs it; returns the folder of the zips.
///
/// # Errors
/// When the build fails; cargo has said why.
pub fn pack() -> anyhow::Result<PathBuf> {
    let names = names()?;
    note("  … Functions (the first build takes minutes)");
    let binaries = build(&names)?;
    let folder = project::local().join("artifacts");
    fs::create_dir_all(&folder)?;
    for name in &names {
        zip(&binaries.join(name), &folder.join(format!("{name}.zip")))?;
    }
    note(&format!("  ✓ Functions                    {}", names.join(", ")));
    Ok(folder)
}

/// Builds these packages for this machine, with the libraries that this tool is built with;
/// returns the folder of their binaries.
///
/// # Errors
/// When the build fails; cargo has said why.
pub fn build(packages: &[impl AsRef<str>]) -> anyhow::Result<PathBuf> {
    let mut build = project::cargo(&["build", "--locked", "--package", "xtask"]);
    for package in packages {
        build.args(["--package", package.as_ref()]);
    }
    if !build.status().context("cargo cannot be started")?.success() {
        bail!("The functions could not be built; cargo says why above");
    }
    Ok(project::target().join("debug"))
}

/// The zip is not compressed: it never leaves the machine.
fn zip(binary: &Path, target: &Path) -> anyhow::Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .unix_permissions(0o755);
    let mut writer = zip::ZipWriter::new(File::create(target)?);
    writer.start_file("bootstrap", options)?;
    writer.write_all(&fs::read(binary)?)?;
    writer.finish()?;
    Ok(())
}
