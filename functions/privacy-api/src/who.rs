//! Who may: sets of roles that routes have in common (R4.3).

use numib::domain::role::Role;
use numib::edge::problem::Problem;

/// Who may.
#[derive(Debug, Clone)]
pub struct Who {
    /// The roles: the member's in the database must be among them, and in the token.
    pub roles: &'static [Role],
    /// What others are told.
    pub(crate) refusal: Problem,
}

/// Members of every kind.
pub(crate) const EVERYONE: Who = Who {
    roles: &[Role::Owner, Role::Admin, Role::Agent, Role::Privacy, Role::Operator],
    refusal: Problem::forbidden("This takes a member of an account."),
};
/// Who owns the account.
pub(crate) const OWNER: Who = Who {
    roles: &[Role::Owner],
    refusal: Problem::forbidden("This takes the role owner of an account."),
};
/// Who runs the account.
pub(crate) const ADMINS: Who = Who {
    roles: &[Role::Owner, Role::Admin],
    refusal: Problem::forbidden("This takes the role owner or admin of an account."),
};
/// Who has people's data erased.
pub(crate) const ERASERS: Who = Who {
    roles: &[Role::Owner, Role::Admin, Role::Privacy],
    refusal: Problem::forbidden("This takes the role owner, admin or privacy of an account."),
};
/// Who decides for the account what its data is used for, sees who did what in it, and follows
/// exports.
pub(crate) const DECIDERS: Who = Who {
    roles: &[Role::Owner, Role::Privacy],
    refusal: Problem::forbidden("This takes the role owner or privacy of an account."),
};
/// Who follows requests: an operator all, others those of their account.
pub(crate) const FOLLOWERS: Who = Who {
    roles: &[Role::Owner, Role::Admin, Role::Privacy, Role::Operator],
    refusal: Problem::forbidden("This takes the role owner, admin, privacy or operator."),
};
/// Who says that a member is a minor.
pub(crate) const REPORTERS: Who = Who {
    roles: &[Role::Owner, Role::Privacy],
    refusal: Problem::forbidden("This takes the role owner or privacy of an account."),
};
/// Our own staff.
pub(crate) const OPERATORS: Who =
    Who { roles: &[Role::Operator], refusal: Problem::forbidden("This takes the role operator.") };
