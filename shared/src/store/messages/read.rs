//! Reading messages back: pages of a conversation, and single rows.

use jiff::Timestamp;

use super::{
    MessageKey, MessagePage, Order, Position, RawRow, StoredMessage, expiry, primary, row,
};
use crate::domain::ids::{ConversationId, MessageId};
use crate::domain::plan::Plan;
use crate::domain::sealed::Sealed;
use crate::store::item::{Item, milliseconds};
use crate::store::read::Query;
use crate::store::schema::{self, Attribute, Table};
use crate::store::{Store, StoreError};

/// Query pages read to fill one page of live messages, so that a heap of expired rows cannot hold a
/// request up; the cursor goes on where it stopped.
const PAGES_MAX: usize = 8;

impl Store {
    /// Reads live messages of a conversation, consistently, from just past `start`.
    ///
    /// What has expired by `now` is left out, whether or not the database has removed it (R6.2).
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.2
    pub async fn message_page(
        &self,
        conversation: &ConversationId,
        (order, start): (Order, Option<Position>),
        limit: usize,
        (plan, now): (Plan, Timestamp),
    ) -> Result<MessagePage, StoreError> {
        let mut messages: Vec<StoredMessage> = Vec::new();
        let mut next = start;
        for _ in 0..PAGES_MAX {
            let wanted = limit.saturating_sub(messages.len());
            let items =
                self.message_query(conversation, order, next.as_ref(), None, wanted).await?;
            next = items.1;
            for item in &items.0 {
                messages.extend(live(item, (plan, now))?);
            }
            if next.is_none() || messages.len() >= limit {
                break;
            }
        }
        Ok(MessagePage { messages, next })
    }

    /// Reads a page of live messages sent up to a time, oldest first, consistently: one megabyte of
    /// rows at most, whatever their number.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R5.4, R6.2
    pub async fn messages_until(
        &self,
        conversation: &ConversationId,
        (start, until): (Option<Position>, Timestamp),
        limit: usize,
        (plan, now): (Plan, Timestamp),
    ) -> Result<MessagePage, StoreError> {
        let oldest = Order::OldestFirst;
        let until = Some(until);
        let (items, next) =
            self.message_query(conversation, oldest, start.as_ref(), until, limit).await?;
        let messages = items.iter().map(|item| live(item, (plan, now)));
        let messages: Result<Vec<_>, _> = messages.filter_map(Result::transpose).collect();
        Ok(MessagePage { messages: messages?, next })
    }

    async fn message_query(
        &self,
        conversation: &ConversationId,
        order: Order,
        start: Option<&Position>,
        until: Option<Timestamp>,
        limit: usize,
    ) -> Result<(Vec<Item>, Option<Position>), StoreError> {
        let start = start.map(|position| {
            let message = position.message.clone();
            let key = MessageKey { conversation: conversation.clone(), message };
            primary(&key).with(schema::SENT_AT, milliseconds(position.sent_at))
        });
        let mut query = Query::index(&schema::BY_SENT_AT, conversation.to_string())
            .from(start)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        if order == Order::NewestFirst {
            query = query.backwards();
        }
        if let Some(until) = until {
            query = query.within(schema::SENT_AT.is_at_most(milliseconds(until)));
        }
        let page = self.page(query).await?;
        let next = page.next.as_ref().map(position).transpose()?;
        Ok((page.items, next))
    }

    /// Reads one row consistently, tombstones and waiting edits included: what `replay` and tests
    /// look at. `None` when there is no row.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn message_row(&self, key: &MessageKey) -> Result<Option<RawRow>, StoreError> {
        let item = self.item(Table::Messages, primary(key)).await?;
        item.map(|item| raw(&item)).transpose()
    }
}

fn raw(item: &Item) -> Result<RawRow, StoreError> {
    let row = row(item)?;
    Ok(RawRow {
        row,
        message: row.has_message.then(|| sealed(item, schema::SEALED, schema::DAY)).transpose()?,
        edit: edit(item)?,
        expires_at: expiry(item)?,
    })
}

/// A message that has not expired.
fn live(item: &Item, (plan, now): (Plan, Timestamp)) -> Result<Option<StoredMessage>, StoreError> {
    let mut message = stored(item)?;
    // A plan that has become shorter holds before its rows are reached (R6.5).
    message.expires_at = message.expires_at.min(plan.expires_at(message.sent_at, now));
    Ok(Some(message).filter(|message| message.expires_at > now))
}

fn stored(item: &Item) -> Result<StoredMessage, StoreError> {
    let Position { sent_at, message } = position(item)?;
    Ok(StoredMessage {
        id: message,
        sent_at,
        sealed: sealed(item, schema::SEALED, schema::DAY)?,
        edit: edit(item)?,
        expires_at: expiry(item)?,
    })
}

fn edit(item: &Item) -> Result<Option<Sealed>, StoreError> {
    item.has(schema::EDIT).then(|| sealed(item, schema::EDIT, schema::EDIT_DAY)).transpose()
}

fn sealed(item: &Item, bytes: Attribute, day: Attribute) -> Result<Sealed, StoreError> {
    Ok(Sealed { day: item.day(day)?, bytes: item.bytes(bytes)?.to_vec() })
}

fn position(item: &Item) -> Result<Position, StoreError> {
    Ok(Position {
        sent_at: item.time(schema::SENT_AT)?,
        message: item.parsed(schema::SK, MessageId::parse)?,
    })
}
