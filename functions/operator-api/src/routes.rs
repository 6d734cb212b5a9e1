//! The routes, each of which stands with its handler.

use crate::app::Route;
use crate::{accounts, holds, lists, lodge, plan, publish, tax};

/// The routes.
//= R4.3
pub static ROUTES: &[&Route] = &[
    &accounts::OPEN,
    &plan::CHANGE,
    &lodge::LODGE,
    &lists::IMPORT,
    &holds::LIST,
    &holds::SET,
    &holds::LIFT,
    &tax::READ,
    &tax::FILE,
    &publish::PUBLISH,
];

#[cfg(test)]
mod tests {
    use numib::domain::role::Role;

    use super::*;

    //= R1.3, R4.3
    #[test]
    fn every_route_is_for_staff_and_all_but_the_list_of_holds_are_in_the_audit_trail() {
        for route in ROUTES {
            assert!(route.key.contains(" /v1/operator/"), "{}", route.key);
            assert_eq!(route.who.roles, [Role::Operator], "{}", route.key);
            assert_eq!(route.action.is_none(), route.name == "listHolds", "{}", route.key);
        }
    }
}
