//! Optimistic concurrency (RFC 9110 §13.1): what is changed is named by the version that was read.

use std::fmt::Display;

use lambda_http::Request;
use lambda_http::http::{HeaderValue, StatusCode, header};

use crate::edge::problem::Problem;

const NO_VERSION: Problem = Problem::new(
    StatusCode::PRECONDITION_REQUIRED,
    "precondition-required",
    "Please read this first, and send its ETag back as If-Match.",
);
/// It has another version by now.
pub const STALE: Problem = Problem::new(
    StatusCode::PRECONDITION_FAILED,
    "precondition-failed",
    "This has changed since you read it. Please read it again, and decide again.",
);

/// Whether the request names this version, or says that any will do (`*`).
///
/// # Errors
/// 428 where it names none, 412 where it names another.
pub fn matches(request: &Request, version: impl Display) -> Result<(), Problem> {
    let said = named(request)?.as_bytes();
    let is_met = said == b"*" || said == format!("\"{version}\"").as_bytes();
    if is_met { Ok(()) } else { Err(STALE) }
}

/// The version that the request names, whichever it is.
///
/// # Errors
/// 428 where it names none.
pub fn named(request: &Request) -> Result<&HeaderValue, Problem> {
    request.headers().get(header::IF_MATCH).ok_or(NO_VERSION)
}
