//! Whose turn it is to sweep: `core`, `LANE#lane` / `LANE`. Two requests can cover the same rows;
//! each row is counted once because they sweep one after the other.

use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use jiff::Timestamp;

use super::request_id;
use crate::domain::ids::RequestId;
use crate::store::schema::{self, Item};
use crate::store::{Store, StoreError, classify, met};

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
        let entered = self
            .put_lane(lane, request, kept_until)
            .condition_expression("attribute_not_exists(pk) OR request_id = :me")
            .expression_attribute_values(":me", schema::text(request.as_str()))
            .send()
            .await;
        if met(entered.map_err(|error| classify(&error)))? {
            return Ok(request.clone());
        }
        let holder = self.item(&self.tables.core, lane_key(lane)).await?;
        request_id(&holder.ok_or(StoreError::Conflict)?)
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
        let taken = self
            .put_lane(lane, to, kept_until)
            .condition_expression("request_id = :from")
            .expression_attribute_values(":from", schema::text(from.as_str()))
            .send()
            .await;
        met(taken.map_err(|error| classify(&error)))
    }

    /// Leaves a lane to whoever comes next; does nothing where it is another's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn leave_lane(&self, lane: &str, request: &RequestId) -> Result<(), StoreError> {
        let left = self
            .client
            .delete_item()
            .table_name(&self.tables.core)
            .set_key(Some(lane_key(lane)))
            .condition_expression("request_id = :me")
            .expression_attribute_values(":me", schema::text(request.as_str()))
            .send()
            .await;
        met(left.map_err(|error| classify(&error))).map(|_| ())
    }

    fn put_lane(
        &self,
        lane: &str,
        request: &RequestId,
        kept_until: Timestamp,
    ) -> PutItemFluentBuilder {
        self.client
            .put_item()
            .table_name(&self.tables.core)
            .set_item(Some(lane_key(lane)))
            .item(schema::REQUEST_ID, schema::text(request.as_str()))
            .item(schema::EXPIRES_AT, schema::seconds(kept_until))
    }
}

fn lane_key(lane: &str) -> Item {
    schema::key(schema::erasures::lane_pk(lane), schema::erasures::LANE.to_owned())
}
