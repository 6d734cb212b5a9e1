//! Erasure requests: `core`, `REQUEST#request` with what was asked under `REQUEST` and how far it
//! has come under `PROGRESS`, which the worker rewrites; `SUBJECT#subject` / `ERASURE`, which leads
//! the same question to the request that is under way; and `ONCE#name` / `ERASURE`, which leads to
//! it for good. A request about one account is found by it: `REQUESTS#account` / `time.request`.

mod item;
mod lanes;
pub mod places;
mod watch;

pub(in crate::store) use item::{counts, counts_map};
pub use watch::Told;

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use jiff::Timestamp;

use crate::domain::erasure::{Request, Target};
use crate::domain::ids::{AccountId, ConversationId, MemberId, RequestId};
use crate::store::accounts::{lock, unlock};
use crate::store::messages::MessageKey;
use crate::store::schema::{self, Item};
use crate::store::{Store, StoreError, classify, unless_refused};
use item::{facts, facts_key, kept_until, progress, read, worked_on};
use places::place;

/// Rows about to be deleted: written down with their count before they are, so that a worker that
/// dies in between neither loses nor repeats the count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InFlight {
    /// The rows.
    pub messages: Vec<MessageKey>,
    /// Contacts whose rows are then all gone, and which go after them.
    pub contacts: Vec<ConversationId>,
    /// Members of an account that is erased.
    pub members: Vec<(AccountId, MemberId)>,
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
    /// It was asked before, under that name, and met this one.
    Named(RequestId),
}

