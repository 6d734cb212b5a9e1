//! The contacts that an export reads.

use crate::domain::ids::{ConnectionId, ContactId};
use crate::store::contacts::{Contact, contact, contact_id};
use crate::store::read::Query;
use crate::store::schema::{self, Table};
use crate::store::{Store, StoreError};

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
        let contacts = Query::partition(Table::Core, schema::connection_pk(connection))
            .past(after)
            .limit(PAGE);
        let page = self.page(contacts).await?;
        page.items.iter().map(|item| Ok((contact_id(item)?, contact(item)?))).collect()
    }

    /// How many contacts a connection has, about.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_contacts(&self, connection: &ConnectionId) -> Result<u64, StoreError> {
        let contacts = Query::partition(Table::Core, schema::connection_pk(connection))
            .under(schema::CONTACT_PREFIX)
            .a_moment_behind();
        self.count(contacts).await
    }
}
