//! A data export: what an account asked for, how far its archive has come, and where it goes on.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::audit::{Hash, Point};
use super::ids::{AccountId, ConnectionId, ContactId, ExportId, MessageId};
use super::time::Day;

/// An archive and its record are kept for so long from the asking on (R5.4).
pub const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Invocations in a row that may end without anything saved, before it counts as failed.
pub const TRIES_MAX: u32 = 5;
/// How often it may begin anew, for an erasure or for lost parts, before it counts as failed.
pub const RESTARTS_MAX: u32 = 10;
/// A worker that saved nothing for so long is dead: longer than its time-out.
pub const LEASE: SignedDuration = SignedDuration::from_mins(6);
/// Exports of an account that there are at once, those of a week: each is looked at by every
/// erasure in the account before that is answered.
pub const EXPORTS_MAX: usize = 20;
/// Parts of an upload: S3's own limit.
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
        /// There is none, and none will come.
        Failed = "failed",
        /// There was one, but something in it has been erased since.
        Void = "void",
    }
}

words! {
    /// Why there is no archive.
    Failure {
        /// The account is being deleted, or is gone.
        AccountClosed = "account-closed",
        /// It kept failing.
        TooManyTries = "too-many-tries",
        /// Erasures, or parts that were lost, had it begin anew again and again.
        TooManyRestarts = "too-many-restarts",
        /// It does not fit the most parts that S3 takes.
        TooLarge = "too-large",
    }
}

/// An export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Which one.
    pub id: ExportId,
    /// Whose data it has.
    pub account: AccountId,
    /// How far it is.
    pub state: State,
    /// Why it failed, where it did.
    pub failure: Option<Failure>,
    /// The high-water mark: what was sent later is not in it.
    pub asked_at: Timestamp,
    /// When it was last saved.
    pub saved_at: Timestamp,
    /// Whether a worker is at it, unless it has died since: one at a time.
    pub is_taken: bool,
    /// When its archive was complete.
    pub ready_at: Option<Timestamp>,
    /// The upload under way, as S3 names it.
    pub upload: Option<String>,
    /// What is written.
    pub written: Written,
    /// Contacts that there were at its beginning.
    pub contacts_total: u64,
    /// Where it goes on.
    pub cursor: Cursor,
    /// Invocations since something was saved.
    pub tries: u32,
    /// How often it began anew.
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
    /// Contacts whose conversations are all in it.
    pub contacts: u64,
    /// Messages that did not open although their key is there: they are named nowhere else.
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
    /// Nowhere: all is written, and the parts are to be made one.
    End,
}

/// A file of the archive, as its directory and the manifest name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the archive.
    pub name: String,
    /// CRC-32 of what it says.
    pub crc32: u32,
    /// Bytes in the archive.
    pub packed: u64,
    /// Bytes of what it says.
    pub size: u64,
    /// SHA-256 of what it says.
    pub sha256: [u8; 32],
    /// What it lists; 0 where that is nothing that is counted.
    pub records: u64,
}

/// A part of the upload, with the files that are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// From 1 on.
    pub number: u32,
    /// What S3 calls it.
    pub etag: String,
    /// The files.
    pub entries: Vec<Entry>,
}

impl State {
    /// Whether a worker has to go on with it.
    #[must_use]
    pub const fn is_work(self) -> bool {
        match self {
            Self::Asked | Self::Running => true,
            Self::Ready | Self::Failed | Self::Void => false,
        }
    }
}

impl Export {
    /// A new one.
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

    /// Whether a worker is at it, which goes on with it and queues it again when its time is over:
    /// whoever else is asked to leaves it alone.
    #[must_use]
    pub fn is_taken_at(&self, now: Timestamp) -> bool {
        self.is_taken && now.duration_since(self.saved_at) < LEASE
    }

    /// Until when it is kept, with its archive.
    //= R5.4
    #[must_use]
    pub fn kept_until(&self) -> Timestamp {
        self.asked_at.saturating_add(KEPT).unwrap_or(Timestamp::MAX)
    }

    /// Its archive's name in the bucket.
    #[must_use]
    pub fn object_key(&self) -> String {
        format!("{}{}.zip", prefix(&self.account), self.id)
    }

    /// As it is once something of its account was erased: nobody gets an archive with that in it.
    /// One that is being written begins anew, without it. `None`: it has nothing of it.
    //= R8.3
    #[must_use]
    pub fn after_erasure(self) -> Option<Self> {
        match self.state {
            State::Asked | State::Failed | State::Void => None,
            State::Ready => Some(Self { state: State::Void, ..self }),
            State::Running => Some(Self { tries: 0, ..self.anew() }),
        }
    }

    /// It begins anew: nothing of it is written, and nobody is at it.
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

    /// It ends without an archive.
    #[must_use]
    pub fn failed(self, failure: Failure) -> Self {
        Self { state: State::Failed, failure: Some(failure), is_taken: false, ..self }
    }

    /// About how many messages there are, by those of the contacts that are done; `None` before
    /// the first.
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

/// Where the archives of an account are in the bucket.
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