impl Store {
    /// Stores a new request, unless one for the same subject is under way: other than `met`, which
    /// it follows. An account that it will erase is locked with that.
    ///
    /// What is asked `once`, under a name, is asked that one time: the name leads to its request
    /// for as long as requests are kept.
    ///
    /// # Errors
    /// [`StoreError`]; `Conflict` when the one under way ended at this very moment.
    pub async fn open_request(
        &self,
        request: &Request,
        once: Option<&str>,
        met: Option<&RequestId>,
    ) -> Result<Opened, StoreError> {
        let subject = pointer_key(schema::subject_pk(&request.subject));
        let follows = met.map_or("", |_| " OR request_id = :met");
        let claim = Put::builder()
            .table_name(&self.tables.core)
            .set_item(Some(pointer(subject.clone(), &request.id)))
            .condition_expression(format!(
                "attribute_not_exists(pk) OR attribute_exists(ended){follows}"
            ))
            .set_expression_attribute_values(
                met.map(|met| Item::from([(":met".to_owned(), schema::text(met.as_str()))])),
            );
        let mut writes = self
            .client
            .transact_write_items()
            .transact_items(self.put_once(facts(request))?)
            .transact_items(self.put_once(progress(request, None))?)
            .transact_items(built(claim.build().ok())?);
        for account in accounts(request) {
            let lock = lock(&self.tables, account, &request.id);
            writes = writes.transact_items(built_update(lock)?);
        }
        if let Some(place) = place(request) {
            writes = writes.transact_items(self.put_once(place)?);
        }
        if let Some(name) = once {
            writes = writes.transact_items(self.put_once(name_of(name, request))?);
        }
        match writes.send().await.map_err(|error| classify(&error)) {
            Ok(_) => return Ok(Opened::New),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error),
        }
        if let Some(name) = once
            && let Some(id) = self.request_asked_once(name).await?
        {
            return Ok(Opened::Named(id));
        }
        Ok(Opened::UnderWay(self.pointed(subject).await?.ok_or(StoreError::Conflict)?))
    }

    /// Gives the one under way a name, under which it is found for as long as requests are kept.
    /// Where somebody asked the same at the same time, and met the same, it has it already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn name_request(&self, name: &str, request: &Request) -> Result<(), StoreError> {
        let named = self
            .client
            .put_item()
            .table_name(&self.tables.core)
            .set_item(Some(name_of(name, request)))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        unless_refused(named.map(|_| ()).map_err(|error| classify(&error)))
    }

    /// Saves the targets of a request that waits for a hold, as the successor of the version it was
    /// read at.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it has been saved meanwhile.
    pub async fn extend_request(&self, mut request: Request) -> Result<Request, StoreError> {
        let progress = self.put_progress(&mut request)?;
        let facts = Put::builder().table_name(&self.tables.core).set_item(Some(facts(&request)));
        self.client
            .transact_write_items()
            .transact_items(progress)
            .transact_items(built(facts.build().ok())?)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        Ok(request)
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

    /// Lets a subject's next question open a new request, and lets the record of this one expire:
    /// until it has ended, however long a hold takes, it stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_request(&self, request: &Request) -> Result<(), StoreError> {
        let subject = self.end(pointer_key(schema::subject_pk(&request.subject)), request);
        let ended = subject
            .update_expression("SET ended = :yes, expires_at = :end")
            .condition_expression("request_id = :id")
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .expression_attribute_values(":id", schema::text(request.id.as_str()))
            .send()
            .await;
        // Refused, where another request has the subject by now, or its record is gone.
        unless_refused(ended.map(|_| ()).map_err(|error| classify(&error)))?;
        let kept = self
            .end(facts_key(&request.id), request)
            .update_expression("SET expires_at = :end")
            .condition_expression("attribute_exists(pk)")
            .send()
            .await;
        unless_refused(kept.map(|_| ()).map_err(|error| classify(&error)))
    }

    fn end(&self, key: Item, request: &Request) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(key))
            .expression_attribute_values(":end", kept_until(request.requested_at))
    }

    /// Saves that a request is cancelled, as the successor of the version it was read at; its
    /// subject and the account it would have erased are free with that, and its record expires.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a worker has saved it meanwhile.
    //= R6.1
    pub async fn cancel_request(&self, mut request: Request) -> Result<Request, StoreError> {
        let progress = self.put_progress(&mut request)?;
        let subject = Update::builder()
            .table_name(&self.tables.core)
            .set_key(Some(pointer_key(schema::subject_pk(&request.subject))))
            .update_expression("SET ended = :yes, expires_at = :end")
            .condition_expression("request_id = :id")
            .expression_attribute_values(":yes", AttributeValue::Bool(true))
            .expression_attribute_values(":end", kept_until(request.requested_at))
            .expression_attribute_values(":id", schema::text(request.id.as_str()));
        let facts = Update::builder()
            .table_name(&self.tables.core)
            .set_key(Some(facts_key(&request.id)))
            .update_expression("SET expires_at = :end")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":end", kept_until(request.requested_at));
        let mut writes = self
            .client
            .transact_write_items()
            .transact_items(progress)
            .transact_items(built_update(subject.build().ok())?)
            .transact_items(built_update(facts.build().ok())?);
        for account in accounts(&request) {
            let unlock = unlock(&self.tables, account, &request.id);
            writes = writes.transact_items(built_update(unlock)?);
        }
        writes.send().await.map_err(|error| classify(&error))?;
        Ok(request)
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
    pub async fn save_progress(&self, request: Request) -> Result<Request, StoreError> {
        self.save_item(request, |request| progress(request, None)).await
    }

    /// As [`Self::save_progress`], by a worker that is at it: it does not count as stuck from now
    /// on, until it has not been saved for long.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another worker has saved it meanwhile.
    pub async fn save_work(
        &self,
        request: Request,
        in_flight: Option<&InFlight>,
        now: Timestamp,
    ) -> Result<Request, StoreError> {
        self.save_item(request, |request| worked_on(request, progress(request, in_flight), now))
            .await
    }

    async fn save_item(
        &self,
        mut request: Request,
        item: impl FnOnce(&Request) -> Item,
    ) -> Result<Request, StoreError> {
        let read_at = request.version;
        request.version = read_at.saturating_add(1);
        self.client
            .put_item()
            .table_name(&self.tables.core)
            .set_item(Some(item(&request)))
            .condition_expression("version = :read")
            .expression_attribute_values(":read", schema::number(read_at))
            .send()
            .await
            .map_err(|error| classify(&error))?;
        Ok(request)
    }

    /// The request that a pointer leads to, until it has ended; read consistently.
    async fn pointed(&self, key: Item) -> Result<Option<RequestId>, StoreError> {
        let item = self.item(&self.tables.core, key).await?;
        let item = item.filter(|item| !item.contains_key(schema::erasures::ENDED));
        item.as_ref().map(request_id).transpose()
    }

    /// Progress as the successor of the version it was read at.
    fn put_progress(&self, request: &mut Request) -> Result<TransactWriteItem, StoreError> {
        let read_at = request.version;
        request.version = read_at.saturating_add(1);
        let put = Put::builder()
            .table_name(&self.tables.core)
            .set_item(Some(progress(request, None)))
            .condition_expression("version = :read")
            .expression_attribute_values(":read", schema::number(read_at));
        built(put.build().ok())
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

fn built_update(update: Option<Update>) -> Result<TransactWriteItem, StoreError> {
    let update = update.ok_or_else(|| StoreError::Refused("update".to_owned()))?;
    Ok(TransactWriteItem::builder().update(update).build())
}

/// The accounts that a request erases.
fn accounts(request: &Request) -> impl Iterator<Item = &AccountId> {
    request.targets.iter().filter_map(|target| match target {
        Target::Account { account } => Some(account),
        Target::Member { .. }
        | Target::Connection { .. }
        | Target::Contact { .. }
        | Target::Message { .. } => None,
    })
}

fn pointer_key(pk: String) -> Item {
    schema::key(pk, schema::ERASURE.to_owned())
}

/// What leads to a request.
fn pointer(key: Item, id: &RequestId) -> Item {
    let mut item = key;
    item.insert(schema::REQUEST_ID.to_owned(), schema::text(id.as_str()));
    item
}

/// What leads to a request by its name, for as long as records are kept.
fn name_of(name: &str, request: &Request) -> Item {
    let mut item = pointer(pointer_key(schema::once_pk(name)), &request.id);
    item.insert(schema::EXPIRES_AT.to_owned(), kept_until(request.requested_at));
    item
}

pub(in crate::store) fn request_id(item: &Item) -> Result<RequestId, StoreError> {
    RequestId::parse(schema::get_text(item, schema::REQUEST_ID)?)
        .ok_or(StoreError::Corrupt(schema::REQUEST_ID))
}
