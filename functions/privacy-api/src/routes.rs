//! The routes. Dispatch, authorisation, the audit trail, the API's description and the tests of who
//! is let in read this table; the row of a route stands in the file of its handler.

use crate::app::Route;
use crate::{
    account, consents, contacts, deletion, description, exports, invoices, lookup, members,
    policies, profile, requests,
};

/// The routes.
//= R4.3
pub static ROUTES: &[&Route] = &[
    &deletion::DELETE,
    &lookup::CONNECTIONS,
    &account::DISCONNECT,
    &account::ERASE_CONTACT,
    &account::ERASE_MESSAGE,
    &contacts::SEARCH,
    &contacts::RESTRICT,
    &contacts::LIFT,
    &contacts::REPORT_MINOR,
    &lookup::REQUESTS,
    &exports::ASK,
    &exports::LIST,
    &exports::SHOW,
    &exports::DOWNLOAD,
    &requests::SHOW,
    &deletion::CANCEL,
    &consents::LIST,
    &consents::DECIDE,
    &lookup::EVENTS,
    &description::DESCRIBE,
    &profile::SHOW,
    &profile::CORRECT,
    &profile::RECTIFY,
    &policies::ACCEPT,
    &policies::LIST,
    &invoices::LIST,
    &members::LIST,
    &members::ADD,
    &members::CHANGE,
    &members::REMOVE,
    &members::REPORT_MINOR,
];

#[cfg(test)]
mod tests {
    use numib::domain::role::Role;

    use super::*;

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
            assert_eq!(route.action.is_none(), route.key.starts_with("GET "), "{}", route.key);
        }
    }

    //= R4.3
    #[test]
    fn nothing_is_for_staff_alone() {
        for route in ROUTES {
            assert_ne!(route.who.roles, [Role::Operator], "{}", route.key);
        }
    }
}
