//! Contacts: `core`, `CONNECTION#connection` / `CONTACT#contact`, listed by the inbox index.

use jiff::{SignedDuration, Timestamp};

use super::expression::{Changes, Condition};
use super::item::{Item, day, milliseconds, seconds, text};
use super::read::Query;
use super::schema::{self, Table};
use super::write::Write;
use super::{Store, StoreError};
use crate::domain::ids::{AccountId, ConnectionId, ContactId, ConversationId, PersonId, RequestId};
use crate::domain::row::ContactMarks;
use crate::domain::time::Day;

/// The inbox index moves at most this often per conversation: it is a write per move.
pub const INBOX_STEP: SignedDuration = SignedDuration::from_secs(60);

/// A contact, as far as intake and the inbox need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Contact {
    /// What keeps its messages out.
    pub marks: ContactMarks,
    /// When its conversation last moved in the inbox.
    pub last_message_at: Option<Timestamp>,
    /// Whether something is held of it: not one that was erased, and has not written since.
    pub is_known: bool,
    /// The day on which its rows are looked at for what time to live has left; `None` where it is
    /// not known to have any.
    pub sweep_on: Option<Day>,
    /// Whether the request that marked it last has yet to sweep it: what the mark covers is left to
    /// that sweep, which counts what it deletes.
    pub is_erasing: bool,
}

/// A conversation in the inbox index: where its contact stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEntry {
    /// The conversation.
    pub conversation: ConversationId,
    /// When it last moved.
    pub last_message_at: Timestamp,
}

/// Where to start in a connection's inbox, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboxStart {
    /// Just past this entry.
    After(InboxEntry),
    /// With the entries of this time.
    From(Timestamp),
    /// Just past the entries of this time.
    Before(Timestamp),
}

/// Whose conversation it is, and with whom.
#[derive(Debug, Clone, Copy)]
pub struct Parties<'a> {
    /// The conversation.
    pub conversation: &'a ConversationId,
    /// The account that has it.
    pub account: &'a AccountId,
    /// The person it is with.
    pub person: &'a PersonId,
}

