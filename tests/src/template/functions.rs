//! No list of the functions lacks one.

use std::collections::BTreeSet;
use std::fs;

use crate::reader::{Template, read, root};

/// The folders of `functions`: every function there is.
fn folders() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("functions")).unwrap();
    let folders = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let folders: BTreeSet<String> = folders.collect();
    assert!(folders.len() >= 7, "the functions are not where they were");
    folders
}

/// What stands in backticks at the start of a table's rows, after this prefix.
fn rows(document: &str, prefix: &str) -> BTreeSet<String> {
    let prefix = format!("| `{prefix}");
    let rows = document.lines().filter_map(|line| line.strip_prefix(&prefix));
    rows.filter_map(|row| row.split_once("` |")).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn the_template_deploys_every_function() {
    let template = Template::read();
    let deployed: BTreeSet<String> =
        template.functions().into_values().map(str::to_owned).collect();
    assert_eq!(deployed, folders());
}

#[test]
fn the_documents_name_every_function() {
    let architecture = read("ARCHITECTURE.md");
    assert_eq!(rows(&architecture, "functions/"), folders());
    let (_, picture) = architecture.split_once("```mermaid\n").unwrap();
    let picture = picture.split("```").next().unwrap();
    for name in folders() {
        assert!(picture.contains(&format!("[{name}]")), "the picture lacks {name}");
    }
    let readme = read("README.md");
    let (_, table) = readme.split_once("| function | what it does |\n").unwrap();
    assert_eq!(rows(table.split("\n\n").next().unwrap(), ""), folders());
}

/// The names come from the folder, where a list of them would miss the next function.
#[test]
fn the_deployment_uploads_every_function() {
    assert!(read("docs/deploy.md").contains("\nfor name in $(ls functions); do\n"));
}

#[test]
fn the_dashboard_shows_how_often_each_function_runs_how_long_and_what_crashes() {
    let (template, dashboard) = (Template::read(), Template::read().dashboard());
    let all: BTreeSet<&str> = template.functions().into_keys().collect();
    for metric in ["Invocations", "Duration", "Errors"] {
        let widgets = dashboard["widgets"].as_array().unwrap().iter();
        let graphs = widgets.filter(|widget| widget["properties"]["metrics"][0][1] == metric);
        let whole = graphs.filter(|graph| {
            let metrics = graph["properties"]["metrics"].as_array().unwrap().iter();
            let named = metrics.filter_map(|metric| metric[3].as_str()?.strip_prefix("${"));
            let named: BTreeSet<&str> = named.map(|name| name.trim_end_matches('}')).collect();
            named == all
        });
        assert_eq!(whole.count(), 1, "no graph of {metric} has every function, and no other");
    }
}
