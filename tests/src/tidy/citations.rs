//! Each promise of `docs/requirements.md` is cited where the code keeps it and where a test tries
//! it, and nothing is cited that a reader cannot open here.

use std::collections::BTreeSet;
use std::path::Path;

use crate::source::{Source, assert_none, documents, is_word, root, sources};

/// The promises, as the document lists them.
struct Requirements {
    /// Every id that has a heading, in the document's order.
    ids: Vec<String>,
    /// Those of which a part is not kept, with the part.
    in_part: Vec<(String, String)>,
    /// Those that have no code, with what is missing.
    not_yet: Vec<(String, String)>,
}

impl Requirements {
    fn read() -> Self {
        Self::parse(&Source::read(&root().join("docs/requirements.md")).text)
    }

    fn parse(document: &str) -> Self {
        let ids = document.lines().filter_map(|line| line.strip_prefix("### "));
        Self {
            ids: ids.map(str::to_owned).collect(),
            in_part: listed(document, "## In part"),
            not_yet: listed(document, "## Not yet"),
        }
    }

    fn has(&self, id: &str) -> bool {
        self.ids.iter().any(|known| known == id)
    }
}

/// The lines `* R4.2: why` below a heading.
fn listed(document: &str, heading: &str) -> Vec<(String, String)> {
    let below = document.lines().skip_while(|line| *line != heading).skip(1);
    let section = below.take_while(|line| !line.starts_with('#'));
    let lines = section.filter_map(|line| line.strip_prefix("* "));
    lines
        .map(|line| {
            let (id, why) = line.split_once(':').unwrap_or((line, ""));
            (id.to_owned(), why.trim().to_owned())
        })
        .collect()
}

/// The requirement ids that a line cites: `//= R8.1, R8.2`, in the template `#= R4.5`.
fn cited(line: &str) -> impl Iterator<Item = &str> {
    let line = line.trim_start();
    let ids = line.strip_prefix("//=").or_else(|| line.strip_prefix("#="));
    ids.into_iter().flat_map(|ids| ids.split(',')).map(str::trim)
}

