//! The house's rules that no other tool checks: who imports whom, sizes, names, requirement ids.
//!
//! A failure here is the moment to think: either the change is wrong, or a table below changes with
//! it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may import what of whom in the common crate, and why. Everything else is a new arrow.
const ARROWS: [(&str, &str, &str); 20] = [
    ("meta", "domain", "parses into its words"),
    ("seal", "domain", "seals its values"),
    ("store", "domain", "stores its values"),
    ("archive", "domain", "names what it files by its days"),
    ("edge", "domain", "reads ids and roles at the rim"),
    ("edge", "seal::pseudonym::Pepper", "the secret holds it, and only `seal` can make one"),
    ("erasure", "domain", "knows what a request covers, and its states"),
    ("erasure", "store", "marks, destroys, deletes, and proves it"),
    ("erasure", "seal::receipt", "signs what it proved"),
    ("erasure", "seal::random", "makes unguessable codes"),
    ("erasure", "seal::SealError", "randomness can fail"),
    ("erasure", "seal::pseudonym::Pepper", "finds what is held of a Meta id"),
    ("erasure", "identity", "members leave the user pool with their account"),
    ("erasure", "archive", "archives are copies of what it erases"),
    ("retention", "domain", "knows plans, days and what expires when"),
    ("retention", "store", "destroys, deletes and re-times"),
    ("identity", "domain", "knows members by its ids"),
    ("edge", "erasure::ErasureError", "an erasure's failure is a problem with a status"),
    ("edge", "store::Tables", "the environment names them"),
    ("edge", "store::StoreError", "a store's failure is a problem with a status"),
];

/// Non-test lines of a file; of a file that is a test, all of them.
const FILE_LINES_MAX: usize = 400;
const MAIN_LINES_MAX: usize = 36;
const COLUMNS_MAX: usize = 100;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 9] =
    ["util", "utils", "helper", "helpers", "common", "misc", "shared", "tools", "stuff"];

/// Every id of the requirements.
const REQUIREMENTS: [&str; 36] = [
    "R1.1", "R1.2", "R1.3", "R2.1", "R2.2", "R2.3", "R4.1", "R4.2", "R4.3", "R4.4", "R4.5", "R4.6",
    "R5.1", "R5.2", "R5.3", "R5.4", "R5.5", "R5.6", "R5.7", "R5.8", "R6.1", "R6.2", "R6.3", "R6.4",
    "R6.5", "R6.6", "R6.7", "R8.1", "R8.2", "R8.3", "R8.4", "R8.5", "R8.6", "R8.7", "R9.1",
    "R10.1",
];

/// The ids that are implemented so far: each is cited where it is enforced and where it is tested.
const IMPLEMENTED: [&str; 32] = [
    "R1.1", "R1.2", "R1.3", "R2.1", "R2.2", "R2.3", "R4.1", "R4.3", "R4.5", "R4.6", "R5.1", "R5.2",
    "R5.3", "R5.4", "R5.7", "R5.8", "R6.1", "R6.2", "R6.3", "R6.4", "R6.5", "R6.6", "R6.7", "R8.1",
    "R8.2", "R8.3", "R8.4", "R8.5", "R8.6", "R8.7", "R9.1", "R10.1",
];

struct Source {
    /// From the root of the project.
    path: PathBuf,
    text: String,
}

