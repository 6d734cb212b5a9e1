//! Who imports whom in the common crate.

use std::collections::BTreeSet;

use crate::source::{Source, assert_none, is_comment, is_word, sources};

/// Who may import what of whom in the common crate, and why. Everything else is a new arrow.
const ARROWS: [(&str, &str, &str); 34] = [
    ("meta", "domain", "parses into its words"),
    ("seal", "domain", "seals its values"),
    ("store", "domain", "stores its values"),
    ("store", "concurrent", "has several requests under way at once"),
    ("archive", "domain", "names what it files by its days"),
    ("edge", "domain", "reads ids and roles at the rim"),
    ("api", "domain", "knows who may, and what is recorded"),
    ("api", "erasure", "begins what was asked for"),
    ("api", "identity", "invites who is to be a member"),
    ("api", "edge", "is behind the rim"),
    ("api", "store", "records what is done"),
    ("api", "seal", "makes ids, and opens what is the account's own"),
    ("api", "concurrent", "asks for several things at once"),
    ("edge", "seal::pseudonym::Pepper", "the secret holds it, and only `seal` can make one"),
    ("erasure", "domain", "knows what a request covers, and its states"),
    ("erasure", "store", "marks, destroys, deletes, and proves it"),
    ("erasure", "concurrent", "works on several targets at once"),
    ("erasure", "seal::receipt", "signs what it proved"),
    ("erasure", "seal::random", "makes unguessable codes"),
    ("erasure", "seal::SealError", "randomness can fail"),
    ("erasure", "seal::pseudonym::Pepper", "finds what is held of a Meta id"),
    ("erasure", "identity", "members leave the user pool with their account"),
    ("erasure", "archive", "archives are copies of what it erases"),
    ("retention", "domain", "knows plans, days and what expires when"),
    ("retention", "store", "destroys, deletes and re-times"),
    ("retention", "concurrent", "works on several accounts and days at once"),
    ("identity", "domain", "knows members by its ids"),
    ("graph", "domain", "asks and answers in its words"),
    ("graph", "meta::json", "reads answers as forgivingly as webhooks are read"),
    ("graph", "guarded_body", "knows whether a send has left"),
    ("edge", "guarded_body", "lets no request leave too late"),
    ("edge", "erasure::ErasureError", "an erasure's failure is a problem with a status"),
    ("edge", "store::Tables", "the environment names them"),
    ("edge", "store::StoreError", "a store's failure is a problem with a status"),
];

/// The paths that the code names after this prefix, with the line each begins on. A group in
/// braces is as many paths as it has names.
pub(crate) fn paths(source: &Source, prefix: &str) -> Vec<(usize, String)> {
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
pub(crate) fn expand<'a>(parent: &str, text: &'a str, found: &mut Vec<String>) -> &'a str {
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
