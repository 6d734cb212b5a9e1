//! Whose turn it is to sweep: `core`, `LANE#lane` / `LANE`. Two requests can cover the same rows;
//! each row is counted once because they sweep one after the other.

use jiff::Timestamp;

use super::leads_to;
use crate::domain::ids::RequestId;
use crate::store::item::{Item, seconds, text};
use crate::store::schema::{self, Table};
use crate::store::write::Write;
use crate::store::{Store, StoreError};

impl Store {
    /// Gives a lane to a request, unless another has it; returns whose it is then. The record lives
    /// until `kept_until`, should nobody leave the lane.
    ///
    /// # Errors
    /// [`StoreError`]; `Conflict` when the lane changed hands at this very moment.
    pub async fn enter_lane(
        &self,
        lane: &str,
        request: &RequestId,
        kept_until: Timestamp,
    ) -> Result<RequestId, StoreError> {
        let is_free = schema::PK.is_absent().or(leads_to(request));
        if self.write_if_met(put_lane(lane, request, kept_until).only_if(is_free)).await? {
            return Ok(request.clone());
        }
        let holder = self.item(Table::Core, lane_key(lane)).await?;
        holder.ok_or(StoreError::Conflict)?.parsed(schema::REQUEST_ID, RequestId::parse)
    }

    /// Gives a lane to a request in place of one that will not go on in it; false when it has
    /// changed hands by now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_lane_over(
        &self,
        lane: &str,
        (from, to): (&RequestId, &RequestId),
        kept_until: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write_if_met(put_lane(lane, to, kept_until).only_if(leads_to(from))).await
    }

    /// Leaves a lane to whoever comes next; does nothing where it is another's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn leave_lane(&self, lane: &str, request: &RequestId) -> Result<(), StoreError> {
        let leave = Write::delete(Table::Core, lane_key(lane)).only_if(leads_to(request));
        self.write_unless_refused(leave).await
    }
}

fn put_lane(lane: &str, request: &RequestId, kept_until: Timestamp) -> Write {
    let item = lane_key(lane)
        .with(schema::REQUEST_ID, text(request.as_str()))
        .with(schema::EXPIRES_AT, seconds(kept_until));
    Write::put(Table::Core, item)
}

fn lane_key(lane: &str) -> Item {
    schema::key(schema::lane_pk(lane), schema::LANE)
}
