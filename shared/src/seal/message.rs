//! Sealing messages and edits, each bound to its row and field.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::SealError;
use super::key_name::KeyName;
use super::key_pair::{Opener, Sealer};
use crate::domain::fold::Dated;
use crate::domain::ids::{AccountId, ConversationId, MessageId, MetaId, Mid};
use crate::domain::personal::Personal;
use crate::domain::sealed::{PublicKey, Sealed};
use crate::domain::time::Day;
use crate::domain::update::{Content, Direction, Edit, Kind};

/// The row of a sealed value. The row and the field are authenticated with the value (AEAD
/// associated data), so a ciphertext that was moved to another row or field does not open.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The conversation: the row's partition.
    pub conversation: &'a ConversationId,
    /// The message: the row's sort key.
    pub message: &'a MessageId,
}

#[derive(Clone, Copy)]
enum Field {
    Message,
    Edit,
}

impl Place<'_> {
    fn bind(self, field: Field, day: Day) -> Vec<u8> {
        let field = match field {
            Field::Message => "message",
            Field::Edit => "edit",
        };
        let Self { conversation, message } = self;
        format!("numib messages v1\0{conversation}\0{message}\0{field}\0{day}").into_bytes()
    }
}

/// A message as it was received, with its ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    /// The Meta message id.
    pub mid: Mid,
    /// The contact's Meta id.
    pub contact: MetaId,
    /// When the message was sent, by Meta's clock.
    pub sent_at: Timestamp,
    /// What the message says.
    pub content: Content,
}

/// The plaintext that is sealed of a message. Names are short, because they are stored with every
/// message. `Cow`, because a text with an escape in it cannot be borrowed from its JSON.
#[derive(Serialize, Deserialize)]
struct MessageWire<'a> {
    #[serde(borrow)]
    m: Cow<'a, str>,
    #[serde(borrow)]
    c: Cow<'a, str>,
    a: i64,
    d: &'a str,
    k: &'a str,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    t: Option<Cow<'a, str>>,
}

/// The day key that a message is sealed to.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    /// The account of the connection.
    pub account: &'a AccountId,
    /// The day of the key.
    pub day: Day,
    /// The public half of the key.
    pub key: &'a PublicKey,
}

/// Seals a message for its place.
pub fn seal_message(
    sealer: &mut Sealer,
    to: Recipient<'_>,
    place: Place<'_>,
    (mid, contact): (&Mid, &MetaId),
    message: &Dated<Content>,
) -> Result<Sealed, SealError> {
    let wire = MessageWire {
        m: mid.expose().into(),
        c: contact.expose().into(),
        a: message.at.as_millisecond(),
        d: message.what.direction.as_str(),
        k: message.what.kind.as_str(),
        t: message.what.text.as_ref().map(|text| text.expose().as_str().into()),
    };
    let plain = serde_json::to_vec(&wire).map_err(|_| SealError::DoesNotSeal)?;
    let plain = Zeroizing::new(plain);
    seal(sealer, to, place, Field::Message, &plain)
}

/// Seals an edit for its place.
pub fn seal_edit(
    sealer: &mut Sealer,
    to: Recipient<'_>,
    place: Place<'_>,
    edit: &Edit,
) -> Result<Sealed, SealError> {
    seal(sealer, to, place, Field::Edit, edit.text.expose().as_bytes())
}

fn seal(
    sealer: &mut Sealer,
    to: Recipient<'_>,
    place: Place<'_>,
    field: Field,
    plain: &[u8],
) -> Result<Sealed, SealError> {
    let Recipient { account, day, key } = to;
    let name = KeyName::Day { account, connection: &place.conversation.connection, day };
    Ok(Sealed { day, bytes: sealer.seal((name, key), &place.bind(field, day), plain)? })
}

/// Opens a message.
///
/// # Errors
/// [`SealError::DoesNotOpen`] if the value was altered or moved, or is no message.
pub fn open_message(
    opener: &mut Opener,
    place: Place<'_>,
    sealed: &Sealed,
) -> Result<Plain, SealError> {
    let plain = opener.open(&place.bind(Field::Message, sealed.day), &sealed.bytes)?;
    let wire: MessageWire<'_> =
        serde_json::from_slice(&plain).map_err(|_| SealError::DoesNotOpen)?;
    let read = || {
        Some(Plain {
            mid: Personal::from(wire.m.into_owned()),
            contact: Personal::from(wire.c.into_owned()),
            sent_at: Timestamp::from_millisecond(wire.a).ok()?,
            content: Content {
                direction: Direction::parse(wire.d)?,
                kind: Kind::parse(wire.k)?,
                text: wire.t.map(|text| Personal::from(text.into_owned())),
            },
        })
    };
    read().ok_or(SealError::DoesNotOpen)
}

/// Opens an edit and returns the message's new text.
///
/// # Errors
/// [`SealError::DoesNotOpen`] if the value was altered or moved, or is no edit.
pub fn open_edit(
    opener: &mut Opener,
    place: Place<'_>,
    sealed: &Sealed,
) -> Result<Personal<String>, SealError> {
    let plain = opener.open(&place.bind(Field::Edit, sealed.day), &sealed.bytes)?;
    let text = std::str::from_utf8(&plain).map_err(|_| SealError::DoesNotOpen)?;
    Ok(Personal::from(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::key_pair::tests::key_pair;

    #[test]
    fn a_message_and_its_edit_open_as_they_were_and_not_as_each_other() {
        let (public, private) = key_pair();
        let day = Day::parse("2026-12-01").unwrap();
        let conversation = ConversationId::parse("c1.p1").unwrap();
        let message = MessageId::parse("m1").unwrap();
        let place = Place { conversation: &conversation, message: &message };
        let account = AccountId::parse("a1").unwrap();
        let to = Recipient { account: &account, day, key: &public };
        let mut sealer = Sealer::default();
        let content = Content {
            direction: Direction::Out,
            kind: Kind::StoryReply,
            text: Some(Personal::from("¿qué \"tal\"? \u{1f4e6}\n".to_owned())),
        };
        let at = Timestamp::from_millisecond(1_796_099_999_500).unwrap();
        let dated = Dated { at, what: content.clone() };
        let mid = Mid::from("m_\"x\"".to_owned());
        let contact = MetaId::from("7001".to_owned());
        let sealed = seal_message(&mut sealer, to, place, (&mid, &contact), &dated).unwrap();
        let edit = Edit { num_edit: 1, text: Personal::from("new".to_owned()) };
        let sealed_edit = seal_edit(&mut sealer, to, place, &edit).unwrap();

        let connection = &conversation.connection;
        let mut opener = Opener::new(KeyName::Day { account: &account, connection, day }, private);
        let plain = open_message(&mut opener, place, &sealed).unwrap();
        assert_eq!(plain, Plain { mid, contact, sent_at: at, content });
        assert_eq!(open_edit(&mut opener, place, &sealed_edit).unwrap(), edit.text);
        assert!(open_edit(&mut opener, place, &sealed).is_err());
        assert!(open_message(&mut opener, place, &sealed_edit).is_err());
        let other = MessageId::parse("m2").unwrap();
        let moved = Place { conversation: &conversation, message: &other };
        assert!(open_message(&mut opener, moved, &sealed).is_err());
    }
}
