//! A change of plan (R6.5). Before a downgrade is answered, the keys of days are destroyed that are
//! too old for the new plan. After an upgrade, keys and rows have longer. Rows follow in bounded
//! steps.

use jiff::Timestamp;

use super::is_any_held;
use crate::concurrent::try_all;
use crate::domain::hold::Held;
use crate::domain::ids::{AccountId, ConnectionId, RouteId};
use crate::domain::plan::Plan;
use crate::domain::policy::{Clock, Verdict, verdict};
use crate::domain::tally::Tally;
use crate::domain::time::Day;
use crate::store::day_keys::DueKey;
use crate::store::{Store, StoreError};

/// Keys that are re-timed at once.
const AT_ONCE: usize = 32;

/// Gives an account another plan. From then on nothing shows what is too old for the plan, and the
/// keys of days that are too old are destroyed. [`super::retime`] has to follow, once nobody writes
/// by the old plan any more. The call may be repeated.
///
/// # Errors
/// [`StoreError::Conflict`] if the account does not exist or is being deleted.
//= R6.5
pub async fn change_plan(
    store: &Store,
    account: &AccountId,
    plan: Plan,
    now: Timestamp,
) -> Result<(), StoreError> {
    store.set_account_plan(account, plan, now).await?;
    // Channels change one after the other. Each changes in a transaction that looks at the account,
    // and two such transactions at once would cancel each other.
    for (route, connection) in &store.account_channels(account).await? {
        change_channel(store, account, route, connection, plan, now).await?;
    }
    Ok(())
}

/// Changes a channel's own plan, by which intake and the inbox go, and re-times or destroys its
/// keys.
pub(super) async fn change_channel(
    store: &Store,
    account: &AccountId,
    route: &RouteId,
    connection: &ConnectionId,
    plan: Plan,
    now: Timestamp,
) -> Result<(), StoreError> {
    match store.set_connection_plan(account, (route, connection), plan).await {
        Err(StoreError::Conflict)
            if is_superseded(store, account, route, connection, plan).await? =>
        {
            return Ok(());
        }
        // The write met another transaction at the same item. Whoever asked comes again.
        set => set?,
    }
    let today = Day::of(now);
    let days = store.day_key_days(connection).await?;
    // A key is due today at the earliest: the schedule does not look back for ever.
    let on = |day: Day| plan.shred_on(day).max(today);
    let moved = days.iter().map(|day| store.retime_key(connection, *day, on(*day), today));
    try_all(moved, AT_ONCE).await?;
    if is_any_held(store, &Held::of_connection(account, connection)).await? {
        // A schedule looks at held keys each day (R6.7).
        return Ok(());
    }
    let is_due = |day: &Day| {
        let clock = Clock::DayKey { shred_on: plan.shred_on(*day) };
        verdict(clock, false, now) == Verdict::EraseNow
    };
    let due = days.into_iter().filter(is_due).map(|day| DueKey {
        account: account.clone(),
        connection: connection.clone(),
        day,
    });
    let due: Vec<_> = due.collect();
    let destroyed = due.iter().map(|key| store.destroy_due_key(key, today));
    let destroyed = try_all(destroyed, AT_ONCE).await?;
    let destroyed = destroyed.into_iter().map(u64::from).sum();
    store.add_tally(today, &[(Tally::KeysDestroyedByPlan, destroyed)]).await
}

/// Whether another channel has replaced this one, or the account has another plan by now. Whoever
/// gave the account that plan goes on.
async fn is_superseded(
    store: &Store,
    account: &AccountId,
    route: &RouteId,
    connection: &ConnectionId,
    plan: Plan,
) -> Result<bool, StoreError> {
    let is_there = store.connection(route, true).await?.is_some_and(|it| it.id == *connection);
    let has_plan = store.account(account).await?.is_some_and(|account| account.plan == plan);
    Ok(!is_there || !has_plan)
}
