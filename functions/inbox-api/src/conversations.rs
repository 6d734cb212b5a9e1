//! The conversations of an account, the latest first.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lambda_http::RequestExt as _;
use numib::api::described::Described;
use numib::api::done::Done;
use numib::concurrent::try_all;
use numib::domain::connection::Connection;
use numib::domain::ids::{ConnectionId, ConversationId};
use numib::domain::plan::Plan;
use numib::edge::problem::Problem;
use numib::store::contacts::{Contact, InboxEntry, InboxStart};
use numib::store::messages::{Order, StoredMessage};

use crate::access::{self, READERS};
use crate::app::{App, Call, Route};
use crate::reading::Keyring;
use crate::wire::{
    CONVERSATIONS_LIMIT, CURSOR_LEN_MAX, Conversation, ConversationsPage, LIMIT_MAX,
    conversations_query, write_entry,
};

/// Conversations read at once.
const CONCURRENCY: usize = 16;
/// Rounds to fill a page past conversations whose messages have all expired.
const ROUNDS_MAX: usize = 4;
/// Characters of the last message that a list shows.
const PREVIEW_CHARS: usize = 140;

type Connections = BTreeMap<ConnectionId, Connection>;

/// A conversation with its latest live message.
struct Live {
    conversation: ConversationId,
    latest: StoredMessage,
}

/// How to have all conversations, where messages come meanwhile.
const WALK: &str = "\
    A walk over the pages shows a conversation once for each place it finds it at. One that gets \
    a message meanwhile moves up and may be missed by the pages that follow. To have them all: \
    (1) Note the time T, walk to the end, and keep each conversation's last_message.id by its \
    id. (2) Note the time U, and list again from the top, taking in what is new or changed, up \
    to the first page that shows at least one conversation, and only such as were kept with the \
    same last_message.id and whose last_message.sent_at is more than ten minutes before T, or up \
    to the end. (3) If step 2 took more than one page, do it once more with U for T. That costs \
    one page where nothing has come, and otherwise one more for every `limit` conversations that \
    had a message since ten minutes before T. docs/api.md says why, and what is still missed.";

pub(crate) static LIST: Route = Route {
    key: "GET /v1/conversations",
    name: "listConversations",
    summary: "Conversations of the account, newest first",
    who: READERS,
    action: None,
    describe: |of| {
        let described = Described::gives::<ConversationsPage>(of, 200, "A page.").said(WALK);
        let described = described.limited(CONVERSATIONS_LIMIT, LIMIT_MAX);
        described.from_cursor("cursor", CURSOR_LEN_MAX)
    },
    handler: |call| Box::pin(list(call)),
};

/// One page of the account's conversations over all its connections, the latest first.
async fn list(call: &Call<'_>) -> Result<Done, Problem> {
    let &Call { app, now, .. } = call;
    let query = conversations_query(&call.request.query_string_parameters())?;
    let connections = access::connections(&app.store, call.account()).await?;
    let mut live: Vec<Live> = Vec::new();
    let mut after = query.after.clone();
    let mut more = true;
    for _ in 0..ROUNDS_MAX {
        let wanted = query.limit.saturating_sub(live.len());
        let entries;
        (entries, more) = merged(app, &connections, after.as_ref(), wanted).await?;
        after = entries.last().cloned().or(after);
        live.extend(still_live(app, &connections, &entries, now).await?);
        if !more || live.len() >= query.limit {
            break;
        }
    }
    let conversations = show(app, &connections, &live).await?;
    let cursor = after.filter(|_| more).as_ref().map(write_entry);
    Ok(Done::ok(&ConversationsPage { conversations, cursor }))
}

/// The next entries over all connections, ordered by time and then connection, and whether there
/// are more. Each connection continues exactly where that order left it.
async fn merged(
    app: &App,
    connections: &Connections,
    after: Option<&InboxEntry>,
    wanted: usize,
) -> Result<(Vec<InboxEntry>, bool), Problem> {
    // One more than wanted tells whether there are more.
    let limit = i32::try_from(wanted.saturating_add(1)).unwrap_or(i32::MAX);
    let lists = connections.keys().map(|id| {
        let start = after.map(|after| start_of(id, after));
        app.store.inbox(id, start, limit)
    });
    let mut entries: Vec<InboxEntry> =
        try_all(lists, CONCURRENCY).await?.into_iter().flatten().collect();
    // Stable: entries of one connection stay in the index's own order.
    entries.sort_by(|a, b| {
        let newest_first = b.last_message_at.cmp(&a.last_message_at);
        newest_first.then_with(|| a.conversation.connection.cmp(&b.conversation.connection))
    });
    let more = entries.len() > wanted;
    entries.truncate(wanted);
    Ok((entries, more))
}

