//! Every key, index and attribute name, and how values are written. The map of the tables:
//!
//! | table | partition `pk` | sort `sk` | holds |
//! |---|---|---|---|
//! | core | `ROUTE#route` | `CONNECTION` | a connection, found by where its webhooks are routed |
//! | core | `CONNECTION#connection` | `CONTACT#contact` | a contact, its marks, its next sweep |
//! | core | `ACCOUNT#account` | `ACCOUNT` | an account, its sealed profile, its public keys |
//! | core | `ACCOUNT#account` | `CONNECTION#connection`, `MEMBER#member` | which ones it has |
//! | core | `MEMBER#member` | `MEMBER` | which account a member belongs to, and as what |
//! | core | `REQUESTS#account` | `time.request` | which requests are about it |
//! | core | `CONSENTS#account` | `purpose#time` | what it decided about a purpose |
//! | core | `EXPORTS#account` | `EXPORT#export`, `EXPORTING` | its exports; the one under way |
//! | core | `EXPORT#export` | `EXPORT`, `PART#number` | an export; files of a part of it |
//! | core | `ANSWER#member` | `KEY#key` | what a member is answered who repeats a request |
//! | messages | `connection.contact` | message | a sealed message, a waiting edit, or a tombstone |
//! | core | `REQUEST#request` | `REQUEST`, `PROGRESS` | what an erasure asks for; how far it is |
//! | core | `SUBJECT#subject` | `ERASURE` | the request that is under way for a subject |
//! | core | `ONCE#name` | `ERASURE` | the request of what is asked once only |
//! | core | `HOLD#record` | `HOLD#hold` | a hold |
//! | core | `HOLDS` | `record#hold` | that there is that hold: a list of all of them |
//! | core | `RETENTION` | `DAY#date` | what retention did that day, in numbers |
//! | core | `TAX#account` | `INVOICE#invoice` | a sealed tax record |
//! | core | `TAX-DUE` | `date#account#invoice` | the last day on which a tax record is kept |
//! | core | `POLICY#version` | `POLICY` | a version of the privacy policy |
//! | core | `POLICY#version` | `MEMBER#member` | that an owner was told of it |
//! | core | `POLICIES` | `date#version` | that there is that version: a list of all of them |
//! | core | `WAIT#record` | `REQUEST#request` | a request that waits for a hold on it |
//! | core | `LANE#lane` | `LANE` | the request that is sweeping there |
//! | keys | `CONNECTION#connection` | `DAY#date` | a wrapped day key |
//! | keys | `ACCOUNT#account` | `KEY` | the wrapped key of an account's profile |
//! | keys | `TAX#account` | `KEY` | the wrapped key of an account's tax records |
//! | keys | `ROUTE#route` | `INDEX` | a connection's index key |
//! | ledger | `ERASURES` | position | an erasure that was carried out |
//! | ledger | `HEAD` | `HEAD` | the last position |
//! | ledger | `REQUEST#request` | `ERASURES`, `ERASURES#n` | the positions of a request |
//! | ledger | `AUDIT#account` | `DAY#date#number`, `HEAD` | an audit event; where its chain ends |
//! | ledger | `AUDIT#account` | `CHECKPOINT` | what was cut off the chain, signed |
//! | ledger | `AUDITED` | `date#account` | that an account has audit events of a day |

pub(super) mod account;
pub(super) mod audit;
pub(super) mod erasures;
pub(super) mod expiries;
pub(super) mod exports;
pub(super) mod lists;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::StoreError;
use crate::domain::hold::Held;
use crate::domain::ids::{
    AccountId, ConnectionId, ContactId, HoldId, MemberId, RequestId, RouteId,
};
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
/// Index of `core`: contacts and connections by person.
pub(super) const BY_PERSON: &str = "by_person";
/// Index of `core`, and what is in it: requests that a worker has to end, by when they are due.
pub(super) const UNDER_WAY: &str = "under_way";
/// Index of `core`: connections by how far ahead their keys reach.
pub(super) const PROVISIONING: &str = "provisioning";
/// Index of `messages`: a conversation by time.
pub(super) const BY_SENT_AT: &str = "by_sent_at";

