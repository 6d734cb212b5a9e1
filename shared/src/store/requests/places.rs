//! The requests of an account: `core`, `REQUESTS#account` / `time.request`, the latest last. Only
//! what is about one account has a place: what several have of a person is none of theirs to know.

use jiff::Timestamp;

use super::item::kept_until;
use crate::domain::erasure::Request;
use crate::domain::ids::{AccountId, RequestId};
use crate::store::schema::{self, Item};
use crate::store::{Store, StoreError, classify};

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
        let answer = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", schema::text(schema::lists::requests_pk(account)))
            .scan_index_forward(false)
            .set_exclusive_start_key(start)
            .limit(limit)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let place = |item: &Item| {
            let named = schema::lists::place_of(schema::get_text(item, schema::SK)?);
            let (asked_at, request) = named.ok_or(StoreError::Corrupt(schema::SK))?;
            Ok(RequestPlace { asked_at, request })
        };
        let places: Result<_, _> = answer.items.unwrap_or_default().iter().map(place).collect();
        Ok((places?, answer.last_evaluated_key.is_some()))
    }
}

/// The place of a request; `None` when it is about no account, or about several.
pub(super) fn place(request: &Request) -> Option<Item> {
    let account = request.targets.first()?.account();
    if request.targets.iter().any(|target| target.account() != account) {
        return None;
    }
    let sk = schema::lists::place_sk(request.requested_at, &request.id);
    let mut item = schema::key(schema::lists::requests_pk(account), sk);
    item.insert(schema::EXPIRES_AT.to_owned(), kept_until(request.requested_at));
    Some(item)
}
