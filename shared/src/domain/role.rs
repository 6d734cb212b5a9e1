//! Roles of the people who sign in (R4.3).

/// What a member may do. `Operator` is NUMIB staff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Owns the account.
    Owner,
    /// Administers the account.
    Admin,
    /// Answers contacts.
    Agent,
    /// The account's data-protection officer.
    Privacy,
    /// NUMIB staff: lodges and follows requests, never reads content.
    Operator,
}

impl Role {
    /// The name of the role, which is also its group in the identity provider.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Agent => "agent",
            Self::Privacy => "privacy",
            Self::Operator => "operator",
        }
    }

    /// Reads the name back; `None` for any other word.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Owner, Self::Admin, Self::Agent, Self::Privacy, Self::Operator]
            .into_iter()
            .find(|role| role.as_str() == name)
    }

    /// Whether this role may give the other one to a member, or take it away. An owner gives every
    /// role of the account, an admin only `agent`. A data-protection officer sees the audit trail
    /// and decides consents, which an admin may not, so an admin makes none. No account makes an
    /// operator.
    //= R4.3
    #[must_use]
    pub const fn may_make(self, other: Self) -> bool {
        match (self, other) {
            (Self::Owner, Self::Owner | Self::Admin | Self::Agent | Self::Privacy)
            | (Self::Admin, Self::Agent) => true,
            (Self::Owner, Self::Operator)
            | (Self::Admin, Self::Owner | Self::Admin | Self::Privacy | Self::Operator)
            | (Self::Agent | Self::Privacy | Self::Operator, _) => false,
        }
    }

    /// Who may read messages: owners, admins and agents, nobody else (R2.1, R4.3).
    //= R2.1, R4.3
    pub const READERS: &'static [Self] = &[Self::Owner, Self::Admin, Self::Agent];
}

#[cfg(test)]
mod tests {
    use super::*;

    //= R4.3
    #[test]
    fn owners_make_everyone_but_staff_and_admins_agents() {
        let all = [Role::Owner, Role::Admin, Role::Agent, Role::Privacy, Role::Operator];
        let made = |by: Role| all.iter().filter(|role| by.may_make(**role)).count();
        assert_eq!(all.map(made), [4, 1, 0, 0, 0]);
        assert!(Role::Admin.may_make(Role::Agent) && !Role::Owner.may_make(Role::Operator));
    }

    //= R4.3
    #[test]
    fn staff_and_data_protection_officers_never_read_messages() {
        assert!(!Role::READERS.contains(&Role::Operator));
        assert!(!Role::READERS.contains(&Role::Privacy));
        for role in ["owner", "admin", "agent"] {
            assert!(Role::READERS.contains(&Role::parse(role).unwrap()));
        }
        assert_eq!(Role::parse("root"), None);
    }
}
