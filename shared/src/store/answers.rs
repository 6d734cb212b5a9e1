//! Answers that are kept for who repeats a request: `core`, `ANSWER#member` / `KEY#key`, for a day.
//!
//! Whoever comes first writes the item, under a lease, before anything is done. So of two at the
//! same time one does it, and of one that died the lease ends.

use jiff::{SignedDuration, Timestamp};

use super::expression::{Changes, Condition};
use super::item::{Item, milliseconds, number, seconds, text};
use super::read::Query;
use super::schema::{self, Table};
use super::write::Write;
use super::{Store, StoreError};
use crate::domain::ids::MemberId;
use crate::domain::policy::ANSWERS;

/// So long nobody else does the same: longer than a function runs.
const LEASE: SignedDuration = SignedDuration::from_secs(30);

/// A request that is done once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Who asks.
    pub member: MemberId,
    /// Their name for it, as a digest.
    pub key: String,
    /// A digest of what they ask.
    pub fingerprint: String,
    /// When they asked.
    pub at: Timestamp,
}

/// An answer, as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Its `Content-Type`.
    pub content_type: String,
    /// Its body: ids, and nothing personal.
    pub body: String,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It is the first: do it.
    First,
    /// Another one is being done.
    UnderWay,
    /// It was done, and this was the answer.
    Answered(Answer),
    /// The name was used for something else.
    Other,
}

impl Store {
    /// Begins an attempt, unless the same was begun within the lease, or answered within a day.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_attempt(&self, attempt: &Attempt) -> Result<Begun, StoreError> {
        let Attempt { fingerprint, at, .. } = attempt;
        let expires_at = at.saturating_add(ANSWERS).unwrap_or(Timestamp::MAX);
        let item = key(attempt)
            .with(schema::FINGERPRINT, text(fingerprint))
            .with(schema::LEASE_UNTIL, milliseconds(lease(attempt)))
            .with(schema::EXPIRES_AT, seconds(expires_at));
        let is_over = schema::EXPIRES_AT.is_at_most(seconds(*at));
        let is_given_up = (schema::FINGERPRINT.is(text(fingerprint)))
            .and(schema::ANSWER.is_absent())
            .and(schema::LEASE_UNTIL.is_at_most(milliseconds(*at)));
        let begin = Write::put(Table::Core, item)
            .only_if(schema::PK.is_absent().or(is_over).or(is_given_up));
        if self.write_if_met(begin).await? {
            return Ok(Begun::First);
        }
        // Gone by now: given up at this very moment.
        let Some(met) = self.item(Table::Core, key(attempt)).await? else {
            return Ok(Begun::UnderWay);
        };
        if met.text(schema::FINGERPRINT)? != fingerprint {
            return Ok(Begun::Other);
        }
        Ok(answer(&met)?.map_or(Begun::UnderWay, Begun::Answered))
    }

    /// Keeps the answer of an attempt that is still this one's.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when its lease has ended, and another has begun.
    pub async fn keep_answer(&self, attempt: &Attempt, answer: &Answer) -> Result<(), StoreError> {
        let keep = Changes::new()
            .set(schema::STATUS, number(answer.status))
            .set(schema::CONTENT_TYPE, text(&answer.content_type))
            .set(schema::ANSWER, text(&answer.body));
        let keep = Write::update(Table::Core, key(attempt), keep);
        self.write(keep.only_if(has_lease(attempt))).await
    }

    /// Lets the next attempt be the first, unless another has begun.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn give_up_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        let delete = Write::delete(Table::Core, key(attempt)).only_if(has_lease(attempt));
        self.write_unless_refused(delete).await
    }

    /// Deletes all answers that a member got.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.1
    pub async fn delete_answers(&self, member: &MemberId) -> Result<(), StoreError> {
        self.delete_all(Query::partition(Table::Core, schema::answer_pk(member))).await
    }
}

fn key(attempt: &Attempt) -> Item {
    schema::key(schema::answer_pk(&attempt.member), schema::answer_sk(&attempt.key))
}

fn lease(attempt: &Attempt) -> Timestamp {
    attempt.at.saturating_add(LEASE).unwrap_or(Timestamp::MAX)
}

fn has_lease(attempt: &Attempt) -> Condition {
    schema::LEASE_UNTIL.is(milliseconds(lease(attempt)))
}

fn answer(item: &Item) -> Result<Option<Answer>, StoreError> {
    let Some(body) = item.optional_text(schema::ANSWER)? else { return Ok(None) };
    Ok(Some(Answer {
        status: item.number(schema::STATUS)?,
        content_type: item.text(schema::CONTENT_TYPE)?.to_owned(),
        body: body.to_owned(),
    }))
}
