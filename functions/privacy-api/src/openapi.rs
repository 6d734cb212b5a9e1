//! The API's description (`OpenAPI` 3.1) of the routes of the table, and the door that serves it.
//!
//! `cargo xtask openapi` asks for it, and writes the file that is served; no function runs this.

use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use numib::domain::profile::Profile;
use numib::edge::problem::{Problem, answer};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::route::Route;
use crate::{
    accounts, consents, contacts, deletion, erase, exports, holds, invoices, lists, lookup,
    members, plan, policies, profile, requests,
};

/// The whole description, as `cargo xtask openapi` wrote it.
const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// `GET /v1/openapi.json`: for any member. It has no secret; but a route without a token would be
/// one more that anybody can have us pay for.
#[expect(clippy::unused_async, reason = "the shape of a handler")]
pub(crate) async fn serve(_: &Call<'_>) -> Result<Response<Body>, Problem> {
    Ok(answer(StatusCode::OK, "application/json", DOCUMENT.to_owned()))
}

/// What a route takes and gives, besides what all routes do.
#[derive(Default)]
struct Described {
    query: Vec<Value>,
    /// Its types, and what it is in them.
    body: Option<(&'static [&'static str], Schema)>,
    answers: Vec<(u16, &'static str, Schema)>,
    /// Problems that not every such route has.
    problems: &'static [u16],
    /// Whether the answer has a version.
    is_tagged: bool,
    /// Whether the request has to name the version that it changes.
    is_conditional: bool,
}

/// The operation of a route, with its path and its method in lower case.
#[must_use]
pub fn operation(route: &Route, schemas: &mut SchemaGenerator) -> (String, String, Value) {
    let (method, path) = route.key.split_once(' ').unwrap_or_default();
    let Described { query, body, answers, problems, is_tagged, is_conditional } =
        describe(route, schemas);
    let mut parameters: Vec<Value> = route.parameters().map(parameter).collect();
    parameters.extend(query);
    let mut statuses = vec![403, 500];
    let takes = |what: bool, codes: &[u16]| if what { codes.to_vec() } else { Vec::new() };
    statuses.extend(takes(path.contains('{'), &[404]));
    statuses.extend(takes(body.is_some(), &[400, 413, 415]));
    statuses
        .extend(takes(parameters.iter().any(|one| one.get("in") == Some(&json!("query"))), &[400]));
    statuses.extend(takes(method == "POST", &[400, 409, 422]));
    statuses.extend(takes(is_conditional, &[412, 428]));
    statuses.extend(problems);
    if is_conditional {
        parameters.push(json!({"$ref": "#/components/parameters/IfMatch"}));
    }
    if method == "POST" {
        parameters.push(json!({"$ref": "#/components/parameters/IdempotencyKey"}));
    }
    let mut responses = Map::new();
    for status in statuses {
        responses.insert(status.to_string(), json!({"$ref": "#/components/responses/Problem"}));
    }
    let refused = if route.needs_fresh_sign_in { "Stale" } else { "Unauthorized" };
    let refused = json!({"$ref": format!("#/components/responses/{refused}")});
    responses.insert("401".to_owned(), refused);
    let throttled = json!({"$ref": "#/components/responses/TooManyRequests"});
    responses.insert("429".to_owned(), throttled);
    for (status, description, schema) in answers {
        let content = json!({"application/json": {"schema": schema}});
        let mut response = json!({"description": description, "content": content});
        if is_tagged {
            let headers = json!({"ETag": {"$ref": "#/components/headers/ETag"}});
            response.as_object_mut().map(|all| all.insert("headers".to_owned(), headers));
        }
        responses.insert(status.to_string(), response);
    }
    let roles: Vec<&str> = route.who.roles.iter().map(|role| role.as_str()).collect();
    let mut operation = json!({
        "operationId": route.name,
        "summary": route.summary,
        "description": said(route, &roles),
        "tags": [if path.starts_with("/v1/operator/") { "operator" } else { "account" }],
        "x-roles": roles,
        "parameters": parameters,
        "responses": responses,
    });
    if let Some((types, schema)) = body {
        let content: Map<_, _> =
            types.iter().map(|one| ((*one).to_owned(), json!({"schema": schema}))).collect();
        let content = json!({"required": true, "content": content});
        operation.as_object_mut().map(|all| all.insert("requestBody".to_owned(), content));
    }
    (path.to_owned(), method.to_ascii_lowercase(), operation)
}

