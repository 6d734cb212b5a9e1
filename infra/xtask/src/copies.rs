//! One copy of each library: this tool, the functions that it builds, and the tests are compiled
//! with the same features of all that they share. Else cargo compiles a library once for each.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};

use crate::progress::note;
use crate::{functions, project};

/// Fails when this tool or the functions need a library with other features than the tests do.
///
/// # Errors
/// When they do: the error names the libraries, with the features that the tests have.
pub(crate) fn one_of_each_library() -> anyhow::Result<()> {
    note("\n── one copy of each library");
    let of_tests = libraries(&["--workspace"])?;
    let mut packages = vec!["--package=xtask".to_owned()];
    same(&packages, &of_tests)?;
    packages.extend(functions::names()?.iter().map(|name| format!("--package={name}")));
    same(&packages, &of_tests)
}

fn same(packages: &[String], of_tests: &BTreeSet<String>) -> anyhow::Result<()> {
    let mut build = vec!["--edges", "normal,build"];
    build.extend(packages.iter().map(String::as_str));
    let libraries = libraries(&build)?;
    ensure!(!libraries.is_empty(), "cargo lists no libraries");
    let other: Vec<&String> = libraries.difference(of_tests).collect();
    let name = |line: &str| line.split('|').next().unwrap_or_default().to_owned();
    let names: BTreeSet<String> = other.iter().map(|line| name(line)).collect();
    let wanted: Vec<&String> = of_tests.iter().filter(|line| names.contains(&name(line))).collect();
    ensure!(
        other.is_empty(),
        "These libraries would be compiled twice: {other:#?}\n\
         Ask for the features of the tests in infra/xtask/Cargo.toml: {wanted:#?}"
    );
    Ok(())
}

/// A line for each library that these packages are built of: its version, and its features.
fn libraries(packages: &[&str]) -> anyhow::Result<BTreeSet<String>> {
    let mut tree = project::cargo(&["tree", "--locked", "--offline", "--prefix", "none"]);
    tree.args(["--format", "{p}|{f}"]).args(packages);
    let output = tree.output().context("cargo cannot be started")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect())
}
