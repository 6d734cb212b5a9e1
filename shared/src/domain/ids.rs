//! Identifiers. Meta's are personal data; ours are random and safe to log.

use std::fmt;

use super::personal::Personal;

/// The Meta product a conversation takes place on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Facebook Messenger: `object: page` in webhooks; accounts are Pages, contacts are PSIDs.
    Messenger,
    /// Instagram messaging: `object: instagram`; accounts are professional accounts, contacts are
    /// IGSIDs.
    Instagram,
}

impl Channel {
    /// The lower-case name used in keys and API answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Messenger => "messenger",
            Self::Instagram => "instagram",
        }
    }

    /// Reads the name back; `None` for any other word.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "messenger" => Some(Self::Messenger),
            "instagram" => Some(Self::Instagram),
            _ => None,
        }
    }
}

/// A Meta user or account id (PSID, IGSID, Page id …): a decimal string, kept exact.
pub type MetaId = Personal<String>;

/// A Meta message id. Opaque, and it can embed an account id, so it is personal too.
pub type Mid = Personal<String>;

macro_rules! opaque_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Made by us, says nothing about a person: it may appear in keys, logs and URLs. At most
        /// 64 characters of `A–Z a–z 0–9 _ -`, so it never collides with a key separator.
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
    };
}

opaque_id!(
    /// A NUMIB customer: the business that answers in the inbox.
    AccountId
);
opaque_id!(
    /// One connecting of one channel. Connecting the same Page again makes a new one.
    ConnectionId
);
opaque_id!(
    /// Where webhooks for a Meta account are routed: a pseudonym of channel and account id under
    /// the pepper.
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
    /// A person known to Meta under some id: a pseudonym of that id under the pepper.
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
    /// An invoice of an account, as whoever files it numbers it.
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
