//! Contacts: `core`, `CONNECTION#connection` / `CONTACT#contact`, listed by the inbox index.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use jiff::{SignedDuration, Timestamp};

use super::schema::{self, Item};
use super::{Store, StoreError, classify, unless_refused};
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
        let moved = self
            .update_contact(parties, expires_at)
            .update_expression(
                "SET connection_id = :connection, account_id = :account, person_id = :person, \
                 expires_at = :end, last_message_at = :at, \
                 sweep_on = if_not_exists(sweep_on, :day)",
            )
            .condition_expression(
                "attribute_not_exists(restricted_at) \
                 AND (attribute_not_exists(erased_at) OR erased_at < :at) \
                 AND (attribute_not_exists(last_message_at) OR last_message_at < :floor \
                 OR last_message_at <= erased_at)",
            )
            .expression_attribute_values(":at", schema::milliseconds(last_message_at))
            .expression_attribute_values(":floor", schema::milliseconds(floor))
            .expression_attribute_values(":day", schema::text(sweep_on.to_string()))
            .send()
            .await;
        unless_refused(moved.map(|_| ()).map_err(|error| classify(&error)))
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
        let known = self
            .update_contact(parties, expires_at)
            .update_expression(
                "SET connection_id = :connection, account_id = :account, person_id = :person, \
                 expires_at = :end, known_at = :at",
            )
            .condition_expression(
                "attribute_not_exists(restricted_at) \
                 AND (attribute_not_exists(erased_at) OR erased_at < :at) \
                 AND (attribute_not_exists(person_id) OR expires_at < :end \
                 OR attribute_exists(erased_at))",
            )
            .expression_attribute_values(":at", schema::milliseconds(at))
            .send()
            .await;
        unless_refused(known.map(|_| ()).map_err(|error| classify(&error)))
    }

    fn update_contact(
        &self,
        Parties { conversation, account, person }: Parties<'_>,
        expires_at: Timestamp,
    ) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(contact_key(conversation)))
            .expression_attribute_values(
                ":connection",
                schema::text(conversation.connection.as_str()),
            )
            .expression_attribute_values(":account", schema::text(account.as_str()))
            .expression_attribute_values(":person", schema::text(person.as_str()))
            .expression_attribute_values(":end", schema::seconds(expires_at))
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
        let erasing =
            if by.is_some() { "erased_at = :until, erasing = :by" } else { "erased_at = :until" };
        let mark = |set: &str, condition: &str| {
            let later = "(attribute_not_exists(erased_at) OR erased_at < :until)";
            let update = self
                .client
                .update_item()
                .table_name(&self.tables.core)
                .set_key(Some(contact_key(conversation)))
                .update_expression(format!("SET {erasing}{set}"))
                .condition_expression(format!("{later} AND {condition}"))
                .expression_attribute_values(":until", schema::milliseconds(until));
            match by {
                Some(by) => update.expression_attribute_values(":by", schema::text(by.as_str())),
                None => update,
            }
        };
        // The inbox lags behind by a step: what it shows longer ago is surely the last.
        let settled = until.saturating_sub(INBOX_STEP).unwrap_or(Timestamp::MIN);
        let forget = mark(
            ", expires_at = :kept REMOVE last_message_at, person_id, known_at",
            "attribute_not_exists(restricted_at) \
             AND (attribute_not_exists(last_message_at) OR last_message_at <= :settled) \
             AND (attribute_not_exists(known_at) OR known_at <= :until)",
        )
        .expression_attribute_values(":kept", schema::seconds(kept_until))
        .expression_attribute_values(":settled", schema::milliseconds(settled));
        match forget.send().await.map_err(|error| classify(&error)) {
            Err(StoreError::Conflict) => {}
            forgotten => return forgotten.map(|_| ()),
        }
        // Not shown any more; or newer than this.
        let hidden = mark(" REMOVE last_message_at", "last_message_at <= :until").send().await;
        match hidden.map_err(|error| classify(&error)) {
            Err(StoreError::Conflict) => {
                let marked = mark("", "attribute_exists(pk)").send().await;
                unless_refused(marked.map(|_| ()).map_err(|error| classify(&error)))?;
            }
            hidden => hidden.map(|_| ())?,
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
        let ended = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(contact_key(conversation)))
            .update_expression("REMOVE erasing")
            .condition_expression("erasing = :by")
            .expression_attribute_values(":by", schema::text(by.as_str()))
            .send()
            .await;
        unless_refused(ended.map(|_| ()).map_err(|error| classify(&error)))
    }

    /// Has a contact live until then at least. One without an end has none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_contact(
        &self,
        conversation: &ConversationId,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let kept = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(contact_key(conversation)))
            .update_expression("SET expires_at = :kept")
            .condition_expression(
                "attribute_not_exists(restricted_at) AND (expires_at < :kept OR \
                 (attribute_not_exists(expires_at) AND attribute_exists(erased_at)))",
            )
            .expression_attribute_values(":kept", schema::seconds(until))
            .send()
            .await;
        unless_refused(kept.map(|_| ()).map_err(|error| classify(&error)))
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
        let shows_nothing = "attribute_exists(erased_at) AND attribute_exists(person_id) \
                             AND (attribute_not_exists(last_message_at) \
                             OR last_message_at <= erased_at)";
        let update = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(contact_key(conversation)));
        let update = match newest {
            None => update
                .update_expression("REMOVE last_message_at, person_id, known_at")
                .condition_expression(format!(
                    "{shows_nothing} AND (attribute_not_exists(known_at) OR known_at <= erased_at)"
                )),
            Some(newest) => update
                .update_expression("SET last_message_at = :newest")
                .condition_expression(shows_nothing)
                .expression_attribute_values(":newest", schema::milliseconds(newest)),
        };
        let settled = update.send().await;
        unless_refused(settled.map(|_| ()).map_err(|error| classify(&error)))
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
        let mut query = self
            .client
            .query()
            .table_name(&self.tables.core)
            .index_name(schema::INBOX)
            .expression_attribute_values(":connection", schema::text(connection.as_str()))
            .scan_index_forward(false)
            .limit(limit);
        let mut condition = "connection_id = :connection".to_owned();
        match start {
            None => {}
            Some(InboxStart::After(entry)) => {
                query = query.set_exclusive_start_key(Some(index_key(&entry)));
            }
            Some(InboxStart::From(at)) => {
                condition.push_str(" AND last_message_at <= :at");
                query = query.expression_attribute_values(":at", schema::milliseconds(at));
            }
            Some(InboxStart::Before(at)) => {
                condition.push_str(" AND last_message_at < :at");
                query = query.expression_attribute_values(":at", schema::milliseconds(at));
            }
        }
        let answer = query
            .key_condition_expression(condition)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        answer.items.unwrap_or_default().iter().map(|item| entry(connection, item)).collect()
    }
}

