//! A route: what the table says of each.

use numib::domain::audit::Action;

use crate::call::Handler;
use crate::routes::ROUTES;
use crate::who::Who;

/// A route and what holds for it.
#[derive(Debug)]
pub struct Route {
    /// As API Gateway names it: `METHOD /path/{parameter}`.
    pub key: &'static str,
    /// Its name in the API's description.
    pub name: &'static str,
    /// What it does, in a line of the API's description.
    pub summary: &'static str,
    /// Who may.
    pub who: Who,
    /// Whether the caller must have signed in a moment ago (R4.3, RFC 9470).
    pub needs_fresh_sign_in: bool,
    /// What the audit trail calls it; `None` where it only shows something (R1.3).
    pub action: Option<Action>,
    pub(crate) handler: Handler,
}

impl Route {
    /// The route of this name of API Gateway's; `None` when it is none of ours.
    pub(crate) fn find(key: &str) -> Option<&'static Self> {
        ROUTES.iter().find(|route| route.key == key)
    }

    /// Whether a POST changes nothing, so that each shows what there is now: what was erased since
    /// is in no answer, and a link lives for minutes.
    //= R8.3
    pub(crate) const fn only_looks(&self) -> bool {
        matches!(self.action, Some(Action::SearchContacts | Action::DownloadExport))
    }

    /// Its path's parameters, each with what it is the id of: of `/v1/holds/{hold_id}` a `hold`.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
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

    #[test]
    fn a_parameter_is_the_id_of_what_stands_before_it() {
        let route = Route::find("DELETE /v1/conversations/{id}/messages/{message_id}").unwrap();
        let parameters: Vec<_> = route.parameters().collect();
        assert_eq!(parameters, [("conversation", "id"), ("message", "message_id")]);
        assert!(Route::find("DELETE /v1/conversations").is_none());
    }
}
