//! `cargo xtask openapi`: the API's description, of the routes of `privacy-api` from its table and
//! its types, of what `inbox-api` answers from its types, and of the few others as they are written
//! down in `openapi-base.json`.

use std::fs;

use anyhow::Context as _;
use privacy_api::openapi::operation;
use privacy_api::routes::ROUTES;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::progress::note;
use crate::project;

/// The file that is served, from the root of the project.
const FILE: &str = "docs/openapi.json";

/// Writes the description.
///
/// # Errors
/// When it cannot be written.
pub fn write() -> anyhow::Result<()> {
    fs::write(project::root().join(FILE), document()?)?;
    note(&format!("{FILE} is written: {} routes of the table, and the others.", ROUTES.len()));
    Ok(())
}

/// The description, as it has to be in the file.
///
/// # Errors
/// When the part that is written down is not JSON.
pub fn document() -> anyhow::Result<String> {
    let mut document: Value = serde_json::from_str(include_str!("../openapi-base.json"))?;
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut schemas = settings.into_generator();
    for route in ROUTES {
        let (path, method, operation) = operation(route, &mut schemas);
        let paths = object(&mut document, "/paths")?;
        let path = paths.entry(path).or_insert_with(|| json!({}));
        path.as_object_mut().context("a path is no object")?.insert(method, operation);
    }
    inbox_api::describe(&mut schemas);
    object(&mut document, "/components/schemas")?.extend(schemas.take_definitions(true));
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn object<'a>(of: &'a mut Value, at: &str) -> anyhow::Result<&'a mut Map<String, Value>> {
    of.pointer_mut(at).and_then(Value::as_object_mut).with_context(|| format!("there is no {at}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_that_is_served_is_of_this_code() {
        let served = fs::read_to_string(project::root().join(FILE)).unwrap();
        assert!(served == document().unwrap(), "it is stale: cargo xtask openapi");
    }

    #[test]
    fn every_route_says_what_it_answers() {
        let document: Value = serde_json::from_str(&document().unwrap()).unwrap();
        for route in ROUTES {
            let (method, path) = route.key.split_once(' ').unwrap();
            let responses = &document["paths"][path][method.to_ascii_lowercase()]["responses"];
            let is_answered = ["200", "201", "202"].iter().any(|one| responses[*one].is_object());
            assert!(is_answered, "{} is missing in privacy-api/src/openapi.rs", route.key);
        }
    }

    #[test]
    fn the_template_has_the_routes_of_the_table_and_no_other() {
        let template = fs::read_to_string(project::template()).unwrap();
        let (_, function) = template.split_once("\n  PrivacyApiFunction:\n").unwrap();
        let (function, _) = function.split_once("\n  PrivacyApiLog:\n").unwrap();
        let lines = || function.lines().map(str::trim);
        let methods = lines().filter_map(|line| line.strip_prefix("Method: "));
        let paths = lines().filter_map(|line| line.strip_prefix("Path: "));
        let events =
            methods.zip(paths).map(|(one, path)| format!("{one} {}", path.trim_matches('"')));
        let mut events: Vec<String> = events.collect();
        let mut routes: Vec<&str> = ROUTES.iter().map(|route| route.key).collect();
        events.sort_unstable();
        routes.sort_unstable();
        assert_eq!(events, routes);
    }
}
