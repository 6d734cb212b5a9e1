//! The messages of a conversation, the latest first.

use lambda_http::RequestExt as _;
use numib::api::described::Described;
use numib::api::done::Done;
use numib::domain::ids::ConversationId;
use numib::edge::problem::Problem;
use numib::store::messages::{MessagePage, Order, Position, StoredMessage};

use crate::access::{self, READERS};
use crate::app::{Call, Route};
use crate::reading::Keyring;
use crate::wire::{
    CURSOR_LEN_MAX, LIMIT_MAX, MESSAGES_LIMIT, MessagesPage, MessagesQuery, messages_query,
    write_position,
};

pub(crate) static LIST: Route = Route {
    key: "GET /v1/conversations/{id}/messages",
    name: "listMessages",
    summary: "Messages of a conversation, newest first",
    who: READERS,
    action: None,
    describe: |of| {
        let described = Described::gives::<MessagesPage>(of, 200, "A page.");
        let described = described.limited(MESSAGES_LIMIT, LIMIT_MAX);
        let described = described.from_cursor("older", CURSOR_LEN_MAX);
        described
            .from_cursor("newer", CURSOR_LEN_MAX)
            .said("`older` goes back from a place, `newer` goes forward; they exclude each other.")
    },
    handler: |call| Box::pin(list(call)),
};

/// One page of a conversation, the latest first, whichever way it was read.
async fn list(call: &Call<'_>) -> Result<Done, Problem> {
    let &Call { app, now, .. } = call;
    let query = &messages_query(&call.request.query_string_parameters())?;
    let id = &call.parameter("id", ConversationId::parse)?;
    let (connection, contact) = access::conversation(&app.store, call.account(), id).await?;
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
    let (older, newer) = (older(&page, query), newer(&page, query));
    Ok(Done::ok(&MessagesPage { messages, older, newer }))
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