impl Store {
    /// Moves a conversation up in the inbox, making its contact known if it was not; does nothing
    /// when it has moved within [`INBOX_STEP`] of that time, is restricted, or was erased since.
    /// Its rows are swept from `sweep_on` on, unless they are from another day already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn move_conversation(
        &self,
        parties: Parties<'_>,
        last_message_at: Timestamp,
        (expires_at, sweep_on): (Timestamp, Day),
    ) -> Result<(), StoreError> {
        let floor = last_message_at.saturating_sub(INBOX_STEP).unwrap_or(Timestamp::MIN);
        let has_not_moved = (schema::LAST_MESSAGE_AT.is_absent())
            .or(schema::LAST_MESSAGE_AT.is_below(milliseconds(floor)))
            .or(schema::LAST_MESSAGE_AT.is_at_most(schema::ERASED_AT));
        let moved = known(parties, expires_at)
            .set(schema::LAST_MESSAGE_AT, milliseconds(last_message_at))
            .set_once(schema::SWEEP_ON, day(sweep_on));
        let moved = Write::update(Table::Core, contact_key(parties.conversation), moved)
            .only_if(takes_in(last_message_at).and(has_not_moved));
        self.write_unless_refused(moved).await
    }

    /// Makes the contact of a conversation known that has rows but no message yet, so that an
    /// erasure finds them; it shows in no inbox. Does nothing when it is known for as long, is
    /// restricted, or was erased since `at`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn know_contact(
        &self,
        parties: Parties<'_>,
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let is_news = (schema::PERSON_ID.is_absent())
            .or(schema::EXPIRES_AT.is_below(seconds(expires_at)))
            .or(schema::ERASED_AT.exists());
        let known = known(parties, expires_at).set(schema::KNOWN_AT, milliseconds(at));
        let known = Write::update(Table::Core, contact_key(parties.conversation), known)
            .only_if(takes_in(at).and(is_news));
        self.write_unless_refused(known).await
    }

    /// Marks a contact: what was sent until then shows no more and is not taken in again (R8.3). A
    /// later mark stays. Who it is is forgotten until it writes anew, where nothing newer can be
    /// there; else that is left to [`Self::settle_contact`].
    ///
    /// With the mark stands the request that will sweep the contact, `by`, until
    /// [`Self::end_contact_erasure`]; none where it is swept at once.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R8.3
    pub async fn mark_contact_erased(
        &self,
        conversation: &ConversationId,
        until: Timestamp,
        kept_until: Timestamp,
        by: Option<&RequestId>,
    ) -> Result<(), StoreError> {
        let mark = || {
            Changes::new()
                .set(schema::ERASED_AT, milliseconds(until))
                .set_some(schema::ERASING, by.map(|by| text(by.as_str())))
        };
        let write = |changes, condition| {
            let later = schema::ERASED_AT.is_below(milliseconds(until));
            let is_first = schema::ERASED_AT.is_absent().or(later);
            let key = contact_key(conversation);
            Write::update(Table::Core, key, changes).only_if(is_first.and(condition))
        };
        // The inbox lags behind by a step: what it shows longer ago is surely the last.
        let settled = until.saturating_sub(INBOX_STEP).unwrap_or(Timestamp::MIN);
        let shown = schema::LAST_MESSAGE_AT.is_at_most(milliseconds(settled));
        let known = schema::KNOWN_AT.is_at_most(milliseconds(until));
        let has_nothing_newer = (schema::RESTRICTED_AT.is_absent())
            .and(schema::LAST_MESSAGE_AT.is_absent().or(shown))
            .and(schema::KNOWN_AT.is_absent().or(known));
        let forget = mark()
            .set(schema::EXPIRES_AT, seconds(kept_until))
            .remove(schema::LAST_MESSAGE_AT)
            .remove(schema::PERSON_ID)
            .remove(schema::KNOWN_AT);
        if self.write_if_met(write(forget, has_nothing_newer)).await? {
            return Ok(());
        }
        // Not shown any more; or newer than this.
        let hide = mark().remove(schema::LAST_MESSAGE_AT);
        let is_shown = schema::LAST_MESSAGE_AT.is_at_most(milliseconds(until));
        if !self.write_if_met(write(hide, is_shown)).await? {
            self.write_unless_refused(write(mark(), schema::PK.exists())).await?;
        }
        // A restriction has no end, so neither has the contact that carries it (R2.3).
        self.keep_contact(conversation, kept_until).await
    }

    /// Notes that a request has swept a contact; does nothing where a later one has marked it
    /// since, which will sweep it too.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_contact_erasure(
        &self,
        conversation: &ConversationId,
        by: &RequestId,
    ) -> Result<(), StoreError> {
        let end = Changes::new().remove(schema::ERASING);
        let end = Write::update(Table::Core, contact_key(conversation), end)
            .only_if(schema::ERASING.is(text(by.as_str())));
        self.write_unless_refused(end).await
    }

    /// Extends the contact's expiry to at least `until`. A contact that never expires stays so.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_contact(
        &self,
        conversation: &ConversationId,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let ends_before = schema::EXPIRES_AT.is_below(seconds(until));
        let is_marked = schema::EXPIRES_AT.is_absent().and(schema::ERASED_AT.exists());
        let keep = Changes::new().set(schema::EXPIRES_AT, seconds(until));
        let keep = Write::update(Table::Core, contact_key(conversation), keep)
            .only_if(schema::RESTRICTED_AT.is_absent().and(ends_before.or(is_marked)));
        self.write_unless_refused(keep).await
    }

    /// After the rows of a marked contact have been read: forgets who it is, if nothing newer than
    /// the mark was there; or has the inbox show the newest that is left. Intake, which looks at
    /// the mark after it has written, makes known and moves what it wrote meanwhile itself.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settle_contact(
        &self,
        conversation: &ConversationId,
        newest: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let is_hidden = schema::LAST_MESSAGE_AT.is_at_most(schema::ERASED_AT);
        let shows_nothing = (schema::ERASED_AT.exists())
            .and(schema::PERSON_ID.exists())
            .and(schema::LAST_MESSAGE_AT.is_absent().or(is_hidden));
        let (changes, condition) = match newest {
            None => {
                let is_old = schema::KNOWN_AT.is_at_most(schema::ERASED_AT);
                let forget = Changes::new()
                    .remove(schema::LAST_MESSAGE_AT)
                    .remove(schema::PERSON_ID)
                    .remove(schema::KNOWN_AT);
                (forget, shows_nothing.and(schema::KNOWN_AT.is_absent().or(is_old)))
            }
            Some(newest) => {
                let show = Changes::new().set(schema::LAST_MESSAGE_AT, milliseconds(newest));
                (show, shows_nothing)
            }
        };
        let settle = Write::update(Table::Core, contact_key(conversation), changes);
        self.write_unless_refused(settle.only_if(condition)).await
    }

    /// Conversations of one connection, the latest first. From an index: may be a moment old, so
    /// readers look at each entry again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn inbox(
        &self,
        connection: &ConnectionId,
        start: Option<InboxStart>,
        limit: i32,
    ) -> Result<Vec<InboxEntry>, StoreError> {
        let latest = Query::index(&schema::INBOX, connection.as_str()).backwards().limit(limit);
        let at = schema::LAST_MESSAGE_AT;
        let latest = match start {
            None => latest,
            Some(InboxStart::After(entry)) => latest.from(Some(index_key(&entry))),
            Some(InboxStart::From(time)) => latest.within(at.is_at_most(milliseconds(time))),
            Some(InboxStart::Before(time)) => latest.within(at.is_below(milliseconds(time))),
        };
        self.page(latest).await?.items.iter().map(|item| entry(connection, item)).collect()
    }
}