impl Source {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        Self { path: path.strip_prefix(root()).unwrap().to_owned(), text }
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// The lines before the file's tests, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().take(self.code_len())
    }

    /// The lines of its tests.
    fn tests(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().skip(self.code_len())
    }

    fn code_len(&self) -> usize {
        if self.path.starts_with("tests") {
            return 0;
        }
        let pairs = || self.text.lines().zip(self.text.lines().skip(1));
        pairs()
            .position(|(one, next)| one == "#[cfg(test)]" && next.ends_with("mod tests {"))
            .unwrap_or_else(|| self.text.lines().count())
    }

    fn is_rust(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "rs")
    }

    /// Where a line is, for a message that an editor can follow.
    fn at(&self, number: usize) -> String {
        format!("{}:{number}", self.path.display())
    }

    /// The modules of the common crate that it is inside of, the room first.
    fn modules(&self) -> Vec<String> {
        let Ok(inside) = self.path.strip_prefix("shared/src") else { return Vec::new() };
        let names = inside.with_extension("");
        let names = names.iter().map(|name| name.to_str().unwrap().to_owned());
        names.filter(|name| name != "lib" && name != "mod").collect()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Everything that people write: Rust, Python, the template.
fn sources() -> Vec<Source> {
    let mut sources = vec![Source::read(&root().join("template.yaml"))];
    for folder in ["shared", "functions", "infra", "tests"] {
        collect(&root().join(folder), &mut sources);
    }
    assert!(sources.len() > 50, "the sources are not where they were");
    sources
}

fn collect(folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "py") {
            sources.push(Source::read(&path));
        }
    }
}

fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// The paths that the code names after this prefix, with the line each begins on. A group in
/// braces is as many paths as it has names.
fn paths(source: &Source, prefix: &str) -> Vec<(usize, String)> {
    let lines = source.code().map(|(_, line)| if is_comment(line) { "" } else { line });
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let (before, rest) = code.split_at(at);
        if !before.ends_with(|c| is_word(c) || c == ':') {
            let mut named = Vec::new();
            expand("", rest.strip_prefix(prefix).unwrap(), &mut named);
            let number = before.matches('\n').count() + 1;
            found.extend(named.into_iter().map(|path| (number, path)));
        }
    }
    found
}

/// Reads one path, with the groups in it, and returns what stands behind it.
fn expand<'a>(parent: &str, text: &'a str, found: &mut Vec<String>) -> &'a str {
    let end = text.find(|c| !is_word(c) && c != ':').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let path = format!("{parent}{name}");
    let Some(mut inside) = rest.strip_prefix('{') else {
        found.push(path.trim_end_matches(':').to_owned());
        return rest;
    };
    loop {
        inside = expand(&path, inside.trim_start(), found);
        // Skips an `as` and the comma; the comma before the brace is one that rustfmt sets.
        let Some(end) = inside.find([',', '}']) else { return "" };
        inside = inside.split_at(end).1.trim_start_matches(',').trim_start();
        if let Some(rest) = inside.strip_prefix('}') {
            return rest;
        }
    }
}

/// The arrows of a file: where each stands, the room it leaves and the path it goes to.
fn arrows(source: &Source) -> Vec<(String, String, String)> {
    let modules = source.modules();
    let Some(from) = modules.first() else { return Vec::new() };
    // So many steps up is the root of the crate, by another name.
    let up = "super::".repeat(modules.len());
    let named = ["crate::", up.as_str()].into_iter().flat_map(|prefix| paths(source, prefix));
    let out = named.filter(|(_, to)| to.split("::").next() != Some(from.as_str()));
    out.map(|(number, to)| (source.at(number), from.clone(), to)).collect()
}