/// Where a connection continues after an entry that may be another connection's.
fn start_of(id: &ConnectionId, after: &InboxEntry) -> InboxStart {
    match id.cmp(&after.conversation.connection) {
        std::cmp::Ordering::Equal => InboxStart::After(after.clone()),
        std::cmp::Ordering::Less => InboxStart::Before(after.last_message_at),
        std::cmp::Ordering::Greater => InboxStart::From(after.last_message_at),
    }
}

/// Looks at each entry now: its contact, and its latest message that has not expired.
async fn still_live(
    app: &App,
    connections: &Connections,
    entries: &[InboxEntry],
    now: Timestamp,
) -> Result<Vec<Live>, Problem> {
    let asked: BTreeSet<_> = entries.iter().map(|entry| entry.conversation.clone()).collect();
    let sight = app.store.look_again(&BTreeSet::new(), &asked).await?;
    let contacts = entries.iter().filter_map(|entry| {
        let contact = sight.contacts.get(&entry.conversation)?;
        let connection = connections.get(&entry.conversation.connection)?;
        Some((entry, connection.plan, *contact))
    });
    let latest =
        contacts.map(|(entry, plan, contact)| latest(app, &entry.conversation, plan, contact, now));
    let latest = try_all(latest, CONCURRENCY).await?;
    Ok(latest.into_iter().flatten().collect())
}

/// The latest live message of a conversation; `None` when all have expired or were erased.
async fn latest(
    app: &App,
    conversation: &ConversationId,
    plan: Plan,
    contact: Contact,
    now: Timestamp,
) -> Result<Option<Live>, Problem> {
    let newest = (Order::NewestFirst, None);
    let page = app.store.message_page(conversation, newest, 1, (plan, now)).await?;
    let latest = page.messages.into_iter().next();
    let latest = latest.filter(|message| !contact.marks.erases(message.sent_at));
    Ok(latest.map(|latest| Live { conversation: conversation.clone(), latest }))
}

async fn show(
    app: &App,
    connections: &Connections,
    live: &[Live],
) -> Result<Vec<Conversation>, Problem> {
    let located: Vec<_> = live
        .iter()
        .filter_map(|one| {
            let connection = connections.get(&one.conversation.connection)?;
            Some((connection, &one.conversation, &one.latest))
        })
        .collect();
    let mut keys = Keyring::unwrap(app, &located).await?;
    let mut shown = Vec::with_capacity(located.len());
    for (connection, conversation, latest) in located {
        let Some(mut last_message) = keys.show((connection, conversation, latest))? else {
            continue;
        };
        last_message.text = last_message.text.map(|text| preview(&text));
        shown.push(Conversation {
            id: conversation.to_string(),
            connection_id: connection.id.to_string(),
            channel: connection.channel.as_str(),
            last_message,
        });
    }
    Ok(shown)
}

fn preview(text: &str) -> String {
    let mut characters = text.chars();
    let mut preview: String = characters.by_ref().take(PREVIEW_CHARS).collect();
    if characters.next().is_some() {
        preview.push('…');
    }
    preview
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_cuts_between_characters_and_says_so() {
        assert_eq!(preview("short"), "short");
        let long = "é".repeat(200);
        let cut = preview(&long);
        assert_eq!(cut.chars().count(), 141);
        assert!(cut.ends_with('…'));
        assert_eq!(preview(&"é".repeat(140)), "é".repeat(140));
    }

    #[test]
    fn each_connection_continues_where_the_order_left_it() {
        let conversation = ConversationId::parse("b.x").unwrap();
        let at = Timestamp::UNIX_EPOCH;
        let after = InboxEntry { conversation, last_message_at: at };
        let start = |id: &str| start_of(&ConnectionId::parse(id).unwrap(), &after);
        assert_eq!(start("a"), InboxStart::Before(at));
        assert_eq!(start("b"), InboxStart::After(after.clone()));
        assert_eq!(start("c"), InboxStart::From(at));
    }
}
