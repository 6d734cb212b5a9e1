//! `cargo xtask openapi`: the API's description (`OpenAPI` 3.1), of the routes of all functions
//! behind the HTTP API.

use std::collections::BTreeSet;
use std::fs;

use numib::api::described::Described;
use numib::api::route::Route;
use numib::edge::problem::Problem;
use schemars::SchemaGenerator;
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
    note(&format!("{FILE} is written."));
    Ok(())
}

/// The description, as it has to be in the file.
///
/// # Errors
/// When it is no JSON.
pub fn document() -> anyhow::Result<String> {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut paths = Paths { paths: Map::new(), schemas: settings.into_generator() };
    paths.add("meta", meta_webhook::ROUTES);
    paths.add("public", data_deletion::routes::ROUTES);
    paths.add("inbox", inbox_api::routes::ROUTES);
    paths.add("account", privacy_api::routes::ROUTES);
    paths.add("operator", operator_api::routes::ROUTES);
    Problem::schema(&mut paths.schemas);
    let Paths { paths, mut schemas } = paths;
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "NUMIB privacy back-end",
            "version": "0.0.0",
            "summary": "Takes Meta's webhooks in and shows members their conversations.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{
            "url": "{api}",
            "description": "The stack's output ApiUrl.",
            "variables": {
                "api": {"default": "https://example.execute-api.us-east-1.amazonaws.com"},
            },
        }],
        "tags": tags(),
        "paths": paths,
        "security": [{"member": []}],
        "components": {
            "headers": {"ETag": {
                "description":
                    "The version of what is shown: give it back as If-Match to change it.",
                "required": true,
                "schema": {"type": "string"},
            }},
            "securitySchemes": {"member": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "Access token of the user pool.",
            }},
            "parameters": parameters(),
            "responses": responses(),
            "schemas": schemas.take_definitions(true),
        },
    });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn tags() -> Value {
    let inbox = "Called for members of an account who read its messages.";
    json!([
        {"name": "meta", "description": "Called by Meta."},
        {"name": "public", "description": "For whoever has the code."},
        {"name": "inbox", "description": inbox},
        {"name": "account", "description": "Called for members of an account."},
        {"name": "operator", "description": "Called for NUMIB's staff."},
    ])
}

/// Parameters that many operations have.
fn parameters() -> Value {
    let once = "Repeated under the same key within 24 hours, the request is done once and answered \
                the same.";
    json!({
        "IfMatch": {
            "name": "If-Match",
            "in": "header",
            "required": true,
            "description": "The ETag that was read last.",
            "schema": {"type": "string", "pattern": "^\"[A-Za-z0-9_-]{1,32}\"$"},
        },
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": once,
            "schema":
                {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!#-~]+$"},
        },
    })
}

/// Answers that many operations have.
fn responses() -> Value {
    let message = json!({"type": "object", "properties": {"message": {"type": "string"}}});
    let of_gateway = json!({"application/json": {"schema": message}});
    let problem = json!({"schema": {"$ref": "#/components/schemas/Problem"}});
    let stale = "No valid token (API Gateway's own answer); or a sign-in that is older than 15 \
                 minutes: sign in again.";
    json!({
        "Problem": {
            "description": "What is wrong, never what is inside.",
            "content": {"application/problem+json": problem},
        },
        "Unauthorized": {
            "description": "No valid token; API Gateway's own answer.",
            "content": of_gateway,
        },
        "TooManyRequests": {
            "description": "Throttled; API Gateway's own answer. Wait and repeat.",
            "content": of_gateway,
        },
        "Stale": {
            "description": stale,
            "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
            "content": {
                "application/json": {"schema": message},
                "application/problem+json": problem,
            },
        },
    })
}

/// What is described so far.
struct Paths {
    paths: Map<String, Value>,
    schemas: SchemaGenerator,
}

impl Paths {
    /// Adds the routes of a table, under a tag.
    fn add<H>(&mut self, tag: &str, routes: &[&Route<H>]) {
        for route in routes {
            let (method, path) = route.method_and_path();
            // Meta's callbacks are served by the function of the public pages.
            let tag = if path.starts_with("/meta/") { "meta" } else { tag };
            let operation = operation(route, tag, (route.describe)(&mut self.schemas));
            let methods = self.paths.entry(path).or_insert_with(|| json!({}));
            let methods = methods.as_object_mut();
            methods.map(|methods| methods.insert(method.to_ascii_lowercase(), operation));
        }
    }
}

fn operation<H>(route: &Route<H>, tag: &str, described: Described) -> Value {
    let is_of_members = !route.who.roles.is_empty();
    let mut operation = json!({
        "operationId": route.name,
        "summary": route.summary,
        "tags": [tag],
        "responses": answers(route, &described),
        "parameters": parameters_of(route, &described),
    });
    let Some(all) = operation.as_object_mut() else { return operation };
    let mut said = Vec::new();
    if is_of_members {
        let roles: Vec<&str> = route.who.roles.iter().map(|role| role.as_str()).collect();
        said.push(format!("For {}.", roles.join(", ")));
        all.insert("x-roles".to_owned(), json!(roles));
    } else {
        all.insert("security".to_owned(), json!([]));
    }
    if route.who.needs_fresh_sign_in {
        said.push("Takes a sign-in of the last 15 minutes.".to_owned());
    }
    said.extend(Some(described.details.to_owned()).filter(|details| !details.is_empty()));
    if !said.is_empty() {
        all.insert("description".to_owned(), said.join(" ").into());
    }
    all.extend(described.body.map(|body| ("requestBody".to_owned(), body)));
    operation
}

