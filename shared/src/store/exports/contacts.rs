//! The contacts that an export reads.

use aws_sdk_dynamodb::types::Select;

use crate::domain::ids::{ConnectionId, ContactId};
use crate::store::contacts::{Contact, contact, contact_id};
use crate::store::schema;
use crate::store::{Store, StoreError, classify};

/// Contacts of one page.
const PAGE: i32 = 100;

impl Store {
    /// A page of a connection's contacts past one of them, with what is held of each, read
    /// consistently; empty at the end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn contact_page(
        &self,
        connection: &ConnectionId,
        after: Option<&ContactId>,
    ) -> Result<Vec<(ContactId, Contact)>, StoreError> {
        let after = after.map_or_else(|| schema::CONTACT_PREFIX.to_owned(), schema::contact_sk);
        let answer = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk > :after")
            .expression_attribute_values(":pk", schema::text(schema::connection_pk(connection)))
            .expression_attribute_values(":after", schema::text(after))
            .limit(PAGE)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let items = answer.items.unwrap_or_default();
        items.iter().map(|item| Ok((contact_id(item)?, contact(item)?))).collect()
    }

    /// How many contacts a connection has, about.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_contacts(&self, connection: &ConnectionId) -> Result<u64, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.tables.core)
            .key_condition_expression("pk = :pk AND begins_with(sk, :contact)")
            .expression_attribute_values(":pk", schema::text(schema::connection_pk(connection)))
            .expression_attribute_values(":contact", schema::text(schema::CONTACT_PREFIX))
            .select(Select::Count)
            .into_paginator()
            .send();
        let mut sum = 0_u64;
        while let Some(page) = pages.next().await {
            let count = page.map_err(|error| classify(&error))?.count;
            sum = sum.saturating_add(u64::try_from(count).unwrap_or_default());
        }
        Ok(sum)
    }
}
