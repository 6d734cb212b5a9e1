//! Reading messages back: pages of a conversation, and single rows.

use jiff::Timestamp;

use super::{
    MessageKey, MessagePage, Order, Position, RawRow, StoredMessage, expiry, primary, row,
};
use crate::domain::ids::{ConversationId, MessageId};
use crate::domain::plan::Plan;
use crate::domain::sealed::Sealed;
use crate::store::schema::{self, Item};
use crate::store::{Store, StoreError, classify};

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
            let key = MessageKey {
                conversation: conversation.clone(),
                message: position.message.clone(),
            };
            let mut start = primary(&key);
            start.insert(schema::SENT_AT.to_owned(), schema::milliseconds(position.sent_at));
            start
        });
        let (condition, until) = match until {
            None => ("pk = :pk", None),
            Some(until) => {
                let until = (":until".to_owned(), schema::milliseconds(until));
                ("pk = :pk AND sent_at <= :until", Some(until))
            }
        };
        let answer = self
            .client
            .query()
            .table_name(&self.tables.messages)
            .index_name(schema::BY_SENT_AT)
            .consistent_read(true)
            .key_condition_expression(condition)
            .set_expression_attribute_values(until.map(|until| Item::from([until])))
            .expression_attribute_values(":pk", schema::text(conversation.to_string()))
            .scan_index_forward(order == Order::OldestFirst)
            .set_exclusive_start_key(start)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let next = answer.last_evaluated_key.as_ref().map(position).transpose()?;
        Ok((answer.items.unwrap_or_default(), next))
    }

    /// Reads one row consistently, tombstones and waiting edits included: what `replay` and tests
    /// look at. `None` when there is no row.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn message_row(&self, key: &MessageKey) -> Result<Option<RawRow>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.tables.messages)
            .set_key(Some(primary(key)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        answer.item.map(|item| raw(&item)).transpose()
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
    item.contains_key(schema::EDIT)
        .then(|| sealed(item, schema::EDIT, schema::EDIT_DAY))
        .transpose()
}

fn sealed(item: &Item, bytes: &'static str, day: &'static str) -> Result<Sealed, StoreError> {
    Ok(Sealed { day: schema::get_day(item, day)?, bytes: schema::get_bytes(item, bytes)?.to_vec() })
}

fn position(item: &Item) -> Result<Position, StoreError> {
    Ok(Position {
        sent_at: schema::get_milliseconds(item, schema::SENT_AT)?
            .ok_or(StoreError::Corrupt(schema::SENT_AT))?,
        message: MessageId::parse(schema::get_text(item, schema::SK)?)
            .ok_or(StoreError::Corrupt(schema::SK))?,
    })
}
