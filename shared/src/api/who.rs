//! Who may take a route (R4.3).

use crate::domain::role::Role;
use crate::edge::problem::Problem;

/// Who may.
#[derive(Debug, Clone)]
pub struct Who {
    /// The member's role in the database must be one of these, and so must one in the token. None
    /// where whoever comes is let in.
    pub roles: &'static [Role],
    /// What others are told.
    pub refusal: Problem,
    /// Whether the caller must have signed in a moment ago (RFC 9470).
    pub needs_fresh_sign_in: bool,
    /// Whether the account must be active. Else its owner gets in while it is being deleted, and
    /// may take that back.
    pub needs_active_account: bool,
}

/// Whoever comes: what they bring is checked where it is read.
pub const ANYONE: Who = Who::new(&[], "Anyone may do this.");
/// Our own staff.
pub const OPERATORS: Who = Who::new(&[Role::Operator], "Only an operator may do this.");

impl Who {
    /// Members with one of these roles; others are told this.
    #[must_use]
    pub const fn new(roles: &'static [Role], refusal: &'static str) -> Self {
        let refusal = Problem::forbidden(refusal);
        Self { roles, refusal, needs_fresh_sign_in: false, needs_active_account: false }
    }

    /// The same, if they have signed in a moment ago.
    //= R4.3
    #[must_use]
    pub const fn just_signed_in(mut self) -> Self {
        self.needs_fresh_sign_in = true;
        self
    }

    /// The same, while the account is not being deleted.
    #[must_use]
    pub const fn of_active_account(mut self) -> Self {
        self.needs_active_account = true;
        self
    }
}
