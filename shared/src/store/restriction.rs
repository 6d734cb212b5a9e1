//! The restriction of a contact: a mark that intake looks at after it has written (see
//! [`super::look_again`]).

use jiff::Timestamp;

use super::contacts::contact_key;
use super::expression::Changes;
use super::item::{milliseconds, seconds};
use super::schema::{self, Table};
use super::write::Write;
use super::{Store, StoreError};
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
        let restrict =
            Changes::new().set(schema::RESTRICTED_AT, milliseconds(at)).remove(schema::EXPIRES_AT);
        let restrict = Write::update(Table::Core, contact_key(conversation), restrict)
            .only_if(schema::PK.exists().and(schema::RESTRICTED_AT.is_absent()));
        self.write_unless_refused(restrict).await
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
        let lift = Changes::new()
            .set(schema::EXPIRES_AT, seconds(expires_at))
            .remove(schema::RESTRICTED_AT);
        let lift = Write::update(Table::Core, contact_key(conversation), lift)
            .only_if(schema::RESTRICTED_AT.exists());
        self.write_unless_refused(lift).await
    }
}
