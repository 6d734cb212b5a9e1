//! Bodies of requests: their type, their size, their JSON.

use lambda_http::Request;
use lambda_http::http::StatusCode;
use numib::edge::problem::Problem;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What people write about a case is short.
const JSON_LEN_MAX: usize = 16 * 1024;

const NOT_JSON: Problem = Problem::new(
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "content-type",
    "The body must be of type application/json.",
);
const JSON_TOO_LARGE: Problem =
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is larger than 16 KiB.");
pub(crate) const UNREADABLE: Problem = Problem::bad_request(
    "body",
    "The body is not a JSON object with the fields of this route, and no others.",
);

/// Reads a JSON body.
pub(crate) fn json<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let bytes = of_type(request, &["application/json"], JSON_LEN_MAX, [NOT_JSON, JSON_TOO_LARGE])?;
    serde_json::from_slice(bytes).map_err(|_| UNREADABLE)
}

/// Reads a JSON merge patch (RFC 7396), which is a JSON object too.
pub(crate) fn merge_patch(request: &Request) -> Result<Value, Problem> {
    let types = ["application/merge-patch+json", "application/json"];
    let bytes = of_type(request, &types, JSON_LEN_MAX, [NOT_JSON, JSON_TOO_LARGE])?;
    let patch: Value = serde_json::from_slice(bytes).map_err(|_| UNREADABLE)?;
    if patch.is_object() { Ok(patch) } else { Err(UNREADABLE) }
}

/// The body, if it is of one of these types and no longer than that.
pub(crate) fn of_type<'a>(
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
