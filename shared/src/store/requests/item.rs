//! How a request is written and read back.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::{InFlight, StoredRequest};
use crate::domain::data_kind::DataKind;
use crate::domain::erasure::{Counts, Request, Source, State, Target};
use crate::domain::ids::{AccountId, ConversationId, MemberId, MessageId, RequestId};
use crate::domain::policy::RECORDS;
use crate::store::StoreError;
use crate::store::messages::MessageKey;
use crate::store::schema::{self, Item};

pub(super) fn kept_until(requested_at: Timestamp) -> AttributeValue {
    schema::seconds(requested_at.saturating_add(RECORDS).unwrap_or(Timestamp::MAX))
}

pub(super) fn facts_key(id: &RequestId) -> Item {
    schema::key(schema::request_pk(id), schema::REQUEST.to_owned())
}

/// What was asked. Only a request that waits for a hold is asked for more.
pub(super) fn facts(request: &Request) -> Item {
    let targets = request.targets.iter().map(|target| schema::text(target.to_string())).collect();
    let mut item = facts_key(&request.id);
    item.extend([
        (schema::SOURCE.to_owned(), schema::text(request.source.as_str())),
        (schema::SUBJECT.to_owned(), schema::text(&request.subject)),
        (schema::TARGETS.to_owned(), AttributeValue::L(targets)),
        (schema::REQUESTED_AT.to_owned(), schema::milliseconds(request.requested_at)),
        (schema::DEADLINE.to_owned(), schema::text(request.deadline.to_string())),
    ]);
    let reference = request.reference.as_ref().map(schema::text);
    item.extend(reference.map(|reference| (schema::REFERENCE.to_owned(), reference)));
    let due_at = request.due_at.map(schema::milliseconds);
    item.extend(due_at.map(|due_at| (schema::DUE_AT.to_owned(), due_at)));
    let held_part = request.held_part.as_ref().map(|id| schema::text(id.as_str()));
    item.extend(held_part.map(|held_part| (schema::HELD_PART.to_owned(), held_part)));
    item
}

/// How far it has come.
pub(super) fn progress(request: &Request, in_flight: Option<&InFlight>) -> Item {
    let mut item = schema::key(schema::request_pk(&request.id), schema::PROGRESS.to_owned());
    item.extend([
        (schema::STATE.to_owned(), schema::text(request.state.as_str())),
        (schema::COUNTS.to_owned(), counts_map(&request.counts)),
        (schema::TARGETS_SWEPT.to_owned(), schema::number(request.targets_swept)),
        (schema::VERSION.to_owned(), schema::number(request.version)),
    ]);
    if request.state.is_final() {
        item.insert(schema::EXPIRES_AT.to_owned(), kept_until(request.requested_at));
    }
    if request.state.is_work() {
        item.insert(schema::UNDER_WAY.to_owned(), schema::text(schema::ERASURE));
        let ready_at = request.due_at.unwrap_or(request.requested_at);
        item.insert(schema::READY_AT.to_owned(), schema::milliseconds(ready_at));
    }
    let times = [
        (schema::SHREDDED_AT, request.shredded_at),
        (schema::SWEEPING_AT, request.sweeping_at),
        (schema::COMPLETED_AT, request.completed_at),
    ];
    for (name, at) in times {
        item.extend(at.map(|at| (name.to_owned(), schema::milliseconds(at))));
    }
    item.extend(request.ledger_position.map(|n| (schema::POSITION.to_owned(), schema::number(n))));
    item.extend(request.receipt.as_ref().map(|r| (schema::RECEIPT.to_owned(), schema::text(r))));
    if let Some(InFlight { messages, contacts, members }) = in_flight {
        let write = |MessageKey { conversation, message }: &MessageKey| {
            schema::text(format!("{conversation} {message}"))
        };
        let messages = messages.iter().map(write).collect();
        let contacts = contacts.iter().map(|contact| schema::text(contact.to_string())).collect();
        let member =
            |(account, member): &(AccountId, MemberId)| schema::text(format!("{account} {member}"));
        let members = members.iter().map(member).collect();
        item.insert(schema::IN_FLIGHT_MESSAGES.to_owned(), AttributeValue::L(messages));
        item.insert(schema::IN_FLIGHT_CONTACTS.to_owned(), AttributeValue::L(contacts));
        item.insert(schema::IN_FLIGHT_MEMBERS.to_owned(), AttributeValue::L(members));
    }
    item
}

