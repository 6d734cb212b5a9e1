//! Writes of one item, each under its condition.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

use futures_util::{FutureExt as _, TryFutureExt as _};

use super::Store;
use super::call::{Answer, Call};
use super::error::{StoreError, classify, met};
use super::expression::{Changes, Condition, Placeholders};
use super::item::{Attributes, Item, number};
use super::read::Query;
use super::schema::{PK, Table, VERSION};

/// A write of one item.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) table: Table,
    pub(super) what: What,
    pub(super) condition: Option<Condition>,
}

/// What a write does.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// Puts an item in the place of whatever has its key.
    Put(Item),
    /// Changes the item with this key.
    Update(Item, Changes),
    /// Deletes the item with this key; nothing where there is none.
    Delete(Item),
}

impl Write {
    pub(super) const fn put(table: Table, item: Item) -> Self {
        Self { table, what: What::Put(item), condition: None }
    }

    /// Puts an item where there is none.
    pub(super) fn put_new(table: Table, item: Item) -> Self {
        Self::put(table, item).only_if(PK.is_absent())
    }

    /// Puts an item in the place of the version that was read.
    pub(super) fn put_at_version(table: Table, item: Item, read_at: u64) -> Self {
        Self::put(table, item).only_if(VERSION.is(number(read_at)))
    }

    pub(super) const fn update(table: Table, key: Item, changes: Changes) -> Self {
        Self { table, what: What::Update(key, changes), condition: None }
    }

    pub(super) const fn delete(table: Table, key: Item) -> Self {
        Self { table, what: What::Delete(key), condition: None }
    }

    /// Under a condition: where that is not met, nothing is written.
    pub(super) fn only_if(self, condition: Condition) -> Self {
        Self { condition: Some(condition), ..self }
    }
}

/// Why nothing was written, and the item that the condition met, where the write asked for that.
struct Unwritten {
    error: StoreError,
    met: Option<Item>,
}

impl Unwritten {
    fn new<E>(error: &SdkError<E>, met: fn(&E) -> Option<&Attributes>) -> Self
    where
        E: aws_sdk_dynamodb::error::ProvideErrorMetadata + std::fmt::Debug,
    {
        let item = error.as_service_error().and_then(met).filter(|item| !item.is_empty());
        Self { error: classify(error), met: item.cloned().map(Item) }
    }
}

fn met_by_put(error: &PutItemError) -> Option<&Attributes> {
    let PutItemError::ConditionalCheckFailedException(error) = error else { return None };
    error.item()
}

fn met_by_update(error: &UpdateItemError) -> Option<&Attributes> {
    let UpdateItemError::ConditionalCheckFailedException(error) = error else { return None };
    error.item()
}

impl Store {
    /// Writes an item.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the condition is not met.
    pub(super) fn write(&self, write: Write) -> Answer<'_, ()> {
        self.send(write, None).map_err(|unwritten| unwritten.error).boxed()
    }

    /// Writes an item; false when the condition is not met.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn write_if_met(&self, write: Write) -> Answer<'_, bool> {
        self.write(write).map(met).boxed()
    }

    /// Writes an item, unless it is refused: a condition that is not met is no error.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn write_unless_refused(&self, write: Write) -> Answer<'_, ()> {
        self.write(write).map(|written| met(written).map(|_| ())).boxed()
    }

    /// Writes an item; returns the one that the condition met, when it is not met.
    ///
    /// # Errors
    /// [`StoreError`]; `Conflict` when the condition is not met because there is no item.
    pub(super) fn write_or_meet(&self, write: Write) -> Answer<'_, Option<Item>> {
        let returns = Some(ReturnValuesOnConditionCheckFailure::AllOld);
        let met = |sent| match sent {
            Ok(()) => Ok(None),
            Err(Unwritten { met: Some(item), .. }) => Ok(Some(item)),
            Err(Unwritten { met: None, error }) => Err(error),
        };
        self.send(write, returns).map(met).boxed()
    }

    /// Deletes an item; nothing where there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn delete(&self, table: Table, key: Item) -> Answer<'_, ()> {
        self.write(Write::delete(table, key))
    }

    /// Deletes all items that a query finds, one after the other.
    ///
    /// # Errors
    /// [`StoreError`]; some are deleted then.
    pub(super) async fn delete_all(&self, query: Query) -> Result<(), StoreError> {
        let table = query.table();
        for key in self.keys(query).await? {
            self.delete(table, key).await?;
        }
        Ok(())
    }

    async fn send(
        &self,
        write: Write,
        returns: Option<ReturnValuesOnConditionCheckFailure>,
    ) -> Result<(), Unwritten> {
        let Write { table, what, condition } = write;
        let table_name = self.tables.name(table);
        let mut placeholders = Placeholders::default();
        match what {
            What::Put(item) => {
                let call = Call::on(table, "PutItem");
                let request = self
                    .client
                    .put_item()
                    .table_name(table_name)
                    .set_item(Some(item.0))
                    .set_condition_expression(condition.map(|it| placeholders.condition(it)))
                    .set_expression_attribute_names(placeholders.take_names())
                    .set_expression_attribute_values(placeholders.take_values())
                    .set_return_values_on_condition_check_failure(returns)
                    .set_return_consumed_capacity(call.asks());
                let answer = call.send(request.send()).await;
                let answer = answer.map_err(|error| Unwritten::new(&error, met_by_put))?;
                call.consumed(answer.consumed_capacity());
            }
            What::Update(key, changes) => {
                let call = Call::on(table, "UpdateItem");
                let request = self
                    .client
                    .update_item()
                    .table_name(table_name)
                    .set_key(Some(key.0))
                    .update_expression(placeholders.changes(changes))
                    .set_condition_expression(condition.map(|it| placeholders.condition(it)))
                    .set_expression_attribute_names(placeholders.take_names())
                    .set_expression_attribute_values(placeholders.take_values())
                    .set_return_values_on_condition_check_failure(returns)
                    .set_return_consumed_capacity(call.asks());
                let answer = call.send(request.send()).await;
                let answer = answer.map_err(|error| Unwritten::new(&error, met_by_update))?;
                call.consumed(answer.consumed_capacity());
            }
            What::Delete(key) => {
                let call = Call::on(table, "DeleteItem");
                let request = self
                    .client
                    .delete_item()
                    .table_name(table_name)
                    .set_key(Some(key.0))
                    .set_condition_expression(condition.map(|it| placeholders.condition(it)))
                    .set_expression_attribute_names(placeholders.take_names())
                    .set_expression_attribute_values(placeholders.take_values())
                    .set_return_consumed_capacity(call.asks());
                let answer = call.send(request.send()).await;
                let answer = answer.map_err(|error| Unwritten::new(&error, |_| None))?;
                call.consumed(answer.consumed_capacity());
            }
        }
        Ok(())
    }
}
