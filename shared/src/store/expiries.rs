//! What time to live has left: the days on which contacts are visited for it (`core`, index
//! `by_sweep_date`), and a conversation's rows, the oldest first.

use super::contacts::{contact_id, contact_key};
use super::expression::Changes;
use super::item::{Item, day, seconds};
use super::messages::{MessageKey, primary};
use super::read::{Page, Query};
use super::schema::{self, Index, Table};
use super::sweep::{SWEPT, SweepRow, sweep_row};
use super::write::Write;
use super::{Store, StoreError};
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
pub struct DueAfter(pub(super) Item);

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
        let page = self.due_on(&schema::BY_SWEEP_DATE, on, after, PAGE).await?;
        let visits = page.items.iter().map(|item| due_visit(item, on)).collect();
        Ok((visits, page.next.map(DueAfter)))
    }

    /// A page of what an index has under a day; none of it may be there any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn due_on(
        &self,
        index: &Index,
        on: Day,
        after: Option<DueAfter>,
        limit: i32,
    ) -> Result<Page, StoreError> {
        let due = Query::index(index, on.to_string()).from(after.map(|after| after.0));
        self.page(due.limit(limit)).await
    }

    /// Notes when a conversation that was visited is to be visited again, or that it has nothing to
    /// visit; false where its contact names another day by now, or is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_visit(&self, visit: &DueVisit, next: Option<Day>) -> Result<bool, StoreError> {
        let end = match next {
            None => Changes::new().remove(schema::SWEEP_ON),
            Some(next) => Changes::new().set(schema::SWEEP_ON, day(next)),
        };
        let end = Write::update(Table::Core, contact_key(&visit.conversation), end)
            .only_if(schema::SWEEP_ON.is(day(visit.on)));
        self.write_if_met(end).await
    }

    /// Has a conversation visited on that day at the latest. Where its contact is gone, nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn visit_by(&self, conversation: &ConversationId, on: Day) -> Result<(), StoreError> {
        let is_earlier = schema::SWEEP_ON.is_above(day(on));
        let is_earlier = schema::SWEEP_ON.is_absent().or(is_earlier);
        let lower = Changes::new().set(schema::SWEEP_ON, day(on));
        let lower = Write::update(Table::Core, contact_key(conversation), lower)
            .only_if(schema::PK.exists().and(is_earlier));
        self.write_unless_refused(lower).await
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
        let rows = Query::index(&schema::BY_SENT_AT, conversation.to_string())
            .only(SWEPT)
            .from(after.map(|after| after.0))
            .limit(limit);
        let page = self.page(rows).await?;
        Ok((page.items.iter().map(sweep_row).collect(), page.next.map(OldestAfter)))
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
        let is_as_seen = schema::EXPIRES_AT.is(seconds(row.expires_at));
        let delete = Write::delete(Table::Messages, primary(&key))
            .only_if(is_as_seen.and(schema::SENT_AT.exists()));
        self.write_if_met(delete).await
    }
}

fn due_visit(item: &Item, on: Day) -> Result<DueVisit, StoreError> {
    Ok(DueVisit {
        account: item.parsed(schema::ACCOUNT_ID, AccountId::parse)?,
        conversation: ConversationId {
            connection: item.parsed(schema::PK, schema::connection_of)?,
            contact: contact_id(item)?,
        },
        on,
    })
}
