//! Every route, one row each. Dispatch, authorisation, the audit trail, the API's description and
//! the tests of who is let in read this table; beside its row a route has a handler, and an event
//! of the template.

use numib::domain::audit::Action;

use crate::call::Handler;
use crate::who::{
    ADMINS, DECIDERS, ERASERS, EVERYONE, FOLLOWERS, OPERATORS, OWNER, REPORTERS, Who,
};
use crate::{
    account, accounts, consents, contacts, deletion, holds, invoices, lists, lookup, members,
    openapi, plan, policies, profile, requests,
};

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

/// The routes.
//= R4.3
pub static ROUTES: &[Route] = &[
    Route {
        key: "DELETE /v1/account",
        name: "deleteAccount",
        summary: "Delete the account and all that is its",
        who: OWNER,
        needs_fresh_sign_in: true,
        action: Some(Action::DeleteAccount),
        handler: |call| Box::pin(deletion::delete(call)),
    },
    Route {
        key: "GET /v1/connections",
        name: "listConnections",
        summary: "The account's channels",
        who: ADMINS,
        needs_fresh_sign_in: false,
        action: None,
        handler: |call| Box::pin(lookup::connections(call)),
    },
    Route {
        key: "DELETE /v1/connections/{id}",
        name: "disconnect",
        summary: "Disconnect a channel, and erase all that came through it",
        who: ADMINS,
        needs_fresh_sign_in: false,
        action: Some(Action::Disconnect),
        handler: |call| Box::pin(account::connection(call)),
    },
    Route {
        key: "DELETE /v1/conversations/{id}",
        name: "eraseContact",
        summary: "Erase a contact with all that was sent until now",
        who: ERASERS,
        needs_fresh_sign_in: false,
        action: Some(Action::EraseContact),
        handler: |call| Box::pin(account::contact(call)),
    },
    Route {
        key: "DELETE /v1/conversations/{id}/messages/{message_id}",
        name: "eraseMessage",
        summary: "Erase a message",
        who: ERASERS,
        needs_fresh_sign_in: false,
        action: Some(Action::EraseMessage),
        handler: |call| Box::pin(account::message(call)),
    },
    Route {
        key: "POST /v1/contacts/search",
        name: "searchContacts",
        summary: "Find the conversations with a person by their Meta id",
        who: ERASERS,
        needs_fresh_sign_in: false,
        action: Some(Action::SearchContacts),
        handler: |call| Box::pin(contacts::search(call)),
    },
    Route {
        key: "PUT /v1/conversations/{id}/restriction",
        name: "restrictContact",
        summary: "Drop what a contact sends from now on",
        who: ERASERS,
        needs_fresh_sign_in: false,
        action: Some(Action::RestrictContact),
        handler: |call| Box::pin(contacts::restrict(call)),
    },
    Route {
        key: "DELETE /v1/conversations/{id}/restriction",
        name: "liftRestriction",
        summary: "Store again what a contact sends from now on",
        who: ERASERS,
        needs_fresh_sign_in: false,
        action: Some(Action::LiftRestriction),
        handler: |call| Box::pin(contacts::lift(call)),
    },
    Route {
        key: "POST /v1/conversations/{id}/minor-report",
        name: "reportMinor",
        summary: "Report that a contact is a minor, and have it erased",
        who: ERASERS,
        needs_fresh_sign_in: false,
        action: Some(Action::ReportMinor),
        handler: |call| Box::pin(contacts::report_minor(call)),
    },
    Route {
        key: "GET /v1/requests",
        name: "listRequests",
        summary: "The requests about an account",
        who: FOLLOWERS,
        needs_fresh_sign_in: false,
        action: None,
        handler: |call| Box::pin(lookup::requests(call)),
    },
    Route {
        key: "GET /v1/requests/{code}",
        name: "followRequest",
        summary: "How far an erasure is",
        who: FOLLOWERS,
        needs_fresh_sign_in: false,
        action: None,
        handler: |call| Box::pin(requests::show(call)),
    },
    Route {
        key: "POST /v1/requests/{code}/cancel",
        name: "cancelRequest",
        summary: "Take the deletion of the account back",
        who: OWNER,
        needs_fresh_sign_in: false,
        action: Some(Action::CancelDeletion),
        handler: |call| Box::pin(deletion::cancel(call)),
    },
    Route {
        key: "GET /v1/consents",
        name: "listConsents",
        summary: "Where every optional purpose stands",
        who: DECIDERS,
        needs_fresh_sign_in: false,
        action: None,
        handler: |call| Box::pin(consents::list(call)),
    },
    Route {
        key: "PUT /v1/consents/{purpose}",
        name: "decideConsent",
        summary: "Consent to an optional purpose, withdraw that, or object",
        who: DECIDERS,
        needs_fresh_sign_in: false,
        action: Some(Action::DecideConsent),
        handler: |call| Box::pin(consents::decide(call)),
    },
    Route {
        key: "GET /v1/audit-events",
        name: "listAuditEvents",
        summary: "What was done in the account on a day, and by whom",
        who: DECIDERS,
        needs_fresh_sign_in: false,
        action: None,
        handler: |call| Box::pin(lookup::events(call)),
    },
    Route {
        key: "GET /v1/openapi.json",
        name: "describeApi",
        summary: "This description",
        who: EVERYONE,
        needs_fresh_sign_in: false,
        action: None,
        handler: |call| Box::pin(openapi::serve(call)),
    },
    Route {
        key: "PUT /v1/operator/accounts/{account_id}/plan",
        name: "changePlan",
        summary: "Change an account's plan",
        who: OPERATORS,
        needs_fresh_sign_in: false,
        action: Some(Action::ChangePlan),
        handler: |call| Box::pin(plan::change(call)),
    },
    Route {
        key: "POST /v1/operator/requests",
        name: "lodgeRequest",
        summary: "Lodge the erasure that a person asked for",
        who: OPERATORS,
        needs_fresh_sign_in: false,
        action: Some(Action::LodgeRequest),
        handler: |call| Box::pin(requests::lodge(call)),
    },
    Route {
        key: "POST /v1/operator/deletion-lists",
        name: "importDeletionList",
        summary: "Have the people of a list of Meta's erased",
        who: OPERATORS,
        needs_fresh_sign_in: false,
        action: Some(Action::ImportList),
        handler: |call| Box::pin(lists::import(call)),
    },
    Route {
        key: "GET /v1/operator/holds",
        name: "listHolds",
        summary: "The legal holds on a record",
        who: OPERATORS,
        needs_fresh_sign_in: false,
        action: None,
        handler: |call| Box::pin(holds::list(call)),
    },
    Route {
        key: "PUT /v1/operator/holds/{hold_id}",
        name: "setHold",
        summary: "Set a legal hold on a record",
        who: OPERATORS,
        needs_fresh_sign_in: true,
        action: Some(Action::SetHold),
        handler: |call| Box::pin(holds::set(call)),
    },
    Route {
        key: "DELETE /v1/operator/holds/{hold_id}",
        name: "liftHold",
        summary: "Lift a legal hold, and have what waited for it go on",
        who: OPERATORS,
        needs_fresh_sign_in: true,
        action: Some(Action::LiftHold),
        handler: |call| Box::pin(holds::lift(call)),
    },
    Route {
        key: "GET /v1/account",
        name: "showAccount",
        summary: "The account with its profile",
        who: ADMINS,
        needs_fresh_sign_in: false,
        action: None,
        handler: |call| Box::pin(profile::show(call)),
    },
    Route {
        key: "PATCH /v1/account",
        name: "correctProfile",
        summary: "Correct fields of the profile",
        who: ADMINS,
        needs_fresh_sign_in: false,
        action: Some(Action::CorrectProfile),
        handler: |call| Box::pin(profile::correct(call)),
    },
    Route {
        key: "PUT /v1/account",
        name: "rectifyProfile",
        summary: "Put another profile in the place of this one",
        who: ADMINS,
        needs_fresh_sign_in: false,
        action: Some(Action::CorrectProfile),
        handler: |call| Box::pin(profile::rectify(call)),
    },
    Route {
        key: "POST /v1/account/policy-acceptance",
        name: "acceptPolicy",
        summary: "Accept a version of the privacy policy",
        who: OWNER,
        needs_fresh_sign_in: false,
        action: Some(Action::AcceptPolicy),
        handler: |call| Box::pin(profile::accept(call)),
    },
    Route {
        key: "GET /v1/invoices",
        name: "listInvoices",
        summary: "The account's invoices",
        who: OWNER,
        needs_fresh_sign_in: false,
        action: None,
        handler: |call| Box::pin(invoices::list(call)),
    },
    Route {
        key: "GET /v1/members",
        name: "listMembers",
        summary: "The account's members",
        who: ERASERS,
        needs_fresh_sign_in: false,
        action: None,
        handler: |call| Box::pin(members::list(call)),
    },
    Route {
        key: "POST /v1/members",
        name: "addMember",
        summary: "Invite someone to be a member",
        who: ADMINS,
        needs_fresh_sign_in: true,
        action: Some(Action::AddMember),
        handler: |call| Box::pin(members::add(call)),
    },
    Route {
        key: "PATCH /v1/members/{id}",
        name: "changeRole",
        summary: "Give a member another role",
        who: ADMINS,
        needs_fresh_sign_in: true,
        action: Some(Action::ChangeRole),
        handler: |call| Box::pin(members::change(call)),
    },
    Route {
        key: "DELETE /v1/members/{id}",
        name: "removeMember",
        summary: "Shut a member out, and erase them",
        who: ADMINS,
        needs_fresh_sign_in: true,
        action: Some(Action::RemoveMember),
        handler: |call| Box::pin(members::remove(call)),
    },
    Route {
        key: "POST /v1/members/{id}/minor-report",
        name: "reportMinorMember",
        summary: "Erase a member who is a minor",
        who: REPORTERS,
        needs_fresh_sign_in: true,
        action: Some(Action::ReportMinorMember),
        handler: |call| Box::pin(members::report_minor(call)),
    },
    Route {
        key: "POST /v1/operator/accounts",
        name: "openAccount",
        summary: "Open an account, and have its owner invited",
        who: OPERATORS,
        needs_fresh_sign_in: true,
        action: Some(Action::OpenAccount),
        handler: |call| Box::pin(accounts::open(call)),
    },
    Route {
        key: "PUT /v1/operator/accounts/{account_id}/invoices/{invoice_id}",
        name: "fileInvoice",
        summary: "File an invoice of an account",
        who: OPERATORS,
        needs_fresh_sign_in: false,
        action: Some(Action::FileInvoice),
        handler: |call| Box::pin(invoices::file(call)),
    },
    Route {
        key: "POST /v1/operator/policy-versions",
        name: "publishPolicy",
        summary: "Publish a version of the privacy policy, and have owners told of it",
        who: OPERATORS,
        needs_fresh_sign_in: true,
        action: Some(Action::PublishPolicy),
        handler: |call| Box::pin(policies::publish(call)),
    },
];

impl Route {
    /// The route of this name of API Gateway's; `None` when it is none of ours.
    pub(crate) fn find(key: &str) -> Option<&'static Self> {
        ROUTES.iter().find(|route| route.key == key)
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

    #[test]
    fn no_route_is_there_twice() {
        for (at, route) in ROUTES.iter().enumerate() {
            let others = ROUTES.iter().skip(at + 1);
            assert!(others.clone().all(|other| other.key != route.key), "{}", route.key);
            assert!(others.clone().all(|other| other.name != route.name), "{}", route.name);
        }
    }

    //= R1.3
    #[test]
    fn whatever_changes_something_is_in_the_audit_trail() {
        for route in ROUTES {
            let only_shows = route.key.starts_with("GET ");
            assert_eq!(route.action.is_none(), only_shows, "{}", route.key);
        }
    }
}