/// The ids that a line speaks of in any other way: `R` and two numbers with a dot between.
fn spoken(line: &str) -> Vec<&str> {
    let words = line.split(|c: char| !is_word(c) && c != '.').map(|word| word.trim_matches('.'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_id = |word: &&str| {
        let numbers = word.strip_prefix('R').and_then(|rest| rest.split_once('.'));
        numbers.is_some_and(|(one, two)| is_number(one) && is_number(two))
    };
    words.filter(is_id).collect()
}

/// The document that a path of the text names, and the heading in it: `docs/x.md#heading`.
fn named_documents(line: &str) -> Vec<(&str, Option<&str>)> {
    let is_path = |c: char| is_word(c) || matches!(c, '/' | '.' | '-' | '#');
    let words = line.split(|c| !is_path(c)).map(|word| word.trim_end_matches('.'));
    let named = words.filter(|word| word.starts_with("docs/") || word.starts_with("ARCHITECTURE"));
    named
        .map(|word| word.split_once('#').map_or((word, None), |(file, at)| (file, Some(at))))
        .filter(|(file, _)| Path::new(file).extension().is_some_and(|extension| extension == "md"))
        .collect()
}

/// What the links of a Markdown line lead to, but for addresses on the web.
fn links(line: &str) -> Vec<(&str, Option<&str>)> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let local = targets.map(|(target, _)| target).filter(|target| !target.contains(':'));
    local
        .map(|target| target.split_once('#').map_or((target, None), |(file, at)| (file, Some(at))))
        .collect()
}

/// The name by which Markdown links to a heading.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Why a document cannot be opened at that heading; `None` where it can.
fn missing(file: &str, at: Option<&str>) -> Option<String> {
    let path = root().join(file);
    let (true, Some(at)) = (path.is_file(), at) else {
        return (!path.exists()).then(|| format!("{file} does not exist"));
    };
    let text = Source::read(&path).text;
    let mut headings = text.lines().filter(|line| line.starts_with('#'));
    let has = headings.any(|heading| anchor(heading) == at);
    (!has).then(|| format!("{file} has no heading #{at}"))
}

#[test]
fn a_citation_is_read_whole() {
    let ids = |line| cited(line).collect::<Vec<_>>();
    assert_eq!(ids("    //= R8.1, R8.2"), ["R8.1", "R8.2"]);
    assert_eq!(ids("  #= R4.5"), ["R4.5"]);
    assert_eq!(ids("//= r8.1 and more"), ["r8.1 and more"], "which is no id, and fails");
    assert!(ids("// R8.1").is_empty() && ids("let x = 1; //= R8.1").is_empty());
    assert_eq!(
        spoken("/// Held (R6.7); `R10.1`, \"R5.8\". R4, R6.x, xR1.1"),
        ["R6.7", "R10.1", "R5.8"]
    );
}

#[test]
fn the_documents_that_a_line_names_are_found() {
    let named = "/// See docs/meta-platform.md#delivery, docs/erasure.md. Not docs/openapi.json.";
    let expected = [("docs/meta-platform.md", Some("delivery")), ("docs/erasure.md", None)];
    assert_eq!(named_documents(named), expected);
    let linked = "[a](api.md#errors), [b](#doors), [c](https://example.com/x.md)";
    assert_eq!(links(linked), [("api.md", Some("errors")), ("", Some("doors"))]);
    assert_eq!(
        anchor("## 2. The index key is in `keys`, and has none"),
        "2-the-index-key-is-in-keys-and-has-none"
    );
}

#[test]
fn the_lists_of_exceptions_are_true_to_the_document() {
    let requirements =
        Requirements::parse("### R1.1\ntext\n## In part\n* R1.1: some\n## Not yet\n\n* R1.2: none");
    assert_eq!(requirements.ids, ["R1.1"]);
    assert_eq!(requirements.in_part, [("R1.1".to_owned(), "some".to_owned())]);
    assert_eq!(requirements.not_yet, [("R1.2".to_owned(), "none".to_owned())]);
    let requirements = Requirements::read();
    assert!(requirements.ids.len() > 50, "the requirements are not where they were");
    let unique: BTreeSet<&String> = requirements.ids.iter().collect();
    assert_eq!(unique.len(), requirements.ids.len(), "two headings for one id");
    let exceptions = requirements.in_part.iter().chain(&requirements.not_yet);
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for (id, why) in exceptions {
        if !requirements.has(id) || why.is_empty() || !seen.insert(id) {
            wrong.push(format!("{id}: {why}"));
        }
    }
    assert_none("exceptions for no requirement, without a reason, or listed twice", &wrong);
}

#[test]
fn every_requirement_that_is_named_exists() {
    let requirements = Requirements::read();
    let mut unknown = Vec::new();
    for source in sources().iter().chain(&documents()) {
        // The check of this check has ids of its own.
        if source.path.ends_with("tidy/citations.rs") {
            continue;
        }
        for (number, line) in source.lines() {
            let ids = cited(line).chain(spoken(line)).filter(|id| !requirements.has(id));
            unknown.extend(ids.map(|id| format!("{}: {id:?}", source.at(number))));
        }
    }
    assert_none("ids of no requirement", &unknown);
}

#[test]
fn every_requirement_is_cited_where_it_is_kept_and_where_it_is_tested() {
    let requirements = Requirements::read();
    let sources = sources();
    let is_product = |source: &&Source| {
        ["shared", "functions", "infra/template"].iter().any(|part| source.path.starts_with(part))
    };
    let code = sources.iter().filter(is_product).flat_map(Source::code);
    let kept: BTreeSet<&str> = code.flat_map(|(_, line)| cited(line)).collect();
    let tests = sources.iter().flat_map(Source::tests);
    let tested: BTreeSet<&str> = tests.flat_map(|(_, line)| cited(line)).collect();
    let not_yet: BTreeSet<&str> = requirements.not_yet.iter().map(|(id, _)| id.as_str()).collect();
    let promised = || requirements.ids.iter().filter(|id| !not_yet.contains(id.as_str()));
    let mut missing = Vec::new();
    for (set, what) in [(&kept, "no code cites it"), (&tested, "no test cites it")] {
        let absent = promised().filter(|id| !set.contains(id.as_str()));
        missing.extend(absent.map(|id| format!("{id}: {what}")));
    }
    assert_none("promises that nothing keeps, or nothing tries", &missing);
    let begun = not_yet.iter().filter(|id| kept.contains(*id) || tested.contains(*id));
    let begun: Vec<_> = begun.map(|id| format!("{id} is cited: take its line out")).collect();
    assert_none("no longer \"Not yet\" in docs/requirements.md", &begun);
}

#[test]
fn every_document_that_is_named_can_be_opened() {
    let mut closed = Vec::new();
    for source in &sources() {
        if source.path.ends_with("tidy/citations.rs") {
            continue;
        }
        for (number, line) in source.lines() {
            let named = named_documents(line).into_iter();
            let missing = named.filter_map(|(file, at)| missing(file, at));
            closed.extend(missing.map(|why| format!("{}: {why}", source.at(number))));
        }
    }
    for document in &documents() {
        let folder = document.path.parent().unwrap();
        for (number, line) in document.lines() {
            for (file, at) in links(line) {
                let target =
                    if file.is_empty() { document.path.clone() } else { folder.join(file) };
                let missing = missing(target.to_str().unwrap(), at);
                closed.extend(missing.map(|why| format!("{}: {why}", document.at(number))));
            }
        }
    }
    assert_none("documents that cannot be opened", &closed);
}

#[test]
fn every_decision_is_in_the_index() {
    let document = Source::read(&root().join("docs/decisions.md"));
    let indexed: BTreeSet<String> = document
        .lines()
        .flat_map(|(_, line)| links(line))
        .filter_map(|(_, at)| at.map(str::to_owned))
        .collect();
    let decisions = document.lines().filter(|(_, line)| line.starts_with("### "));
    let missing = decisions.filter(|(_, heading)| !indexed.contains(&anchor(heading)));
    let missing: Vec<_> = missing.map(|(number, _)| document.at(number)).collect();
    assert_none("decisions that the index lacks", &missing);
}

/// A section is cited by a document's heading. Numbers of sections are for standards.
#[test]
fn no_comment_cites_a_number_of_something_that_is_not_here() {
    let mut found = Vec::new();
    for source in sources().iter().chain(&documents()) {
        let is_number = |(_, rest): (usize, &str)| rest.starts_with(|c: char| c.is_ascii_digit());
        let cites = |line: &str, word: &str| {
            let after = line.match_indices(word).map(|(at, _)| line.split_at(at + word.len()));
            after.map(|(_, rest)| (0, rest)).any(is_number)
        };
        let lines = source.lines().filter(|(_, line)| {
            let is_standard =
                ["RFC", "ITU", "CFR", "U.S.C."].iter().any(|name| line.contains(name));
            cites(line, "invariant ") || cites(line, "§") && !is_standard
        });
        found.extend(lines.map(|(number, _)| source.at(number)));
    }
    assert_none("sections of what cannot be opened", &found);
}
