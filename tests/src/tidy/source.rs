//! What the house's rules are checked on: the files that people write.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) struct Source {
    /// From the root of the project.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        Self { path: path.strip_prefix(root()).unwrap().to_owned(), text }
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// The lines before the file's tests, with their numbers.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().take(self.code_len())
    }

    /// The lines of its tests.
    pub(crate) fn tests(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().skip(self.code_len())
    }

    pub(crate) fn code_len(&self) -> usize {
        if self.path.starts_with("tests") {
            return 0;
        }
        let pairs = || self.text.lines().zip(self.text.lines().skip(1));
        pairs()
            .position(|(one, next)| one == "#[cfg(test)]" && next.ends_with("mod tests {"))
            .unwrap_or_else(|| self.text.lines().count())
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "rs")
    }

    /// Where a line is, for a message that an editor can follow.
    pub(crate) fn at(&self, number: usize) -> String {
        format!("{}:{number}", self.path.display())
    }

    /// The modules of the common crate that it is inside of, the room first.
    pub(crate) fn modules(&self) -> Vec<String> {
        let Ok(inside) = self.path.strip_prefix("shared/src") else { return Vec::new() };
        let names = inside.with_extension("");
        let names = names.iter().map(|name| name.to_str().unwrap().to_owned());
        names.filter(|name| name != "lib" && name != "mod").collect()
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Everything that people write: Rust, Python, the parts of the template.
pub(crate) fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in ["shared", "functions", "infra", "tests"] {
        collect(&root().join(folder), &mut sources);
    }
    assert!(sources.len() > 50, "the sources are not where they were");
    sources
}

/// The documents: Markdown at the root and in `docs`.
pub(crate) fn documents() -> Vec<Source> {
    let folders = [root(), root().join("docs")];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let documents: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| Source::read(&path))
        .collect();
    assert!(documents.len() > 10, "the documents are not where they were");
    documents
}

fn collect(folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|it| it == "rs" || it == "py" || it == "yaml") {
            sources.push(Source::read(&path));
        }
    }
}

pub(crate) fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

pub(crate) const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

pub(crate) fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}
