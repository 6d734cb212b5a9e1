//! Writes of several items: all of them, or none.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem, Update};

use futures_util::FutureExt as _;

use super::call::{Answer, Call};
use super::error::{StoreError, met};
use super::expression::{Condition, Placeholders};
use super::item::Item;
use super::schema::Table;
use super::write::{What, Write};
use super::{Store, Tables};

/// Writes that happen together, while all of their conditions are met.
pub(super) struct Transaction<'a> {
    store: &'a Store,
    parts: Vec<Part>,
}

enum Part {
    Write(Write),
    Require { table: Table, key: Item, condition: Condition },
}

impl Store {
    /// A transaction of nothing yet.
    pub(super) const fn transaction(&self) -> Transaction<'_> {
        Transaction { store: self, parts: Vec::new() }
    }
}

impl<'a> Transaction<'a> {
    /// With another write.
    pub(super) fn with(mut self, write: Write) -> Self {
        self.parts.push(Part::Write(write));
        self
    }

    /// With further writes.
    pub(super) fn with_all(mut self, writes: impl IntoIterator<Item = Write>) -> Self {
        self.parts.extend(writes.into_iter().map(Part::Write));
        self
    }

    /// Only while this is true of an item that the transaction does not write.
    pub(super) fn require(mut self, table: Table, key: Item, condition: Condition) -> Self {
        self.parts.push(Part::Require { table, key, condition });
        self
    }

    /// Writes everything.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a condition is not met.
    pub(super) fn run(self) -> Answer<'a, ()> {
        self.send().boxed()
    }

    /// Writes everything; false when a condition is not met.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn run_if_met(self) -> Answer<'a, bool> {
        self.send().map(met).boxed()
    }

    async fn send(self) -> Result<(), StoreError> {
        let Self { store, parts } = self;
        let parts: Result<Vec<_>, BuildError> =
            parts.into_iter().map(|part| part.built(&store.tables)).collect();
        let parts = parts.map_err(|error| StoreError::Refused(error.to_string()))?;
        let call = Call::on_several("TransactWriteItems");
        let request = store
            .client
            .transact_write_items()
            .set_transact_items(Some(parts))
            .set_return_consumed_capacity(call.asks());
        let answer = call.answer(request.send()).await?;
        call.consumed(answer.consumed_capacity());
        Ok(())
    }
}

impl Part {
    fn built(self, tables: &Tables) -> Result<TransactWriteItem, BuildError> {
        match self {
            Self::Write(Write { table, what, condition }) => {
                what.built(tables.name(table), condition)
            }
            Self::Require { table, key, condition } => {
                let mut placeholders = Placeholders::default();
                let check = ConditionCheck::builder()
                    .table_name(tables.name(table))
                    .set_key(Some(key.0))
                    .condition_expression(placeholders.condition(condition))
                    .set_expression_attribute_names(placeholders.take_names())
                    .set_expression_attribute_values(placeholders.take_values());
                Ok(TransactWriteItem::builder().condition_check(check.build()?).build())
            }
        }
    }
}

impl What {
    fn built(
        self,
        table: &str,
        condition: Option<Condition>,
    ) -> Result<TransactWriteItem, BuildError> {
        let mut placeholders = Placeholders::default();
        let part = TransactWriteItem::builder();
        let part = match self {
            Self::Put(item) => part.put(
                Put::builder()
                    .table_name(table)
                    .set_item(Some(item.0))
                    .set_condition_expression(condition.map(|it| placeholders.condition(it)))
                    .set_expression_attribute_names(placeholders.take_names())
                    .set_expression_attribute_values(placeholders.take_values())
                    .build()?,
            ),
            Self::Update(key, changes) => part.update(
                Update::builder()
                    .table_name(table)
                    .set_key(Some(key.0))
                    .update_expression(placeholders.changes(changes))
                    .set_condition_expression(condition.map(|it| placeholders.condition(it)))
                    .set_expression_attribute_names(placeholders.take_names())
                    .set_expression_attribute_values(placeholders.take_values())
                    .build()?,
            ),
            Self::Delete(key) => part.delete(
                Delete::builder()
                    .table_name(table)
                    .set_key(Some(key.0))
                    .set_condition_expression(condition.map(|it| placeholders.condition(it)))
                    .set_expression_attribute_names(placeholders.take_names())
                    .set_expression_attribute_values(placeholders.take_values())
                    .build()?,
            ),
        };
        Ok(part.build())
    }
}