/// The entry of the table that lets a room name this path.
fn known(from: &str, to: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    let covers = |path: &str| {
        to.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    ARROWS.iter().find(|arrow| arrow.0 == from && covers(arrow.1))
}

#[test]
fn rooms_import_only_whom_they_may() {
    let sources = sources();
    let all: Vec<_> = sources.iter().flat_map(arrows).collect();
    let new = all.iter().filter(|(_, from, to)| known(from, to).is_none());
    let new: Vec<_> = new.map(|(at, from, to)| format!("{at}: {from} → {to}")).collect();
    assert_none("new arrows", &new);
    let rooms: BTreeSet<String> =
        sources.iter().filter_map(|source| source.modules().into_iter().next()).collect();
    let used: BTreeSet<_> = all.iter().filter_map(|(_, from, to)| known(from, to)).collect();
    // A room that is still to come uses nothing yet.
    let unused = ARROWS.iter().filter(|arrow| rooms.contains(arrow.0) && !used.contains(arrow));
    let unused: Vec<_> = unused.map(|(from, to, _)| format!("{from} → {to}")).collect();
    assert_none("arrows that nothing needs any more", &unused);
}

#[test]
fn an_arrow_is_found_however_it_is_written() {
    let found = |path: &str, text: &str| {
        let found = arrows(&Source { path: path.into(), text: text.to_owned() });
        let new = found.into_iter().filter(|(_, from, to)| known(from, to).is_none());
        new.map(|(at, from, to)| format!("{at}: {from} → {to}")).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    let fold = "shared/src/domain/fold.rs";
    assert_eq!(
        found(fold, "//!\nuse crate::store::Store;"),
        [format!("{fold}:2: domain → store::Store")]
    );
    assert_eq!(found(fold, "x(super::super::seal::a())"), [format!("{fold}:1: domain → seal::a")]);
    assert_eq!(found(fold, "use super::ids::Mid;\nuse crate::domain::row;"), none);
    assert_eq!(found(fold, "/// [`crate::store`]\n#[cfg(test)]\nmod tests {\ncrate::seal"), none);
    let config = "shared/src/edge/config.rs";
    let group = "use crate::{\n    domain::{ids::Mid as M, time},\n    store::{Store, Tables},\n};";
    assert_eq!(found(config, group), [format!("{config}:1: edge → store::Store")]);
    assert_eq!(found(config, "use crate::store::*;"), [format!("{config}:1: edge → store")]);
    assert_eq!(
        found(config, "crate::store::TablesToo"),
        [format!("{config}:1: edge → store::TablesToo")]
    );
}

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

/// The requirement ids that a line cites: `//= R8.1, R8.2`, in the template `#= R4.5`.
fn cited(line: &str) -> impl Iterator<Item = &str> {
    let line = line.trim_start();
    let ids = line.strip_prefix("//=").or_else(|| line.strip_prefix("#="));
    ids.into_iter().flat_map(|ids| ids.split(',')).map(str::trim)
}

#[test]
fn a_citation_is_read_whole() {
    let ids = |line| cited(line).collect::<Vec<_>>();
    assert_eq!(ids("    //= R8.1, R8.2"), ["R8.1", "R8.2"]);
    assert_eq!(ids("  #= R4.5"), ["R4.5"]);
    assert_eq!(ids("//= r8.1 and more"), ["r8.1 and more"], "which is no id, and fails");
    assert!(ids("// R8.1").is_empty() && ids("let x = 1; //= R8.1").is_empty());
}

#[test]
fn every_cited_requirement_exists() {
    let mut unknown = Vec::new();
    for source in sources() {
        for (number, line) in source.lines() {
            let ids = cited(line).filter(|id| !REQUIREMENTS.contains(id));
            unknown.extend(ids.map(|id| format!("{}: {id:?}", source.at(number))));
        }
    }
    assert_none("ids of no requirement", &unknown);
}

#[test]
fn every_implemented_requirement_is_cited_where_it_is_enforced_and_where_it_is_tested() {
    let sources = sources();
    let is_product = |source: &&Source| {
        ["shared", "functions", "template.yaml"].iter().any(|part| source.path.starts_with(part))
    };
    let code = sources.iter().filter(is_product).flat_map(Source::code);
    let enforced: BTreeSet<&str> = code.flat_map(|(_, line)| cited(line)).collect();
    let tests = sources.iter().flat_map(Source::tests);
    let tested: BTreeSet<&str> = tests.flat_map(|(_, line)| cited(line)).collect();
    let mut missing = Vec::new();
    for (set, what) in [(&enforced, "enforced"), (&tested, "tested")] {
        let absent = IMPLEMENTED.iter().filter(|id| !set.contains(*id));
        missing.extend(absent.map(|id| format!("{id} is {what} nowhere")));
    }
    assert_none("requirements without a citation", &missing);
    let undeclared = enforced.iter().filter(|id| !IMPLEMENTED.contains(id));
    let undeclared: Vec<_> =
        undeclared.map(|id| format!("{id} is enforced: it belongs into IMPLEMENTED")).collect();
    assert_none("requirements that are further than this list", &undeclared);
}
