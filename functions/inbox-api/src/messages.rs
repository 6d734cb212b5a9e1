//! `GET /v1/conversations/{id}/messages`

use jiff::Timestamp;
use numib::domain::ids::{AccountId, ConversationId};
use numib::edge::problem::Problem;
use numib::store::messages::{MessagePage, Order, Position, StoredMessage};

use crate::reading::Keyring;
use crate::wire::{MessagesPage, MessagesQuery, write_position};
use crate::{App, access};

/// One page of a conversation, the latest first, whichever way it was read.
pub(crate) async fn list(
    app: &App,
    account: &AccountId,
    id: &ConversationId,
    query: &MessagesQuery,
    now: Timestamp,
) -> Result<MessagesPage, Problem> {
    let (connection, contact) = access::conversation(&app.store, account, id).await?;
    let start = (query.order, query.start.clone());
    let mut page = app.store.message_page(id, start, query.limit, (connection.plan, now)).await?;
    page.messages.retain(|message| !contact.marks.erases(message.sent_at));
    if query.order == Order::OldestFirst {
        page.messages.reverse();
    }
    let located: Vec<_> = page.messages.iter().map(|message| (&connection, id, message)).collect();
    let mut keys = Keyring::unwrap(app, &located).await?;
    let mut messages = Vec::with_capacity(located.len());
    for message in located {
        messages.extend(keys.show(message)?);
    }
    Ok(MessagesPage { messages, older: older(&page, query), newer: newer(&page, query) })
}

/// Where going back continues.
fn older(page: &MessagePage, query: &MessagesQuery) -> Option<String> {
    match query.order {
        Order::NewestFirst => page.next.as_ref().map(write_position),
        Order::OldestFirst => page
            .messages
            .last()
            .map(position)
            .or_else(|| query.start.clone())
            .as_ref()
            .map(write_position),
    }
}

/// Where going forward continues: the latest message seen, so that asking again shows what is new.
fn newer(page: &MessagePage, query: &MessagesQuery) -> Option<String> {
    let latest = page.messages.first().map(position);
    let latest = match query.order {
        Order::NewestFirst => latest,
        Order::OldestFirst => page.next.clone().or(latest).or_else(|| query.start.clone()),
    };
    latest.as_ref().map(write_position)
}

fn position(message: &StoredMessage) -> Position {
    Position { sent_at: message.sent_at, message: message.id.clone() }
}
