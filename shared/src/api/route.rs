//! A route: one row, which stands in the file of its handler. The table of a function lists its
//! rows; dispatch, authorisation, the audit trail, the API's description, and the tests of who is
//! let in read the table.

use std::pin::Pin;

use jiff::Timestamp;
use lambda_http::{Body, Request, Response};
use schemars::SchemaGenerator;

use super::call::Call;
use super::described::Described;
use super::done::Done;
use super::who::Who;
use crate::domain::audit::Action;
use crate::edge::problem::Problem;

/// A route and what holds for it; `H` is what handles its requests.
#[derive(Debug)]
pub struct Route<H> {
    /// As API Gateway names it: `METHOD /path/{parameter}`.
    pub key: &'static str,
    /// Its name in the API's description.
    pub name: &'static str,
    /// What it does, in a line of the API's description.
    pub summary: &'static str,
    /// Who may.
    pub who: Who,
    /// What the audit trail calls it; `None` where it only shows something (R1.3).
    pub action: Option<Action>,
    /// What it takes and answers.
    pub describe: fn(&mut SchemaGenerator) -> Described,
    /// Handles its requests.
    pub handler: H,
}

/// A route for members; `A` is what a warm container works with.
pub type MemberRoute<A> = Route<Handler<A>>;

/// Handles the calls of members.
pub type Handler<A> = for<'a> fn(&'a Call<'a, A>) -> Answer<'a, Done>;

/// A route for whoever comes.
pub type PublicRoute<A> = Route<PublicHandler<A>>;

/// Handles requests of whoever comes.
pub type PublicHandler<A> = for<'a> fn(&'a A, &'a Request, Timestamp) -> Answer<'a, Response<Body>>;

/// What becomes of a request.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send + 'a>>;

impl<H> Route<H> {
    /// The row with this key; `None` when the table has none.
    #[must_use]
    pub fn find(table: &'static [&'static Self], key: &str) -> Option<&'static Self> {
        table.iter().copied().find(|route| route.key == key)
    }

    /// Its method and its path.
    #[must_use]
    pub fn method_and_path(&self) -> (&'static str, &'static str) {
        self.key.split_once(' ').unwrap_or((self.key, ""))
    }

    /// The parameters of its path, each with what it is the id of: of `/v1/holds/{hold_id}` a
    /// `hold`.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<H> {
        let segments = self.key.split('/');
        segments.clone().zip(segments.skip(1)).filter_map(|(of, segment)| {
            let name = segment.strip_prefix('{')?.strip_suffix('}')?;
            Some((of.strip_suffix('s').unwrap_or(of), name))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::who::ANYONE;

    static ROUTE: Route<()> = Route {
        key: "DELETE /v1/conversations/{id}/messages/{message_id}",
        name: "erase",
        summary: "Erase",
        who: ANYONE,
        action: None,
        describe: |_| Described::default(),
        handler: (),
    };

    static ROUTES: &[&Route<()>] = &[&ROUTE];

    #[test]
    fn a_parameter_is_the_id_of_what_stands_before_it() {
        let route = Route::find(ROUTES, ROUTE.key).unwrap();
        let parameters: Vec<_> = route.parameters().collect();
        assert_eq!(parameters, [("conversation", "id"), ("message", "message_id")]);
        assert!(Route::find(ROUTES, "DELETE /v1/conversations").is_none());
    }
}
