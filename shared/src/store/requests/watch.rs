//! What watches requests: which stand still; and what the owners were told, so that nothing is told
//! twice.

use jiff::Timestamp;

use super::item::facts_key;
use crate::domain::ids::RequestId;
use crate::store::{Store, StoreError, classify, met, schema};

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
        met(noted.map_err(|error| classify(&error)))
    }

    /// Requests that a worker should have ended, due before that time and not saved by one since:
    /// the oldest first, so many at most.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stuck_requests(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> Result<Vec<RequestId>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.tables.core)
            .index_name(schema::UNDER_WAY)
            .key_condition_expression("under_way = :erasure AND ready_at < :before")
            .expression_attribute_values(":erasure", schema::text(schema::ERASURE))
            .expression_attribute_values(":before", schema::milliseconds(before))
            .into_paginator()
            .items()
            .send();
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(item) = pages.next().await else { break };
            let item = item.map_err(|error| classify(&error))?;
            let id = schema::request_of(schema::get_text(&item, schema::PK)?);
            found.push(id.ok_or(StoreError::Corrupt(schema::PK))?);
        }
        Ok(found)
    }
}
