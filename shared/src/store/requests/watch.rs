//! What watches requests: which of them no worker has ended, and what the owners were told.

use jiff::Timestamp;

use super::item::facts_key;
use crate::domain::ids::RequestId;
use crate::store::expression::Changes;
use crate::store::item::{Item, milliseconds};
use crate::store::read::{Pages, Query};
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

    /// Requests that a worker should have ended: they were due before that time, and no worker has
    /// saved them since.
    #[must_use]
    pub fn stuck_requests(&self, before: Timestamp) -> StuckRequests<'_> {
        let ready = Query::index(&schema::BY_READINESS, schema::ERASURE)
            .within(schema::READY_AT.is_below(milliseconds(before)));
        StuckRequests(self.pages(ready))
    }
}

/// Requests that a worker should have ended, the oldest first.
#[derive(Debug)]
pub struct StuckRequests<'a>(Pages<'a>);

impl StuckRequests<'_> {
    /// The next page of them; `None` at the end.
    pub async fn next_page(&mut self) -> Result<Option<Vec<RequestId>>, StoreError> {
        let Some(items) = self.0.next().await? else { return Ok(None) };
        let id = |item: &Item| item.parsed(schema::PK, schema::request_of);
        items.iter().map(id).collect::<Result<_, _>>().map(Some)
    }

    /// The first of them, so many at most.
    pub async fn first(mut self, limit: usize) -> Result<Vec<RequestId>, StoreError> {
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(mut page) = self.next_page().await?
        {
            found.append(&mut page);
        }
        found.truncate(limit);
        Ok(found)
    }
}
