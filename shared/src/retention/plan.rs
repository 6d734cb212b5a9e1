//! A change of plan (R6.5): a downgrade destroys the keys of the days that are now too old before
//! it is answered; an upgrade puts keys and rows off. Rows follow in bounded steps.

use jiff::Timestamp;

use super::is_held;
use crate::domain::account::Account;
use crate::domain::connection::ConnectionState;
use crate::domain::data_kind::DataKind;
use crate::domain::ids::{AccountId, ConnectionId, ContactId, ConversationId, RouteId};
use crate::domain::plan::{Plan, PlanCursor};
use crate::domain::policy::{Facts, Verdict, verdict};
use crate::domain::row::SUPPRESSION;
use crate::domain::time::Day;
use crate::store::concurrent::try_all;
use crate::store::day_keys::DueKey;
use crate::store::messages::MessageKey;
use crate::store::pace::Pace;
use crate::store::sweep::SweepRow;
use crate::store::{Store, StoreError};

/// Channels that are changed at once.
const CHANNELS_AT_ONCE: usize = 4;
/// Keys or rows that are re-timed at once.
const AT_ONCE: usize = 32;
/// Rows of one page.
const PAGE: i32 = 250;

/// Gives an account another plan: from here on, nothing shows what is too old for it, and the keys
/// of days that are, are destroyed. [`retime`] has to follow, once nobody writes by the old plan
/// any more.
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
    let channels = store.account_channels(account).await?;
    let each = channels.iter().map(|channel| change_channel(store, account, channel, plan, now));
    try_all(each, CHANNELS_AT_ONCE).await.map(|_| ())
}

/// The channel's own plan, which intake and the inbox go by, and its keys.
async fn change_channel(
    store: &Store,
    account: &AccountId,
    (route, connection): &(RouteId, ConnectionId),
    plan: Plan,
    now: Timestamp,
) -> Result<(), StoreError> {
    match store.set_connection_plan(account, (route, connection), plan).await {
        // Replaced; or it has another plan by now, and whoever gave it that goes on.
        Err(StoreError::Conflict) => return Ok(()),
        set => set?,
    }
    let today = Day::of(now);
    let days = store.day_key_days(connection).await?;
    // At the earliest today: the schedule does not look back for ever.
    let on = |day: Day| plan.shred_on(day).max(today);
    try_all(days.iter().map(|day| store.retime_key(connection, *day, on(*day))), AT_ONCE).await?;
    if is_held(store, account, connection).await? {
        // The schedule looks at them each day (R6.7).
        return Ok(());
    }
    let due = days.into_iter().filter(|day| plan.shred_on(*day) <= today).map(|day| DueKey {
        account: account.clone(),
        connection: connection.clone(),
        day,
    });
    let due: Vec<_> = due.collect();
    try_all(due.iter().map(|key| store.destroy_due_key(key, today)), AT_ONCE).await.map(|_| ())
}

/// Has what an account stores expire by the plan it has now, from the cursor on, while there is
/// time; returns where to go on, `None` at the end. What is too old goes.
///
/// By the plan of the account, not of whoever asked: changes that follow one another end in the
/// last one, whichever run comes last.
///
/// # Errors
/// [`StoreError`]; starting again at the same cursor does nothing twice.
//= R6.5
pub async fn retime(
    store: &Store,
    account: &AccountId,
    cursor: Option<PlanCursor>,
    now: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<Option<PlanCursor>, StoreError> {
    let mut channels = store.account_channels(account).await?;
    channels.sort_by(|a, b| a.1.cmp(&b.1));
    for channel in channels {
        let (route, connection) = &channel;
        let mut after = None;
        if let Some(cursor) = &cursor {
            if connection.as_str() < cursor.connection.as_str() {
                continue;
            }
            if connection.as_str() == cursor.connection {
                after = cursor.contact.as_deref().and_then(ContactId::parse);
            }
        }
        if after.is_none() {
            let Some(current) = store.account(account).await? else { return Ok(None) };
            change_channel(store, account, &channel, current.plan, now).await?;
        }
        let is_there = store.connection(route, true).await?.is_some_and(|current| {
            current.id == *connection && current.state == ConnectionState::Active
        });
        if !is_there {
            continue;
        }
        loop {
            let contacts = store.contacts_after(connection, after.as_ref()).await?;
            if contacts.is_empty() {
                break;
            }
            for contact in contacts {
                let conversation =
                    ConversationId { connection: connection.clone(), contact: contact.clone() };
                // Read anew: it may have another plan by now, and another run goes by that.
                let Some(current) = store.account(account).await? else { return Ok(None) };
                let is_held = is_held(store, account, connection).await?;
                let account = (&current, is_held);
                let is_done =
                    retime_conversation(store, &conversation, account, now, has_time).await?;
                // Else once more: what has been moved is only read then.
                if is_done {
                    after = Some(contact);
                }
                if !is_done || !has_time() {
                    let contact = after.map(|contact| contact.to_string());
                    return Ok(Some(PlanCursor { connection: connection.to_string(), contact }));
                }
            }
        }
    }
    Ok(None)
}

/// Returns whether it got to the end of the conversation.
async fn retime_conversation(
    store: &Store,
    conversation: &ConversationId,
    (account, is_held): (&Account, bool),
    now: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<bool, StoreError> {
    let mut after = None;
    let mut pace = Pace::default();
    loop {
        let (rows, more) = store.rows_after(conversation, after.as_ref(), PAGE).await?;
        let last = rows.last().map(|row| row.message.clone());
        let moved: Vec<(MessageKey, Timestamp)> =
            rows.iter().filter_map(|row| moved(conversation, row, account, now)).collect();
        if let Some(latest) = moved.iter().map(|(_, at)| *at).max() {
            // A contact outlives its messages and the marks on it.
            let kept_until = latest.max(now).saturating_add(SUPPRESSION).unwrap_or(Timestamp::MAX);
            store.keep_contact(conversation, kept_until).await?;
        }
        let (gone, kept): (Vec<_>, Vec<_>) = moved.into_iter().partition(|(_, at)| *at <= now);
        let gone: Vec<MessageKey> = gone.into_iter().map(|(key, _)| key).collect();
        if !is_held {
            store.delete_rows(&gone, &mut pace).await?;
        }
        try_all(kept.iter().map(|(key, at)| store.retime_row(key, *at)), AT_ONCE).await?;
        after = last.filter(|_| more);
        if after.is_none() {
            return Ok(true);
        }
        if !has_time() {
            return Ok(false);
        }
    }
}

/// A message that expires at another time by the account's plan, and when. One that had expired
/// before it had that plan stays expired. Tombstones are no messages, and an edit that waits takes
/// its message's time with it.
fn moved(
    conversation: &ConversationId,
    row: &SweepRow,
    account: &Account,
    now: Timestamp,
) -> Option<(MessageKey, Timestamp)> {
    let at = row.sent_at.filter(|_| !row.unsent)?;
    if account.plan_changed_at.is_none_or(|changed| row.expires_at <= changed) {
        return None;
    }
    let plan = account.plan;
    let facts = Facts {
        at,
        plan,
        jurisdiction: None,
        erasure_asked_at: None,
        is_over: false,
        is_held: false,
    };
    let expires_at = match verdict(DataKind::Message, &facts, now) {
        Verdict::Keep(until) => until?,
        Verdict::EraseNow => now,
        Verdict::Held => return None,
    };
    let key = MessageKey { conversation: conversation.clone(), message: row.message.clone() };
    (expires_at.as_second() != row.expires_at.as_second()).then_some((key, expires_at))
}
