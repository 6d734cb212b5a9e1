//! The routes of the functions behind the HTTP API, as their tables have them.

use std::fmt::Write as _;

use numib::api::route::Route;

/// What is deployed of a route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// `METHOD /path/{parameter}`.
    pub(crate) key: &'static str,
    /// Its name in the API's description.
    pub(crate) name: &'static str,
    /// Whether whoever comes is let in, without a token.
    pub(crate) is_public: bool,
}

/// The routes of a function; none where the HTTP API does not call it.
pub(crate) fn of(function: &str) -> Vec<Row> {
    match function {
        "meta-webhook" => rows(meta_webhook::ROUTES),
        "data-deletion" => rows(data_deletion::routes::ROUTES),
        "inbox-api" => rows(inbox_api::routes::ROUTES),
        "privacy-api" => rows(privacy_api::routes::ROUTES),
        "operator-api" => rows(operator_api::routes::ROUTES),
        _ => Vec::new(),
    }
}

fn rows<H>(routes: &[&Route<H>]) -> Vec<Row> {
    let row = |route: &&Route<H>| Row {
        key: route.key,
        name: route.name,
        is_public: route.who.roles.is_empty(),
    };
    routes.iter().map(row).collect()
}

/// The events of a function in the template, one for each of its routes.
pub(crate) fn events(function: &str) -> String {
    let mut events = String::new();
    for Row { key, name, is_public } in of(function) {
        let (method, path) = key.split_once(' ').unwrap_or((key, ""));
        let mut letters = name.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        let id: String = first.into_iter().chain(letters).collect();
        // Writing to a string does not fail.
        let _ = write!(
            events,
            "        {id}:\n          Type: HttpApi\n          Properties:\n            \
             ApiId: !Ref HttpApi\n            Method: {method}\n            Path: \"{path}\"\n"
        );
        if is_public {
            events.push_str("            Auth: {Authorizer: NONE}\n");
        }
    }
    events
}
