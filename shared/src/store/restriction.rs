//! The restriction of a contact: a mark that intake looks at after it has written (see
//! [`super::look_again`]).

use jiff::Timestamp;

use super::contacts::contact_key;
use super::schema;
use super::{Store, StoreError, classify, unless_refused};
use crate::domain::ids::ConversationId;

impl Store {
    /// Restricts a contact: what it sends from then on is dropped. One that is restricted stays so
    /// since when it was; one that is not there is left alone. Such a contact has no end.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R2.3
    pub async fn restrict_contact(
        &self,
        conversation: &ConversationId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let restricted = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(contact_key(conversation)))
            .update_expression("SET restricted_at = :at REMOVE expires_at")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(restricted_at)")
            .expression_attribute_values(":at", schema::milliseconds(at))
            .send()
            .await;
        unless_refused(restricted.map(|_| ()).map_err(|error| classify(&error)))
    }

    /// Lifts a contact's restriction; from then on it lives until `expires_at`, unless it writes.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R2.3
    pub async fn lift_restriction(
        &self,
        conversation: &ConversationId,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let lifted = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(contact_key(conversation)))
            .update_expression("SET expires_at = :end REMOVE restricted_at")
            .condition_expression("attribute_exists(restricted_at)")
            .expression_attribute_values(":end", schema::seconds(expires_at))
            .send()
            .await;
        unless_refused(lifted.map(|_| ()).map_err(|error| classify(&error)))
    }
}
