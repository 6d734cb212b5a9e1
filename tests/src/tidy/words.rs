//! One word for one thing: no other word for what the glossary names.

use std::collections::BTreeSet;
use std::path::Path;

use crate::source::{Source, assert_none, documents, root, sources};

const GLOSSARY: &str = "docs/glossary.md";

/// Who may use such a word all the same, and why.
const EXCEPTIONS: [(&str, &str, &str); 6] = [
    ("chat", "docs/meta-platform.md", "in the name of somebody's repository"),
    ("customer", "README.md", "tells what NUMIB is to a reader who knows none of its words"),
    ("customer", "docs/requirements.md", "says whom the promises call contacts"),
    ("tier", "docs/requirements.md", "the privacy policy's word"),
    ("ttl", "docs/requirements.md", "the privacy policy's word"),
    ("ttl", "tests/src/databases/lateness.rs", "a method of dynoxide"),
];

/// The rows of the glossary's table under this head: what stands in both columns.
fn rows<'a>(glossary: &'a str, head: &str) -> Vec<(&'a str, &'a str)> {
    let below = glossary.lines().skip_while(|line| *line != head).skip(2);
    let rows = below.map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.filter_map(|row| row.split_once(" | ")).collect()
}

/// The words of the glossary that are not used, in small letters.
fn banned(glossary: &str) -> BTreeSet<String> {
    let rows = rows(glossary, "| not | but |").into_iter();
    rows.flat_map(|(not, _)| not.split(", ")).map(str::to_lowercase).collect()
}

/// The words of a line, in small letters and without the `s` of a plural.
fn words(line: &str) -> impl Iterator<Item = String> {
    let words = line.split(|c: char| !c.is_alphabetic()).map(str::to_lowercase);
    words.map(|word| word.trim_end_matches('s').to_owned())
}

/// Where a file uses one of the words: the word, and the place.
fn used(source: &Source, banned: &BTreeSet<String>) -> Vec<(String, String)> {
    let found = source.lines().flat_map(|(number, line)| {
        let banned_words = words(line).filter(|word| banned.contains(word));
        banned_words.map(move |word| (word, source.at(number)))
    });
    found.collect()
}

#[test]
fn nothing_is_called_by_a_word_that_the_glossary_bans() {
    let banned = banned(&Source::read(&root().join(GLOSSARY)).text);
    assert!(banned.len() > 8, "the words are not where they were: {banned:?}");
    let (mut wrong, mut needed) = (Vec::new(), BTreeSet::new());
    for source in sources().iter().chain(&documents()) {
        // The list itself, and what reads it.
        if source.path == Path::new(GLOSSARY) || source.path.ends_with("tidy/words.rs") {
            continue;
        }
        for (word, at) in used(source, &banned) {
            let is_meant = |(one, path, _): &&(&str, &str, &str)| {
                *one == word && source.path == Path::new(path)
            };
            match EXCEPTIONS.iter().find(is_meant) {
                Some(exception) => _ = needed.insert(exception),
                None => wrong.push(format!("{at}: {word}")),
            }
        }
    }
    assert_none("words for which docs/glossary.md has another", &wrong);
    assert_eq!(needed.len(), EXCEPTIONS.len(), "of the exceptions, only {needed:?} are needed");
}

#[test]
fn the_glossary_bans_only_words_that_have_another() {
    let glossary = Source::read(&root().join(GLOSSARY)).text;
    let meanings = rows(&glossary, "| word | what it is |");
    let known: BTreeSet<&str> = meanings.iter().map(|(word, _)| *word).collect();
    assert!(known.len() > 70, "the words are not where they were");
    let unknown = rows(&glossary, "| not | but |").into_iter();
    let unknown = unknown.filter(|(_, but)| !known.contains(but)).map(|(_, but)| but.to_owned());
    assert_none(
        "words that the glossary prefers and does not explain",
        &unknown.collect::<Vec<_>>(),
    );
}

#[test]
fn a_banned_word_is_found_in_each_form() {
    let source = |text: &str| Source { path: "x.rs".into(), text: text.to_owned() };
    let banned = banned("| not | but |\n|---|---|\n| Tier, TTL | plan |\n\n| a | b |");
    let found = |text: &str| used(&source(text), &banned).len();
    assert_eq!(banned.len(), 2);
    for text in ["let tier_days = 7;", "/// Two tiers.", "TTL", "x\nits tier."] {
        assert_eq!(found(text), 1, "{text}");
    }
    assert_eq!(found("frontier, settled, tiered"), 0);
}
