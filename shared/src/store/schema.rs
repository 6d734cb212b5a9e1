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
pub(super) mod exports;
pub(super) mod lists;
pub(super) mod name;

pub(super) use name::{Attribute, Index, PK, SK, Table};

use super::item::{Item, text};
use crate::domain::hold::Held;
use crate::domain::ids::{
    AccountId, ConnectionId, ContactId, HoldId, MemberId, RequestId, RouteId,
};
use crate::domain::tally::{Peak, Tally};
use crate::domain::time::Day;

/// A connection's contacts by last message.
pub(super) const INBOX: Index = Index::of(Table::Core, "inbox", CONNECTION_ID);
/// Contacts and connections by person.
pub(super) const BY_PERSON: Index = Index::of(Table::Core, "by_person", PERSON_ID);
/// Requests that a worker has to end, by when they are due.
pub(super) const BY_READINESS: Index = Index::of(Table::Core, "under_way", UNDER_WAY);
/// Connections by how far ahead their keys reach.
pub(super) const PROVISIONING: Index = Index::of(Table::Core, "provisioning", PROVISION_SHARD);
/// Contacts by the day on which their oldest rows are swept.
pub(super) const BY_SWEEP_DATE: Index = Index::of(Table::Core, "by_sweep_date", SWEEP_ON);
/// A conversation by time: beside its rows, and as consistent.
pub(super) const BY_SENT_AT: Index = Index::beside(Table::Messages, "by_sent_at");
/// Day keys by the day on which they are destroyed.
pub(super) const BY_SHRED_DATE: Index = Index::of(Table::Keys, "by_shred_date", SHRED_ON);

