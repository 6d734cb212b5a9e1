//! What time to live has left: the days on which contacts are visited for it (`core`, index
//! `by_sweep_date`), and a conversation's rows, the oldest first.

use super::contacts::contact_id;
use super::contacts::contact_key;
use super::messages::{MessageKey, primary};
use super::schema::{self, Item};
use super::sweep::{SWEPT, SweepRow, sweep_row};
use super::{Store, StoreError, classify, met, unless_refused};
use crate::domain::ids::{AccountId, ConversationId};
use crate::domain::time::Day;

/// Visits of one page of due ones.
const PAGE: i32 = 100;

/// A conversation that is to be visited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueVisit {
    /// The account that has it.
    pub account: AccountId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The day that its contact names.
    pub on: Day,
}

/// Where a page of what is due on a day ended.
#[derive(Debug, Clone)]
pub struct DueAfter(Item);

/// Where a page of rows ended.
#[derive(Debug, Clone)]
pub struct OldestAfter(Item);

impl Store {
    /// A page of the conversations that are to be visited on a day, by the index of those days: one
    /// with nothing to visit costs nothing. An index may be a moment old. One that cannot be read
    /// holds up no other.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn visits_due(
        &self,
        on: Day,
        after: Option<DueAfter>,
    ) -> Result<(Vec<Result<DueVisit, StoreError>>, Option<DueAfter>), StoreError> {
        let index = (&self.tables.core, schema::expiries::BY_SWEEP_DATE);
        let (visits, next) = self.due_on(index, "sweep_on = :day", on, (after, PAGE)).await?;
        Ok((visits.iter().map(|item| due_visit(item, on)).collect(), next))
    }

    /// A page of what an index has under a day; none of it may be there any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn due_on(
        &self,
        (table, index): (&String, &str),
        condition: &str,
        on: Day,
        (after, limit): (Option<DueAfter>, i32),
    ) -> Result<(Vec<Item>, Option<DueAfter>), StoreError> {
        let answer = self
            .client
            .query()
            .table_name(table)
            .index_name(index)
            .key_condition_expression(condition)
            .expression_attribute_values(":day", schema::text(on.to_string()))
            .limit(limit)
            .set_exclusive_start_key(after.map(|after| after.0))
            .send()
            .await
            .map_err(|error| classify(&error))?;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key.map(DueAfter)))
    }

    /// Notes when a conversation that was visited is to be visited again, or that it has nothing to
    /// visit; false where its contact names another day by now, or is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_visit(&self, visit: &DueVisit, next: Option<Day>) -> Result<bool, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(contact_key(&visit.conversation)))
            .condition_expression("sweep_on = :seen")
            .expression_attribute_values(":seen", schema::text(visit.on.to_string()));
        let update = match next {
            None => update.update_expression("REMOVE sweep_on"),
            Some(next) => update
                .update_expression("SET sweep_on = :next")
                .expression_attribute_values(":next", schema::text(next.to_string())),
        };
        met(update.send().await.map_err(|error| classify(&error)))
    }

    /// Has a conversation visited on that day at the latest. Where its contact is gone, nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn visit_by(
        &self,
        conversation: &ConversationId,
        day: Day,
    ) -> Result<(), StoreError> {
        let lowered = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(contact_key(conversation)))
            .update_expression("SET sweep_on = :day")
            .condition_expression(
                "attribute_exists(pk) AND (attribute_not_exists(sweep_on) OR sweep_on > :day)",
            )
            .expression_attribute_values(":day", schema::text(day.to_string()))
            .send()
            .await;
        unless_refused(lowered.map(|_| ()).map_err(|error| classify(&error)))
    }

    /// A page of a conversation's messages, the oldest first, read consistently and without what is
    /// sealed in them; neither tombstones nor edits that wait. One that cannot be read holds up no
    /// other.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn oldest_rows(
        &self,
        conversation: &ConversationId,
        after: Option<OldestAfter>,
        limit: i32,
    ) -> Result<(Vec<Result<SweepRow, StoreError>>, Option<OldestAfter>), StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.messages)
            .index_name(schema::BY_SENT_AT)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .projection_expression(SWEPT)
            .expression_attribute_values(":pk", schema::text(conversation.to_string()))
            .limit(limit)
            .set_exclusive_start_key(after.map(|after| after.0))
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let rows = answer.items.unwrap_or_default().iter().map(sweep_row).collect();
        Ok((rows, answer.last_evaluated_key.map(OldestAfter)))
    }

    /// Deletes a message that has expired, if it still expires as it was read: it may be held by
    /// now, have another time, or be a tombstone. True when it was deleted.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.2, R6.7
    pub async fn delete_expired_row(
        &self,
        conversation: &ConversationId,
        row: &SweepRow,
    ) -> Result<bool, StoreError> {
        let key = MessageKey { conversation: conversation.clone(), message: row.message.clone() };
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.tables.messages)
            .set_key(Some(primary(&key)))
            .condition_expression("expires_at = :seen AND attribute_exists(sent_at)")
            .expression_attribute_values(":seen", schema::seconds(row.expires_at))
            .send()
            .await;
        met(deleted.map_err(|error| classify(&error)))
    }
}

fn due_visit(item: &Item, on: Day) -> Result<DueVisit, StoreError> {
    let account = AccountId::parse(schema::get_text(item, schema::ACCOUNT_ID)?);
    let connection = schema::connection_of(schema::get_text(item, schema::PK)?);
    Ok(DueVisit {
        account: account.ok_or(StoreError::Corrupt(schema::ACCOUNT_ID))?,
        conversation: ConversationId {
            connection: connection.ok_or(StoreError::Corrupt(schema::PK))?,
            contact: contact_id(item)?,
        },
        on,
    })
}
