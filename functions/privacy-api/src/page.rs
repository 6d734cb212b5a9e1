//! Pages of lists: how many entries, and from where on.

use lambda_http::aws_lambda_events::query_map::QueryMap;
use numib::edge::problem::Problem;

/// Entries of a page at most.
const LIMIT_MAX: u16 = 100;

const BAD_LIMIT: Problem = Problem::bad_request("limit", "`limit` is a number from 1 to 100.");
const BAD_CURSOR: Problem =
    Problem::bad_request("cursor", "The cursor is not one that this list gave out.");

/// How many entries are asked for; so many, where nobody says.
pub(crate) fn limit(query: &QueryMap, otherwise: u16) -> Result<u16, Problem> {
    let Some(limit) = query.first("limit") else { return Ok(otherwise) };
    limit.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit)).ok_or(BAD_LIMIT)
}

/// After which entry the page begins: the last id of the page before.
pub(crate) fn cursor<T>(
    query: &QueryMap,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    query.first("cursor").map(|cursor| parse(cursor).ok_or(BAD_CURSOR)).transpose()
}
