//! The requests of an account: `core`, `REQUESTS#account` / `time.request`, the latest last. Only
//! what is about one account has a place: what several have of a person is none of theirs to know.

use jiff::Timestamp;

use super::item::kept_until;
use crate::domain::erasure::Request;
use crate::domain::ids::{AccountId, RequestId};
use crate::store::item::Item;
use crate::store::read::Query;
use crate::store::schema::{self, Table};
use crate::store::{Store, StoreError};

/// Where a request stands in the list of its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPlace {
    /// When it was asked.
    pub asked_at: Timestamp,
    /// The request.
    pub request: RequestId,
}

impl Store {
    /// A page of an account's requests, the latest first, past one of them; and whether there are
    /// more. Read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account_requests(
        &self,
        account: &AccountId,
        after: Option<&RequestPlace>,
        limit: i32,
    ) -> Result<(Vec<RequestPlace>, bool), StoreError> {
        let start = after.map(|after| {
            let sk = schema::lists::place_sk(after.asked_at, &after.request);
            schema::key(schema::lists::requests_pk(account), sk)
        });
        let latest = Query::partition(Table::Core, schema::lists::requests_pk(account))
            .backwards()
            .from(start)
            .limit(limit);
        let page = self.page(latest).await?;
        let place = |item: &Item| {
            let (asked_at, request) = item.parsed(schema::SK, schema::lists::place_of)?;
            Ok(RequestPlace { asked_at, request })
        };
        let places: Result<_, _> = page.items.iter().map(place).collect();
        Ok((places?, page.next.is_some()))
    }
}

/// The place of a request; `None` when it is about no account, or about several.
pub(super) fn place(request: &Request) -> Option<Item> {
    let account = request.targets.first()?.account();
    if request.targets.iter().any(|target| target.account() != account) {
        return None;
    }
    let sk = schema::lists::place_sk(request.requested_at, &request.id);
    let key = schema::key(schema::lists::requests_pk(account), sk);
    Some(key.with(schema::EXPIRES_AT, kept_until(request.requested_at)))
}
