//! Sets of roles that routes have in common (R4.3).

use numib::api::who::Who;
use numib::domain::role::Role;

/// Members of every kind.
pub(crate) const EVERYONE: Who = Who::new(
    &[Role::Owner, Role::Admin, Role::Agent, Role::Privacy, Role::Operator],
    "This takes a member of an account.",
);
/// Who owns the account.
pub(crate) const OWNER: Who = Who::new(&[Role::Owner], "This takes the role owner of an account.");
/// Who runs the account.
pub(crate) const ADMINS: Who =
    Who::new(&[Role::Owner, Role::Admin], "This takes the role owner or admin of an account.");
/// Who has people's data erased.
pub(crate) const ERASERS: Who = Who::new(
    &[Role::Owner, Role::Admin, Role::Privacy],
    "This takes the role owner, admin or privacy of an account.",
);
/// Who decides for the account what its data is used for, sees who did what in it, follows exports,
/// and says that a member is a minor.
pub(crate) const DECIDERS: Who =
    Who::new(&[Role::Owner, Role::Privacy], "This takes the role owner or privacy of an account.");
/// Who follows requests: an operator all, others those of their account.
pub(crate) const FOLLOWERS: Who = Who::new(
    &[Role::Owner, Role::Admin, Role::Privacy, Role::Operator],
    "This takes the role owner, admin, privacy or operator.",
);
