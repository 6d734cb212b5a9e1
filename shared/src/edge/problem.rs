//! Errors as HTTP: RFC 9457 `application/problem+json`. They say what is wrong and what to do, and
//! never what is stored.

use lambda_http::http::{HeaderValue, StatusCode};
use lambda_http::{Body, Response};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Value, json as value};

use super::queue::QueueError;
use super::secrets::SecretsError;
use crate::erasure::ErasureError;
use crate::store::StoreError;

/// An error that the caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// A stable word for the kind of problem: the last part of the `type` URI.
    pub kind: &'static str,
    /// What is wrong, and what the caller can do. The text is fixed: it never repeats input or
    /// data.
    pub detail: &'static str,
    /// The field or parameter that breaks a rule. `detail` is the rule.
    pub field: Option<&'static str>,
    /// Other fields that break a rule, with their rules.
    pub others: Vec<(&'static str, &'static str)>,
    /// A header of the answer that tells programs.
    pub header: Option<(&'static str, &'static str)>,
}

/// RFC 9457.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem", extend("examples" = [example()]))]
struct Wire<'a> {
    #[schemars(regex(pattern = "^tag:numib\\.app,2026:problem/[a-z_-]+$"))]
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    /// The field or parameter that breaks its rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Broken<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct Broken<'a> {
    field: &'a str,
    rule: &'a str,
}

impl Problem {
    /// A problem of the given status.
    #[must_use]
    pub const fn new(status: StatusCode, kind: &'static str, detail: &'static str) -> Self {
        Self { status, kind, detail, field: None, others: Vec::new(), header: None }
    }

    /// The same problem, with a header of the answer.
    #[must_use]
    pub const fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }

    /// 400: the request cannot be read.
    #[must_use]
    pub const fn bad_request(kind: &'static str, detail: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, kind, detail)
    }

    /// 400: a field of the body, or a parameter, breaks its rule.
    #[must_use]
    pub const fn field(name: &'static str, rule: &'static str) -> Self {
        let mut problem = Self::bad_request(name, rule);
        problem.field = Some(name);
        problem
    }

    /// The same problem, with one more field that breaks a rule.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.others.extend(other.field.map(|field| (field, other.detail)));
        self
    }

    /// 404: what the caller asks for does not exist, or not for this caller.
    #[must_use]
    pub const fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "This does not exist, or not for your account. Please check the address.",
        )
    }

    /// 403: the caller's role does not allow it.
    #[must_use]
    pub const fn forbidden(detail: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 409: it is too late or too early for the request.
    #[must_use]
    pub const fn conflict(detail: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// 500: the fault is ours. The caller can send the same request again.
    #[must_use]
    pub const fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Sorry, something failed on our side. Please send the same request again.",
        )
    }

    /// Its shape, for the API's description.
    pub fn schema(of: &mut SchemaGenerator) -> Schema {
        of.subschema_for::<Wire<'_>>()
    }

    /// The HTTP answer.
    #[must_use]
    pub fn response(&self) -> Response<Body> {
        let first = self.field.map(|field| (field, self.detail));
        let broken = first.into_iter().chain(self.others.iter().copied());
        let wire = Wire {
            r#type: format!("tag:numib.app,2026:problem/{}", self.kind),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail,
            errors: broken.map(|(field, rule)| Broken { field, rule }).collect(),
        };
        let mut response = json(self.status, "application/problem+json", &wire);
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

fn example() -> Value {
    let rule = "`limit` must be a number from 1 to 100.";
    value!({
        "type": "tag:numib.app,2026:problem/limit",
        "title": "Bad Request",
        "status": 400,
        "detail": rule,
        "errors": [{"field": "limit", "rule": rule}],
    })
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = %error, "the store failed");
        Self::internal()
    }
}

impl From<ErasureError> for Problem {
    fn from(error: ErasureError) -> Self {
        tracing::error!(error = %error, "an erasure failed");
        Self::internal()
    }
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        tracing::error!(error = %error, "work was not queued");
        Self::internal()
    }
}

impl From<SecretsError> for Problem {
    fn from(error: SecretsError) -> Self {
        tracing::error!(error = %error, "no secrets");
        Self::internal()
    }
}

/// A JSON answer that no cache keeps and no browser sniffs.
#[must_use]
pub fn json(status: StatusCode, content_type: &str, body: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_string(body).unwrap_or_else(|_| "{}".to_owned());
    answer(status, content_type, text)
}

/// An answer that no cache keeps and no browser sniffs.
#[must_use]
pub fn answer(status: StatusCode, content_type: &str, text: String) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .header("cache-control", "no-store")
        .header("x-content-type-options", "nosniff")
        .body(Body::Text(text))
        .unwrap_or_else(|_| Response::new(Body::Empty))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_rfc_9457_json() {
        let response = Problem::not_found().response();
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let Body::Text(text) = response.body() else { panic!("text") };
        let body: Value = serde_json::from_str(text).unwrap();
        assert_eq!(body["type"], "tag:numib.app,2026:problem/not-found");
        assert_eq!(body["status"], 404);
        assert_eq!(body["title"], "Not Found");
        assert!(body["detail"].is_string());
        assert!(body.get("errors").is_none());
    }

    #[test]
    fn every_field_that_breaks_its_rule_is_named() {
        let cursor = Problem::field("cursor", "A word.");
        let response = Problem::field("limit", "A number.").and(&cursor).response();
        let Body::Text(text) = response.body() else { panic!("text") };
        let body: Value = serde_json::from_str(text).unwrap();
        assert_eq!(body["type"], "tag:numib.app,2026:problem/limit");
        let expected = serde_json::json!([{"field": "limit", "rule": "A number."},
                                          {"field": "cursor", "rule": "A word."}]);
        assert_eq!(body["errors"], expected);
    }
}