fn index_key(entry: &InboxEntry) -> Item {
    let mut key = contact_key(&entry.conversation);
    let connection = schema::text(entry.conversation.connection.as_str());
    key.insert(schema::CONNECTION_ID.to_owned(), connection);
    let at = schema::milliseconds(entry.last_message_at);
    key.insert(schema::LAST_MESSAGE_AT.to_owned(), at);
    key
}

pub(super) fn contact_key(conversation: &ConversationId) -> Item {
    schema::key(
        schema::connection_pk(&conversation.connection),
        schema::contact_sk(&conversation.contact),
    )
}

pub(super) fn contact(item: &Item) -> Result<Contact, StoreError> {
    let marks = ContactMarks {
        restricted_at: schema::get_milliseconds(item, schema::RESTRICTED_AT)?,
        erased_at: schema::get_milliseconds(item, schema::ERASED_AT)?,
    };
    let last_message_at = schema::get_milliseconds(item, schema::LAST_MESSAGE_AT)?;
    let known_at = schema::get_milliseconds(item, schema::KNOWN_AT)?;
    let lately = [last_message_at, known_at].into_iter().flatten();
    let is_known = item.contains_key(schema::PERSON_ID)
        && (marks.erased_at.is_none() || lately.into_iter().any(|at| !marks.erases(at)));
    let sweep_on = item.contains_key(schema::expiries::SWEEP_ON);
    let sweep_on =
        sweep_on.then(|| schema::get_day(item, schema::expiries::SWEEP_ON)).transpose()?;
    let is_erasing = item.contains_key(schema::erasures::ERASING);
    Ok(Contact { marks, last_message_at, is_known, sweep_on, is_erasing })
}

pub(super) fn contact_id(item: &Item) -> Result<ContactId, StoreError> {
    schema::contact_of(schema::get_text(item, schema::SK)?).ok_or(StoreError::Corrupt(schema::SK))
}

fn entry(connection: &ConnectionId, item: &Item) -> Result<InboxEntry, StoreError> {
    let conversation =
        ConversationId { connection: connection.clone(), contact: contact_id(item)? };
    let last_message_at = schema::get_milliseconds(item, schema::LAST_MESSAGE_AT)?
        .ok_or(StoreError::Corrupt(schema::LAST_MESSAGE_AT))?;
    Ok(InboxEntry { conversation, last_message_at })
}