/// Epoch seconds after which DynamoDB removes the item.
pub(super) const EXPIRES_AT: &str = "expires_at";
/// Epoch seconds: of a row that a hold keeps from time to live, what `expires_at` was.
pub(super) const SHOWN_UNTIL: &str = "shown_until";
pub(super) const ACCOUNT_ID: &str = "account_id";
pub(super) const CONNECTION_ID: &str = "connection_id";
pub(super) const CHANNEL: &str = "channel";
pub(super) const STATE: &str = "state";
pub(super) const PLAN_DAYS: &str = "plan_days";
/// Epoch milliseconds.
pub(super) const PLAN_CHANGED_AT: &str = "plan_changed_at";
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
/// Epoch milliseconds: when a contact without a message was made known.
pub(super) const KNOWN_AT: &str = "known_at";
/// Epoch milliseconds.
pub(super) const ERASED_AT: &str = "erased_at";
/// Epoch milliseconds, by Meta's clock.
pub(super) const SENT_AT: &str = "sent_at";
pub(super) const SEALED: &str = "sealed";
pub(super) const DAY: &str = "day";
pub(super) const EDIT: &str = "edit";
pub(super) const EDIT_DAY: &str = "edit_day";
/// Epoch milliseconds: of one that waits.
pub(super) const EDIT_AT: &str = "edit_at";
pub(super) const NUM_EDIT: &str = "num_edit";
pub(super) const UNSENT: &str = "unsent";
/// A pseudonym under the pepper: of a contact's Meta id, or of the person who connected a channel.
pub(super) const PERSON_ID: &str = "person_id";
pub(super) const REQUEST_ID: &str = "request_id";
pub(super) const SOURCE: &str = "source";
pub(super) const SUBJECT: &str = "subject";
pub(super) const TARGETS: &str = "targets";
pub(super) const HELD_PART: &str = "held_part";
pub(super) const REQUESTED_AT: &str = "requested_at";
pub(super) const DUE_AT: &str = "due_at";
/// Of a request that a worker has to end: from when on.
pub(super) const READY_AT: &str = "ready_at";
pub(super) const DEADLINE: &str = "deadline";
/// Epoch milliseconds: when the owners were told of a request that it waits for its day, that it is
/// carried out, and that it is near its deadline.
pub(super) const TOLD_LOCKED_AT: &str = "told_locked_at";
pub(super) const TOLD_ENDING_AT: &str = "told_ending_at";
pub(super) const TOLD_AT_RISK_AT: &str = "told_at_risk_at";
pub(super) const REFERENCE: &str = "reference";
pub(super) const REASON: &str = "reason";
pub(super) const SET_AT: &str = "set_at";
pub(super) const COUNTS: &str = "counts";
pub(super) const TARGETS_SWEPT: &str = "targets_swept";
pub(super) const VERSION: &str = "version";
pub(super) const SHREDDED_AT: &str = "shredded_at";
pub(super) const SWEEPING_AT: &str = "sweeping_at";
pub(super) const COMPLETED_AT: &str = "completed_at";
pub(super) const POSITION: &str = "position";
pub(super) const RECEIPT: &str = "receipt";
/// Rows that are about to be deleted, contacts after them, and members.
pub(super) const IN_FLIGHT_MESSAGES: &str = "in_flight_messages";
pub(super) const IN_FLIGHT_CONTACTS: &str = "in_flight_contacts";
pub(super) const IN_FLIGHT_MEMBERS: &str = "in_flight_members";
/// Of the end of an audit chain: its place in its day's chain.
pub(super) const NUMBER: &str = "number";
pub(super) const HASH: &str = "hash";
pub(super) const PREVIOUS: &str = "previous";
pub(super) const EVENT_ID: &str = "event_id";
/// Epoch milliseconds.
pub(super) const AT: &str = "at";
pub(super) const ACTOR: &str = "actor";
pub(super) const ACTION: &str = "action";
pub(super) const OUTCOME: &str = "outcome";
pub(super) const SUBJECTS: &str = "subjects";
/// A pseudonym under the pepper.
pub(super) const ADDRESS: &str = "address";
/// A pseudonym under the pepper.
pub(super) const USER_AGENT: &str = "user_agent";
pub(super) const CHECKPOINT_JWS: &str = "checkpoint";
pub(super) const INDEX_KEY: &str = "index_key";
pub(super) const PUBLIC_KEY: &str = "public_key";
pub(super) const WRAPPED_KEY: &str = "wrapped_key";

/// Of an answer that is kept: a digest of what was asked.
pub(super) const FINGERPRINT: &str = "fingerprint";
/// Epoch milliseconds.
pub(super) const LEASE_UNTIL: &str = "lease_until";
pub(super) const CHOICE: &str = "choice";
pub(super) const POLICY_VERSION: &str = "policy_version";
pub(super) const STATUS: &str = "status";
pub(super) const CONTENT_TYPE: &str = "content_type";
pub(super) const ANSWER: &str = "answer";

