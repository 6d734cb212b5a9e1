//! The commands that the documents show. Tests and `cargo xtask test` read each of them, so that
//! none goes stale.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;

use crate::project;

/// Ends the words of a command: what follows is another program's, or the shell's.
const ENDS: [&str; 5] = ["|", ">", "&&", ";", ";;"];

/// A command of a document, in words.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The document.
    pub at: String,
    /// The program and its arguments, as the shell splits them. Variables are as they stand.
    pub words: Vec<String>,
}

/// The commands of a program in all documents, in the order in which a reader meets them.
///
/// # Errors
/// When a document cannot be read.
pub fn commands(program: &str) -> anyhow::Result<Vec<Shown>> {
    let mut shown = Vec::new();
    for document in documents()? {
        let name = document.strip_prefix(project::root()).unwrap_or(&document).display();
        let all = of(&fs::read_to_string(&document)?).into_iter();
        let own = all.filter(|words| words.first().is_some_and(|first| first == program));
        shown.extend(own.map(|words| Shown { at: name.to_string(), words }));
    }
    Ok(shown)
}

/// Markdown at the root and in `docs`.
fn documents() -> anyhow::Result<Vec<PathBuf>> {
    let mut documents = Vec::new();
    for folder in [project::root(), project::root().join("docs")] {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                documents.push(path);
            }
        }
    }
    documents.sort();
    Ok(documents)
}

/// The commands in the `console` blocks of a document, and those between backticks.
fn of(document: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    let mut block = None;
    let mut begun = String::new();
    for line in document.lines() {
        match (line.strip_prefix("```"), block) {
            (Some(language), None) => block = Some(language),
            (Some(_), Some(_)) => block = None,
            (None, Some("console")) => {
                begun.extend([line.trim_end_matches('\\'), "\n"]);
                if !line.ends_with('\\')
                    && let Some(words) = shlex::split(&begun)
                {
                    commands.push(command(words));
                    begun.clear();
                }
            }
            (None, Some(_)) => {}
            (None, None) => {
                let spans = line.split('`').skip(1).step_by(2);
                commands.extend(spans.filter_map(shlex::split).map(command));
            }
        }
    }
    commands
}

/// The words of one command, without variables that are set and what the shell does with the rest.
fn command(words: Vec<String>) -> Vec<String> {
    let words = words.into_iter().skip_while(|word| is_assignment(word));
    let words = words.take_while(|word| !ENDS.contains(&word.as_str()));
    // `NAME=$(program …)` keeps what the program prints.
    let mut is_kept = false;
    let mut words: Vec<String> = words
        .map(|word| match word.split_once("=$(") {
            Some((_, program)) => {
                is_kept = true;
                program.to_owned()
            }
            None => word,
        })
        .collect();
    if let Some(last) = words.last_mut().filter(|_| is_kept) {
        *last = last.trim_end_matches(')').to_owned();
    }
    words
}

