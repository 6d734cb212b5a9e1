//! A change of plan (R6.5): a downgrade destroys the keys of the days that are now too old before
//! it is answered; an upgrade puts keys and rows off. Rows follow in bounded steps.

use jiff::Timestamp;

use crate::domain::connection::ConnectionState;
use crate::domain::data_kind::DataKind;
use crate::domain::ids::{AccountId, ConnectionId, ContactId, ConversationId, RouteId};
use crate::domain::plan::{Plan, PlanCursor};
use crate::domain::policy::{Facts, Verdict, verdict};
use crate::domain::row::SUPPRESSION;
use crate::domain::time::Day;
use crate::store::concurrent::try_all;
use crate::store::day_keys::DueKey;
use crate::store::holds::Held;
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
    store.set_account_plan(account, plan).await?;
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
    store.set_connection_plan(route, connection, plan).await?;
    let today = Day::of(now);
    let days = store.day_key_days(connection).await?;
    let moved = days.iter().map(|day| store.retime_key(connection, *day, plan.shred_on(*day)));
    try_all(moved, AT_ONCE).await?;
    let held = [
        Held::Account(account.clone()),
        Held::Connection(connection.clone()),
        Held::Within(connection.clone()),
    ];
    for record in &held {
        if store.is_held(record).await? {
            // The schedule looks at them each day (R6.7).
            return Ok(());
        }
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
    let Some(found) = store.account(account).await? else { return Ok(None) };
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
            change_channel(store, account, &channel, found.plan, now).await?;
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
                retime_conversation(store, &conversation, found.plan, now).await?;
                after = Some(contact);
                if !has_time() {
                    let contact = after.map(|contact| contact.to_string());
                    return Ok(Some(PlanCursor { connection: connection.to_string(), contact }));
                }
            }
        }
    }
    Ok(None)
}

async fn retime_conversation(
    store: &Store,
    conversation: &ConversationId,
    plan: Plan,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let (rows, more) = store.rows_after(conversation, after.as_ref(), PAGE).await?;
        let last = rows.last().map(|row| row.message.clone());
        let moved: Vec<(MessageKey, Timestamp)> =
            rows.iter().filter_map(|row| moved(conversation, row, plan, now)).collect();
        if let Some(latest) = moved.iter().map(|(_, at)| *at).max() {
            // A contact outlives its messages and the marks on it.
            let kept_until = latest.max(now).saturating_add(SUPPRESSION).unwrap_or(Timestamp::MAX);
            store.keep_contact(conversation, kept_until).await?;
        }
        let (gone, kept): (Vec<_>, Vec<_>) = moved.into_iter().partition(|(_, at)| *at <= now);
        let gone: Vec<MessageKey> = gone.into_iter().map(|(key, _)| key).collect();
        store.delete_rows(&gone, &mut Pace::default()).await?;
        try_all(kept.iter().map(|(key, at)| store.retime_row(key, *at)), AT_ONCE).await?;
        after = last.filter(|_| more);
        if after.is_none() {
            return Ok(());
        }
    }
}

/// A message that expires at another time by this plan, and when. Tombstones are no messages, and
/// an edit that waits takes its message's time with it.
fn moved(
    conversation: &ConversationId,
    row: &SweepRow,
    plan: Plan,
    now: Timestamp,
) -> Option<(MessageKey, Timestamp)> {
    let at = row.sent_at.filter(|_| !row.unsent)?;
    let facts = Facts { at, plan, erasure_asked_at: None, is_over: false, is_held: false };
    let expires_at = match verdict(DataKind::Message, &facts, now) {
        Verdict::Keep(until) => until?,
        Verdict::EraseNow => now,
        Verdict::Held => return None,
    };
    let key = MessageKey { conversation: conversation.clone(), message: row.message.clone() };
    (expires_at.as_second() != row.expires_at.as_second()).then_some((key, expires_at))
}
