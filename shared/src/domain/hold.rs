//! Legal holds (R6.7): what they keep, and why.

use jiff::Timestamp;

use super::ids::{AccountId, ConnectionId, ConversationId, HoldId};

/// A legal hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The hold's id.
    pub id: HoldId,
    /// Why the operator set the hold. It is never shown in public.
    pub reason: String,
    /// The reference of the operator's case.
    pub reference: String,
    /// When the operator set the hold.
    pub set_at: Timestamp,
}

/// The record that a hold is on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// An account with all its connections.
    Account(AccountId),
    /// A connection with all its contacts.
    Connection(ConnectionId),
    /// A contact with its conversation.
    Contact(ConversationId),
    /// Any contact of a connection. It keeps the connection as a whole from being erased, and is
    /// set and lifted with the contact's own hold.
    Within(ConnectionId),
}

impl Held {
    /// A hold on any of these records keeps the connection as a whole: its account, the connection
    /// itself, any of its contacts.
    #[must_use]
    pub fn of_connection(account: &AccountId, connection: &ConnectionId) -> [Self; 3] {
        [
            Self::Account(account.clone()),
            Self::Connection(connection.clone()),
            Self::Within(connection.clone()),
        ]
    }

    /// A hold on any of these records keeps the conversation: its account, its connection, its
    /// contact.
    #[must_use]
    pub fn of_conversation(account: &AccountId, conversation: &ConversationId) -> [Self; 3] {
        [
            Self::Account(account.clone()),
            Self::Connection(conversation.connection.clone()),
            Self::Contact(conversation.clone()),
        ]
    }

    /// Reads what [`std::fmt::Display`] wrote; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("account", id) => AccountId::parse(id).map(Self::Account),
            ("connection", id) => ConnectionId::parse(id).map(Self::Connection),
            ("contact", id) => ConversationId::parse(id).map(Self::Contact),
            _ => None,
        }
    }
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account:{id}"),
            Self::Connection(id) => write!(f, "connection:{id}"),
            Self::Contact(id) => write!(f, "contact:{id}"),
            Self::Within(id) => write!(f, "within:{id}"),
        }
    }
}

as_text!(Held);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_record_reads_back_what_it_wrote() {
        for text in ["account:a1", "connection:c1", "contact:c1.p1"] {
            assert_eq!(Held::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "account", "message:m", "contact:c1", "account:a b"] {
            assert_eq!(Held::parse(bad), None, "{bad:?}");
        }
    }
}
