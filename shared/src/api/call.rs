//! A request whose caller was let in, as handlers take it.

use jiff::Timestamp;
use lambda_http::{Request, RequestExt as _};

use crate::domain::ids::AccountId;
use crate::edge::auth::Caller;
use crate::edge::clock::Stopwatch;
use crate::edge::problem::Problem;
use crate::store::accounts::Member;

/// What a handler works on.
#[derive(Debug)]
pub struct Call<'a, A> {
    /// What a warm container works with.
    pub app: &'a A,
    /// The request.
    pub request: &'a Request,
    /// Who calls, by their token.
    pub caller: Caller,
    /// Who that is in the database: of a role that the route is for.
    pub member: Member,
    /// When the request came.
    pub now: Timestamp,
    /// Runs since then.
    pub stopwatch: Stopwatch,
}

impl<A> Call<'_, A> {
    /// The account that the call is about: the caller's own.
    #[must_use]
    pub const fn account(&self) -> &AccountId {
        &self.member.account
    }

    /// An id of the path.
    ///
    /// # Errors
    /// 404 where it is none: it is nobody's then.
    pub fn parameter<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Problem> {
        self.request.path_parameters().first(name).and_then(parse).ok_or(Problem::not_found())
    }
}
