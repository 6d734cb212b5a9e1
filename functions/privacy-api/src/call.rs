//! A request whose caller was let in, as the handlers take it.

use std::pin::Pin;

use jiff::Timestamp;
use lambda_http::{Body, Request, RequestExt as _, Response};
use numib::domain::ids::{AccountId, RequestId};
use numib::edge::address;
use numib::edge::auth::Caller;
use numib::edge::problem::Problem;
use numib::store::accounts::Member;

use crate::App;

/// What a handler works on.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) app: &'a App,
    pub(crate) request: &'a Request,
    /// Who calls, by their token.
    pub(crate) caller: Caller,
    /// Who that is in the database: of a role that the route is for.
    pub(crate) member: Member,
    pub(crate) now: Timestamp,
}

impl Call<'_> {
    /// The account that the call is about: the caller's own.
    pub(crate) const fn account(&self) -> &AccountId {
        &self.member.account
    }

    /// Where the public follows this request.
    pub(crate) fn status_page(&self, code: &RequestId) -> String {
        address::status_page(self.app.public_url.as_deref(), self.request, code)
    }

    /// An id of the path; whatever is none is nobody's.
    pub(crate) fn parameter<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Problem> {
        self.request.path_parameters().first(name).and_then(parse).ok_or(Problem::not_found())
    }
}

/// What becomes of a call.
pub(crate) type Answer<'a> =
    Pin<Box<dyn Future<Output = Result<Response<Body>, Problem>> + Send + 'a>>;

/// Answers calls of one route.
pub(crate) type Handler = for<'a> fn(&'a Call<'a>) -> Answer<'a>;
