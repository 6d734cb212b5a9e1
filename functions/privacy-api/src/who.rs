//! Sets of roles that routes have in common (R4.3).

use numib::api::who::Who;
use numib::domain::role::Role;

/// Members of every kind.
pub(crate) const EVERYONE: Who = Who::new(
    &[Role::Owner, Role::Admin, Role::Agent, Role::Privacy, Role::Operator],
    "Only members of an account may do this. Please ask one.",
);
/// Who owns the account.
pub(crate) const OWNER: Who =
    Who::new(&[Role::Owner], "Only an owner of the account may do this. Please ask one.");
/// Who runs the account.
pub(crate) const ADMINS: Who = Who::new(
    &[Role::Owner, Role::Admin],
    "Only an owner or admin of the account may do this. Please ask one.",
);
/// Who has people's data erased.
pub(crate) const ERASERS: Who = Who::new(
    &[Role::Owner, Role::Admin, Role::Privacy],
    "Only an owner, admin or data-protection officer may do this. Please ask one.",
);
/// Who decides for the account what its data is used for, sees who did what in it, follows exports,
/// and says that a member is a minor.
pub(crate) const DECIDERS: Who = Who::new(
    &[Role::Owner, Role::Privacy],
    "Only an owner or data-protection officer may do this. Please ask one.",
);
/// Who follows requests: an operator all, others those of their account.
pub(crate) const FOLLOWERS: Who = Who::new(
    &[Role::Owner, Role::Admin, Role::Privacy, Role::Operator],
    "Only an owner, admin, data-protection officer or operator may do this.",
);
