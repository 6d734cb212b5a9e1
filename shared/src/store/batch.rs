//! Many items in one request, and what DynamoDB left out of its answer in the next ones.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::schema::Item;
use super::{Store, StoreError, classify};

/// `BatchGetItem`'s own limit, over all tables of a request.
pub(super) const BATCH_MAX: usize = 100;
/// Rounds for keys that DynamoDB left unprocessed, before it counts as throttling.
const ROUNDS_MAX: usize = 4;

/// What to read of one table.
pub(super) struct Asked<'a> {
    pub(super) table: &'a str,
    pub(super) keys: Vec<Item>,
    /// The only attributes to read; `None` reads all.
    pub(super) projection: Option<&'static str>,
}

impl Store {
    /// The items that exist of those asked for, at most [`BATCH_MAX`], in the order of the tables;
    /// within a table in no order.
    ///
    /// # Errors
    /// [`StoreError`]; `Throttled` when keys are still left unprocessed after [`ROUNDS_MAX`].
    pub(super) async fn batch<const TABLES: usize>(
        &self,
        mut asked: [Asked<'_>; TABLES],
        consistent: bool,
    ) -> Result<[Vec<Item>; TABLES], StoreError> {
        let mut items = [const { Vec::new() }; TABLES];
        for _ in 0..ROUNDS_MAX {
            if asked.iter().all(|of| of.keys.is_empty()) {
                return Ok(items);
            }
            let mut request = BTreeMap::new();
            for of in asked.iter_mut().filter(|of| !of.keys.is_empty()) {
                // Made anew each round, so that no answer can say how the next read is made.
                let read = KeysAndAttributes::builder()
                    .set_keys(Some(std::mem::take(&mut of.keys)))
                    .set_projection_expression(of.projection.map(str::to_owned))
                    .consistent_read(consistent)
                    .build()
                    .map_err(|_| StoreError::Refused("batch".to_owned()))?;
                request.insert(of.table.to_owned(), read);
            }
            let answer = self
                .client
                .batch_get_item()
                .set_request_items(Some(request.into_iter().collect()))
                .send()
                .await
                .map_err(|error| classify(&error))?;
            let mut found = answer.responses.unwrap_or_default();
            let mut left = answer.unprocessed_keys.unwrap_or_default();
            for (of, items) in asked.iter_mut().zip(&mut items) {
                items.extend(found.remove(of.table).unwrap_or_default());
                of.keys = left.remove(of.table).map(|left| left.keys).unwrap_or_default();
            }
        }
        let is_done = asked.iter().all(|of| of.keys.is_empty());
        if is_done { Ok(items) } else { Err(StoreError::Throttled) }
    }
}
