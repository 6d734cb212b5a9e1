//! Erasure requests: `core`, `REQUEST#request` with what was asked under `REQUEST` and how far it
//! has come under `PROGRESS`, which the worker rewrites; `SUBJECT#subject` / `ERASURE`, which leads
//! the same question to the request that is under way; and `ONCE#name` / `ERASURE`, which leads to
//! it for good.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use jiff::{SignedDuration, Timestamp};

use super::contacts::unless_refused;
use super::messages::MessageKey;
use super::schema::{self, Item};
use super::{Store, StoreError, classify};
use crate::domain::data_kind::DataKind;
use crate::domain::erasure::{Counts, Request, Source, State, Target};
use crate::domain::ids::{ConversationId, MessageId, RequestId};

/// Records of requests are kept for 24 months (11 CCR 7101).
const KEPT: SignedDuration = SignedDuration::from_hours(731 * 24);

/// Rows about to be deleted: written down with their count before they are, so that a worker that
/// dies in between neither loses nor repeats the count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InFlight {
    /// The rows.
    pub messages: Vec<MessageKey>,
    /// Contacts whose rows are then all gone, and which go after them.
    pub contacts: Vec<ConversationId>,
}

/// A request as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRequest {
    /// The request.
    pub request: Request,
    /// What its worker was deleting.
    pub in_flight: Option<InFlight>,
}

/// What became of a new request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// It is the subject's only one under way.
    New,
    /// One is under way already: this one.
    UnderWay(RequestId),
}

impl Store {
    /// Stores a new request, unless one for the same subject is under way.
    ///
    /// What is asked `once`, under a name, is asked that one time: the name leads to the request
    /// that it met then, new or under way, for as long as requests are kept.
    ///
    /// # Errors
    /// [`StoreError`]; `Conflict` when the one under way ended at this very moment.
    pub async fn open_request(
        &self,
        request: &Request,
        once: Option<&str>,
    ) -> Result<Opened, StoreError> {
        let subject = pointer_key(schema::subject_pk(&request.subject));
        let claim = Put::builder()
            .table_name(&self.tables.core)
            .set_item(Some(pointer(subject.clone(), &request.id, request.requested_at)))
            .condition_expression("attribute_not_exists(pk) OR attribute_exists(ended)");
        let mut writes = self
            .client
            .transact_write_items()
            .transact_items(self.put_once(facts(request))?)
            .transact_items(self.put_once(progress(request, None))?)
            .transact_items(built(claim.build().ok())?);
        let name = once.map(|name| pointer_key(schema::once_pk(name)));
        if let Some(name) = &name {
            let pointer = pointer(name.clone(), &request.id, request.requested_at);
            writes = writes.transact_items(self.put_once(pointer)?);
        }
        match writes.send().await.map_err(|error| classify(&error)) {
            Ok(_) => return Ok(Opened::New),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
        let Some(name) = name else {
            return Ok(Opened::UnderWay(self.pointed(subject).await?.ok_or(StoreError::Conflict)?));
        };
        if let Some(id) = self.pointed(name.clone()).await? {
            return Ok(Opened::UnderWay(id));
        }
        let id = self.pointed(subject).await?.ok_or(StoreError::Conflict)?;
        let named = self
            .client
            .put_item()
            .table_name(&self.tables.core)
            .set_item(Some(pointer(name, &id, request.requested_at)))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        // Refused, where somebody asked the same at the same time, and met the same.
        unless_refused(named.map(|_| ()).map_err(|error| classify(&error)))?;
        Ok(Opened::UnderWay(id))
    }

    /// The request that a question met which is asked once only; `None` when it has not been asked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn request_asked_once(&self, name: &str) -> Result<Option<RequestId>, StoreError> {
        self.pointed(pointer_key(schema::once_pk(name))).await
    }

