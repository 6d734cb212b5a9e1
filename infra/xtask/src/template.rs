//! `cargo xtask template`: puts `template.yaml` together from parts that stand beside what they
//! describe.
//!
//! The frame, `infra/template/stack.yaml`, has lines like `#+ Outputs`. The section `Outputs` of
//! every part takes the place of such a line: first of the other files of `infra/template`, then of
//! each function's `template.yaml`, in the order of their names. A section begins with its name at
//! the start of a line and ends before the next name. Blank lines at the end of a section are
//! dropped; every other line of a section becomes a line of the template as it is. In the part of
//! a function that the HTTP API calls, the line `#+ Events` stands for an event of each of its
//! routes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::progress::note;
use crate::{functions, project, routes};

/// What a line of the frame begins with that makes room for a section of the parts.
const ROOM: &str = "#+ ";

/// The line of a function's part whose place the events of its routes take.
const EVENTS: &str = "#+ Events\n";

/// Writes `template.yaml`.
///
/// # Errors
/// When a part is missing, or has a section that the frame makes no room for.
pub fn write() -> anyhow::Result<()> {
    fs::write(project::template(), document()?)?;
    note("template.yaml is written.");
    Ok(())
}

/// The template, as it has to be in the file.
///
/// # Errors
/// When a part is missing, or has a section that the frame makes no room for.
pub fn document() -> anyhow::Result<String> {
    let folder = project::root().join("infra/template");
    let frame = folder.join("stack.yaml");
    let shared: BTreeSet<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    let shared = shared.into_iter().filter(|path| *path != frame);
    let shared = shared.map(|path| Ok((read(&path)?, path)));
    let of_functions = functions::names()?.into_iter().map(|name| of_function(&name));
    let parts = shared.chain(of_functions);
    join(&read(&frame)?, &parts.collect::<anyhow::Result<Vec<_>>>()?)
}

/// The part of a function, with the events that its table of routes asks for.
fn of_function(name: &str) -> anyhow::Result<(String, PathBuf)> {
    let path = project::root().join("functions").join(name).join("template.yaml");
    Ok((read(&path)?.replace(EVENTS, &routes::events(name)), path))
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

/// The frame with the sections of the parts, each a text and the path that it is from.
fn join(frame: &str, parts: &[(String, PathBuf)]) -> anyhow::Result<String> {
    let mut sections = Vec::new();
    for (text, path) in parts {
        sections.extend(split(text).with_context(|| format!("splitting {}", path.display()))?);
    }
    let mut document = String::new();
    let mut rooms = BTreeSet::new();
    for line in frame.lines() {
        let Some(name) = line.strip_prefix(ROOM) else {
            document.extend([line, "\n"]);
            continue;
        };
        ensure!(rooms.insert(name), "the frame makes room for {name} twice");
        for section in sections.iter().filter(|section| section.name == name) {
            document.extend(section.lines.iter().flat_map(|line| [line, "\n"]));
        }
    }
    let homeless = sections.iter().find(|section| !rooms.contains(section.name));
    let homeless = homeless.map_or("", |section| section.name);
    ensure!(homeless.is_empty(), "the frame makes no room for sections {homeless}");
    Ok(document)
}

struct Section<'a> {
    name: &'a str,
    lines: Vec<&'a str>,
}

/// The sections of a part.
fn split(part: &str) -> anyhow::Result<Vec<Section<'_>>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in part.lines() {
        if line.starts_with(|first: char| first.is_ascii_alphabetic()) {
            let (name, _) = line.split_once(':').with_context(|| format!("no section: {line}"))?;
            sections.push(Section { name, lines: Vec::new() });
        } else {
            let section = sections.last_mut();
            section.with_context(|| format!("before any section: {line}"))?.lines.push(line);
        }
    }
    for Section { lines, .. } in &mut sections {
        let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
        lines.truncate(end);
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_of_its_parts() {
        let committed = fs::read_to_string(project::template()).unwrap();
        assert!(committed == document().unwrap(), "it is stale: cargo xtask template");
    }

    #[test]
    fn sections_go_where_the_frame_has_room_for_them() {
        let part = |text: &str| (text.to_owned(), PathBuf::from("part.yaml"));
        let one = part("Resources:\n\n  One: {}\n\nList: |\n    \"one\",\n\nOutputs:\n  A: {}\n");
        let two = part("Resources:\n\n  # Why.\n  Two: {}\n");
        let frame =
            "Resources:\n#+ Resources\n  Last: [\n#+ List\n    \"last\"]\n\nOutputs:\n#+ Outputs\n";
        let whole = "Resources:\n\n  One: {}\n\n  # Why.\n  Two: {}\n  Last: [\n    \"one\",\n    \
                     \"last\"]\n\nOutputs:\n  A: {}\n";
        assert_eq!(join(frame, &[one, two]).unwrap(), whole);

        let error = |text: &str| join(frame, &[part(text)]).unwrap_err().root_cause().to_string();
        assert_eq!(error("Output:\n  A: {}\n"), "the frame makes no room for sections Output");
        assert_eq!(error("# A part.\nOutputs:\n"), "before any section: # A part.");
        assert!(join("#+ List\n#+ List\n", &[]).is_err(), "a section would be there twice");
    }
}
