//! Opens what was read, and writes it into a part of the archive. It is not asynchronous: another
//! thread does it.

use std::collections::BTreeMap;

use numib::archive::part::{PartError, PartWriter};
use numib::archive::record::Message;
use numib::domain::ids::ConnectionId;
use numib::domain::time::Day;
use numib::seal::SealError;
use numib::seal::key_pair::Opener;
use numib::seal::message::{Place, open_edit, open_message};
use numib::store::messages::StoredMessage;

use crate::reader::{Conversation, Step};

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The archive could not be written.
    #[error(transparent)]
    Part(#[from] PartError),
    /// A stored value is not as it was sealed.
    #[error("a stored message does not open")]
    Seal(#[from] SealError),
}

/// Writes one part after the other, with the given keys.
pub(crate) struct Writer {
    pub(crate) part: PartWriter,
    /// The connection that the keys belong to. One connection is written at a time.
    connection: Option<ConnectionId>,
    openers: BTreeMap<Day, Opener>,
    /// How many messages this part has.
    pub(crate) messages: u64,
    pub(crate) contacts: u64,
    pub(crate) unreadable: u64,
    /// Whether a message of the conversation at hand was written, in this part or before.
    began: bool,
}

impl Writer {
    pub(crate) const fn new(part: PartWriter, began: bool) -> Self {
        let openers = BTreeMap::new();
        Self { part, connection: None, openers, messages: 0, contacts: 0, unreadable: 0, began }
    }

    /// Goes on with another part, and returns the written one.
    pub(crate) const fn next_part(&mut self, part: PartWriter) -> PartWriter {
        (self.messages, self.contacts, self.unreadable) = (0, 0, 0);
        std::mem::replace(&mut self.part, part)
    }

    /// Whether the conversation of the last message goes on in the next part.
    pub(crate) const fn is_within(&self) -> bool {
        self.began
    }

    pub(crate) fn write(&mut self, step: Step) -> Result<(), WriteError> {
        match step {
            Step::Conversation(page) => self.conversation(*page),
            Step::Audit(links) => {
                for link in links {
                    self.part.audit_event(link)?;
                }
                Ok(())
            }
        }
    }

    //= R5.1, R5.4
    fn conversation(&mut self, page: Conversation) -> Result<(), WriteError> {
        if self.connection.as_ref() != Some(&page.id.connection) {
            self.openers.clear();
            self.connection = Some(page.id.connection.clone());
        }
        self.openers.extend(page.openers);
        let Conversation { connection, id, contact, is_first, is_last, messages, .. } = page;
        if is_first {
            self.began = false;
            if contact.is_known {
                self.part.contact(&id, &connection, contact.marks, contact.last_message_at)?;
            }
        }
        for stored in &messages {
            let place = Place { conversation: &id, message: &stored.id };
            let Ok(opened) = self.open(place, stored) else {
                // A damaged message is no reason to withhold the others.
                self.unreadable = self.unreadable.saturating_add(1);
                continue;
            };
            let Some((content, edit)) = opened else { continue };
            let message = Message {
                conversation: &id,
                connection: &connection,
                id: &stored.id,
                sent_at: content.sent_at,
                expires_at: stored.expires_at,
                content: &content.content,
                edit: edit.as_ref(),
                meta_id: &content.mid,
                meta_contact: &content.contact,
            };
            self.part.message(&message, !self.began)?;
            self.began = true;
            self.messages = self.messages.saturating_add(1);
        }
        if is_last {
            self.began = false;
            self.contacts = self.contacts.saturating_add(1);
        }
        Ok(())
    }

    /// Opens a message and its edit. `None` if the key is gone: then the message is erased or
    /// expired.
    fn open(
        &mut self,
        place: Place<'_>,
        stored: &StoredMessage,
    ) -> Result<Option<(Plain, Option<Text>)>, SealError> {
        let Some(opener) = self.openers.get_mut(&stored.sealed.day) else { return Ok(None) };
        let plain = open_message(opener, place, &stored.sealed)?;
        let Some(edit) = &stored.edit else { return Ok(Some((plain, None))) };
        let opener = self.openers.get_mut(&edit.day);
        let edit = opener.map(|opener| open_edit(opener, place, edit)).transpose()?;
        Ok(Some((plain, edit)))
    }
}

type Plain = numib::seal::message::Plain;
type Text = numib::domain::personal::Personal<String>;
