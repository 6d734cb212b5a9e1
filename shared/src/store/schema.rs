//! Every key, index and attribute name, and how values are written. The map of the tables:
//!
//! | table | partition `pk` | sort `sk` | holds |
//! |---|---|---|---|
//! | core | `ROUTE#route` | `CONNECTION` | a connection, found by where its webhooks are routed |
//! | core | `CONNECTION#connection` | `CONTACT#contact` | a contact and its marks |
//! | core | `ACCOUNT#account` | `CONNECTION#connection` | which connections an account has |
//! | core | `MEMBER#member` | `MEMBER` | which account a member belongs to, and as what |
//! | messages | `connection.contact` | message | a sealed message, a waiting edit, or a tombstone |
//! | keys | `CONNECTION#connection` | `DAY#date` | a wrapped day key |
//! | keys | `ROUTE#route` | `INDEX` | a connection's index key |

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::StoreError;
use crate::domain::ids::{AccountId, ConnectionId, ContactId, MemberId, RouteId};
use crate::domain::time::Day;

/// An item, as the SDK has it.
#[expect(clippy::disallowed_types, reason = "the SDK's own type")]
pub(super) type Item = std::collections::HashMap<String, AttributeValue>;

/// Partition key of every table.
pub(super) const PK: &str = "pk";
/// Sort key of every table.
pub(super) const SK: &str = "sk";

/// Index of `core`: a connection's contacts by last message.
pub(super) const INBOX: &str = "inbox";
/// Index of `core`: connections by how far ahead their keys reach.
pub(super) const PROVISIONING: &str = "provisioning";
/// Index of `messages`: a conversation by time.
pub(super) const BY_SENT_AT: &str = "by_sent_at";

/// Epoch seconds after which DynamoDB removes the item.
pub(super) const EXPIRES_AT: &str = "expires_at";
pub(super) const ACCOUNT_ID: &str = "account_id";
pub(super) const CONNECTION_ID: &str = "connection_id";
pub(super) const CHANNEL: &str = "channel";
pub(super) const STATE: &str = "state";
pub(super) const PLAN_DAYS: &str = "plan_days";
pub(super) const ROUTE_ID: &str = "route_id";
pub(super) const ROLE: &str = "role";
/// Epoch milliseconds.
pub(super) const CONNECTED_AT: &str = "connected_at";
/// Public day keys of a connection: a map from day to point.
pub(super) const DAY_KEYS: &str = "day_keys";
/// The last day a connection has a key for.
pub(super) const KEYS_UNTIL: &str = "keys_until";
pub(super) const PROVISION_SHARD: &str = "provision_shard";
/// Epoch milliseconds; moved at most once a minute per conversation.
pub(super) const LAST_MESSAGE_AT: &str = "last_message_at";
/// Epoch milliseconds.
pub(super) const RESTRICTED_AT: &str = "restricted_at";
/// Epoch milliseconds.
pub(super) const ERASED_AT: &str = "erased_at";
/// Epoch milliseconds, by Meta's clock.
pub(super) const SENT_AT: &str = "sent_at";
pub(super) const SEALED: &str = "sealed";
pub(super) const DAY: &str = "day";
pub(super) const EDIT: &str = "edit";
pub(super) const EDIT_DAY: &str = "edit_day";
pub(super) const NUM_EDIT: &str = "num_edit";
pub(super) const UNSENT: &str = "unsent";
pub(super) const INDEX_KEY: &str = "index_key";
pub(super) const PUBLIC_KEY: &str = "public_key";
pub(super) const WRAPPED_KEY: &str = "wrapped_key";
pub(super) const SHRED_ON: &str = "shred_on";

/// Sort key of a connection and of the item that holds it.
pub(super) const CONNECTION: &str = "CONNECTION";
/// Sort key of a member.
pub(super) const MEMBER: &str = "MEMBER";
/// Sort key of an index key.
pub(super) const INDEX: &str = "INDEX";
/// Prefix of an account's connections.
pub(super) const CONNECTION_PREFIX: &str = "CONNECTION#";
const CONTACT_PREFIX: &str = "CONTACT#";

pub(super) fn route_pk(route: &RouteId) -> String {
    format!("ROUTE#{route}")
}

pub(super) fn connection_pk(connection: &ConnectionId) -> String {
    format!("{CONNECTION_PREFIX}{connection}")
}

pub(super) fn account_pk(account: &AccountId) -> String {
    format!("ACCOUNT#{account}")
}

pub(super) fn member_pk(member: &MemberId) -> String {
    format!("MEMBER#{member}")
}

pub(super) fn contact_sk(contact: &ContactId) -> String {
    format!("{CONTACT_PREFIX}{contact}")
}

pub(super) fn day_sk(day: Day) -> String {
    format!("DAY#{day}")
}

/// The contact named by a sort key.
pub(super) fn contact_of(sk: &str) -> Option<ContactId> {
    ContactId::parse(sk.strip_prefix(CONTACT_PREFIX)?)
}

/// The route named by a partition key.
pub(super) fn route_of(pk: &str) -> Option<RouteId> {
    RouteId::parse(pk.strip_prefix("ROUTE#")?)
}

/// A whole primary key.
pub(super) fn key(pk: String, sk: String) -> Item {
    Item::from([(PK.to_owned(), text(pk)), (SK.to_owned(), text(sk))])
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

#[expect(clippy::needless_pass_by_value, reason = "numbers, and names of numbers: small")]
pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn binary(value: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

/// Epoch seconds, rounded down: time to live never keeps an item longer than promised.
pub(super) fn seconds(at: Timestamp) -> AttributeValue {
    number(at.as_second())
}

pub(super) fn milliseconds(at: Timestamp) -> AttributeValue {
    number(at.as_millisecond())
}

pub(super) fn get_text<'a>(item: &'a Item, name: &'static str) -> Result<&'a str, StoreError> {
    match item.get(name) {
        Some(AttributeValue::S(value)) => Ok(value),
        _ => Err(StoreError::Corrupt(name)),
    }
}

pub(super) fn get_bytes<'a>(item: &'a Item, name: &'static str) -> Result<&'a [u8], StoreError> {
    match item.get(name) {
        Some(AttributeValue::B(value)) => Ok(value.as_ref()),
        _ => Err(StoreError::Corrupt(name)),
    }
}

/// A number; `None` when the item has no such attribute.
pub(super) fn get_number<T>(item: &Item, name: &'static str) -> Result<Option<T>, StoreError>
where
    T: std::str::FromStr,
{
    match item.get(name) {
        None => Ok(None),
        Some(AttributeValue::N(value)) => {
            value.parse().map(Some).map_err(|_| StoreError::Corrupt(name))
        }
        Some(_) => Err(StoreError::Corrupt(name)),
    }
}

/// An instant in epoch milliseconds; `None` when the item has no such attribute.
pub(super) fn get_milliseconds(
    item: &Item,
    name: &'static str,
) -> Result<Option<Timestamp>, StoreError> {
    get_number(item, name)?
        .map(|ms| Timestamp::from_millisecond(ms).map_err(|_| StoreError::Corrupt(name)))
        .transpose()
}

pub(super) fn get_day(item: &Item, name: &'static str) -> Result<Day, StoreError> {
    Day::parse(get_text(item, name)?).ok_or(StoreError::Corrupt(name))
}
