//! The house's rules that no other tool checks: who imports whom, sizes, names, words,
//! requirement ids.
//!
//! A failure here is the moment to think: either the change is wrong, or a table here changes with
//! it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arrows;
mod attributes;
mod circles;
mod citations;
mod clocks;
mod meta_hosts;
mod source;
mod words;

use std::fs;

use crate::source::{Source, assert_none, is_comment, is_word, root, sources};

/// Non-test lines of a file; of a file that is a test, all of them.
const FILE_LINES_MAX: usize = 400;
const MAIN_LINES_MAX: usize = 36;
const COLUMNS_MAX: usize = 100;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 9] =
    ["util", "utils", "helper", "helpers", "common", "misc", "shared", "tools", "stuff"];

#[test]
fn no_function_knows_another() {
    let folders = fs::read_dir(root().join("functions")).unwrap();
    let functions: Vec<String> =
        folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(functions.len() >= 3);
    let mut found = Vec::new();
    for function in &functions {
        let manifest = Source::read(&root().join("functions").join(function).join("Cargo.toml"));
        for (number, line) in manifest.lines() {
            let names = |other: &&String| {
                line.starts_with(other.as_str())
                    || line.contains(&format!("/{other}\""))
                    || line.contains(&format!("\"{other}\""))
            };
            for other in functions.iter().filter(|other| *other != function).filter(names) {
                found.push(format!("{}: {function} → {other}", manifest.at(number)));
            }
        }
    }
    assert_none("functions that know another", &found);
}

#[test]
fn files_are_short_enough_to_read() {
    let mut long = Vec::new();
    for source in sources().iter().filter(|source| source.is_rust()) {
        let is_main = source.path.starts_with("functions") && source.path.ends_with("src/main.rs");
        let max = if is_main { MAIN_LINES_MAX } else { FILE_LINES_MAX };
        let is_whole = is_main || source.path.starts_with("tests");
        let lines = if is_whole { source.lines().count() } else { source.code_len() };
        if lines > max {
            long.push(format!("{}: {lines} lines, of at most {max}", source.at(max + 1)));
        }
    }
    assert_none("files that want to be two", &long);
}

#[test]
fn lines_fit_on_a_screen() {
    let mut wide = Vec::new();
    for source in sources() {
        let lines = source.lines().filter(|(_, line)| line.chars().count() > COLUMNS_MAX);
        wide.extend(lines.map(|(number, _)| source.at(number)));
    }
    assert_none("lines wider than a hundred columns", &wide);
}

#[test]
fn every_module_is_named_for_what_is_inside() {
    let mut empty = Vec::new();
    for source in sources() {
        // The folder of the common crate has the one such name that the design gave away.
        let inside = source.path.strip_prefix("shared").unwrap_or(&source.path);
        let names = inside.with_extension("");
        let mut names = names.iter().map(|name| name.to_str().unwrap());
        if names.any(|name| EMPTY_NAMES.contains(&name) || name.starts_with("lib_")) {
            empty.push(source.at(1));
        }
        let declared = source.lines().filter(|(_, line)| {
            let after = line.split_once("mod ").filter(|_| !is_comment(line)).map(|(_, name)| name);
            let name = after.and_then(|name| name.split(|c| !is_word(c)).next());
            name.is_some_and(|name| EMPTY_NAMES.contains(&name))
        });
        empty.extend(declared.map(|(number, _)| source.at(number)));
    }
    assert_none("names that say nothing", &empty);
}

/// Lints say the same; this holds even where one is silenced.
#[test]
fn functions_are_safe_and_log_only_through_telemetry() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with("functions")) {
        for (number, line) in source.lines().filter(|(_, line)| !is_comment(line)) {
            let is_unsafe = line.split(|c| !is_word(c)).any(|word| word == "unsafe");
            if is_unsafe || line.contains("println!") {
                found.push(source.at(number));
            }
        }
    }
    assert_none("`unsafe` or `println!` in a function", &found);
}