fn parameters_of<H>(route: &Route<H>, described: &Described) -> Vec<Value> {
    let mut parameters: Vec<Value> = route.parameters().map(parameter).collect();
    parameters.extend(described.parameters.iter().cloned());
    if described.is_conditional {
        parameters.push(json!({"$ref": "#/components/parameters/IfMatch"}));
    }
    if is_done_once(route) {
        parameters.push(json!({"$ref": "#/components/parameters/IdempotencyKey"}));
    }
    parameters
}

/// A parameter of a path, by what it is the id of.
fn parameter((of, name): (&str, &str)) -> Value {
    let schema = match of {
        "conversation" => {
            json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}\\.[A-Za-z0-9_-]{1,64}$"})
        }
        "consent" => json!({"type": "string", "enum": ["product-analytics", "marketing-email"]}),
        // A code is read however somebody types it.
        "data-deletion" => json!({"type": "string"}),
        _ => json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}),
    };
    json!({"name": name, "in": "path", "required": true, "schema": schema})
}

/// What a route answers, with the problems that every such route has.
fn answers<H>(route: &Route<H>, described: &Described) -> Map<String, Value> {
    let is_of_members = !route.who.roles.is_empty();
    let has_query = described.parameters.iter().any(|one| one.get("in") == Some(&json!("query")));
    let problems: [(bool, &[u16]); 7] = [
        (true, &[500]),
        (true, described.problems),
        (is_of_members, &[403]),
        (route.key.contains('{'), &[404]),
        (is_of_members && described.body.is_some(), &[400, 413, 415]),
        (is_of_members && has_query, &[400]),
        (is_done_once(route), &[400, 409, 422]),
    ];
    let problems = problems.into_iter().filter(|(has, _)| *has).flat_map(|(_, statuses)| statuses);
    let mut statuses: BTreeSet<u16> = problems.copied().collect();
    if described.is_conditional {
        statuses.extend([412, 428]);
    }
    let reference = |name: &str| json!({"$ref": format!("#/components/responses/{name}")});
    let of = |status: u16| (status.to_string(), reference("Problem"));
    let mut answers: Map<String, Value> = statuses.into_iter().map(of).collect();
    if is_of_members {
        let refused = if route.who.needs_fresh_sign_in { "Stale" } else { "Unauthorized" };
        answers.insert("401".to_owned(), reference(refused));
    }
    answers.insert("429".to_owned(), reference("TooManyRequests"));
    let own = described.answers.iter().cloned();
    answers.extend(own.map(|(status, answer)| (status.to_string(), answer)));
    answers
}

/// Whether it takes a key under which it is done once.
fn is_done_once<H>(route: &Route<H>) -> bool {
    !route.who.roles.is_empty() && route.key.starts_with("POST ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::{self, Row};

    /// The functions behind the HTTP API, each with its name in the template.
    const FUNCTIONS: [(&str, &str); 5] = [
        ("meta-webhook", "MetaWebhook"),
        ("data-deletion", "DataDeletion"),
        ("inbox-api", "InboxApi"),
        ("privacy-api", "PrivacyApi"),
        ("operator-api", "OperatorApi"),
    ];

    #[test]
    fn the_description_that_is_served_is_of_this_code() {
        let served = fs::read_to_string(project::root().join(FILE)).unwrap();
        assert!(served == document().unwrap(), "it is stale: cargo xtask openapi");
    }

    #[test]
    fn every_route_says_what_it_answers_and_no_two_have_a_key_or_a_name() {
        let document: Value = serde_json::from_str(&document().unwrap()).unwrap();
        let mut names = BTreeSet::new();
        for Row { key, .. } in FUNCTIONS.iter().flat_map(|(function, _)| routes::of(function)) {
            let (method, path) = key.split_once(' ').unwrap();
            let operation = &document["paths"][path][method.to_ascii_lowercase()];
            let responses = &operation["responses"];
            let own = ["200", "201", "202", "303"];
            assert!(own.iter().any(|one| responses[*one].is_object()), "{key} answers nothing");
            assert!(names.insert(operation["operationId"].to_string()), "{key} is there twice");
        }
    }

    #[test]
    fn the_template_has_the_routes_of_the_tables_and_no_other() {
        let template = fs::read_to_string(project::template()).unwrap();
        for (function, name) in FUNCTIONS {
            let mut routes: Vec<&str> =
                routes::of(function).into_iter().map(|route| route.key).collect();
            let (_, function) = template.split_once(&format!("\n  {name}Function:\n")).unwrap();
            let (function, _) = function.split_once(&format!("\n  {name}Log:\n")).unwrap();
            let lines = || function.lines().map(str::trim);
            let methods = lines().filter_map(|line| line.strip_prefix("Method: "));
            let paths = lines().filter_map(|line| line.strip_prefix("Path: "));
            let events =
                methods.zip(paths).map(|(one, path)| format!("{one} {}", path.trim_matches('"')));
            let mut events: Vec<String> = events.collect();
            events.sort_unstable();
            routes.sort_unstable();
            assert_eq!(events, routes, "{name}");
        }
    }
}
