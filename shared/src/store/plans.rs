//! The plan of an account, and of each of its connections, which intake and the inbox go by.

use super::accounts::account_key;
use super::connections::connection_key;
use super::contacts::unless_refused;
use super::schema;
use super::{Store, StoreError, classify};
use crate::domain::account::AccountState;
use crate::domain::ids::{AccountId, ConnectionId, RouteId};
use crate::domain::plan::Plan;

impl Store {
    /// Gives an account another plan.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is no such account, or it is being deleted.
    //= R6.5
    pub async fn set_account_plan(&self, id: &AccountId, plan: Plan) -> Result<(), StoreError> {
        self.client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(account_key(id)))
            .update_expression("SET plan_days = :plan")
            .condition_expression("#state = :active")
            .expression_attribute_names("#state", schema::STATE)
            .expression_attribute_values(":active", schema::text(AccountState::Active.as_str()))
            .expression_attribute_values(":plan", schema::number(plan.days()))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| classify(&error))
    }

    /// Gives a connection another plan: what arrives from then on is kept as long as that says.
    /// Does nothing when another connection has its route by now.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.5
    pub async fn set_connection_plan(
        &self,
        route: &RouteId,
        id: &ConnectionId,
        plan: Plan,
    ) -> Result<(), StoreError> {
        let set = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(connection_key(route)))
            .update_expression("SET plan_days = :plan")
            .condition_expression("connection_id = :id")
            .expression_attribute_values(":plan", schema::number(plan.days()))
            .expression_attribute_values(":id", schema::text(id.as_str()))
            .send()
            .await;
        unless_refused(set.map(|_| ()).map_err(|error| classify(&error)))
    }
}