/// Whether a word sets a variable of the command that follows.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, value)| {
        let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
        !name.is_empty() && name.chars().all(is_name) && !value.starts_with("$(")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::openapi;

    #[test]
    fn a_command_is_read_whole_wherever_it_stands() {
        let document = "Say `x` or `SEED=7 cargo test a b`, but\n```json\ncargo no\n```\n\
                        ```console\ncargo x 'a\nb' \\\n  --c # why\nID=$(aws get \"--q r\") \n\
                        # nothing\ncargo y > z\n  aws s3 cp a b | tail\n```\n`aws t`.";
        let expected = [
            "x",
            "cargo test a b",
            "cargo x a\nb --c",
            "aws get --q r",
            "",
            "cargo y",
            "aws s3 cp a b",
            "aws t",
        ];
        let found: Vec<String> = of(document).iter().map(|words| words.join(" ")).collect();
        assert_eq!(found, expected);
    }

    /// The operation of a method and path, with any value for a parameter of the path.
    fn operation<'a>(api: &'a Value, method: &str, path: &str) -> Option<&'a Value> {
        let fits = |template: &str| {
            let (theirs, ours) = (template.split('/'), path.split('/'));
            theirs.clone().count() == ours.clone().count()
                && theirs.zip(ours).all(|(one, other)| one == other || one.starts_with('{'))
        };
        let paths = api["paths"].as_object().unwrap().iter();
        let mut found = paths.filter(|(template, _)| fits(template));
        found.find_map(|(_, methods)| methods.get(method))
    }

    /// What a reference leads to.
    fn resolved<'a>(api: &'a Value, value: &'a Value) -> &'a Value {
        let reference = value["$ref"].as_str();
        reference.map_or(value, |to| api.pointer(to.trim_start_matches('#')).unwrap())
    }

    /// What follows an option of a command.
    fn options<'a>(words: &'a [String], names: &[&str]) -> Vec<&'a str> {
        let pairs = words.iter().zip(words.iter().skip(1));
        let given = pairs.filter(|(name, _)| names.contains(&name.as_str()));
        given.map(|(_, value)| value.as_str()).collect()
    }

    /// What is wrong with a request that a document shows; nothing, if the API takes it.
    fn objections(api: &Value, words: &[String]) -> Vec<String> {
        let bodies = options(words, &["-d", "--data-binary"]);
        let method = options(words, &["-X"]).first().map(|method| method.to_lowercase());
        let method =
            method.unwrap_or_else(|| if bodies.is_empty() { "get" } else { "post" }.to_owned());
        let url = words.iter().find(|word| word.starts_with('$')).unwrap();
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let (_, path) = path.split_once('/').unwrap();
        let Some(operation) = operation(api, &method, &format!("/{path}")) else {
            return vec![format!("no route {method} /{path}")];
        };
        let all = operation["parameters"].as_array().unwrap().iter();
        let all: Vec<&Value> = all.map(|one| resolved(api, one)).collect();
        let is_known = |name: &str| all.iter().any(|one| one["name"] == name);
        let mut wrong = Vec::new();
        let names = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, _)| name);
        wrong.extend(names.filter(|name| !is_known(name)).map(|name| format!("no ?{name}=")));
        let headers = options(words, &["-H"]);
        let has = |name: &str| headers.iter().any(|header| header.starts_with(&format!("{name}:")));
        if is_known("If-Match") && !has("If-Match") {
            wrong.push("no If-Match".to_owned());
        }
        if operation["security"].is_null() && !has("Authorization") {
            wrong.push("no Authorization".to_owned());
        }
        let kind = headers.iter().find_map(|header| header.strip_prefix("Content-Type: "));
        for body in bodies {
            let schema = &operation["requestBody"]["content"][kind.unwrap_or_default()]["schema"];
            if schema.is_null() {
                wrong.push(format!("no body of the type {kind:?}"));
            }
            let Ok(body) = serde_json::from_str::<Value>(body) else { continue };
            let schema = resolved(api, schema);
            let fields = body.as_object().unwrap();
            if let Some(known) = schema["properties"].as_object() {
                let unknown = fields.keys().filter(|field| !known.contains_key(*field));
                wrong.extend(unknown.map(|field| format!("no field {field}")));
            }
            let required = schema["required"].as_array().into_iter().flatten();
            let missing = required.filter(|field| !fields.contains_key(field.as_str().unwrap()));
            wrong.extend(missing.map(|field| format!("{field} is missing")));
        }
        wrong
    }

    #[test]
    fn the_api_takes_every_request_of_the_documents() {
        let api: Value = serde_json::from_str(&openapi::document().unwrap()).unwrap();
        let shown = commands("curl").unwrap();
        assert!(shown.len() > 20, "the requests are not where they were");
        // A program without arguments is a name in a sentence.
        for Shown { at, words } in shown.into_iter().filter(|shown| shown.words.len() > 1) {
            let wrong = objections(&api, &words);
            assert!(wrong.is_empty(), "{at}: {}: {}", words.join(" "), wrong.join(", "));
        }
    }
}