    /// The request that is under way for a subject.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn request_under_way(&self, subject: &str) -> Result<Option<RequestId>, StoreError> {
        self.pointed(pointer_key(schema::subject_pk(subject))).await
    }

    /// Lets a subject's next question open a new request.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_request(&self, request: &Request) -> Result<(), StoreError> {
        let ended = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(pointer_key(schema::subject_pk(&request.subject))))
            .update_expression("SET ended = :yes")
            .condition_expression("request_id = :id")
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .expression_attribute_values(":id", schema::text(request.id.as_str()))
            .send()
            .await;
        // Refused, where another request has the subject by now, or its record is gone.
        unless_refused(ended.map(|_| ()).map_err(|error| classify(&error)))
    }

    /// A request, read consistently; `None` when there is none of that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn request(&self, id: &RequestId) -> Result<Option<StoredRequest>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", schema::text(schema::request_pk(id)))
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let items = answer.items.unwrap_or_default();
        let of =
            |sk: &str| items.iter().find(|item| item.get(schema::SK) == Some(&schema::text(sk)));
        match (of(schema::REQUEST), of(schema::PROGRESS)) {
            (Some(facts), Some(progress)) => read(id, facts, progress).map(Some),
            (None, None) => Ok(None),
            _ => Err(StoreError::Corrupt(schema::PROGRESS)),
        }
    }

    /// Saves how far a request has come, as the successor of the version it was read at; returns it
    /// with its new version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another worker has saved it meanwhile.
    pub async fn save_progress(
        &self,
        mut request: Request,
        in_flight: Option<&InFlight>,
    ) -> Result<Request, StoreError> {
        let read_at = request.version;
        request.version = read_at.saturating_add(1);
        self.client
            .put_item()
            .table_name(&self.tables.core)
            .set_item(Some(progress(&request, in_flight)))
            .condition_expression("version = :read")
            .expression_attribute_values(":read", schema::number(read_at))
            .send()
            .await
            .map_err(|error| classify(&error))?;
        Ok(request)
    }

    /// Requests that a worker should have ended, asked for before that time: the oldest first, so
    /// many at most.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stuck_requests(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<RequestId>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.tables.core)
            .index_name(schema::UNDER_WAY)
            .key_condition_expression("under_way = :erasure AND requested_at < :before")
            .expression_attribute_values(":erasure", schema::text(schema::ERASURE))
            .expression_attribute_values(":before", schema::milliseconds(before))
            .into_paginator()
            .items()
            .send();
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(item) = pages.next().await else { break };
            let item = item.map_err(|error| classify(&error))?;
            let id = schema::request_of(schema::get_text(&item, schema::PK)?);
            found.push(id.ok_or(StoreError::Corrupt(schema::PK))?);
        }
        Ok(found)
    }

    /// The request that a pointer leads to, until it has ended; read consistently.
    async fn pointed(&self, key: Item) -> Result<Option<RequestId>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.tables.core)
            .set_key(Some(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let item = answer.item.filter(|item| !item.contains_key(schema::ENDED));
        item.as_ref().map(request_id).transpose()
    }

    fn put_once(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.tables.core)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)");
        built(put.build().ok())
    }
}

