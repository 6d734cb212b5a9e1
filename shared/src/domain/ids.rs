//! Identifiers. Meta's ids are personal data; ours are random and safe to log.

use std::fmt;

use super::personal::Personal;

words! {
    /// The Meta product a conversation takes place on.
    Channel {
        /// Facebook Messenger: accounts are Pages, contacts are PSIDs.
        Messenger = "messenger",
        /// Instagram messaging: accounts are professional accounts, contacts are IGSIDs.
        Instagram = "instagram",
    }
}

/// An id of a user or account at Meta (PSID, IGSID, Page id …): a decimal string, kept as it came.
pub type MetaId = Personal<String>;

/// Meta's id of a message. It is opaque and can embed an account id, so it is personal, too.
pub type Mid = Personal<String>;

macro_rules! opaque_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// We make it, and it says nothing about a person, so it may appear in keys, logs and URLs.
        /// It has at most 64 characters of `A–Z a–z 0–9 _ -`, so it never contains a separator of
        /// keys.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Accepts 1–64 characters of the base64url alphabet; `None` for anything else.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let safe = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
                ((1..=64).contains(&text.len()) && text.bytes().all(safe))
                    .then(|| Self(text.to_owned()))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        as_text!($name);
    };
}

opaque_id!(
    /// An account: a business that uses NUMIB.
    AccountId
);
opaque_id!(
    /// A connection. Connecting the same Page again makes a new one.
    ConnectionId
);
opaque_id!(
    /// The route from a webhook to its connection: a pseudonym of channel and account id under the
    /// pepper.
    RouteId
);
opaque_id!(
    /// A contact: a pseudonym of its Meta id under the connection's index key.
    ContactId
);
opaque_id!(
    /// A message: a pseudonym of its Meta `mid` under the connection's index key.
    MessageId
);
opaque_id!(
    /// A person who signs in: the `sub` of the identity provider.
    MemberId
);
opaque_id!(
    /// A person at Meta: a pseudonym of their Meta id under the pepper.
    PersonId
);
opaque_id!(
    /// An erasure request, and its confirmation code.
    RequestId
);
opaque_id!(
    /// A legal hold.
    HoldId
);
opaque_id!(
    /// A data export.
    ExportId
);
opaque_id!(
    /// An audit event.
    EventId
);
opaque_id!(
    /// A version of the privacy policy, as it is published: `2026-11-24`.
    PolicyVersion
);
opaque_id!(
    /// An invoice of an account. Whoever files the invoice chooses the id.
    InvoiceId
);
opaque_id!(
    /// An IP address: a pseudonym of it under the pepper.
    AddressId
);
opaque_id!(
    /// A user agent: a pseudonym of its name under the pepper.
    UserAgentId
);

/// A conversation: one contact on one connection. The partition of the messages table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversationId {
    /// The connection it belongs to.
    pub connection: ConnectionId,
    /// The contact on the other side.
    pub contact: ContactId,
}

impl ConversationId {
    /// Reads `connection.contact`, as [`fmt::Display`] writes it; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (connection, contact) = text.split_once('.')?;
        Some(Self {
            connection: ConnectionId::parse(connection)?,
            contact: ContactId::parse(contact)?,
        })
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.connection, self.contact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_refuse_separators_blanks_and_excess_length() {
        for bad in ["", "a#b", "a.b", "a b", "é", &"x".repeat(65)] {
            assert_eq!(AccountId::parse(bad), None, "{bad:?}");
        }
        assert!(AccountId::parse(&"x".repeat(64)).is_some());
    }

    #[test]
    fn a_conversation_id_reads_back_what_it_wrote() {
        let id = ConversationId::parse("conn-1.contact_2").unwrap();
        assert_eq!(ConversationId::parse(&id.to_string()), Some(id));
        assert_eq!(ConversationId::parse("no-dot"), None);
        assert_eq!(ConversationId::parse("a.b.c"), None);
    }
}
