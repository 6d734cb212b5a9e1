//! Erasure requests: `core`, `REQUEST#request` with what was asked under `REQUEST` and how far it
//! has come under `PROGRESS`, which the worker rewrites; `SUBJECT#subject` / `ERASURE`, which leads
//! the same question to the request that is under way; and `ONCE#name` / `ERASURE`, which leads to
//! it for good. A request about one account is found by it: `REQUESTS#account` / `time.request`.

mod item;
mod lanes;
pub mod places;
mod watch;

pub(in crate::store) use item::{counts, counts_map};
pub use watch::{StuckRequests, Told};

use jiff::Timestamp;

use crate::domain::account::AccountState;
use crate::domain::erasure::{Request, Target};
use crate::domain::ids::{AccountId, ConversationId, MemberId, RequestId};
use crate::store::accounts::{account_key, change_active};
use crate::store::expression::{Changes, Condition};
use crate::store::item::{Item, flag, text, texts};
use crate::store::messages::MessageKey;
use crate::store::read::Query;
use crate::store::schema::{self, Table};
use crate::store::write::Write;
use crate::store::{Store, StoreError};
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
        let mut is_free = schema::PK.is_absent().or(schema::ENDED.exists());
        if let Some(met) = met {
            is_free = is_free.or(leads_to(met));
        }
        let claim = Write::put(Table::Core, pointer(subject.clone(), &request.id));
        let name = once.map(|name| name_of(name, request));
        let opened = self
            .transaction()
            .with(Write::put_new(Table::Core, facts(request)))
            .with(Write::put_new(Table::Core, progress(request, None)))
            .with(claim.only_if(is_free))
            .with_all(accounts(request).map(|account| lock(account, &request.id)))
            .with_all(place(request).map(|place| Write::put_new(Table::Core, place)))
            .with_all(name.map(|name| Write::put_new(Table::Core, name)));
        if opened.run_if_met().await? {
            return Ok(Opened::New);
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
        let named = Write::put_new(Table::Core, name_of(name, request));
        self.write_unless_refused(named).await
    }

    /// Saves the targets of a request that waits for a hold, as the successor of the version that
    /// was read.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the request was saved meanwhile.
    pub async fn extend_request(&self, mut request: Request) -> Result<Request, StoreError> {
        let saved = save(&mut request);
        self.transaction().with(saved).with(retarget(&request)).run().await?;
        Ok(request)
    }

    /// Takes what a hold keeps out of a request: stores it as a request of its own, and saves what
    /// is left to the first, as the successor of the version that was read.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the request was saved meanwhile.
    //= R6.7
    pub async fn split_request(
        &self,
        mut rest: Request,
        held: &Request,
    ) -> Result<Request, StoreError> {
        let saved = save(&mut rest);
        let places = place(held).into_iter().chain(place(&rest));
        self.transaction()
            .with(saved)
            .with(retarget(&rest))
            .with(Write::put_new(Table::Core, facts(held)))
            .with(Write::put_new(Table::Core, progress(held, None)))
            .with_all(places.map(|place| Write::put(Table::Core, place)))
            .run()
            .await?;
        Ok(rest)
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
        // Refused, where another request has the subject by now, or its record is gone.
        self.write_unless_refused(free_subject(request)).await?;
        self.write_unless_refused(expire_facts(request)).await
    }

    /// Saves that a request is cancelled, as the successor of the version it was read at; its
    /// subject and the account it would have erased are free with that, and its record expires.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a worker has saved it meanwhile.
    //= R6.1
    pub async fn cancel_request(&self, mut request: Request) -> Result<Request, StoreError> {
        let saved = save(&mut request);
        self.transaction()
            .with(saved)
            .with(free_subject(&request))
            .with(expire_facts(&request))
            .with_all(accounts(&request).map(|account| unlock(account, &request.id)))
            .run()
            .await?;
        Ok(request)
    }

    /// A request, read consistently; `None` when there is none of that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn request(&self, id: &RequestId) -> Result<Option<StoredRequest>, StoreError> {
        let pk = schema::request_pk(id);
        let items = self.page(Query::partition(Table::Core, pk.as_str())).await?.items;
        let of = |sk: &str| items.iter().find(|item| item.get(schema::SK) == Some(&text(sk)));
        match (of(schema::REQUEST), of(schema::PROGRESS)) {
            (Some(facts), Some(progress)) => read(id, facts, progress).map(Some),
            (None, None) => Ok(None),
            _ => Err(schema::key(pk, schema::PROGRESS).corrupt(schema::SK)),
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
        let read_at = next_version(&mut request);
        self.write(Write::put_at_version(Table::Core, item(&request), read_at)).await?;
        Ok(request)
    }

    /// The request that a pointer leads to, until it has ended; read consistently.
    async fn pointed(&self, key: Item) -> Result<Option<RequestId>, StoreError> {
        let item = self.item(Table::Core, key).await?;
        let item = item.filter(|item| !item.has(schema::ENDED));
        item.map(|item| item.parsed(schema::REQUEST_ID, RequestId::parse)).transpose()
    }
}

