//! Who calls Meta: one room, and nothing past it.

use crate::source::{Source, assert_none, is_comment, sources};

/// What a call to Meta takes, and the one file that has it.
const ONLY_IN: [(&str, &str); 6] = [
    ("graph.facebook.com", "shared/src/graph/host.rs"),
    ("graph.instagram.com", "shared/src/graph/host.rs"),
    ("api.instagram.com", "shared/src/graph/host.rs"),
    ("www.facebook.com", "shared/src/graph/host.rs"),
    ("www.instagram.com", "shared/src/graph/host.rs"),
    ("Connector::builder", "shared/src/graph/wire.rs"),
];

/// Where a file has something that only another one may have.
fn strays(source: &Source) -> Vec<String> {
    let code = source.code().filter(|(_, line)| !is_comment(line));
    let stray = |line: &str| {
        let has = |(what, file): &&(&str, &str)| {
            line.contains(what) && source.path.to_str() != Some(*file)
        };
        ONLY_IN.iter().find(has).map(|(what, _)| *what)
    };
    let found = code.filter_map(|(number, line)| Some((number, stray(line)?)));
    found.map(|(number, what)| format!("{}: {what}", source.at(number))).collect()
}

#[test]
fn only_one_room_calls_meta() {
    let sources = sources();
    let product = || {
        let is_product = |source: &&Source| {
            ["shared/src", "functions"].iter().any(|folder| source.path.starts_with(folder))
        };
        sources.iter().filter(is_product)
    };
    let found: Vec<_> = product().flat_map(strays).collect();
    assert_none("calls to Meta past the room that makes them", &found);
    for (what, file) in ONLY_IN {
        let home = product().find(|source| source.path.to_str() == Some(file)).unwrap();
        assert!(home.code().any(|(_, line)| line.contains(what)), "{file} has no {what} any more");
    }
}

#[test]
fn a_call_past_the_room_is_found() {
    let strays =
        |path: &str, text: &str| strays(&Source { path: path.into(), text: text.to_owned() }).len();
    let call = "get(\"https://graph.facebook.com/me\")";
    assert_eq!(strays("functions/x/src/lib.rs", call), 1);
    assert_eq!(strays("shared/src/graph/host.rs", call), 0);
    assert_eq!(strays("functions/x/src/lib.rs", &format!("// {call}")), 0);
}
