//! No circles between files: whoever reads one file never has to go back to the one they come from.
//!
//! A file may name what its own parents (`mod.rs`, `lib.rs`) define: it stands in their house. What
//! they only pass on (`pub use`) counts as what it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::arrows::{expand, paths};
use crate::source::{Source, assert_none, is_comment, is_word, sources};

/// The files of a crate by their modules; the root is the empty path.
type Modules<'a> = BTreeMap<Vec<String>, &'a Source>;

/// One file names something of another: where, and whom.
struct Import<'a> {
    from: &'a Path,
    line: usize,
    to: &'a Path,
}

/// The files of each crate. A file that is a crate by itself has no circles.
fn crates(sources: &[Source]) -> Vec<Modules<'_>> {
    let is_root = |source: &&Source| source.path.ends_with("lib.rs");
    let is_program = |source: &&Source| source.path.ends_with("main.rs");
    let folder = |source: &Source| source.path.parent().unwrap().to_owned();
    let libraries: BTreeSet<PathBuf> = sources.iter().filter(is_root).map(folder).collect();
    let programs: BTreeSet<PathBuf> = sources.iter().filter(is_program).map(folder).collect();
    let mut crates: BTreeMap<&PathBuf, Modules<'_>> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        let roots = libraries.union(&programs).filter(|root| source.path.starts_with(root));
        let Some(root) = roots.max_by_key(|root| root.components().count()) else { continue };
        // Beside a library, a program is a crate of its own.
        if is_program(&source) && libraries.contains(root) {
            continue;
        }
        let inside = source.path.strip_prefix(root).unwrap().with_extension("");
        let names = inside.iter().map(|name| name.to_str().unwrap().to_owned());
        let module = names.filter(|name| !["lib", "main", "mod"].contains(&name.as_str()));
        crates.entry(root).or_default().insert(module.collect(), source);
    }
    crates.into_values().collect()
}

/// The modules that a file declares and keeps in files of their own.
fn children(source: &Source) -> Vec<String> {
    let code = source.code().filter(|(_, line)| !is_comment(line));
    let declared = code.filter_map(|(_, line)| {
        let (before, name) = line.strip_suffix(';')?.split_once("mod ")?;
        let is_declared = before.is_empty() || before.starts_with("pub");
        (is_declared && name.chars().all(is_word)).then(|| name.to_owned())
    });
    declared.collect()
}

/// The paths that a file names inside of its crate, from the root on, with the line of each.
fn named(module: &[String], source: &Source) -> Vec<(usize, Vec<String>)> {
    let split = |path: &str| path.split("::").map(str::to_owned).collect::<Vec<_>>();
    let mut found: Vec<(usize, Vec<String>)> =
        paths(source, "crate::").into_iter().map(|(line, path)| (line, split(&path))).collect();
    for prefix in ["super::", "self::"] {
        for (line, path) in paths(source, prefix) {
            found.extend(relative(module, &format!("{prefix}{path}")).map(|path| (line, path)));
        }
    }
    for child in children(source) {
        for (line, path) in paths(source, &format!("{child}::")) {
            let path = format!("self::{child}::{path}");
            found.extend(relative(module, &path).map(|path| (line, path)));
        }
    }
    found
}

/// A path that begins in a module, from the root on; `None`, where it leaves the crate.
fn relative(module: &[String], path: &str) -> Option<Vec<String>> {
    let (mut at, mut rest) = (module, path);
    loop {
        if let Some(up) = rest.strip_prefix("super::") {
            (at, rest) = (at.split_last()?.1, up);
        } else if let Some(here) = rest.strip_prefix("self::") {
            rest = here;
        } else {
            return Some(at.iter().cloned().chain(rest.split("::").map(str::to_owned)).collect());
        }
    }
}

/// What a file passes on (`pub use`): the names, and what they are.
fn passed_on(module: &[String], source: &Source) -> BTreeMap<String, Vec<String>> {
    let lines = source.code().map(|(_, line)| if is_comment(line) { "" } else { line });
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut passed = BTreeMap::new();
    let ways = ["pub use ", "pub(crate) use ", "pub(super) use "];
    for (way, at) in ways.iter().flat_map(|way| code.match_indices(way).map(move |at| (way, at.0)))
    {
        let mut found = Vec::new();
        expand("", code.split_at(at).1.strip_prefix(way).unwrap(), &mut found);
        for path in found {
            let path = match path.strip_prefix("crate::") {
                Some(path) => Some(path.split("::").map(str::to_owned).collect::<Vec<_>>()),
                None => relative(module, &path),
            };
            let Some(path) = path else { continue };
            passed.insert(path.last().unwrap().clone(), path);
        }
    }
    passed
}