/// Whose conversation it is, and until when its contact is known.
fn known(parties: Parties<'_>, expires_at: Timestamp) -> Changes {
    let Parties { conversation, account, person } = parties;
    Changes::new()
        .set(schema::CONNECTION_ID, text(conversation.connection.as_str()))
        .set(schema::ACCOUNT_ID, text(account.as_str()))
        .set(schema::PERSON_ID, text(person.as_str()))
        .set(schema::EXPIRES_AT, seconds(expires_at))
}

/// That no mark keeps out what was sent at that time.
fn takes_in(at: Timestamp) -> Condition {
    let is_later = schema::ERASED_AT.is_below(milliseconds(at));
    schema::RESTRICTED_AT.is_absent().and(schema::ERASED_AT.is_absent().or(is_later))
}

fn index_key(entry: &InboxEntry) -> Item {
    contact_key(&entry.conversation)
        .with(schema::CONNECTION_ID, text(entry.conversation.connection.as_str()))
        .with(schema::LAST_MESSAGE_AT, milliseconds(entry.last_message_at))
}

pub(super) fn contact_key(conversation: &ConversationId) -> Item {
    schema::key(
        schema::connection_pk(&conversation.connection),
        schema::contact_sk(&conversation.contact),
    )
}

pub(super) fn contact(item: &Item) -> Result<Contact, StoreError> {
    let marks = ContactMarks {
        restricted_at: item.optional_time(schema::RESTRICTED_AT)?,
        erased_at: item.optional_time(schema::ERASED_AT)?,
    };
    let last_message_at = item.optional_time(schema::LAST_MESSAGE_AT)?;
    let known_at = item.optional_time(schema::KNOWN_AT)?;
    let lately = [last_message_at, known_at].into_iter().flatten();
    let is_known = item.has(schema::PERSON_ID)
        && (marks.erased_at.is_none() || lately.into_iter().any(|at| !marks.erases(at)));
    let sweep_on = item.optional_parsed(schema::SWEEP_ON, Day::parse)?;
    let is_erasing = item.has(schema::ERASING);
    Ok(Contact { marks, last_message_at, is_known, sweep_on, is_erasing })
}

pub(super) fn contact_id(item: &Item) -> Result<ContactId, StoreError> {
    item.parsed(schema::SK, schema::contact_of)
}

fn entry(connection: &ConnectionId, item: &Item) -> Result<InboxEntry, StoreError> {
    let conversation =
        ConversationId { connection: connection.clone(), contact: contact_id(item)? };
    Ok(InboxEntry { conversation, last_message_at: item.time(schema::LAST_MESSAGE_AT)? })
}
