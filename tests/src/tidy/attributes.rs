//! The names of attributes and indexes stand in the schema of the store, and nowhere else: whoever
//! writes an expression makes it of these names.

use std::collections::BTreeSet;

use crate::source::{Source, assert_none, is_word, sources};

const STORE: &str = "shared/src/store";
const SDK: &str = "aws_sdk_dynamodb";

fn is_schema(source: &Source) -> bool {
    source.path.starts_with("shared/src/store/schema")
        || source.path.ends_with("shared/src/store/schema.rs")
}

/// The texts in quotes, each with the line it begins on; none of a comment, nor what an error says.
fn literals(source: &Source) -> Vec<(usize, String)> {
    let is_prose = |line: &str| line.trim_start().starts_with("#[");
    let code = source.code().map(|(_, line)| if is_prose(line) { "" } else { line });
    let code: Vec<_> = code.collect();
    let (mut found, mut number) = (Vec::new(), 1);
    let code = code.join("\n");
    let mut rest = code.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' => number += 1,
            '/' if rest.peek() == Some(&'/') => while rest.next_if(|c| *c != '\n').is_some() {},
            // A quotation mark as a character.
            '\'' if rest.peek() == Some(&'"') => {
                rest.next();
            }
            '"' => {
                let (began, mut text) = (number, String::new());
                while let Some(c) = rest.next().filter(|c| *c != '"') {
                    number += usize::from(c == '\n');
                    text.push(c);
                    if c == '\\' {
                        let escaped = rest.next();
                        number += usize::from(escaped == Some('\n'));
                        text.extend(escaped);
                    }
                }
                found.push((began, text));
            }
            _ => {}
        }
    }
    found
}

/// The names that a file of the schema declares.
fn declared(source: &Source) -> Vec<String> {
    let text = &source.text;
    let after = |declaration| text.match_indices(declaration).map(|(at, _)| text.split_at(at).1);
    let declarations = ["Attribute::new(", "Attribute::reserved(", "Index::of(", "Index::beside("];
    let names = declarations.into_iter().flat_map(after).filter_map(|rest| {
        let (arguments, _) = rest.split_once(')')?;
        arguments.split('"').nth(1).map(|name| name.trim_end_matches('#').to_owned())
    });
    names.collect()
}

/// Where a file of the store spells one of the names: alone, or in an expression, where a mark
/// stands before it.
fn spelled(source: &Source, names: &BTreeSet<String>) -> Vec<String> {
    let of = |(number, text): &(usize, String)| {
        let name = text.split(|c| !is_word(c)).find(|word| names.contains(*word))?;
        Some(format!("{}: `{name}`", source.at(*number)))
    };
    literals(source).iter().filter_map(of).collect()
}

#[test]
fn only_the_schema_spells_attributes_and_indexes() {
    let sources = sources();
    let (schema, others): (Vec<_>, Vec<_>) = sources
        .iter()
        .filter(|source| source.path.starts_with(STORE))
        .partition(|it| is_schema(it));
    let names: BTreeSet<String> = schema.iter().flat_map(|source| declared(source)).collect();
    assert!(names.len() > 90, "the names are not where they were: {names:?}");
    let found: Vec<_> = others.iter().flat_map(|source| spelled(source, &names)).collect();
    assert_none("names of attributes or indexes outside the schema", &found);
}

/// Who cannot ask the database cannot spell its names either.
#[test]
fn only_the_store_speaks_to_the_database() {
    let makes_clients = |source: &Source| {
        let path = source.path.to_str().unwrap();
        path == "shared/src/edge/clients.rs"
            || path.starts_with("functions/") && path.ends_with("/src/main.rs")
    };
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| !source.path.starts_with(STORE)) {
        let is_product = ["shared/src", "functions"].iter().any(|it| source.path.starts_with(it));
        if is_product && source.is_rust() && !makes_clients(source) {
            let lines = source.code().filter(|(_, line)| line.contains(SDK));
            found.extend(lines.map(|(number, _)| source.at(number)));
        }
    }
    assert_none("DynamoDB outside the store", &found);
}

#[test]
fn a_name_is_found_however_it_is_spelled() {
    let names = BTreeSet::from(["state".to_owned(), "sweep_on".to_owned()]);
    let found = |text: &str| {
        spelled(&Source { path: "shared/src/store/x.rs".into(), text: text.to_owned() }, &names)
    };
    let at = |number: usize, name: &str| [format!("shared/src/store/x.rs:{number}: `{name}`")];
    assert_eq!(found("f()\ng(\"sweep_on\")"), at(2, "sweep_on"));
    assert_eq!(found("let x = \"SET #state = :new\";"), at(1, "state"));
    assert_eq!(found("let x = \"a \\\n = :sweep_on\";"), at(1, "sweep_on"));
    let none: [String; 0] = [];
    assert_eq!(found("// \"state\"\nlet c = '\"'; let state = \"a statement\";"), none);
    assert_eq!(found("#[error(\"the state has changed\")]"), none);
    assert_eq!(found("#[cfg(test)]\nmod tests {\n\"state\""), none);
}
