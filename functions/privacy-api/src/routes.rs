//! The routes. Dispatch, authorisation, the audit trail, the API's description and the tests of who
//! is let in read this table; the row of a route stands in the file of its handler.

use crate::app::Route;
use crate::{
    account, accounts, consents, contacts, deletion, description, exports, holds, invoices, lists,
    lodge, lookup, members, plan, policies, profile, publish, requests, tax,
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
    &plan::CHANGE,
    &lodge::LODGE,
    &lists::IMPORT,
    &holds::LIST,
    &holds::SET,
    &holds::LIFT,
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
    &accounts::OPEN,
    &tax::READ,
    &tax::FILE,
    &publish::PUBLISH,
];

#[cfg(test)]
mod tests {
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
    fn whatever_changes_something_or_shows_staff_an_accounts_own_is_in_the_audit_trail() {
        for route in ROUTES {
            let only_shows = route.key.starts_with("GET ") && route.name != "readInvoices";
            assert_eq!(route.action.is_none(), only_shows, "{}", route.key);
        }
    }
}
