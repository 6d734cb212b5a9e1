//! What the owners were told of a request, so that nothing is told twice.

use jiff::Timestamp;

use super::item::facts_key;
use crate::domain::ids::RequestId;
use crate::store::{Store, StoreError, classify, schema};

/// What the owners of an account are told of a request, once each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// That it waits for its day.
    Locked,
    /// That it is carried out.
    Ending,
    /// That it is near its deadline.
    AtRisk,
}

impl Store {
    /// Notes that the owners are told of a request; false when that is noted already, or there is
    /// no such request.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_told(
        &self,
        id: &RequestId,
        told: Told,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let name = match told {
            Told::Locked => schema::TOLD_LOCKED_AT,
            Told::Ending => schema::TOLD_ENDING_AT,
            Told::AtRisk => schema::TOLD_AT_RISK_AT,
        };
        let noted = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(facts_key(id)))
            .update_expression("SET #told = :now")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(#told)")
            .expression_attribute_names("#told", name)
            .expression_attribute_values(":now", schema::milliseconds(now))
            .send()
            .await;
        match noted.map_err(|error| classify(&error)) {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
