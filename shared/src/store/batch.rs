//! Many items in one request, and what DynamoDB left out of its answer in the next ones.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{DeleteRequest, KeysAndAttributes, WriteRequest};

use super::call::Call;
use super::expression::Placeholders;
use super::item::Item;
use super::schema::{Attribute, Table};
use super::{Store, StoreError};

/// `BatchGetItem`'s own limit, over all tables of a request.
pub(super) const GET_MAX: usize = 100;
/// `BatchWriteItem`'s own limit.
pub(super) const WRITE_MAX: usize = 25;
/// Rounds for keys that DynamoDB left unprocessed, before it counts as throttling.
const ROUNDS_MAX: usize = 4;

/// What to read of one table.
pub(super) struct Asked {
    pub(super) table: Table,
    pub(super) keys: Vec<Item>,
    /// The only attributes to read; none reads all.
    pub(super) only: &'static [Attribute],
}

impl Store {
    /// The items that exist of those asked for, at most [`GET_MAX`], in the order of the tables;
    /// within a table in no order.
    ///
    /// # Errors
    /// [`StoreError`]; `Throttled` when keys are still left unprocessed after [`ROUNDS_MAX`].
    pub(super) async fn batch<const TABLES: usize>(
        &self,
        mut asked: [Asked; TABLES],
        consistent: bool,
    ) -> Result<[Vec<Item>; TABLES], StoreError> {
        let mut items = [const { Vec::new() }; TABLES];
        for _ in 0..ROUNDS_MAX {
            if asked.iter().all(|of| of.keys.is_empty()) {
                return Ok(items);
            }
            let mut request = BTreeMap::new();
            for of in asked.iter_mut().filter(|of| !of.keys.is_empty()) {
                let mut placeholders = Placeholders::default();
                let keys = std::mem::take(&mut of.keys).into_iter().map(|key| key.0).collect();
                // Made anew each round, so that no answer can say how the next read is made.
                let read = KeysAndAttributes::builder()
                    .set_keys(Some(keys))
                    .set_projection_expression(placeholders.projection(of.only))
                    .set_expression_attribute_names(placeholders.take_names())
                    .consistent_read(consistent)
                    .build()
                    .map_err(|error| StoreError::Refused(error.to_string()))?;
                request.insert(self.tables.name(of.table).to_owned(), read);
            }
            let call = Call::on_several("BatchGetItem");
            let request = self
                .client
                .batch_get_item()
                .set_request_items(Some(request.into_iter().collect()))
                .set_return_consumed_capacity(call.asks());
            let answer = call.answer(request.send()).await?;
            call.consumed(answer.consumed_capacity());
            let mut found = answer.responses.unwrap_or_default();
            let mut left = answer.unprocessed_keys.unwrap_or_default();
            for (of, items) in asked.iter_mut().zip(&mut items) {
                let table = self.tables.name(of.table);
                items.extend(found.remove(table).unwrap_or_default().into_iter().map(Item));
                let left = left.remove(table).map(|left| left.keys).unwrap_or_default();
                of.keys = left.into_iter().map(Item).collect();
            }
        }
        let is_done = asked.iter().all(|of| of.keys.is_empty());
        if is_done { Ok(items) } else { Err(StoreError::Throttled) }
    }

    /// Deletes items of one table, at most [`WRITE_MAX`]; returns the keys of those that the table
    /// has left, for want of capacity.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn delete_batch(
        &self,
        table: Table,
        keys: Vec<Item>,
    ) -> Result<Vec<Item>, StoreError> {
        let mut requests = Vec::with_capacity(keys.len());
        for key in &keys {
            let delete = DeleteRequest::builder().set_key(Some(key.0.clone())).build();
            let delete = delete.map_err(|error| StoreError::Refused(error.to_string()))?;
            requests.push(WriteRequest::builder().delete_request(delete).build());
        }
        let call = Call::on(table, "BatchWriteItem");
        let request = self
            .client
            .batch_write_item()
            .request_items(self.tables.name(table), requests)
            .set_return_consumed_capacity(call.asks());
        let answer = match call.answer(request.send()).await {
            Ok(answer) => answer,
            Err(StoreError::Throttled) => return Ok(keys),
            Err(error) => return Err(error),
        };
        call.consumed(answer.consumed_capacity());
        let left = answer.unprocessed_items.unwrap_or_default().remove(self.tables.name(table));
        let left = left.unwrap_or_default().into_iter();
        Ok(left.filter_map(|left| left.delete_request.map(|delete| Item(delete.key))).collect())
    }
}
