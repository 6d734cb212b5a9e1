//! A data export: what an account asked for, how far its archive is, and where the work goes on.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::audit::{Hash, Point};
use super::ids::{AccountId, ConnectionId, ContactId, ExportId, MessageId};
use super::time::Day;

/// How long an archive and its record are kept after the account asked (R5.4).
pub const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// An export fails after this many invocations in a row that saved nothing.
pub const TRIES_MAX: u32 = 5;
/// An export fails after it began anew this often, for erasures or lost parts.
pub const RESTARTS_MAX: u32 = 10;
/// A worker that saved nothing for this long is dead. It is longer than the worker's time-out.
pub const LEASE: SignedDuration = SignedDuration::from_mins(6);
/// How many exports an account may have within a week. Every erasure in the account looks at each
/// of them before it is answered.
pub const EXPORTS_MAX: usize = 20;
/// How many parts an upload may have. The limit is S3's.
pub const PARTS_MAX: u32 = 10_000;

words! {
    /// How far an export has come.
    State {
        /// Nothing is read yet.
        Asked = "asked",
        /// A worker writes it, part by part.
        Running = "running",
        /// The archive can be downloaded.
        Ready = "ready",
        /// There is no archive, and none will come.
        Failed = "failed",
        /// There was an archive, but something in it was erased since.
        Void = "void",
    }
}

words! {
    /// Why there is no archive.
    Failure {
        /// The account is being deleted, or is gone.
        AccountClosed = "account-closed",
        /// Too many invocations saved nothing.
        TooManyTries = "too-many-tries",
        /// The export began anew too often, for erasures or lost parts.
        TooManyRestarts = "too-many-restarts",
        /// The archive has more parts than S3 takes.
        TooLarge = "too-large",
    }
}

/// An export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The export's id.
    pub id: ExportId,
    /// The account that it is about.
    pub account: AccountId,
    /// How far the export is.
    pub state: State,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// When the account asked. What was sent later is not in the archive.
    pub asked_at: Timestamp,
    /// When the export was last saved.
    pub saved_at: Timestamp,
    /// Whether a worker has taken the export. One worker at a time does, and it may have died
    /// since.
    pub is_taken: bool,
    /// When the archive was complete.
    pub ready_at: Option<Timestamp>,
    /// The upload under way, as S3 names it.
    pub upload: Option<String>,
    /// What is written.
    pub written: Written,
    /// How many contacts the account had when the export began.
    pub contacts_total: u64,
    /// Where the work goes on.
    pub cursor: Cursor,
    /// How many invocations there were since something was saved.
    pub tries: u32,
    /// How often the export began anew.
    pub restarts: u32,
    /// Counts the saves.
    pub version: u64,
}

/// What is in the parts that are uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// The parts.
    pub parts: u32,
    /// Bytes of the archive.
    pub bytes: u64,
    /// Pages of conversations.
    pub pages: u32,
    /// Messages.
    pub messages: u64,
    /// Contacts with their whole conversation in the archive.
    pub contacts: u64,
    /// Messages that did not open although their key is there. Nothing else names them.
    pub unreadable: u64,
}

/// Where an export goes on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cursor {
    /// At the beginning.
    Start,
    /// With the contacts of this connection that come after this one.
    After(ConnectionId, ContactId),
    /// With the messages of this conversation that come after that message.
    Within(ConnectionId, ContactId, Timestamp, MessageId),
    /// With the audit events after that one; `None`: with the first.
    Audit(Option<Point>),
    /// At the end: everything is written, and the parts are to become one object.
    End,
}

/// A file of the archive, as its directory and the manifest name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the archive.
    pub name: String,
    /// CRC-32 of the file's content.
    pub crc32: u32,
    /// Bytes that the file takes in the archive.
    pub packed: u64,
    /// Bytes of the file's content.
    pub size: u64,
    /// SHA-256 of the file's content.
    pub sha256: [u8; 32],
    /// How many records the file lists; 0 if it is no list.
    pub records: u64,
}

/// A part of the upload, with the files that are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The part's number, from 1 on.
    pub number: u32,
    /// What S3 calls it.
    pub etag: String,
    /// The files.
    pub entries: Vec<Entry>,
}

impl State {
    /// Whether a worker has to go on with the export.
    #[must_use]
    pub const fn is_work(self) -> bool {
        match self {
            Self::Asked | Self::Running => true,
            Self::Ready | Self::Failed | Self::Void => false,
        }
    }
}

impl Export {
    /// A new export.
    #[must_use]
    pub const fn new(id: ExportId, account: AccountId, now: Timestamp) -> Self {
        Self {
            id,
            account,
            state: State::Asked,
            failure: None,
            asked_at: now,
            saved_at: now,
            is_taken: false,
            ready_at: None,
            upload: None,
            written: Written {
                parts: 0,
                bytes: 0,
                pages: 0,
                messages: 0,
                contacts: 0,
                unreadable: 0,
            },
            contacts_total: 0,
            cursor: Cursor::Start,
            tries: 0,
            restarts: 0,
            version: 0,
        }
    }

    /// Whether a worker has the export. That worker goes on with it, and queues it again when its
    /// own time is over. Any other worker leaves it alone.
    #[must_use]
    pub fn is_taken_at(&self, now: Timestamp) -> bool {
        self.is_taken && now.duration_since(self.saved_at) < LEASE
    }

    /// Until when the export is kept, with its archive.
    //= R5.4
    #[must_use]
    pub fn kept_until(&self) -> Timestamp {
        self.asked_at.saturating_add(KEPT).unwrap_or(Timestamp::MAX)
    }

