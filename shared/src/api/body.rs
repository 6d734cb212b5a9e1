//! Bodies of requests: their type, their size, their JSON, and which field of it breaks its rule.

use lambda_http::Request;
use lambda_http::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use crate::edge::problem::Problem;

/// The longest that a route takes: an invoice of 50 lines, every character of them escaped.
const JSON_LEN_MAX: usize = 128 * 1024;

const NOT_JSON: Problem = Problem::new(
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "content-type",
    "Please send a body of type application/json.",
);
const JSON_TOO_LARGE: Problem = Problem::new(
    StatusCode::PAYLOAD_TOO_LARGE,
    "too-large",
    "The body is larger than 128 KiB. Please send less.",
);
const UNREADABLE: Problem = Problem::field(
    "body",
    "Please send a JSON object with the fields of this route, each once, and no others.",
);

/// What holds for the fields of a body: each problem is of one, and says its rule.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Of those that have to be there.
    pub needed: &'a [Problem],
    /// Of those that may be missing.
    pub optional: &'a [Problem],
}

/// Reads a JSON body, all of whose fields are needed.
///
/// # Errors
/// 400 with every field that is missing or of another type than it should be.
pub fn json<T: DeserializeOwned>(request: &Request, needed: &[Problem]) -> Result<T, Problem> {
    json_by(request, Rules { needed, optional: &[] })
}

/// Reads a JSON body by these rules.
///
/// # Errors
/// As [`json`].
pub fn json_by<T: DeserializeOwned>(request: &Request, rules: Rules<'_>) -> Result<T, Problem> {
    let bytes = of_type(request, &["application/json"], JSON_LEN_MAX, [NOT_JSON, JSON_TOO_LARGE])?;
    serde_json::from_slice(bytes).map_err(|_| match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => broken::<T>(&object, rules),
        Ok(_) | Err(_) => UNREADABLE,
    })
}

/// Reads what a JSON object says, by these rules.
///
/// # Errors
/// As [`json`].
pub fn of_object<T: DeserializeOwned>(object: &Value, rules: Rules<'_>) -> Result<T, Problem> {
    serde_json::from_value(object.clone())
        .map_err(|_| object.as_object().map_or(UNREADABLE, |object| broken::<T>(object, rules)))
}

/// Which fields are not as they should be. Their names are ours, never the caller's: of a field
/// that there is none of, only that there is none.
fn broken<T: DeserializeOwned>(object: &Map<String, Value>, rules: Rules<'_>) -> Problem {
    let names = |rule: &Problem, name: &str| rule.field == Some(name);
    let known = rules.needed.iter().chain(rules.optional);
    let is_known = |name: &String| known.clone().any(|rule| names(rule, name));
    let unreadable = UNREADABLE;
    let unknown = object.keys().any(|name| !is_known(name)).then_some(&unreadable);
    let is_missing = |rule: &&Problem| rule.field.is_some_and(|field| !object.contains_key(field));
    let mut problems: Vec<&Problem> = rules.needed.iter().filter(is_missing).collect();
    // Each time it stumbles over a field, that is taken out: no more often than a route has fields.
    let mut rest = object.clone();
    rest.retain(|name, _| is_known(name));
    while let Err(error) = serde_path_to_error::deserialize::<_, T>(Value::Object(rest.clone())) {
        let Some(Segment::Map { key }) = error.path().iter().next() else { break };
        if rest.remove(key).is_none() {
            break;
        }
        problems.extend(known.clone().find(|rule| names(rule, key)));
    }
    problems.extend(unknown);
    let mut problems = problems.into_iter();
    let first = problems.next().unwrap_or(&unreadable).clone();
    problems.fold(first, Problem::and)
}

/// Reads a JSON merge patch (RFC 7396), which is a JSON object too.
///
/// # Errors
/// 400 where it is none, 413 and 415 as for every body.
pub fn merge_patch(request: &Request) -> Result<Value, Problem> {
    let types = ["application/merge-patch+json", "application/json"];
    let bytes = of_type(request, &types, JSON_LEN_MAX, [NOT_JSON, JSON_TOO_LARGE])?;
    let patch: Value = serde_json::from_slice(bytes).map_err(|_| UNREADABLE)?;
    if patch.is_object() { Ok(patch) } else { Err(UNREADABLE) }
}

/// The body, if it is of one of these types and no longer than that.
///
/// # Errors
/// The first problem where it is of another type, the second where it is longer.
pub fn of_type<'a>(
    request: &'a Request,
    types: &[&str],
    len_max: usize,
    [wrong_type, too_large]: [Problem; 2],
) -> Result<&'a [u8], Problem> {
    let named = request.headers().get("content-type").and_then(|value| value.to_str().ok());
    let named = named.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if !types.iter().any(|one| named.eq_ignore_ascii_case(one)) {
        return Err(wrong_type);
    }
    let bytes: &[u8] = request.body().as_ref();
    if bytes.len() > len_max { Err(too_large) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Asked {
        name: String,
        days: u16,
        #[serde(default)]
        place: Option<Place>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Place {
        city: String,
    }

    #[test]
    fn every_field_that_is_missing_unknown_or_of_another_type_is_named() {
        let needed = [Problem::field("name", "A name."), Problem::field("days", "Days.")];
        let rules = Rules { needed: &needed, optional: &[Problem::field("place", "A place.")] };
        let wrong = |body: Value| {
            let problem = of_object::<Asked>(&body, rules).unwrap_err();
            let others = problem.others.iter().map(|(field, _)| *field);
            problem.field.into_iter().chain(others).collect::<Vec<_>>()
        };
        assert_eq!(wrong(json!({"name": 1, "days": "8"})), ["days", "name"]);
        assert_eq!(wrong(json!({})), ["name", "days"]);
        assert_eq!(wrong(json!({"name": null, "place": {"city": 3}})), ["days", "name", "place"]);
        assert_eq!(wrong(json!({"name": "a", "days": 1, "phone": 2})), ["body"]);
        assert_eq!(wrong(json!({"name": "a", "days": 99_999, "x": 2})), ["days", "body"]);
        assert_eq!(wrong(json!([])), ["body"]);
        let many: Map<String, Value> = (0..14_000).map(|n| (format!("x{n}"), json!(1))).collect();
        assert_eq!(wrong(Value::Object(many)), ["name", "days", "body"]);
        let right = json!({"name": "a", "days": 1, "place": null});
        assert!(of_object::<Asked>(&right, rules).is_ok());
    }
}