/// Epoch seconds after which DynamoDB removes the item.
pub(super) const EXPIRES_AT: Attribute = Attribute::new("expires_at");
/// Epoch seconds: of a row that a hold keeps from time to live, what `expires_at` was.
pub(super) const SHOWN_UNTIL: Attribute = Attribute::new("shown_until");
pub(super) const ACCOUNT_ID: Attribute = Attribute::new("account_id");
pub(super) const CONNECTION_ID: Attribute = Attribute::new("connection_id");
pub(super) const CHANNEL: Attribute = Attribute::new("channel");
pub(super) const STATE: Attribute = Attribute::reserved("state");
pub(super) const PLAN_DAYS: Attribute = Attribute::new("plan_days");
/// Epoch milliseconds.
pub(super) const PLAN_CHANGED_AT: Attribute = Attribute::new("plan_changed_at");
pub(super) const ROUTE_ID: Attribute = Attribute::new("route_id");
pub(super) const ROLE: Attribute = Attribute::reserved("role");
/// Epoch milliseconds.
pub(super) const CONNECTED_AT: Attribute = Attribute::new("connected_at");
/// Public day keys of a connection: a map from day to point.
pub(super) const DAY_KEYS: Attribute = Attribute::new("day_keys");
/// The last day a connection has a key for.
pub(super) const KEYS_UNTIL: Attribute = Attribute::new("keys_until");
pub(super) const PROVISION_SHARD: Attribute = Attribute::new("provision_shard");
/// Epoch milliseconds; moved at most once a minute per conversation.
pub(super) const LAST_MESSAGE_AT: Attribute = Attribute::new("last_message_at");
/// Epoch milliseconds.
pub(super) const RESTRICTED_AT: Attribute = Attribute::new("restricted_at");
/// Epoch milliseconds: when a contact without a message was made known.
pub(super) const KNOWN_AT: Attribute = Attribute::new("known_at");
/// Epoch milliseconds.
pub(super) const ERASED_AT: Attribute = Attribute::new("erased_at");
/// Epoch milliseconds, by Meta's clock.
pub(super) const SENT_AT: Attribute = Attribute::new("sent_at");
pub(super) const SEALED: Attribute = Attribute::new("sealed");
pub(super) const DAY: Attribute = Attribute::reserved("day");
pub(super) const EDIT: Attribute = Attribute::new("edit");
pub(super) const EDIT_DAY: Attribute = Attribute::new("edit_day");
/// Epoch milliseconds: of one that waits.
pub(super) const EDIT_AT: Attribute = Attribute::new("edit_at");
pub(super) const NUM_EDIT: Attribute = Attribute::new("num_edit");
pub(super) const UNSENT: Attribute = Attribute::new("unsent");
/// A pseudonym under the pepper: of a contact's Meta id, or of the person who connected a channel.
pub(super) const PERSON_ID: Attribute = Attribute::new("person_id");
pub(super) const REQUEST_ID: Attribute = Attribute::new("request_id");
pub(super) const SOURCE: Attribute = Attribute::new("source");
pub(super) const SUBJECT: Attribute = Attribute::new("subject");
pub(super) const TARGETS: Attribute = Attribute::new("targets");
pub(super) const HELD_PART: Attribute = Attribute::new("held_part");
pub(super) const REQUESTED_AT: Attribute = Attribute::new("requested_at");
pub(super) const DUE_AT: Attribute = Attribute::new("due_at");
/// What a worker has to end, by its kind; nothing else has it.
pub(super) const UNDER_WAY: Attribute = Attribute::new("under_way");
/// Of what a worker has to end: from when on.
pub(super) const READY_AT: Attribute = Attribute::new("ready_at");
pub(super) const DEADLINE: Attribute = Attribute::new("deadline");
/// Epoch milliseconds: when the owners were told of a request that it waits for its day, that it is
/// carried out, and that it is near its deadline.
pub(super) const TOLD_LOCKED_AT: Attribute = Attribute::new("told_locked_at");
pub(super) const TOLD_ENDING_AT: Attribute = Attribute::new("told_ending_at");
pub(super) const TOLD_AT_RISK_AT: Attribute = Attribute::new("told_at_risk_at");
pub(super) const REFERENCE: Attribute = Attribute::new("reference");
pub(super) const REASON: Attribute = Attribute::new("reason");
pub(super) const SET_AT: Attribute = Attribute::new("set_at");
pub(super) const COUNTS: Attribute = Attribute::new("counts");
pub(super) const TARGETS_SWEPT: Attribute = Attribute::new("targets_swept");
pub(super) const VERSION: Attribute = Attribute::new("version");
pub(super) const SHREDDED_AT: Attribute = Attribute::new("shredded_at");
pub(super) const SWEEPING_AT: Attribute = Attribute::new("sweeping_at");
pub(super) const COMPLETED_AT: Attribute = Attribute::new("completed_at");
pub(super) const POSITION: Attribute = Attribute::reserved("position");
pub(super) const RECEIPT: Attribute = Attribute::new("receipt");
/// Of a subject: its request has ended.
pub(super) const ENDED: Attribute = Attribute::new("ended");
/// Of a contact: the request that set its mark last, until that has swept it.
pub(super) const ERASING: Attribute = Attribute::new("erasing");
/// Of a contact: the day on which its rows are looked at for what time to live has left. Not after
/// the day of any, so a contact without one has no message.
pub(super) const SWEEP_ON: Attribute = Attribute::new("sweep_on");
/// Of a day key: the day on which it is destroyed.
pub(super) const SHRED_ON: Attribute = Attribute::new("shred_on");
/// Of a day key that a hold keeps: the day on which it was to be destroyed.
pub(super) const DUE_ON: Attribute = Attribute::new("due_on");
/// Rows that are about to be deleted, contacts after them, and members.
pub(super) const IN_FLIGHT_MESSAGES: Attribute = Attribute::new("in_flight_messages");
pub(super) const IN_FLIGHT_CONTACTS: Attribute = Attribute::new("in_flight_contacts");
pub(super) const IN_FLIGHT_MEMBERS: Attribute = Attribute::new("in_flight_members");
/// Of the end of an audit chain: its place in its day's chain.
pub(super) const NUMBER: Attribute = Attribute::new("number");
pub(super) const HASH: Attribute = Attribute::reserved("hash");
pub(super) const PREVIOUS: Attribute = Attribute::new("previous");
pub(super) const EVENT_ID: Attribute = Attribute::new("event_id");
/// Epoch milliseconds.
pub(super) const AT: Attribute = Attribute::new("at");
pub(super) const ACTOR: Attribute = Attribute::new("actor");
pub(super) const ACTION: Attribute = Attribute::new("action");
pub(super) const OUTCOME: Attribute = Attribute::new("outcome");
pub(super) const SUBJECTS: Attribute = Attribute::new("subjects");
/// A pseudonym under the pepper.
pub(super) const ADDRESS: Attribute = Attribute::new("address");
/// A pseudonym under the pepper.
pub(super) const USER_AGENT: Attribute = Attribute::new("user_agent");
pub(super) const CHECKPOINT_JWS: Attribute = Attribute::reserved("checkpoint");
pub(super) const INDEX_KEY: Attribute = Attribute::new("index_key");
pub(super) const PUBLIC_KEY: Attribute = Attribute::new("public_key");
pub(super) const WRAPPED_KEY: Attribute = Attribute::new("wrapped_key");

/// Of an answer that is kept: a digest of what was asked.
pub(super) const FINGERPRINT: Attribute = Attribute::new("fingerprint");
/// Epoch milliseconds.
pub(super) const LEASE_UNTIL: Attribute = Attribute::new("lease_until");
pub(super) const CHOICE: Attribute = Attribute::new("choice");
pub(super) const POLICY_VERSION: Attribute = Attribute::new("policy_version");
pub(super) const STATUS: Attribute = Attribute::reserved("status");
pub(super) const CONTENT_TYPE: Attribute = Attribute::new("content_type");
pub(super) const ANSWER: Attribute = Attribute::new("answer");

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
/// Sort key of the request that is sweeping in a lane.
pub(super) const LANE: &str = "LANE";
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

pub(super) fn lane_pk(lane: &str) -> String {
    format!("LANE#{lane}")
}

/// Of a request in the ledger: its first entry, and those of what it was extended by.
pub(super) fn entry_sk(nth: usize) -> String {
    if nth == 0 { ERASURES.to_owned() } else { format!("{ERASURES}#{nth}") }
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

/// What retention counts of a day has an attribute of its own name.
pub(super) const fn tally(tally: Tally) -> Attribute {
    Attribute::reserved(tally.as_str())
}

pub(super) const fn peak(peak: Peak) -> Attribute {
    Attribute::reserved(peak.as_str())
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
pub(super) fn key(pk: impl Into<String>, sk: impl Into<String>) -> Item {
    Item::default().with(PK, text(pk)).with(SK, text(sk))
}
