//! How a request is written and read back.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::{InFlight, StoredRequest};
use crate::domain::data_kind::DataKind;
use crate::domain::erasure::{Counts, Request, Source, State, Target};
use crate::domain::ids::{AccountId, ConversationId, MemberId, MessageId, RequestId};
use crate::domain::policy::RECORDS;
use crate::store::StoreError;
use crate::store::item::{Item, milliseconds, number, seconds, text, texts};
use crate::store::messages::MessageKey;
use crate::store::schema;

pub(super) fn kept_until(requested_at: Timestamp) -> AttributeValue {
    seconds(requested_at.saturating_add(RECORDS).unwrap_or(Timestamp::MAX))
}

pub(super) fn facts_key(id: &RequestId) -> Item {
    schema::key(schema::request_pk(id), schema::REQUEST)
}

/// What was asked. Only the targets change: of a request that waits for a hold, or meets one.
pub(super) fn facts(request: &Request) -> Item {
    facts_key(&request.id)
        .with(schema::SOURCE, text(request.source.as_str()))
        .with(schema::SUBJECT, text(&request.subject))
        .with(schema::TARGETS, texts(request.targets.iter().map(Target::to_string)))
        .with(schema::REQUESTED_AT, milliseconds(request.requested_at))
        .with(schema::DEADLINE, text(request.deadline.to_string()))
        .with_some(schema::REFERENCE, request.reference.as_ref().map(text))
        .with_some(schema::DUE_AT, request.due_at.map(milliseconds))
        .with_some(schema::HELD_PART, request.held_part.as_ref().map(|id| text(id.as_str())))
}

/// How far it has come.
pub(super) fn progress(request: &Request, in_flight: Option<&InFlight>) -> Item {
    let mut item = schema::key(schema::request_pk(&request.id), schema::PROGRESS)
        .with(schema::STATE, text(request.state.as_str()))
        .with(schema::COUNTS, counts_map(&request.counts))
        .with(schema::TARGETS_SWEPT, number(request.targets_swept))
        .with(schema::VERSION, number(request.version))
        .with_some(schema::SHREDDED_AT, request.shredded_at.map(milliseconds))
        .with_some(schema::SWEEPING_AT, request.sweeping_at.map(milliseconds))
        .with_some(schema::COMPLETED_AT, request.completed_at.map(milliseconds))
        .with_some(schema::POSITION, request.ledger_position.map(number))
        .with_some(schema::RECEIPT, request.receipt.as_ref().map(text));
    if request.state.is_final() {
        item = item.with(schema::EXPIRES_AT, kept_until(request.requested_at));
    }
    if request.state.is_work() {
        let ready_at = request.due_at.unwrap_or(request.requested_at);
        item = item
            .with(schema::UNDER_WAY, text(schema::ERASURE))
            .with(schema::READY_AT, milliseconds(ready_at));
    }
    let Some(InFlight { messages, contacts, members }) = in_flight else { return item };
    let message =
        |MessageKey { conversation, message }: &MessageKey| format!("{conversation} {message}");
    let member = |(account, member): &(AccountId, MemberId)| format!("{account} {member}");
    item.with(schema::IN_FLIGHT_MESSAGES, texts(messages.iter().map(message)))
        .with(schema::IN_FLIGHT_CONTACTS, texts(contacts.iter().map(ConversationId::to_string)))
        .with(schema::IN_FLIGHT_MEMBERS, texts(members.iter().map(member)))
}

/// Progress that a worker has just made: until it makes none for long, it is not stuck.
pub(super) fn worked_on(request: &Request, progress: Item, now: Timestamp) -> Item {
    if !request.state.is_work() {
        return progress;
    }
    let ready_at = request.due_at.unwrap_or(request.requested_at).max(now);
    progress.with(schema::READY_AT, milliseconds(ready_at))
}

pub(super) fn read(
    id: &RequestId,
    facts: &Item,
    progress: &Item,
) -> Result<StoredRequest, StoreError> {
    let request = Request {
        id: id.clone(),
        source: facts.parsed(schema::SOURCE, Source::parse)?,
        reference: facts.optional_text(schema::REFERENCE)?.map(str::to_owned),
        subject: facts.text(schema::SUBJECT)?.to_owned(),
        held_part: facts.optional_parsed(schema::HELD_PART, RequestId::parse)?,
        targets: facts.each_parsed(schema::TARGETS, Target::parse)?,
        requested_at: facts.time(schema::REQUESTED_AT)?,
        due_at: facts.optional_time(schema::DUE_AT)?,
        deadline: facts.day(schema::DEADLINE)?,
        state: progress.parsed(schema::STATE, State::parse)?,
        shredded_at: progress.optional_time(schema::SHREDDED_AT)?,
        sweeping_at: progress.optional_time(schema::SWEEPING_AT)?,
        completed_at: progress.optional_time(schema::COMPLETED_AT)?,
        ledger_position: progress.optional_number(schema::POSITION)?,
        counts: counts(progress)?,
        targets_swept: progress.number(schema::TARGETS_SWEPT)?,
        receipt: progress.optional_text(schema::RECEIPT)?.map(str::to_owned),
        version: progress.number(schema::VERSION)?,
    };
    Ok(StoredRequest { request, in_flight: in_flight(progress)? })
}

fn in_flight(progress: &Item) -> Result<Option<InFlight>, StoreError> {
    if !progress.has(schema::IN_FLIGHT_MESSAGES) {
        return Ok(None);
    }
    let message = |text: &str| {
        let (conversation, message) = text.split_once(' ')?;
        let conversation = ConversationId::parse(conversation)?;
        Some(MessageKey { conversation, message: MessageId::parse(message)? })
    };
    let member = |text: &str| {
        let (account, member) = text.split_once(' ')?;
        Some((AccountId::parse(account)?, MemberId::parse(member)?))
    };
    Ok(Some(InFlight {
        messages: progress.each_parsed(schema::IN_FLIGHT_MESSAGES, message)?,
        contacts: progress.each_parsed(schema::IN_FLIGHT_CONTACTS, ConversationId::parse)?,
        members: progress.each_parsed(schema::IN_FLIGHT_MEMBERS, member)?,
    }))
}

pub(in crate::store) fn counts_map(counts: &Counts) -> AttributeValue {
    let count = |(kind, count): (&DataKind, &u64)| (kind.as_str().to_owned(), number(count));
    AttributeValue::M(counts.iter().map(count).collect())
}

pub(in crate::store) fn counts(progress: &Item) -> Result<Counts, StoreError> {
    let read = |(kind, count): (&String, &AttributeValue)| {
        Some((DataKind::parse(kind)?, count.as_n().ok()?.parse().ok()?))
    };
    let counts = progress.map(schema::COUNTS)?.iter().map(read);
    counts.collect::<Option<_>>().ok_or_else(|| progress.corrupt(schema::COUNTS))
}
