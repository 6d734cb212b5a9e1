//! The plan of an account, and of each of its connections, which intake and the inbox go by.

use jiff::Timestamp;

use super::accounts::{account_key, is_active};
use super::connections::connection_key;
use super::expression::Changes;
use super::item::{milliseconds, number, text};
use super::schema::{self, Table};
use super::write::Write;
use super::{Store, StoreError};
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
        let set = Changes::new()
            .set(schema::PLAN_DAYS, number(plan.days()))
            .set(schema::PLAN_CHANGED_AT, milliseconds(now));
        let is_another = schema::PLAN_DAYS.is_not(number(plan.days()));
        let set = Write::update(Table::Core, account_key(id), set);
        if self.write_if_met(set.only_if(is_active().and(is_another))).await? {
            return Ok(());
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
        let days = || number(plan.days());
        let set = Changes::new().set(schema::PLAN_DAYS, days());
        let set = Write::update(Table::Core, connection_key(route), set)
            .only_if(schema::CONNECTION_ID.is(text(id.as_str())));
        let has_plan = schema::PLAN_DAYS.is(days());
        let set = self.transaction().with(set);
        set.require(Table::Core, account_key(account), has_plan).run().await
    }
}
