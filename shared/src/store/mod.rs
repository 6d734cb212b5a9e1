//! DynamoDB: one file per entity, and [`schema`] alone knows how keys and attributes are spelled.
//!
//! Nothing here opens what it stores, decides what to store, or retries beyond what the SDK does.
//! "Not found" is `Ok(None)`.

pub mod account_keys;
pub mod accounts;
pub mod answers;
pub mod audit;
mod batch;
pub mod connections;
pub mod consents;
pub mod contacts;
pub mod day_keys;
pub mod every_row;
pub mod expiries;
pub mod exports;
pub mod holds;
pub mod invoices;
pub mod ledger;
pub mod look_again;
pub mod members;
pub mod messages;
pub mod pace;
pub mod persons;
pub mod plans;
pub mod policies;
pub mod profiles;
pub mod removals;
pub mod requests;
pub mod restriction;
pub mod routes;
pub mod schema;
pub mod sweep;
pub mod tallies;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;

/// The tables of one deployment.
#[derive(Debug, Clone)]
pub struct Tables {
    /// Accounts, members, connections, contacts.
    pub core: String,
    /// Sealed messages.
    pub messages: String,
    /// Day keys and index keys: no point-in-time recovery, on purpose.
    pub keys: String,
    /// The erasure ledger and the audit chain.
    pub ledger: String,
}

/// The database of one deployment.
#[derive(Debug, Clone)]
pub struct Store {
    client: aws_sdk_dynamodb::Client,
    tables: Tables,
}

impl Store {
    /// A store over these tables.
    #[must_use]
    pub const fn new(client: aws_sdk_dynamodb::Client, tables: Tables) -> Self {
        Self { client, tables }
    }

    /// The items of a partition of `core`, of this sort where one is named, read consistently.
    async fn items(
        &self,
        pk: String,
        prefix: Option<&str>,
    ) -> Result<Vec<schema::Item>, StoreError> {
        let items: Result<Vec<_>, _> =
            self.partition(pk, prefix).into_paginator().items().send().collect().await;
        items.map_err(|error| classify(&error))
    }

    /// Their keys.
    async fn keys(
        &self,
        pk: String,
        prefix: Option<&str>,
    ) -> Result<Vec<schema::Item>, StoreError> {
        let query = self.partition(pk, prefix).projection_expression("pk, sk");
        let keys: Result<Vec<_>, _> = query.into_paginator().items().send().collect().await;
        keys.map_err(|error| classify(&error))
    }

    /// Whether a partition of `core` has any item, read consistently.
    async fn has_items(&self, pk: String) -> Result<bool, StoreError> {
        let query = self.partition(pk, None).projection_expression(schema::SK).limit(1);
        let answer = query.send().await.map_err(|error| classify(&error))?;
        Ok(answer.items.is_some_and(|items| !items.is_empty()))
    }

    fn partition(&self, pk: String, prefix: Option<&str>) -> QueryFluentBuilder {
        let query = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .expression_attribute_values(":pk", schema::text(pk));
        match prefix {
            None => query.key_condition_expression("pk = :pk"),
            Some(prefix) => query
                .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                .expression_attribute_values(":prefix", schema::text(prefix)),
        }
    }

    /// Deletes an item of `core`; nothing where there is none.
    async fn delete_core(&self, key: schema::Item) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.tables.core).set_key(Some(key));
        delete.send().await.map(|_| ()).map_err(|error| classify(&error))
    }

    /// A whole item, read consistently; `None` when there is none.
    async fn item(
        &self,
        table: &str,
        key: schema::Item,
    ) -> Result<Option<schema::Item>, StoreError> {
        self.client
            .get_item()
            .table_name(table)
            .set_key(Some(key))
            .consistent_read(true)
            .send()
            .await
            .map(|answer| answer.item)
            .map_err(|error| classify(&error))
    }
}

/// Why the database did not do what was asked, by what the caller can do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Someone else changed the item in the meantime; read again and decide again.
    #[error("the item changed in the meantime")]
    Conflict,
    /// Out of capacity after the SDK's retries; come back later.
    #[error("the table is throttling")]
    Throttled,
    /// No answer, or a failure of the service.
    #[error("the database did not answer ({0})")]
    Unavailable(String),
    /// The role may not do this: a defect of the template.
    #[error("the role may not do this")]
    Denied,
    /// A stored item is not as this code writes it.
    #[error("a stored item has no readable `{0}`")]
    Corrupt(&'static str),
    /// The request itself was refused: a defect of this code.
    #[error("the request was refused ({0})")]
    Refused(String),
}

impl StoreError {
    /// Whether it speaks of one item only, so that others are still worth trying.
    #[must_use]
    pub const fn is_of_one_item(&self) -> bool {
        match self {
            Self::Conflict | Self::Corrupt(_) | Self::Refused(_) => true,
            Self::Throttled | Self::Unavailable(_) | Self::Denied => false,
        }
    }
}

/// Whether a transaction was cancelled for want of capacity alone. One that met another at the same
/// item is a conflict like any other: read again, and decide again.
fn is_out_of_capacity(message: Option<&str>) -> bool {
    message.is_some_and(|message| {
        let is_throttled = ["ThrottlingError", "ProvisionedThroughputExceeded"]
            .iter()
            .any(|reason| message.contains(reason));
        is_throttled
            && !message.contains("ConditionalCheckFailed")
            && !message.contains("TransactionConflict")
    })
}

/// Whether the condition of a write was met.
fn met<T>(written: Result<T, StoreError>) -> Result<bool, StoreError> {
    match written {
        Ok(_) => Ok(true),
        Err(StoreError::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A condition that was not met is an answer, not an error.
fn unless_refused(written: Result<(), StoreError>) -> Result<(), StoreError> {
    met(written).map(|_| ())
}

/// The one place where SDK errors get a meaning.
fn classify<E, R>(error: &SdkError<E, R>) -> StoreError
where
    E: ProvideErrorMetadata,
{
    let Some(code) = error.code() else {
        // Its own words name the stage it failed at, and nothing of the request.
        return StoreError::Unavailable(error.to_string());
    };
    match code {
        // Its message lists a reason for each write.
        "TransactionCanceledException" if is_out_of_capacity(error.message()) => {
            StoreError::Throttled
        }
        "ConditionalCheckFailedException"
        | "TransactionCanceledException"
        | "TransactionConflictException" => StoreError::Conflict,
        "ProvisionedThroughputExceededException"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "LimitExceededException" => StoreError::Throttled,
        "AccessDeniedException" => StoreError::Denied,
        "ValidationException" | "ResourceNotFoundException" | "SerializationException" => {
            StoreError::Refused(code.to_owned())
        }
        _ => StoreError::Unavailable(code.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_transaction_is_a_conflict_unless_it_wanted_for_capacity_alone() {
        let throttled = |reasons: &str| {
            let text = "Transaction cancelled, please refer cancellation reasons for specific \
                        reasons";
            is_out_of_capacity(Some(&format!("{text} [{reasons}]")))
        };
        assert!(throttled("None, ThrottlingError"));
        assert!(throttled("ProvisionedThroughputExceeded, None"));
        assert!(!throttled("TransactionConflict, None"));
        assert!(!throttled("ConditionalCheckFailed, ThrottlingError"));
        assert!(!is_out_of_capacity(None));
    }
}