fn said(route: &Route, roles: &[&str]) -> String {
    let fresh =
        if route.needs_fresh_sign_in { " Takes a sign-in of the last 15 minutes." } else { "" };
    format!("For {}.{fresh}", roles.join(", "))
}

fn parameter((of, name): (&str, &str)) -> Value {
    let schema = match of {
        "conversation" => {
            json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}\\.[A-Za-z0-9_-]{1,64}$"})
        }
        "consent" => json!({"type": "string", "enum": ["product-analytics", "marketing-email"]}),
        _ => json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}),
    };
    json!({"name": name, "in": "path", "required": true, "schema": schema})
}

fn query(name: &str, is_required: bool, schema: &Value) -> Value {
    json!({"name": name, "in": "query", "required": is_required, "schema": schema})
}

fn paged() -> Vec<Value> {
    let limit = json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 50});
    let cursor = json!({"type": "string", "maxLength": 128});
    vec![query("limit", false, &limit), query("cursor", false, &cursor)]
}

const JSON: &[&str] = &["application/json"];

fn gives<T: JsonSchema>(
    schemas: &mut SchemaGenerator,
    status: u16,
    what: &'static str,
) -> Described {
    let answers = vec![(status, what, schemas.subschema_for::<T>())];
    Described { answers, ..Described::default() }
}

fn takes<B: JsonSchema>(schemas: &mut SchemaGenerator, described: Described) -> Described {
    Described { body: Some((JSON, schemas.subschema_for::<B>())), ..described }
}

/// What each route takes and gives. One that is missing here has no answer, which a test finds.
fn describe(route: &Route, of: &mut SchemaGenerator) -> Described {
    let record = || query("on", true, &json!({"type": "string", "pattern": holds::RECORD}));
    match route.name {
        "deleteAccount" => gives::<deletion::Deletion>(of, 202, "The account is locked."),
        "disconnect" | "eraseContact" | "eraseMessage" | "reportMinor" => accepted(of),
        "lodgeRequest" => {
            let described = accepted(of);
            takes::<requests::Lodged>(of, described)
        }
        "listConnections" => gives::<lookup::Channels>(of, 200, "The channels."),
        "searchContacts" => {
            let described = gives::<contacts::FoundContacts>(of, 200, "Who was found.");
            takes::<contacts::ContactSearch>(of, described)
        }
        "restrictContact" | "liftRestriction" => {
            gives::<contacts::ShownContact>(of, 200, "The contact.")
        }
        "listRequests" => {
            let mut query_ = paged();
            let account = json!({"type": "string", "description": "For operators only."});
            query_.push(query("account_id", false, &account));
            Described { query: query_, ..gives::<lookup::Requests>(of, 200, "A page.") }
        }
        "followRequest" => gives::<requests::Followed>(of, 200, "The request."),
        "cancelRequest" => gives::<requests::Followed>(of, 200, "The request, cancelled."),
        "listConsents" => gives::<consents::Consents>(of, 200, "Where each purpose stands."),
        "decideConsent" => {
            let described = gives::<consents::Standing>(of, 200, "Where the purpose stands now.");
            Described { problems: &[409], ..takes::<consents::NewDecision>(of, described) }
        }
        "listAuditEvents" => {
            let mut query_ = paged();
            query_.push(query("day", false, &json!({"type": "string", "format": "date"})));
            Described { query: query_, ..gives::<lookup::Events>(of, 200, "A page.") }
        }
        "changePlan" => {
            let described = gives::<plan::Changed>(of, 200, "The plan it has now.");
            Described { problems: &[409], ..takes::<plan::Wanted>(of, described) }
        }
        "importDeletionList" => {
            let from = json!({"type": "integer", "minimum": 1, "default": 1});
            let described = gives::<lists::Report<'_>>(of, 200, "What became of each line.");
            let body = Some((&["text/csv", "text/plain"][..], of.subschema_for::<String>()));
            Described { query: vec![query("from", false, &from)], body, ..described }
        }
        "listHolds" => {
            let described = gives::<holds::Record>(of, 200, "The holds.");
            Described { query: vec![record()], ..described }
        }
        "setHold" => {
            let mut described = gives::<holds::Record>(of, 201, "It is set.");
            described.answers.push((200, "It was there.", of.subschema_for::<holds::Record>()));
            takes::<holds::Wanted>(of, described)
        }
        "liftHold" => {
            let described = gives::<holds::Lifted>(of, 200, "It is lifted.");
            Described { query: vec![record()], ..described }
        }
        "askForExport" => gives::<exports::Shown>(of, 202, "It is written by a worker."),
        "listExports" => gives::<exports::Listed>(of, 200, "The exports."),
        "followExport" => gives::<exports::Shown>(of, 200, "The export."),
        "downloadExport" => Described {
            problems: &[410],
            ..gives::<exports::Link>(of, 200, "A link that lives for five minutes.")
        },
        "describeApi" => gives::<Map<String, Value>>(of, 200, "This description."),
        name => describe_account(name, of),
    }
}

