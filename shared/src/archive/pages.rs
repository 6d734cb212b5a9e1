//! Conversations as pages, in English and Spanish. Any browser shows them, offline and without
//! scripts.

use askama::Template;
use jiff::Timestamp;

use super::record::Message;
use crate::domain::ids::Channel;
use crate::domain::personal::Personal;
use crate::domain::update::Direction;

pub(super) const STYLE: &str = include_str!("../../templates/archive.css");
/// A page is full with this many messages, or with this much text.
const MESSAGES_MAX: usize = 500;
const TEXT_MAX: usize = 256 * 1024;

/// A text in English and in Spanish.
pub(super) type Words = (&'static str, &'static str);

#[derive(Template)]
#[template(path = "archive_page.html")]
struct PageTemplate<'a> {
    style: &'static str,
    number: u32,
    conversations: &'a [Shown],
    goes_on: bool,
    next: String,
}

#[derive(Template)]
#[template(path = "archive_contents.html")]
struct ContentsTemplate<'a> {
    style: &'static str,
    number: u32,
    rows: &'a [ContentsRow],
}

struct Shown {
    channel: &'static str,
    contact: String,
    is_continued: bool,
    messages: Vec<ShownMessage>,
}

struct ShownMessage {
    class: &'static str,
    who: Words,
    at: Timestamp,
    is_edited: bool,
    text: Option<String>,
    kind: &'static str,
}

impl ShownMessage {
    fn moment(&self) -> String {
        moment(self.at)
    }
}

struct ContentsRow {
    href: String,
    contact: String,
    channel: &'static str,
    first: Timestamp,
}

impl ContentsRow {
    fn moment(&self) -> String {
        moment(self.first)
    }
}

/// A time in UTC, as people read it.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The pages of a segment: the page that is being filled, and the list of conversations that began
/// in the segment.
pub(super) struct Pages {
    /// The number of the page that is being filled.
    number: u32,
    conversations: Vec<Shown>,
    messages: usize,
    text: usize,
    contents: Vec<ContentsRow>,
}

/// A finished file of HTML.
#[derive(Debug)]
pub(super) struct Page {
    /// The page's path in the archive.
    pub(super) name: String,
    /// The page's HTML.
    pub(super) html: String,
    /// How many messages, or conversations, the page shows.
    pub(super) records: usize,
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pages({}, {} messages)", self.number, self.messages)
    }
}

impl Pages {
    /// Pages that follow so many earlier ones.
    #[must_use]
    pub(super) const fn after(pages: u32) -> Self {
        Self {
            number: pages.saturating_add(1),
            conversations: Vec::new(),
            messages: 0,
            text: 0,
            contents: Vec::new(),
        }
    }

    /// How many pages are finished by now, including those of earlier segments.
    #[must_use]
    pub(super) const fn finished(&self) -> u32 {
        self.number.saturating_sub(1)
    }

    /// Whether nothing is on the page that is being filled.
    #[must_use]
    pub(super) const fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Begins a conversation, or goes on with one of an earlier segment.
    ///
    /// # Errors
    /// [`askama::Error`]: never, in memory.
    pub(super) fn begin(
        &mut self,
        channel: Channel,
        contact: &Personal<String>,
        first: Timestamp,
        is_continued: bool,
    ) -> Result<Option<Page>, askama::Error> {
        let finished = if self.is_full() { self.finish(false)? } else { None };
        self.conversations.push(Shown {
            channel: name(channel),
            contact: contact.expose().clone(),
            is_continued,
            messages: Vec::new(),
        });
        if !is_continued {
            let (number, place) = (self.number, self.conversations.len());
            self.contents.push(ContentsRow {
                href: format!("../pages/{number:05}.html#c{place}"),
                contact: contact.expose().clone(),
                channel: name(channel),
                first,
            });
        }
        Ok(finished)
    }

    /// Adds a message to the conversation that was begun last.
    ///
    /// # Errors
    /// [`askama::Error`]: never, in memory.
    pub(super) fn add(&mut self, message: &Message<'_>) -> Result<Option<Page>, askama::Error> {
        let mut finished = None;
        if self.is_full() {
            finished = self.finish(true)?;
            let (channel, contact) = (message.connection.channel, message.meta_contact);
            self.begin(channel, contact, message.sent_at, true)?;
        }
        let text = message.text().map(str::to_owned);
        self.text = self.text.saturating_add(text.as_ref().map_or(0, String::len));
        self.messages = self.messages.saturating_add(1);
        let (class, who) = match message.content.direction {
            Direction::In => ("in", ("Received", "Recibido")),
            Direction::Out => ("out", ("Sent", "Enviado")),
        };
        let shown = ShownMessage {
            class,
            who,
            at: message.sent_at,
            is_edited: message.edit.is_some(),
            text,
            kind: message.content.kind.as_str(),
        };
        if let Some(conversation) = self.conversations.last_mut() {
            conversation.messages.push(shown);
        }
        Ok(finished)
    }

    const fn is_full(&self) -> bool {
        self.messages >= MESSAGES_MAX || self.text >= TEXT_MAX
    }

    /// Ends the page, if anything is on it. `goes_on` says that its last conversation continues on
    /// the next page.
    ///
    /// # Errors
    /// [`askama::Error`]: never, in memory.
    pub(super) fn finish(&mut self, goes_on: bool) -> Result<Option<Page>, askama::Error> {
        if self.messages == 0 {
            return Ok(None);
        }
        let number = self.number;
        let template = PageTemplate {
            style: STYLE,
            number,
            conversations: &self.conversations,
            goes_on,
            next: format!("{:05}.html#c1", number.saturating_add(1)),
        };
        let name = format!("pages/{number:05}.html");
        let page = Page { name, html: template.render()?, records: self.messages };
        self.number = number.saturating_add(1);
        self.conversations.clear();
        (self.messages, self.text) = (0, 0);
        Ok(Some(page))
    }

    /// The list of the conversations that began since the last list; `None` if there are none.
    ///
    /// # Errors
    /// [`askama::Error`]: never, in memory.
    pub(super) fn contents(&mut self, number: u32) -> Result<Option<Page>, askama::Error> {
        if self.contents.is_empty() {
            return Ok(None);
        }
        let template = ContentsTemplate { style: STYLE, number, rows: &self.contents };
        let html = template.render()?;
        let page =
            Page { name: format!("contents/{number:05}.html"), html, records: self.contents.len() };
        self.contents.clear();
        Ok(Some(page))
    }
}

const fn name(channel: Channel) -> &'static str {
    match channel {
        Channel::Messenger => "Messenger",
        Channel::Instagram => "Instagram",
    }
}