    /// The archive's key in the bucket.
    #[must_use]
    pub fn object_key(&self) -> String {
        format!("{}{}.zip", prefix(&self.account), self.id)
    }

    /// The export after something of its account was erased. A finished archive is void, so nobody
    /// gets the erased data. An archive that is being written begins anew. `None` if nothing is
    /// written.
    //= R8.3
    #[must_use]
    pub fn after_erasure(self) -> Option<Self> {
        match self.state {
            State::Asked | State::Failed | State::Void => None,
            State::Ready => Some(Self { state: State::Void, ..self }),
            State::Running => Some(Self { tries: 0, ..self.anew() }),
        }
    }

    /// The export from its beginning: nothing is written, and no worker has it.
    #[must_use]
    pub fn anew(self) -> Self {
        Self {
            state: State::Asked,
            is_taken: false,
            written: Written::default(),
            cursor: Cursor::Start,
            restarts: self.restarts.saturating_add(1),
            ..self
        }
    }

    /// The export, failed: it ends without an archive.
    #[must_use]
    pub fn failed(self, failure: Failure) -> Self {
        Self { state: State::Failed, failure: Some(failure), is_taken: false, ..self }
    }

    /// An estimate of all messages, from those of the contacts that are done; `None` before the
    /// first contact.
    #[must_use]
    pub fn messages_about(&self) -> Option<u64> {
        let Written { messages, contacts, .. } = self.written;
        if self.state == State::Ready {
            return Some(messages);
        }
        let about = messages.saturating_mul(self.contacts_total).checked_div(contacts)?;
        Some(about.max(messages))
    }
}

/// The folder of an account's archives in the bucket.
#[must_use]
pub fn prefix(account: &AccountId) -> String {
    format!("exports/{account}/")
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::After(connection, contact) => write!(f, "after {connection} {contact}"),
            Self::Within(connection, contact, at, message) => {
                write!(f, "within {connection} {contact} {} {message}", at.as_millisecond())
            }
            Self::Audit(None) => f.write_str("audit"),
            Self::Audit(Some(Point { day, number, hash })) => {
                write!(f, "audit {day} {number} {hash}")
            }
            Self::End => f.write_str("end"),
        }
    }
}

impl Cursor {
    /// Reads what [`fmt::Display`] wrote; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        match words.as_slice() {
            ["start"] => Some(Self::Start),
            ["after", connection, contact] => {
                Some(Self::After(ConnectionId::parse(connection)?, ContactId::parse(contact)?))
            }
            ["within", connection, contact, at, message] => Some(Self::Within(
                ConnectionId::parse(connection)?,
                ContactId::parse(contact)?,
                Timestamp::from_millisecond(at.parse().ok()?).ok()?,
                MessageId::parse(message)?,
            )),
            ["audit"] => Some(Self::Audit(None)),
            ["audit", day, number, hash] => Some(Self::Audit(Some(Point {
                day: Day::parse(day)?,
                number: number.parse().ok()?,
                hash: Hash::parse(hash)?,
            }))),
            ["end"] => Some(Self::End),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(state: State) -> Export {
        let id = ExportId::parse("e1").unwrap();
        let account = AccountId::parse("a1").unwrap();
        Export { state, ..Export::new(id, account, Timestamp::UNIX_EPOCH) }
    }

    #[test]
    fn a_cursor_reads_back_what_it_wrote_and_nothing_else() {
        let hash = "ab".repeat(32);
        let audit = format!("audit 2026-12-01 7 {hash}");
        for text in ["start", "after c p", "within c p 1700000000123 m", "audit", &audit, "end"] {
            assert_eq!(Cursor::parse(text).map(|it| it.to_string()).as_deref(), Some(text));
        }
        for bad in ["", "after c", "within c p x m", "audit 1", "start x", "after c p "] {
            assert_eq!(Cursor::parse(bad), None, "{bad:?}");
        }
    }

    //= R8.3
    #[test]
    fn an_erasure_voids_an_archive_and_has_one_under_way_begin_anew() {
        let written =
            Written { parts: 3, bytes: 9, pages: 2, messages: 5, contacts: 1, unreadable: 1 };
        let running =
            Export { written, cursor: Cursor::End, is_taken: true, ..export(State::Running) };
        let again = running.after_erasure().unwrap();
        assert_eq!((again.state, again.restarts, again.is_taken), (State::Asked, 1, false));
        assert_eq!((again.written, again.cursor), (Written::default(), Cursor::Start));
        assert_eq!(export(State::Ready).after_erasure().unwrap().state, State::Void);
        for state in [State::Asked, State::Failed, State::Void] {
            assert_eq!(export(state).after_erasure(), None, "{state:?}");
        }
    }

    #[test]
    fn one_is_a_workers_own_until_that_has_saved_nothing_for_a_while() {
        let free = export(State::Running);
        let taken = Export { is_taken: true, ..free.clone() };
        let (at, later) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH + LEASE);
        assert!(taken.is_taken_at(at) && !taken.is_taken_at(later) && !free.is_taken_at(at));
    }

    #[test]
    fn how_many_messages_there_are_is_told_by_the_contacts_that_are_done() {
        let written = Written { messages: 300, contacts: 10, ..Written::default() };
        let half = Export { written, contacts_total: 20, ..export(State::Running) };
        assert_eq!(half.messages_about(), Some(600));
        assert_eq!(Export { contacts_total: 5, ..half.clone() }.messages_about(), Some(300));
        assert_eq!(export(State::Asked).messages_about(), None);
    }
}
