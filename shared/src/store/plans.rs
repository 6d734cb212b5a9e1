//! The plan of an account, and of each of its connections, which intake and the inbox go by.

use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem, Update};
use jiff::Timestamp;

use super::accounts::account_key;
use super::connections::connection_key;
use super::schema;
use super::{Store, StoreError, classify};
use crate::domain::account::{Account, AccountState};
use crate::domain::ids::{AccountId, ConnectionId, RouteId};
use crate::domain::plan::Plan;

impl Store {
    /// Gives an account another plan from `now` on; one that has it keeps the time it got it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is no such account, or it is being deleted.
    //= R6.5
    pub async fn set_account_plan(
        &self,
        id: &AccountId,
        plan: Plan,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let set = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(account_key(id)))
            .update_expression("SET plan_days = :plan, plan_changed_at = :now")
            .condition_expression("#state = :active AND plan_days <> :plan")
            .expression_attribute_names("#state", schema::STATE)
            .expression_attribute_values(":active", schema::text(AccountState::Active.as_str()))
            .expression_attribute_values(":plan", schema::number(plan.days()))
            .expression_attribute_values(":now", schema::milliseconds(now))
            .send()
            .await;
        match set.map_err(|error| classify(&error)) {
            Err(StoreError::Conflict) => {}
            set => return set.map(|_| ()),
        }
        let found = self.account(id).await?;
        let has_it = |one: &Account| one.state == AccountState::Active && one.plan == plan;
        if found.as_ref().is_some_and(has_it) { Ok(()) } else { Err(StoreError::Conflict) }
    }

    /// Gives a connection the plan of its account: what arrives from then on is kept as long as
    /// that says.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the account has another plan by now, or another connection has
    /// the route.
    //= R6.5
    pub async fn set_connection_plan(
        &self,
        account: &AccountId,
        (route, id): (&RouteId, &ConnectionId),
        plan: Plan,
    ) -> Result<(), StoreError> {
        let set = Update::builder()
            .table_name(&self.tables.core)
            .set_key(Some(connection_key(route)))
            .update_expression("SET plan_days = :plan")
            .condition_expression("connection_id = :id")
            .expression_attribute_values(":plan", schema::number(plan.days()))
            .expression_attribute_values(":id", schema::text(id.as_str()))
            .build()
            .map_err(|_| StoreError::Refused("update".to_owned()))?;
        let same = ConditionCheck::builder()
            .table_name(&self.tables.core)
            .set_key(Some(account_key(account)))
            .condition_expression("plan_days = :plan")
            .expression_attribute_values(":plan", schema::number(plan.days()))
            .build()
            .map_err(|_| StoreError::Refused("check".to_owned()))?;
        self.client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().update(set).build())
            .transact_items(TransactWriteItem::builder().condition_check(same).build())
            .send()
            .await
            .map(|_| ())
            .map_err(|error| classify(&error))
    }
}