/// Progress that a worker has just made: until it makes none for long, it is not stuck.
pub(super) fn worked_on(request: &Request, mut progress: Item, now: Timestamp) -> Item {
    if request.state.is_work() {
        let ready_at = request.due_at.unwrap_or(request.requested_at).max(now);
        progress.insert(schema::READY_AT.to_owned(), schema::milliseconds(ready_at));
    }
    progress
}

pub(super) fn read(
    id: &RequestId,
    facts: &Item,
    progress: &Item,
) -> Result<StoredRequest, StoreError> {
    let corrupt = |name| move || StoreError::Corrupt(name);
    let time = |item, name| schema::get_milliseconds(item, name);
    let request = Request {
        id: id.clone(),
        source: Source::parse(schema::get_text(facts, schema::SOURCE)?)
            .ok_or_else(corrupt(schema::SOURCE))?,
        reference: schema::get_optional(facts, schema::REFERENCE)?.map(str::to_owned),
        subject: schema::get_text(facts, schema::SUBJECT)?.to_owned(),
        held_part: schema::get_optional(facts, schema::HELD_PART)?
            .map(|id| RequestId::parse(id).ok_or(StoreError::Corrupt(schema::HELD_PART)))
            .transpose()?,
        targets: schema::get_texts(facts, schema::TARGETS)?
            .into_iter()
            .map(Target::parse)
            .collect::<Option<_>>()
            .ok_or_else(corrupt(schema::TARGETS))?,
        requested_at: time(facts, schema::REQUESTED_AT)?
            .ok_or_else(corrupt(schema::REQUESTED_AT))?,
        due_at: time(facts, schema::DUE_AT)?,
        deadline: schema::get_day(facts, schema::DEADLINE)?,
        state: State::parse(schema::get_text(progress, schema::STATE)?)
            .ok_or_else(corrupt(schema::STATE))?,
        shredded_at: time(progress, schema::SHREDDED_AT)?,
        sweeping_at: time(progress, schema::SWEEPING_AT)?,
        completed_at: time(progress, schema::COMPLETED_AT)?,
        ledger_position: schema::get_number(progress, schema::POSITION)?,
        counts: counts(progress)?,
        targets_swept: schema::get_number(progress, schema::TARGETS_SWEPT)?
            .ok_or_else(corrupt(schema::TARGETS_SWEPT))?,
        receipt: schema::get_optional(progress, schema::RECEIPT)?.map(str::to_owned),
        version: schema::get_number(progress, schema::VERSION)?
            .ok_or_else(corrupt(schema::VERSION))?,
    };
    Ok(StoredRequest { request, in_flight: in_flight(progress)? })
}

fn in_flight(progress: &Item) -> Result<Option<InFlight>, StoreError> {
    if !progress.contains_key(schema::IN_FLIGHT_MESSAGES) {
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
        messages: each(progress, schema::IN_FLIGHT_MESSAGES, message)?,
        contacts: each(progress, schema::IN_FLIGHT_CONTACTS, ConversationId::parse)?,
        members: each(progress, schema::IN_FLIGHT_MEMBERS, member)?,
    }))
}

fn each<T>(
    item: &Item,
    name: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, StoreError> {
    let texts = schema::get_texts(item, name)?;
    texts.into_iter().map(|text| parse(text).ok_or(StoreError::Corrupt(name))).collect()
}

pub(in crate::store) fn counts_map(counts: &Counts) -> AttributeValue {
    let count =
        |(kind, count): (&DataKind, &u64)| (kind.as_str().to_owned(), schema::number(count));
    AttributeValue::M(counts.iter().map(count).collect())
}

pub(in crate::store) fn counts(progress: &Item) -> Result<Counts, StoreError> {
    let corrupt = StoreError::Corrupt(schema::COUNTS);
    let Some(AttributeValue::M(counts)) = progress.get(schema::COUNTS) else { return Err(corrupt) };
    let read = |(kind, count): (&String, &AttributeValue)| {
        Some((DataKind::parse(kind)?, count.as_n().ok()?.parse().ok()?))
    };
    let counts: Option<BTreeMap<_, _>> = counts.iter().map(read).collect();
    counts.ok_or(corrupt)
}