/// Counts a request's version up; returns the one it was read at.
const fn next_version(request: &mut Request) -> u64 {
    let read_at = request.version;
    request.version = read_at.saturating_add(1);
    read_at
}

/// Progress as the successor of the version it was read at.
fn save(request: &mut Request) -> Write {
    let read_at = next_version(request);
    Write::put_at_version(Table::Core, progress(request, None), read_at)
}

/// Changes which targets a request has. The notes of what its owners were told stay.
fn retarget(request: &Request) -> Write {
    let mut changes =
        Changes::new().set(schema::TARGETS, texts(request.targets.iter().map(Target::to_string)));
    if let Some(held) = &request.held_part {
        changes = changes.set(schema::HELD_PART, text(held.as_str()));
    }
    Write::update(Table::Core, facts_key(&request.id), changes).only_if(schema::PK.exists())
}

/// Lets a subject's next question open a new request.
fn free_subject(request: &Request) -> Write {
    let end = Changes::new()
        .set(schema::ENDED, flag(true))
        .set(schema::EXPIRES_AT, kept_until(request.requested_at));
    let subject = pointer_key(schema::subject_pk(&request.subject));
    Write::update(Table::Core, subject, end).only_if(leads_to(&request.id))
}

/// Lets the record of what was asked expire.
fn expire_facts(request: &Request) -> Write {
    let end = Changes::new().set(schema::EXPIRES_AT, kept_until(request.requested_at));
    Write::update(Table::Core, facts_key(&request.id), end).only_if(schema::PK.exists())
}

/// Locks an account for the request that will erase it.
//= R6.1
fn lock(account: &AccountId, request: &RequestId) -> Write {
    let lock = Changes::new()
        .set(schema::STATE, text(AccountState::Locked.as_str()))
        .set(schema::REQUEST_ID, text(request.as_str()));
    change_active(account, lock)
}

/// Takes that lock away, and no other's.
fn unlock(account: &AccountId, request: &RequestId) -> Write {
    let unlock = Changes::new()
        .set(schema::STATE, text(AccountState::Active.as_str()))
        .remove(schema::REQUEST_ID);
    Write::update(Table::Core, account_key(account), unlock).only_if(leads_to(request))
}

/// That an item names this request.
fn leads_to(request: &RequestId) -> Condition {
    schema::REQUEST_ID.is(text(request.as_str()))
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
    schema::key(pk, schema::ERASURE)
}

/// What leads to a request.
fn pointer(key: Item, id: &RequestId) -> Item {
    key.with(schema::REQUEST_ID, text(id.as_str()))
}

/// What leads to a request by its name, for as long as records are kept.
fn name_of(name: &str, request: &Request) -> Item {
    pointer(pointer_key(schema::once_pk(name)), &request.id)
        .with(schema::EXPIRES_AT, kept_until(request.requested_at))
}
