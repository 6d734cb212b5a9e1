//! Requests and answers as they travel. Cursors are opaque to callers: base64url over a position.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use lambda_http::aws_lambda_events::query_map::QueryMap;
use numib::domain::ids::{ConversationId, MessageId};
use numib::domain::update::Kind;
use numib::edge::problem::Problem;
use numib::store::contacts::InboxEntry;
use numib::store::messages::{Order, Position};
use schemars::JsonSchema;
use serde::Serialize;

pub(crate) const LIMIT_MAX: usize = 100;
pub(crate) const CONVERSATIONS_LIMIT: usize = 25;
pub(crate) const MESSAGES_LIMIT: usize = 50;
/// Longer than any cursor we make.
pub(crate) const CURSOR_LEN_MAX: usize = 256;

const BAD_LIMIT: Problem = Problem::field("limit", "`limit` must be a number from 1 to 100.");
const BAD_CURSOR: Problem =
    Problem::field("cursor", "Please send a cursor that this list gave you.");
const TWO_CURSORS: Problem =
    Problem::field("cursor", "Please send `older` or `newer`, and not both.");

/// A page of conversations, asked for.
#[derive(Debug)]
pub(crate) struct ConversationsQuery {
    pub(crate) limit: usize,
    pub(crate) after: Option<InboxEntry>,
}

/// A page of messages, asked for.
#[derive(Debug)]
pub(crate) struct MessagesQuery {
    pub(crate) limit: usize,
    pub(crate) order: Order,
    pub(crate) start: Option<Position>,
}

/// `?limit=&cursor=`
pub(crate) fn conversations_query(query: &QueryMap) -> Result<ConversationsQuery, Problem> {
    let after = query.first("cursor").map(|text| read_entry(text).ok_or(BAD_CURSOR)).transpose()?;
    Ok(ConversationsQuery { limit: limit(query, CONVERSATIONS_LIMIT)?, after })
}

/// `?limit=&older=` or `?limit=&newer=`
pub(crate) fn messages_query(query: &QueryMap) -> Result<MessagesQuery, Problem> {
    let read = |text: &str| read_position(text).ok_or(BAD_CURSOR);
    let (order, start) = match (query.first("older"), query.first("newer")) {
        (None, None) => (Order::NewestFirst, None),
        (Some(text), None) => (Order::NewestFirst, Some(read(text)?)),
        (None, Some(text)) => (Order::OldestFirst, Some(read(text)?)),
        (Some(_), Some(_)) => return Err(TWO_CURSORS),
    };
    Ok(MessagesQuery { limit: limit(query, MESSAGES_LIMIT)?, order, start })
}

fn limit(query: &QueryMap, default: usize) -> Result<usize, Problem> {
    let Some(text) = query.first("limit") else { return Ok(default) };
    let limit = text.parse().map_err(|_| BAD_LIMIT)?;
    if (1..=LIMIT_MAX).contains(&limit) { Ok(limit) } else { Err(BAD_LIMIT) }
}

/// A page of conversations, the latest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ConversationsPage {
    pub(crate) conversations: Vec<Conversation>,
    /// Where the next page starts; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<String>,
}

/// One conversation.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Conversation {
    pub(crate) id: String,
    pub(crate) connection_id: String,
    #[schemars(extend("enum" = ["messenger", "instagram"]))]
    pub(crate) channel: &'static str,
    /// A text over 140 characters is cut here and ends with "…".
    pub(crate) last_message: Message,
}

/// A page of messages, the latest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MessagesPage {
    pub(crate) messages: Vec<Message>,
    /// Goes further back; absent at the start of the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) older: Option<String>,
    /// Goes on from the latest message of this page: ask again to see what has come since. Absent
    /// on an empty page, unless that was asked for with `newer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) newer: Option<String>,
}

/// One message.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Message {
    pub(crate) id: String,
    #[schemars(extend("enum" = ["in", "out"]))]
    pub(crate) direction: &'static str,
    #[schemars(extend("enum" = kinds()))]
    pub(crate) kind: &'static str,
    /// Null where it says nothing: an image, a sticker.
    #[schemars(required, extend("type" = ["string", "null"]))]
    pub(crate) text: Option<String>,
    pub(crate) edited: bool,
    /// RFC 3339, UTC.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) sent_at: String,
    /// RFC 3339, UTC: from then on no answer contains it.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) expires_at: String,
}

fn kinds() -> Vec<&'static str> {
    Kind::ALL.iter().map(|kind| kind.as_str()).collect()
}

pub(crate) fn write_position(position: &Position) -> String {
    let Position { sent_at, message } = position;
    URL_SAFE_NO_PAD.encode(format!("m1 {} {message}", sent_at.as_millisecond()))
}

pub(crate) fn write_entry(entry: &InboxEntry) -> String {
    let InboxEntry { conversation, last_message_at } = entry;
    URL_SAFE_NO_PAD.encode(format!("c1 {} {conversation}", last_message_at.as_millisecond()))
}

fn read_position(cursor: &str) -> Option<Position> {
    let (sent_at, message) = read_cursor("m1", cursor)?;
    Some(Position { sent_at, message: MessageId::parse(&message)? })
}

fn read_entry(cursor: &str) -> Option<InboxEntry> {
    let (last_message_at, conversation) = read_cursor("c1", cursor)?;
    Some(InboxEntry { conversation: ConversationId::parse(&conversation)?, last_message_at })
}

fn read_cursor(version: &str, cursor: &str) -> Option<(Timestamp, String)> {
    if cursor.len() > CURSOR_LEN_MAX {
        return None;
    }
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let rest = text.strip_prefix(version)?.strip_prefix(' ')?;
    let (at, id) = rest.split_once(' ')?;
    Some((Timestamp::from_millisecond(at.parse().ok()?).ok()?, id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> QueryMap {
        text.parse().unwrap()
    }

    #[test]
    fn cursors_read_back_what_they_wrote_and_nothing_else() {
        let position = Position {
            sent_at: Timestamp::from_millisecond(1_796_099_999_500).unwrap(),
            message: MessageId::parse("abc_-9").unwrap(),
        };
        let cursor = write_position(&position);
        assert_eq!(read_position(&cursor), Some(position));
        assert_eq!(read_entry(&cursor), None);
        for bad in ["", "x", "####", &"a".repeat(500), &URL_SAFE_NO_PAD.encode("m1 9e99 a")] {
            assert_eq!(read_position(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn limits_outside_1_to_100_are_refused_with_their_name() {
        for bad in ["limit=0", "limit=101", "limit=-1", "limit=ten", "limit="] {
            assert_eq!(messages_query(&query(bad)).unwrap_err().kind, "limit", "{bad}");
        }
        assert_eq!(messages_query(&query("limit=100")).unwrap().limit, 100);
        assert_eq!(conversations_query(&query("")).unwrap().limit, 25);
    }

    #[test]
    fn a_page_goes_one_way() {
        let cursor = write_position(&Position {
            sent_at: Timestamp::UNIX_EPOCH,
            message: MessageId::parse("m").unwrap(),
        });
        let both = format!("older={cursor}&newer={cursor}");
        assert_eq!(messages_query(&query(&both)).unwrap_err(), TWO_CURSORS);
        let newer = messages_query(&query(&format!("newer={cursor}"))).unwrap();
        assert_eq!(newer.order, Order::OldestFirst);
        assert_eq!(messages_query(&query("older=zzz")).unwrap_err(), BAD_CURSOR);
    }
}
