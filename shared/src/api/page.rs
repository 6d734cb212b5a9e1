//! Pages of lists: how long, and from where on.

use lambda_http::{Request, RequestExt as _};
use schemars::{JsonSchema, SchemaGenerator};

use super::described::Described;
use crate::edge::problem::Problem;

/// Entries of a page.
pub const LIMIT_MAX: i32 = 100;
/// Entries of a page, where the caller does not say.
pub const LIMIT: i32 = 50;
/// Characters of a cursor.
pub const CURSOR_LEN_MAX: usize = 128;

const BAD_LIMIT: Problem = Problem::field("limit", "`limit` must be a number from 1 to 100.");
const BAD_CURSOR: Problem =
    Problem::field("cursor", "Please send a cursor that this list gave you.");

/// `?limit=`
///
/// # Errors
/// 400 where it is no number of entries.
pub fn limit(request: &Request) -> Result<i32, Problem> {
    let query = request.query_string_parameters();
    let Some(text) = query.first("limit") else { return Ok(LIMIT) };
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or(BAD_LIMIT)
}

/// `?cursor=`
///
/// # Errors
/// 400 where it is none of this list.
pub fn cursor<T>(
    request: &Request,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let query = request.query_string_parameters();
    query.first("cursor").map(|text| parse(text).ok_or(BAD_CURSOR)).transpose()
}

/// A route that answers a list, page by page.
pub fn describe<T: JsonSchema>(of: &mut SchemaGenerator) -> Described {
    let described = Described::gives::<T>(of, 200, "A page.");
    described.limited(LIMIT, LIMIT_MAX).from_cursor("cursor", CURSOR_LEN_MAX)
}
