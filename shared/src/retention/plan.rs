//! A change of plan (R6.5): a downgrade destroys the keys of the days that are now too old before
//! it is answered; an upgrade puts keys and rows off. Rows follow in bounded steps.

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

/// Gives an account another plan: from here on, nothing shows what is too old for it, and the keys
/// of days that are, are destroyed. [`super::retime`] has to follow, once nobody writes by the old
/// plan any more.
///
/// # Errors
/// [`StoreError`]; `Conflict` when there is no such account, or it is being deleted. May be
/// repeated.
//= R6.5
pub async fn change_plan(
    store: &Store,
    account: &AccountId,
    plan: Plan,
    now: Timestamp,
) -> Result<(), StoreError> {
    store.set_account_plan(account, plan, now).await?;
    // One after the other: each is changed in a transaction with a look at the account, and two of
    // those at once would cancel each other.
    for (route, connection) in &store.account_channels(account).await? {
        change_channel(store, account, route, connection, plan, now).await?;
    }
    Ok(())
}

/// The channel's own plan, which intake and the inbox go by, and its keys.
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
        // It met another transaction at the same item: whoever asked comes again.
        set => set?,
    }
    let today = Day::of(now);
    let days = store.day_key_days(connection).await?;
    // At the earliest today: the schedule does not look back for ever.
    let on = |day: Day| plan.shred_on(day).max(today);
    let moved = days.iter().map(|day| store.retime_key(connection, *day, on(*day), today));
    try_all(moved, AT_ONCE).await?;
    if is_any_held(store, &Held::of_connection(account, connection)).await? {
        // The schedule looks at them each day (R6.7).
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

/// Whether the channel was replaced; or the account has another plan by now, and whoever gave it
/// that goes on.
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
