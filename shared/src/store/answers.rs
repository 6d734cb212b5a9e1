//! Answers that are kept for who repeats a request: `core`, `ANSWER#member` / `KEY#key`, for a day.
//!
//! Whoever comes first writes the item, under a lease, before anything is done. So of two at the
//! same time one does it, and of one that died the lease ends.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};

use super::schema::{self, Item};
use super::{Store, StoreError, classify, unless_refused};
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
        let mut item = key(attempt);
        item.extend([
            (schema::FINGERPRINT.to_owned(), schema::text(fingerprint)),
            (schema::LEASE_UNTIL.to_owned(), schema::milliseconds(lease(attempt))),
            (schema::EXPIRES_AT.to_owned(), expiry(attempt)),
        ]);
        let put = self
            .client
            .put_item()
            .table_name(&self.tables.core)
            .set_item(Some(item))
            .condition_expression(
                "attribute_not_exists(pk) OR expires_at <= :second OR (fingerprint = :asked \
                 AND attribute_not_exists(answer) AND lease_until <= :now)",
            )
            .expression_attribute_values(":asked", schema::text(fingerprint))
            .expression_attribute_values(":now", schema::milliseconds(*at))
            .expression_attribute_values(":second", schema::seconds(*at))
            .send()
            .await;
        match put.map_err(|error| classify(&error)) {
            Ok(_) => return Ok(Begun::First),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
        // Gone by now: given up at this very moment.
        let Some(met) = self.item(&self.tables.core, key(attempt)).await? else {
            return Ok(Begun::UnderWay);
        };
        if schema::get_text(&met, schema::FINGERPRINT)? != fingerprint {
            return Ok(Begun::Other);
        }
        Ok(answer(&met)?.map_or(Begun::UnderWay, Begun::Answered))
    }

    /// Keeps the answer of an attempt that is still this one's.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when its lease has ended, and another has begun.
    pub async fn keep_answer(&self, attempt: &Attempt, answer: &Answer) -> Result<(), StoreError> {
        self.client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(key(attempt)))
            .update_expression("SET #status = :status, content_type = :type, answer = :answer")
            .condition_expression("lease_until = :lease")
            .expression_attribute_names("#status", schema::STATUS)
            .expression_attribute_values(":status", schema::number(answer.status))
            .expression_attribute_values(":type", schema::text(&answer.content_type))
            .expression_attribute_values(":answer", schema::text(&answer.body))
            .expression_attribute_values(":lease", schema::milliseconds(lease(attempt)))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| classify(&error))
    }

    /// Lets the next attempt be the first, unless another has begun.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn give_up_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.tables.core)
            .set_key(Some(key(attempt)))
            .condition_expression("lease_until = :lease")
            .expression_attribute_values(":lease", schema::milliseconds(lease(attempt)))
            .send()
            .await;
        unless_refused(deleted.map(|_| ()).map_err(|error| classify(&error)))
    }

    /// Deletes all answers that a member got.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.1
    pub async fn delete_answers(&self, member: &MemberId) -> Result<(), StoreError> {
        for key in self.keys(schema::answer_pk(member), None).await? {
            self.delete_core(key).await?;
        }
        Ok(())
    }
}

fn key(attempt: &Attempt) -> Item {
    schema::key(schema::answer_pk(&attempt.member), schema::answer_sk(&attempt.key))
}

fn lease(attempt: &Attempt) -> Timestamp {
    attempt.at.saturating_add(LEASE).unwrap_or(Timestamp::MAX)
}

fn expiry(attempt: &Attempt) -> AttributeValue {
    schema::seconds(attempt.at.saturating_add(ANSWERS).unwrap_or(Timestamp::MAX))
}

fn answer(item: &Item) -> Result<Option<Answer>, StoreError> {
    let Some(body) = schema::get_optional(item, schema::ANSWER)? else { return Ok(None) };
    let status = schema::get_number(item, schema::STATUS)?;
    Ok(Some(Answer {
        status: status.ok_or(StoreError::Corrupt(schema::STATUS))?,
        content_type: schema::get_text(item, schema::CONTENT_TYPE)?.to_owned(),
        body: body.to_owned(),
    }))
}