/// The module that a path leads to: the one that has what is named, not one that passes it on.
fn module_of(modules: &Modules<'_>, path: &[String]) -> Vec<String> {
    let ends = (0..=path.len()).rev().map(|end| path.split_at(end));
    let (module, rest) = ends.into_iter().find(|(one, _)| modules.contains_key(*one)).unwrap();
    let passed = rest.first().and_then(|name| {
        let mut passed = passed_on(module, modules[module]);
        passed.remove(name).filter(|to| to != path)
    });
    match passed {
        Some(to) if to.len() > module.len() || !path.starts_with(&to) => module_of(modules, &to),
        _ => module.to_vec(),
    }
}

/// Who imports whom in a crate, but for what a file names of its own parents.
fn imports<'a>(modules: &Modules<'a>) -> Vec<Import<'a>> {
    let mut lines: BTreeMap<(&Path, &Path), usize> = BTreeMap::new();
    for (module, source) in modules {
        for (line, path) in named(module, source) {
            let to = module_of(modules, &path);
            if !module.starts_with(&to) {
                lines.entry((&source.path, &modules[&to].path)).or_insert(line);
            }
        }
    }
    lines.into_iter().map(|((from, to), line)| Import { from, line, to }).collect()
}

/// The imports that close a circle: from whom they name, a way leads back.
fn closing<'a>(imports: &'a [Import<'a>]) -> Vec<&'a Import<'a>> {
    let mut next: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for import in imports {
        next.entry(import.from).or_default().insert(import.to);
    }
    let leads = |from: &Path, to: &Path| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(at) = open.pop() {
            if at == to {
                return true;
            }
            if seen.insert(at) {
                open.extend(next.get(at).into_iter().flatten());
            }
        }
        false
    };
    imports.iter().filter(|import| leads(import.to, import.from)).collect()
}

/// The imports of these files that are part of a circle: a line each.
fn circles(sources: &[Source]) -> Vec<String> {
    let mut circles = Vec::new();
    for modules in crates(sources) {
        let imports = imports(&modules);
        circles.extend(closing(&imports).iter().map(|import| {
            format!("{}:{} → {}", import.from.display(), import.line, import.to.display())
        }));
    }
    circles
}

#[test]
fn files_import_each_other_in_no_circle() {
    // By another path: tests are code here, too.
    let here = |source: Source| Source { path: Path::new(".").join(source.path), ..source };
    let sources: Vec<_> = sources().into_iter().map(here).collect();
    assert_none("files that import each other in a circle", &circles(&sources));
}

#[test]
fn a_circle_is_found_however_it_is_closed() {
    let circles = |files: &[(&str, &str)]| {
        let source =
            |(path, text): &(&str, &str)| Source { path: path.into(), text: (*text).to_owned() };
        circles(&files.iter().map(source).collect::<Vec<_>>())
    };
    let none: [&str; 0] = [];
    let lib = ("c/src/lib.rs", "mod a;\nmod b;\npub use a::One;\npub struct House;");
    let two = ["c/src/a.rs:1 → c/src/b.rs", "c/src/b.rs:1 → c/src/a.rs"];
    let a = ("c/src/a.rs", "use crate::b::Two;");
    assert_eq!(circles(&[lib, a, ("c/src/b.rs", "use super::a::{One, three};")]), two);
    assert_eq!(circles(&[lib, a, ("c/src/b.rs", "fn b() { crate::a::one() }")]), two);
    assert_eq!(circles(&[lib, a, ("c/src/b.rs", "use crate::One;")]), two, "passed on");
    assert_eq!(circles(&[lib, a, ("c/src/b.rs", "use crate::House;")]), none, "a parent's own");
    assert_eq!(circles(&[lib, a, ("c/src/b.rs", "// crate::a::One")]), none);
    let tests = "fn b() {}\n#[cfg(test)]\nmod tests {\n    use crate::a::One;\n}";
    assert_eq!(circles(&[lib, a, ("c/src/b.rs", tests)]), none);
    // By way of a parent that is nobody's here.
    let lib = ("c/src/lib.rs", "mod a;\nmod b;");
    let inner = ("c/src/a/mod.rs", "mod inner;\npub fn a() { inner::one() }");
    let leaves = ("c/src/a/inner.rs", "use crate::b::two;");
    let back = ("c/src/b.rs", "use crate::a::a;");
    assert_eq!(circles(&[lib, inner, leaves, back]).len(), 3);
}
