//! The records of an archive, each a line of JSON: in native shape, as the API shows it, and in the
//! shape of schema.org.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::account::{Acceptance, Account};
use crate::domain::connection::Connection;
use crate::domain::consent::Decision;
use crate::domain::erasure::{Request, State};
use crate::domain::ids::{ConversationId, InvoiceId, MemberId, MessageId, RequestId};
use crate::domain::invoice::{Content as Invoiced, Jurisdiction};
use crate::domain::personal::Personal;
use crate::domain::profile::Profile;
use crate::domain::role::Role;
use crate::domain::row::ContactMarks;
use crate::domain::time::Day;
use crate::domain::update::{Content, Direction};

/// A message, opened, with the conversation it is in.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The conversation.
    pub conversation: &'a ConversationId,
    /// The connection of the conversation.
    pub connection: &'a Connection,
    /// The message.
    pub id: &'a MessageId,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The message's original content.
    pub content: &'a Content,
    /// The text after the latest edit, if there was one.
    pub edit: Option<&'a Personal<String>>,
    /// Meta's id of the message.
    pub meta_id: &'a Personal<String>,
    /// Meta's id of the contact.
    pub meta_contact: &'a Personal<String>,
}

#[derive(Serialize)]
struct NativeMessage<'a> {
    id: &'a str,
    conversation_id: &'a str,
    direction: &'static str,
    kind: &'static str,
    text: Option<&'a str>,
    edited: bool,
    sent_at: Timestamp,
    expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_before_edits: Option<&'a str>,
    meta_message_id: &'a str,
    meta_contact_id: &'a str,
}

#[derive(Serialize)]
struct NativeContact<'a> {
    id: &'a str,
    conversation_id: &'a str,
    connection_id: &'a str,
    channel: &'static str,
    last_message_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restricted_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    erased_until: Option<Timestamp>,
}

#[derive(Serialize)]
struct NativeInvoice<'a> {
    id: &'a str,
    issued_on: String,
    kept_until: String,
    jurisdiction: &'static str,
    #[serde(flatten)]
    content: &'a Invoiced,
}

/// One is made for each message, so long texts are borrowed.
#[derive(Serialize)]
struct LinkedMessage<'a> {
    #[serde(rename = "@type")]
    kind: &'static str,
    #[serde(rename = "@id")]
    id: String,
    #[serde(rename = "isPartOf")]
    is_part_of: Link<'a>,
    sender: Link<'a>,
    recipient: Link<'a>,
    #[serde(rename = "dateSent")]
    date_sent: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(rename = "additionalType", skip_serializing_if = "Option::is_none")]
    additional_type: Option<&'static str>,
}

#[derive(Serialize, Clone, Copy)]
struct Link<'a> {
    #[serde(rename = "@id")]
    id: &'a str,
}

impl<'a> Message<'a> {
    /// The text that a reader is shown.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        let first = self.content.text.as_ref();
        self.edit.or(first).map(|text| text.expose().as_str())
    }

    /// Appends the message as a line: what the inbox shows, and what else is held.
    ///
    /// # Errors
    /// Never, in memory.
    //= R5.1
    pub fn native(&self, to: &mut Vec<u8>, names: &Names) -> Result<(), serde_json::Error> {
        let first = self.content.text.as_ref().map(|text| text.expose().as_str());
        let native = NativeMessage {
            id: self.id.as_str(),
            conversation_id: &names.id,
            direction: self.content.direction.as_str(),
            kind: self.content.kind.as_str(),
            text: self.text(),
            edited: self.edit.is_some(),
            sent_at: self.sent_at,
            expires_at: self.expires_at,
            text_before_edits: first.filter(|_| self.edit.is_some()),
            meta_message_id: self.meta_id.expose(),
            meta_contact_id: self.meta_contact.expose(),
        };
        line(to, &native)
    }

    /// Appends the message as a line: a `Message` of schema.org.
    ///
    /// # Errors
    /// Never, in memory.
    pub fn linked(&self, to: &mut Vec<u8>, names: &Names) -> Result<(), serde_json::Error> {
        let (person, account) = (Link { id: &names.person }, Link { id: &names.account });
        let (sender, recipient) = match self.content.direction {
            Direction::In => (person, account),
            Direction::Out => (account, person),
        };
        let text = self.text();
        let linked = LinkedMessage {
            kind: "Message",
            id: format!("urn:numib:message:{}:{}", names.id, self.id),
            is_part_of: Link { id: &names.conversation },
            sender,
            recipient,
            date_sent: self.sent_at,
            text,
            additional_type: text.is_none().then(|| self.content.kind.as_str()),
        };
        serde_json::to_writer(to, &linked)
    }
}

/// The ids of a conversation that many lines repeat.
#[derive(Debug, Clone)]
pub struct Names {
    /// The conversation's id.
    pub id: String,
    conversation: String,
    person: String,
    account: String,
}

