//! One part of an archive. It takes records until it is large enough, and writes each in all its
//! forms.

use jiff::Timestamp;

use super::csv_row;
use super::pages::{Page, Pages};
use super::record::{self, Message, Names};
use super::zip::{File, Segment, ZipError};
use crate::domain::audit::Link;
use crate::domain::audit::export::Line;
use crate::domain::connection::Connection;
use crate::domain::data_kind::{DataKind, Exported};
use crate::domain::ids::ConversationId;
use crate::domain::personal::Personal;
use crate::domain::row::ContactMarks;

const CSV_HEAD: [&str; 9] = [
    "sent_at",
    "channel",
    "contact",
    "direction",
    "kind",
    "text",
    "edited",
    "conversation_id",
    "message_id",
];
const LINKED_HEAD: &[u8] = br#"{"@context":"https://schema.org","@graph":["#;
const LINKED_TAIL: &[u8] = b"\n]}\n";

/// Why a part was not written: memory ran out.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// A file of the archive failed.
    #[error(transparent)]
    Zip(#[from] ZipError),
    /// A line of JSON failed.
    #[error("a record was not written")]
    Json(#[from] serde_json::Error),
    /// A row of CSV failed.
    #[error("a row was not written")]
    Csv(#[from] csv::Error),
    /// A page failed.
    #[error("a page was not written")]
    Page(#[from] askama::Error),
}

/// A part that is being filled.
#[derive(Debug)]
pub struct PartWriter {
    number: u32,
    segment: Segment,
    messages: File,
    contacts: File,
    audit: File,
    linked: File,
    table: File,
    pages: Pages,
    /// The conversation that was begun last. Its first message names the contact.
    open: Option<(ConversationId, Names)>,
}

impl PartWriter {
    /// A new part: its number, how many pages are before it, and when the archive was asked for.
    pub fn new(number: u32, pages: u32, asked_at: Timestamp) -> Result<Self, PartError> {
        let named = |folder: &str, name: &str, ending: &str| {
            File::new(format!("{folder}/{name}-{number:05}.{ending}"))
        };
        let data = |kind: DataKind| match kind.export() {
            Exported::In(name) => named("data", name, "ndjson"),
            Exported::Excluded(_) => named("data", kind.as_str(), "ndjson"),
        };
        let mut table = named("csv", "messages", "csv");
        table.text().extend_from_slice(csv_row::BYTE_ORDER_MARK.as_bytes());
        csv_row::write(table.text(), &CSV_HEAD)?;
        let mut linked = named("schema.org", "messages", "jsonld");
        linked.text().extend_from_slice(LINKED_HEAD);
        Ok(Self {
            number,
            segment: Segment::new(asked_at),
            messages: data(DataKind::Message),
            contacts: data(DataKind::Contact),
            audit: data(DataKind::AuditEvent),
            linked,
            table,
            pages: Pages::after(pages),
            open: None,
        })
    }

    /// About how many bytes the part has.
    #[must_use]
    pub fn len(&self) -> usize {
        let files = [&self.messages, &self.contacts, &self.audit, &self.linked, &self.table];
        files.iter().fold(self.segment.bytes.len(), |sum, file| sum.saturating_add(file.held()))
    }

    /// Whether the part has nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segment.entries.is_empty()
            && self.messages.is_empty()
            && self.contacts.is_empty()
            && self.audit.is_empty()
    }

    /// How many pages the archive has once this part has ended.
    #[must_use]
    pub fn pages(&self) -> u32 {
        self.pages.finished().saturating_add(u32::from(!self.pages.is_empty()))
    }

    /// Adds a contact.
    pub fn contact(
        &mut self,
        id: &ConversationId,
        connection: &Connection,
        marks: ContactMarks,
        last_message_at: Option<Timestamp>,
    ) -> Result<(), PartError> {
        record::contact(self.contacts.text(), id, connection, marks, last_message_at)?;
        Ok(self.contacts.end_record()?)
    }

    /// Adds a message. The messages of a conversation come one after the other; `is_first` marks
    /// the first.
    //= R5.4
    pub fn message(&mut self, message: &Message<'_>, is_first: bool) -> Result<(), PartError> {
        let names = match self.open.take() {
            Some((id, names)) if id == *message.conversation => names,
            _ => self.begin(message, is_first)?,
        };
        message.native(self.messages.text(), &names)?;
        self.messages.end_record()?;
        self.separate();
        message.linked(self.linked.text(), &names)?;
        self.linked.end_record()?;
        self.row(message, &names)?;
        let page = self.pages.add(message)?;
        self.page(page)?;
        self.open = Some((message.conversation.clone(), names));
        Ok(())
    }

    fn begin(&mut self, message: &Message<'_>, is_first: bool) -> Result<Names, PartError> {
        let names = Names::of(message.conversation, message.connection);
        let (channel, contact) = (message.connection.channel, message.meta_contact);
        let page = self.pages.begin(channel, contact, message.sent_at, !is_first)?;
        self.page(page)?;
        if is_first {
            self.link(&names, contact)?;
        }
        Ok(names)
    }

    fn separate(&mut self) {
        let between: &[u8] = if self.linked.is_empty() { b"\n" } else { b",\n" };
        self.linked.text().extend_from_slice(between);
    }

    fn link(&mut self, names: &Names, contact: &Personal<String>) -> Result<(), PartError> {
        for node in names.linked(contact) {
            self.separate();
            serde_json::to_writer(self.linked.text(), &node)?;
            self.linked.end_record()?;
        }
        Ok(())
    }

    fn row(&mut self, message: &Message<'_>, names: &Names) -> Result<(), PartError> {
        let at = message.sent_at.to_string();
        let cells = [
            at.as_str(),
            message.connection.channel.as_str(),
            message.meta_contact.expose(),
            message.content.direction.as_str(),
            message.content.kind.as_str(),
            message.text().unwrap_or_default(),
            if message.edit.is_some() { "true" } else { "false" },
            &names.id,
            message.id.as_str(),
        ];
        csv_row::write(self.table.text(), &cells)?;
        Ok(self.table.end_record()?)
    }

    fn page(&mut self, page: Option<Page>) -> Result<(), PartError> {
        let Some(Page { name, html, records }) = page else { return Ok(()) };
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        Ok(self.segment.add_text(&name, html.as_bytes(), records)?)
    }

    /// Adds an audit event, in the form in which its chain is verified.
    pub fn audit_event(&mut self, link: Link) -> Result<(), PartError> {
        self.audit.text().extend_from_slice(Line::Link(Box::new(link)).write().as_bytes());
        self.audit.text().push(b'\n');
        Ok(self.audit.end_record()?)
    }

    /// Ends the part, which then has whole files. `goes_on` says that the last conversation
    /// continues in the next part.
    pub fn finish(mut self, goes_on: bool) -> Result<Segment, PartError> {
        let page = self.pages.finish(goes_on)?;
        self.page(page)?;
        let contents = self.pages.contents(self.number)?;
        self.page(contents)?;
        self.linked.text().extend_from_slice(LINKED_TAIL);
        let mut segment = self.segment;
        for file in [self.messages, self.contacts, self.audit, self.linked, self.table] {
            if !file.is_empty() {
                segment.add(file.finish()?)?;
            }
        }
        Ok(segment)
    }
}