/// Of the routes of an account, its members and its invoices.
fn describe_account(name: &str, of: &mut SchemaGenerator) -> Described {
    match name {
        "showAccount" => Described { problems: &[404], ..shown(of) },
        "correctProfile" => {
            let patch = "A JSON merge patch (RFC 7396) of a `Profile`: null takes a field away.";
            let patch = json_schema!({"type": "object", "description": patch});
            let types = &["application/merge-patch+json", "application/json"];
            Described { body: Some((types, patch)), ..replaced(of) }
        }
        "rectifyProfile" => {
            let described = replaced(of);
            takes::<Profile>(of, described)
        }
        "acceptPolicy" => {
            let described = gives::<policies::PrivacyPolicy>(of, 200, "It is accepted.");
            takes::<policies::PrivacyPolicy>(of, described)
        }
        "listPolicyVersions" => {
            gives::<policies::PolicyVersions>(of, 200, "Those that are in force latest first.")
        }
        "listInvoices" | "readInvoices" => {
            let described = gives::<invoices::Invoices>(of, 200, "A page.");
            Described { query: paged(), problems: &[404], ..described }
        }
        "listMembers" => {
            Described { query: paged(), ..gives::<members::Members>(of, 200, "A page.") }
        }
        "addMember" => {
            let described = gives::<members::Added>(of, 201, "They are invited.");
            takes::<members::NewMember>(of, described)
        }
        "changeRole" => {
            let described = gives::<members::Changed>(of, 200, "The role they have now.");
            let described = takes::<members::WantedRole>(of, described);
            Described { problems: &[409], is_tagged: true, is_conditional: true, ..described }
        }
        "removeMember" | "reportMinorMember" => Described { problems: &[409, 412], ..accepted(of) },
        "openAccount" => {
            let described = gives::<accounts::Opened>(of, 201, "It is open, its owner invited.");
            takes::<accounts::NewAccount>(of, described)
        }
        "fileInvoice" => {
            let mut described = gives::<invoices::Stored>(of, 201, "It is filed.");
            described.answers.push((200, "It was there.", of.subschema_for::<invoices::Stored>()));
            Described { problems: &[409], ..takes::<invoices::NewInvoice>(of, described) }
        }
        "publishPolicy" => {
            let mut described = gives::<policies::PrivacyPolicy>(of, 201, "It is published.");
            let again = of.subschema_for::<policies::PrivacyPolicy>();
            described.answers.push((200, "It was there; whoever was not is told.", again));
            takes::<policies::NewPolicyVersion>(of, described)
        }
        _ => Described::default(),
    }
}

fn shown(of: &mut SchemaGenerator) -> Described {
    let described = gives::<profile::ShownAccount>(of, 200, "The account.");
    Described { is_tagged: true, ..described }
}

fn replaced(of: &mut SchemaGenerator) -> Described {
    Described { problems: &[404, 409], is_conditional: true, ..shown(of) }
}

fn accepted(of: &mut SchemaGenerator) -> Described {
    let what = "It is unreadable, or a hold keeps it; a worker does the rest.";
    gives::<erase::Accepted>(of, 202, what)
}
