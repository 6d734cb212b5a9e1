//! Pages of lists: how long, and from where on.

use lambda_http::RequestExt as _;
use numib::edge::problem::Problem;

use crate::call::Call;

/// Entries of a page.
pub(crate) const LIMIT_MAX: i32 = 100;
/// Entries of a page, where the caller does not say.
pub(crate) const LIMIT: i32 = 50;

const BAD_LIMIT: Problem = Problem::field("limit", "`limit` is a number from 1 to 100.");
const BAD_CURSOR: Problem =
    Problem::field("cursor", "The cursor is not one that this list gave out.");

/// `?limit=`
pub(crate) fn limit(call: &Call<'_>) -> Result<i32, Problem> {
    let query = call.request.query_string_parameters();
    let Some(text) = query.first("limit") else { return Ok(LIMIT) };
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or(BAD_LIMIT)
}

/// `?cursor=`
pub(crate) fn cursor<T>(
    call: &Call<'_>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let query = call.request.query_string_parameters();
    query.first("cursor").map(|text| parse(text).ok_or(BAD_CURSOR)).transpose()
}