impl Names {
    /// The ids of a conversation.
    #[must_use]
    pub fn of(conversation: &ConversationId, connection: &Connection) -> Self {
        Self {
            id: conversation.to_string(),
            conversation: format!("urn:numib:conversation:{conversation}"),
            person: format!("urn:numib:contact:{conversation}"),
            account: format!("urn:numib:account:{}", connection.account),
        }
    }

    /// The conversation and its person, in the shape of schema.org. A message told the person's
    /// Meta id.
    #[must_use]
    pub fn linked(&self, meta_contact: &Personal<String>) -> [Value; 2] {
        [
            json!({"@type": "Person", "@id": self.person, "identifier": meta_contact.expose()}),
            json!({
                "@type": "Conversation",
                "@id": self.conversation,
                "identifier": self.id,
                "accountablePerson": {"@id": self.person},
            }),
        ]
    }
}

/// Appends a contact, which is also its conversation, as a line.
///
/// # Errors
/// Never, in memory.
pub fn contact(
    to: &mut Vec<u8>,
    id: &ConversationId,
    connection: &Connection,
    marks: ContactMarks,
    last_message_at: Option<Timestamp>,
) -> Result<(), serde_json::Error> {
    let native = NativeContact {
        id: id.contact.as_str(),
        conversation_id: &id.to_string(),
        connection_id: connection.id.as_str(),
        channel: connection.channel.as_str(),
        last_message_at,
        restricted_at: marks.restricted_at,
        erased_until: marks.erased_at,
    };
    line(to, &native)
}

/// A connection.
#[must_use]
pub fn connection(connection: &Connection) -> Value {
    json!({
        "id": connection.id.as_str(),
        "channel": connection.channel.as_str(),
        "state": connection.state.as_str(),
        "plan_days": connection.plan.days(),
        "connected_at": connection.connected_at,
    })
}

/// An account with its profile, and the versions of the privacy policy that it accepted, the latest
/// first.
#[must_use]
pub fn account(account: &Account, profile: &Profile, acceptances: &[Acceptance]) -> Value {
    let accepted = |it: &Acceptance| {
        let (version, by) = (it.version.as_str(), it.by.as_str());
        json!({"version": version, "accepted_at": it.at, "accepted_by": by})
    };
    json!({
        "id": account.id.as_str(),
        "state": account.state.as_str(),
        "plan_days": account.plan.days(),
        "plan_changed_at": account.plan_changed_at,
        "policy": account.accepted.as_ref().map(accepted),
        "policies_accepted": acceptances.iter().map(accepted).collect::<Vec<_>>(),
        "profile": profile,
    })
}

/// What an account decided about an optional purpose.
#[must_use]
pub fn decision(decision: &Decision) -> Value {
    json!({
        "purpose": decision.purpose.as_str(),
        "decision": decision.choice.as_str(),
        "policy_version": decision.policy_version.as_str(),
        "decided_by": decision.decided_by.as_str(),
        "decided_at": decision.decided_at,
    })
}

/// An invoice: its day of issue, its last day, and its content.
///
/// # Errors
/// Never, in memory.
pub fn invoice(
    id: &InvoiceId,
    issued_on: Day,
    kept_until: Day,
    jurisdiction: Jurisdiction,
    content: &Invoiced,
) -> Result<Value, serde_json::Error> {
    serde_json::to_value(NativeInvoice {
        id: id.as_str(),
        issued_on: issued_on.to_string(),
        kept_until: kept_until.to_string(),
        jurisdiction: jurisdiction.as_str(),
        content,
    })
}

/// A member, with the address by which the identity provider knows it.
#[must_use]
pub fn member(id: &MemberId, role: Role, email: Option<&Personal<String>>) -> Value {
    json!({ "id": id.as_str(), "role": role.as_str(), "email": email.map(Personal::expose) })
}

/// An erasure request, as the API shows it.
#[must_use]
pub fn request(request: &Request) -> Value {
    json!({
        "id": request.id.as_str(),
        "source": request.source.public().as_str(),
        "state": request.state.as_str(),
        "reference": request.reference,
        "held": request.state == State::Held,
        "held_part": request.held_part.as_ref().map(RequestId::as_str),
        "requested_at": request.requested_at,
        "due_at": request.due_at,
        "deadline": request.deadline.to_string(),
        "unreadable_since": request.shredded_at,
        "completed_at": request.completed_at,
        "removed": request.counts,
        "receipt": request.receipt,
    })
}

/// Appends a value as a line of its own.
///
/// # Errors
/// Never, in memory.
pub fn line(to: &mut Vec<u8>, value: &impl Serialize) -> Result<(), serde_json::Error> {
    serde_json::to_writer(&mut *to, value)?;
    to.push(b'\n');
    Ok(())
}