fn built(put: Option<Put>) -> Result<TransactWriteItem, StoreError> {
    let put = put.ok_or_else(|| StoreError::Refused("put".to_owned()))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

fn pointer_key(pk: String) -> Item {
    schema::key(pk, schema::ERASURE.to_owned())
}

/// What leads to a request, for as long as that is kept.
fn pointer(key: Item, id: &RequestId, requested_at: Timestamp) -> Item {
    let mut item = key;
    item.insert(schema::REQUEST_ID.to_owned(), schema::text(id.as_str()));
    item.insert(schema::EXPIRES_AT.to_owned(), kept_until(requested_at));
    item
}

fn kept_until(requested_at: Timestamp) -> AttributeValue {
    schema::seconds(requested_at.saturating_add(KEPT).unwrap_or(Timestamp::MAX))
}

/// What was asked: never changes.
fn facts(request: &Request) -> Item {
    let targets = request.targets.iter().map(|target| schema::text(target.to_string())).collect();
    let mut item = schema::key(schema::request_pk(&request.id), schema::REQUEST.to_owned());
    item.extend([
        (schema::SOURCE.to_owned(), schema::text(request.source.as_str())),
        (schema::SUBJECT.to_owned(), schema::text(&request.subject)),
        (schema::TARGETS.to_owned(), AttributeValue::L(targets)),
        (schema::REQUESTED_AT.to_owned(), schema::milliseconds(request.requested_at)),
        (schema::DEADLINE.to_owned(), schema::text(request.deadline.to_string())),
        (schema::EXPIRES_AT.to_owned(), kept_until(request.requested_at)),
    ]);
    let reference = request.reference.as_ref().map(schema::text);
    item.extend(reference.map(|reference| (schema::REFERENCE.to_owned(), reference)));
    let held_part = request.held_part.as_ref().map(|id| schema::text(id.as_str()));
    item.extend(held_part.map(|held_part| (schema::HELD_PART.to_owned(), held_part)));
    item
}

/// How far it has come.
fn progress(request: &Request, in_flight: Option<&InFlight>) -> Item {
    let counts = request
        .counts
        .iter()
        .map(|(kind, count)| (kind.as_str().to_owned(), schema::number(count)))
        .collect();
    let mut item = schema::key(schema::request_pk(&request.id), schema::PROGRESS.to_owned());
    item.extend([
        (schema::STATE.to_owned(), schema::text(request.state.as_str())),
        (schema::COUNTS.to_owned(), AttributeValue::M(counts)),
        (schema::TARGETS_SWEPT.to_owned(), schema::number(request.targets_swept)),
        (schema::VERSION.to_owned(), schema::number(request.version)),
        (schema::EXPIRES_AT.to_owned(), kept_until(request.requested_at)),
    ]);
    if request.state.is_work() {
        item.insert(schema::UNDER_WAY.to_owned(), schema::text(schema::ERASURE));
        let at = schema::milliseconds(request.requested_at);
        item.insert(schema::REQUESTED_AT.to_owned(), at);
    }
    let times =
        [(schema::SHREDDED_AT, request.shredded_at), (schema::COMPLETED_AT, request.completed_at)];
    for (name, at) in times {
        item.extend(at.map(|at| (name.to_owned(), schema::milliseconds(at))));
    }
    item.extend(request.ledger_position.map(|n| (schema::POSITION.to_owned(), schema::number(n))));
    item.extend(request.receipt.as_ref().map(|r| (schema::RECEIPT.to_owned(), schema::text(r))));
    if let Some(InFlight { messages, contacts }) = in_flight {
        let write = |MessageKey { conversation, message }: &MessageKey| {
            schema::text(format!("{conversation} {message}"))
        };
        let messages = messages.iter().map(write).collect();
        let contacts = contacts.iter().map(|contact| schema::text(contact.to_string())).collect();
        item.insert(schema::IN_FLIGHT_MESSAGES.to_owned(), AttributeValue::L(messages));
        item.insert(schema::IN_FLIGHT_CONTACTS.to_owned(), AttributeValue::L(contacts));
    }
    item
}

fn read(id: &RequestId, facts: &Item, progress: &Item) -> Result<StoredRequest, StoreError> {
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
        deadline: schema::get_day(facts, schema::DEADLINE)?,
        state: State::parse(schema::get_text(progress, schema::STATE)?)
            .ok_or_else(corrupt(schema::STATE))?,
        shredded_at: time(progress, schema::SHREDDED_AT)?,
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
    let messages = schema::get_texts(progress, schema::IN_FLIGHT_MESSAGES)?;
    let contacts = schema::get_texts(progress, schema::IN_FLIGHT_CONTACTS)?;
    let messages: Option<_> = messages.into_iter().map(message).collect();
    let contacts: Option<_> = contacts.into_iter().map(ConversationId::parse).collect();
    match (messages, contacts) {
        (Some(messages), Some(contacts)) => Ok(Some(InFlight { messages, contacts })),
        _ => Err(StoreError::Corrupt(schema::IN_FLIGHT_MESSAGES)),
    }
}

fn counts(progress: &Item) -> Result<Counts, StoreError> {
    let corrupt = StoreError::Corrupt(schema::COUNTS);
    let Some(AttributeValue::M(counts)) = progress.get(schema::COUNTS) else { return Err(corrupt) };
    let read = |(kind, count): (&String, &AttributeValue)| {
        Some((DataKind::parse(kind)?, count.as_n().ok()?.parse().ok()?))
    };
    let counts: Option<BTreeMap<_, _>> = counts.iter().map(read).collect();
    counts.ok_or(corrupt)
}

pub(super) fn request_id(item: &Item) -> Result<RequestId, StoreError> {
    RequestId::parse(schema::get_text(item, schema::REQUEST_ID)?)
        .ok_or(StoreError::Corrupt(schema::REQUEST_ID))
}
