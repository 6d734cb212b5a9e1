//! What watches requests: which stand still; and what the owners were told, so that nothing is told
//! twice.

use jiff::Timestamp;

use super::item::facts_key;
use crate::domain::ids::RequestId;
use crate::store::expression::Changes;
use crate::store::item::milliseconds;
use crate::store::read::Query;
use crate::store::schema::{self, Table};
use crate::store::write::Write;
use crate::store::{Store, StoreError};

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
        let note = Changes::new().set(name, milliseconds(now));
        let note = Write::update(Table::Core, facts_key(id), note)
            .only_if(schema::PK.exists().and(name.is_absent()));
        self.write_if_met(note).await
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
        let ready = Query::index(&schema::BY_READINESS, schema::ERASURE)
            .within(schema::READY_AT.is_below(milliseconds(before)));
        let mut pages = self.pages(ready);
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(items) = pages.next().await?
        {
            for item in items.iter().take(limit.saturating_sub(found.len())) {
                found.push(item.parsed(schema::PK, schema::request_of)?);
            }
        }
        Ok(found)
    }
}