/// Sort key of a connection and of the item that holds it.
pub(super) const CONNECTION: &str = "CONNECTION";
/// Sort key of an account.
pub(super) const ACCOUNT: &str = "ACCOUNT";
/// Sort key of a member.
pub(super) const MEMBER: &str = "MEMBER";
/// Sort key of an index key.
pub(super) const INDEX: &str = "INDEX";
/// Sort key of what a request asks for.
pub(super) const REQUEST: &str = "REQUEST";
/// Sort key of how far a request is.
pub(super) const PROGRESS: &str = "PROGRESS";
/// Sort key of a subject's request under way.
pub(super) const ERASURE: &str = "ERASURE";
/// Partition of the ledger's entries, and sort key of a request's position.
pub(super) const ERASURES: &str = "ERASURES";
/// Key of the ledger's last position.
pub(super) const HEAD: &str = "HEAD";
/// Partition of the list of all holds.
pub(super) const HOLDS: &str = "HOLDS";
/// Partition of what retention did each day.
pub(super) const RETENTION: &str = "RETENTION";
/// Sort key of what was cut off an account's audit chain; before every day.
pub(super) const CHECKPOINT: &str = "CHECKPOINT";
/// After every day of an audit chain.
pub(super) const AUDIT_END: &str = "DAY#~";
/// Partition of the days of which accounts have audit events.
pub(super) const AUDITED: &str = "AUDITED";
/// Prefix of an account's connections.
pub(super) const CONNECTION_PREFIX: &str = "CONNECTION#";
pub(super) const CONTACT_PREFIX: &str = "CONTACT#";
/// Prefix of an account's members.
pub(super) const MEMBER_PREFIX: &str = "MEMBER#";
/// Prefix of the holds on a record.
pub(super) const HOLD_PREFIX: &str = "HOLD#";

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
    format!("{MEMBER_PREFIX}{member}")
}

pub(super) fn answer_pk(member: &MemberId) -> String {
    format!("ANSWER#{member}")
}

pub(super) fn answer_sk(key: &str) -> String {
    format!("KEY#{key}")
}

pub(super) fn contact_sk(contact: &ContactId) -> String {
    format!("{CONTACT_PREFIX}{contact}")
}

pub(super) fn day_sk(day: Day) -> String {
    format!("DAY#{day}")
}

pub(super) fn request_pk(request: &RequestId) -> String {
    format!("REQUEST#{request}")
}

pub(super) fn subject_pk(subject: &str) -> String {
    format!("SUBJECT#{subject}")
}

pub(super) fn once_pk(name: &str) -> String {
    format!("ONCE#{name}")
}

pub(super) fn hold_pk(held: &Held) -> String {
    format!("HOLD#{held}")
}

pub(super) fn wait_pk(held: &Held) -> String {
    format!("WAIT#{held}")
}

pub(super) fn hold_sk(hold: &HoldId) -> String {
    format!("{HOLD_PREFIX}{hold}")
}

/// A ledger position as a sort key: its order is that of the numbers.
pub(super) fn position_sk(position: u64) -> String {
    format!("{position:020}")
}

/// The request named by a partition key.
pub(super) fn request_of(pk: &str) -> Option<RequestId> {
    RequestId::parse(pk.strip_prefix("REQUEST#")?)
}

/// The hold named by a sort key.
pub(super) fn hold_of(sk: &str) -> Option<HoldId> {
    HoldId::parse(sk.strip_prefix(HOLD_PREFIX)?)
}

/// The day named by a sort key.
pub(super) fn day_of(sk: &str) -> Option<Day> {
    Day::parse(sk.strip_prefix("DAY#")?)
}

/// The connection named by a partition key.
pub(super) fn connection_of(pk: &str) -> Option<ConnectionId> {
    ConnectionId::parse(pk.strip_prefix(CONNECTION_PREFIX)?)
}

/// The contact named by a sort key.
pub(super) fn contact_of(sk: &str) -> Option<ContactId> {
    ContactId::parse(sk.strip_prefix(CONTACT_PREFIX)?)
}

/// The member named by a sort key.
pub(super) fn member_of(sk: &str) -> Option<MemberId> {
    MemberId::parse(sk.strip_prefix(MEMBER_PREFIX)?)
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

/// A text; `None` when the item has no such attribute.
pub(super) fn get_optional<'a>(
    item: &'a Item,
    name: &'static str,
) -> Result<Option<&'a str>, StoreError> {
    item.contains_key(name).then(|| get_text(item, name)).transpose()
}

/// A list of texts.
pub(super) fn get_texts<'a>(
    item: &'a Item,
    name: &'static str,
) -> Result<Vec<&'a str>, StoreError> {
    let Some(AttributeValue::L(values)) = item.get(name) else {
        return Err(StoreError::Corrupt(name));
    };
    let text = |value: &'a AttributeValue| {
        value.as_s().map(String::as_str).map_err(|_| StoreError::Corrupt(name))
    };
    values.iter().map(text).collect()
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
