//! Re-times rows after the plan of an account or a legal hold has changed, in bounded steps. What
//! an account stores expires by the plan that the account has now, and stays while a hold is on it
//! (R6.5, R6.7).

use jiff::Timestamp;

use super::is_any_held;
use super::plan::change_channel;
use crate::concurrent::try_all;
use crate::domain::account::Account;
use crate::domain::connection::ConnectionState;
use crate::domain::hold::Held;
use crate::domain::ids::{AccountId, ConnectionId, ContactId, ConversationId, MessageId, RouteId};
use crate::domain::plan::PlanCursor;
use crate::domain::policy::{Clock, Verdict, verdict};
use crate::domain::row::{SUPPRESSION, sweep_on};
use crate::domain::tally::Tally;
use crate::domain::time::Day;
use crate::store::messages::MessageKey;
use crate::store::pace::Pace;
use crate::store::sweep::SweepRow;
use crate::store::{Store, StoreError};

/// Rows that are re-timed at once.
const AT_ONCE: usize = 32;
/// Rows of one page.
const PAGE: i32 = 250;

/// The account that a held record belongs to. `None` if nothing of the record can be read any more.
pub async fn account_of(store: &Store, held: &Held) -> Result<Option<AccountId>, StoreError> {
    match held {
        Held::Account(account) => Ok(Some(account.clone())),
        Held::Connection(connection)
        | Held::Within(connection)
        | Held::Contact(ConversationId { connection, .. }) => {
            store.account_of_keys(connection).await
        }
    }
}

/// The time, and whether there is enough of it for another step.
#[derive(Clone, Copy)]
struct Time<'a> {
    now: Timestamp,
    has_time: &'a (dyn Fn() -> bool + Sync),
}

/// Makes what an account stores expire by the plan that the account has now, from the cursor on,
/// while there is time. What is too old goes, unless a hold keeps it. Returns where to go on;
/// `None` at the end.
///
/// The plan is read, and not told by whoever asked. So after several changes every run ends in the
/// last plan, whichever run comes last.
///
/// # Errors
/// [`StoreError`]. A run that starts again at the same cursor does nothing twice.
//= R6.5
pub async fn retime(
    store: &Store,
    account: &AccountId,
    cursor: Option<PlanCursor>,
    now: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<Option<PlanCursor>, StoreError> {
    retime_channels(store, account, cursor, true, Time { now, has_time }).await
}

/// Makes what is stored under a record stay while a hold is on the record, and expire in its time
/// otherwise. Works as [`retime`] does, but on that record alone.
///
/// # Errors
/// [`StoreError`]. A run that starts again at the same cursor does nothing twice.
//= R6.7
pub async fn follow_hold(
    store: &Store,
    held: &Held,
    cursor: Option<PlanCursor>,
    now: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<Option<PlanCursor>, StoreError> {
    let Some(account) = account_of(store, held).await? else { return Ok(None) };
    let time = Time { now, has_time };
    match held {
        Held::Account(_) => retime_channels(store, &account, cursor, false, time).await,
        Held::Connection(connection) | Held::Within(connection) => {
            let channels = store.account_channels(&account).await?;
            match channels.iter().find(|(_, id)| id == connection) {
                Some((route, connection)) => {
                    let from = Resume::of(cursor.as_ref());
                    retime_channel(store, &account, route, connection, from, time).await
                }
                None => Ok(None),
            }
        }
        Held::Contact(conversation) => {
            let Some(account) = store.account(&account).await? else { return Ok(None) };
            let start = match Resume::of(cursor.as_ref()) {
                Resume::Within(_, message) => message,
                Resume::Start | Resume::After(_) => None,
            };
            let reached = retime_conversation(store, conversation, &account, start, time).await?;
            Ok(reached.unfinished(conversation))
        }
    }
}

/// Where a run begins to re-time a channel.
enum Resume {
    /// At its beginning.
    Start,
    /// Behind this contact.
    After(ContactId),
    /// At this contact: behind this message or, without one, at the contact's beginning.
    Within(ContactId, Option<MessageId>),
}

impl Resume {
    fn of(cursor: Option<&PlanCursor>) -> Self {
        let contact = cursor.and_then(|cursor| ContactId::parse(cursor.contact.as_deref()?));
        let message = cursor.and_then(|cursor| cursor.message.as_deref());
        match (contact, message) {
            (None, _) => Self::Start,
            (Some(contact), None) => Self::After(contact),
            (Some(contact), Some(message)) => Self::Within(contact, MessageId::parse(message)),
        }
    }
}

/// Re-times an account channel by channel. If the account may have another plan, keys come first.
async fn retime_channels(
    store: &Store,
    account: &AccountId,
    cursor: Option<PlanCursor>,
    has_other_plan: bool,
    time: Time<'_>,
) -> Result<Option<PlanCursor>, StoreError> {
    let mut channels = store.account_channels(account).await?;
    channels.sort_by(|a, b| a.1.cmp(&b.1));
    for (route, connection) in channels {
        let first = cursor.as_ref().map_or("", |cursor| cursor.connection.as_str());
        if connection.as_str() < first {
            continue;
        }
        let within = cursor.as_ref().filter(|cursor| cursor.connection == connection.as_str());
        let from = Resume::of(within);
        if has_other_plan && matches!(from, Resume::Start) {
            let Some(current) = store.account(account).await? else { return Ok(None) };
            change_channel(store, account, &route, &connection, current.plan, time.now).await?;
        }
        let stopped = retime_channel(store, account, &route, &connection, from, time).await?;
        if stopped.is_some() {
            return Ok(stopped);
        }
    }
    Ok(None)
}

/// Re-times a channel contact by contact. Returns where the run stopped; `None` at the end.
async fn retime_channel(
    store: &Store,
    account: &AccountId,
    route: &RouteId,
    connection: &ConnectionId,
    from: Resume,
    time: Time<'_>,
) -> Result<Option<PlanCursor>, StoreError> {
    let is_there = store.connection(route, true).await?.is_some_and(|current| {
        current.id == *connection && current.state == ConnectionState::Active
    });
    if !is_there {
        return Ok(None);
    }
    let (mut contacts, mut start) = match from {
        Resume::Start => (store.contacts_after(connection, None).await?, None),
        Resume::After(contact) => (store.contacts_after(connection, Some(&contact)).await?, None),
        Resume::Within(contact, message) => (vec![contact], message),
    };
    loop {
        let Some(last) = contacts.last().cloned() else { return Ok(None) };
        for contact in contacts {
            let conversation =
                ConversationId { connection: connection.clone(), contact: contact.clone() };
            // The account is read again: it may have another plan by now, and another run goes by
            // that plan.
            let Some(current) = store.account(account).await? else { return Ok(None) };
            let start = start.take();
            let reached = retime_conversation(store, &conversation, &current, start, time).await;
            let reached = match reached {
                // A conversation that cannot be read holds up no other. The sweep deletes what has
                // expired of it and is not held, and rings an alarm each day.
                Err(error @ StoreError::Corrupt { .. }) => {
                    tracing::error!(%conversation, %error, "not re-timed");
                    store.visit_by(&conversation, Day::of(time.now).plus(1)).await?;
                    Reached::End
                }
                reached => reached?,
            };
            let unfinished = reached.unfinished(&conversation);
            if unfinished.is_some() {
                return Ok(unfinished);
            }
            if !(time.has_time)() {
                let (connection, contact) = (connection.to_string(), Some(contact.to_string()));
                return Ok(Some(PlanCursor { connection, contact, message: None }));
            }
        }
        contacts = store.contacts_after(connection, Some(&last)).await?;
    }
}

/// How far a run came in a conversation.
enum Reached {
    /// To its end, and neither holds nor plan changed on the way.
    End,
    /// To this message.
    Message(MessageId),
    /// Back to its beginning, since the holds or the plan have changed.
    Beginning,
}

impl Reached {
    /// Where to go on; `None` if the conversation is done.
    fn unfinished(self, conversation: &ConversationId) -> Option<PlanCursor> {
        let message = match self {
            Self::End => return None,
            Self::Message(message) => message.to_string(),
            Self::Beginning => String::new(),
        };
        Some(PlanCursor {
            connection: conversation.connection.to_string(),
            contact: Some(conversation.contact.to_string()),
            message: Some(message),
        })
    }
}

async fn retime_conversation(
    store: &Store,
    conversation: &ConversationId,
    account: &Account,
    mut after: Option<MessageId>,
    Time { now, has_time }: Time<'_>,
) -> Result<Reached, StoreError> {
    let records = Held::of_conversation(&account.id, conversation);
    let is_held = is_any_held(store, &records).await?;
    let mut pace = Pace::default();
    loop {
        let (rows, more) = store.rows_after(conversation, after.as_ref(), PAGE).await?;
        let last = rows.last().map(|row| row.message.clone());
        let (mut gone, mut kept) = (Vec::new(), Vec::new());
        let visit_by = if is_held { None } else { visit_by(&rows, account, now) };
        for row in rows {
            let key =
                MessageKey { conversation: conversation.clone(), message: row.message.clone() };
            match course(&row, account, is_held, now) {
                Course::Stays => {}
                Course::Goes => gone.push(key),
                Course::Until(until) => kept.push(Retimed { key, row, until }),
            }
        }
        keep_contact(store, conversation, &kept, is_held, now).await?;
        // This comes right before the deletion: a hold that was set since the last page keeps what
        // is about to go.
        if !gone.is_empty() && is_any_held(store, &records).await? {
            return Ok(Reached::Beginning);
        }
        store.delete_rows(&gone, &mut pace).await?;
        let newly_held = kept.iter().filter(|kept| is_held && !kept.row.is_held).count();
        let writes =
            kept.iter().map(|kept| store.retime_row(&kept.key, &kept.row, kept.until, is_held));
        try_all(writes, AT_ONCE).await?;
        // This comes after the rows: a visit first moves the contact on, and then looks at the rows
        // again.
        if let Some(day) = visit_by {
            store.visit_by(conversation, day).await?;
        }
        let newly_held = u64::try_from(newly_held).unwrap_or(u64::MAX);
        store.add_tally(Day::of(now), &[(Tally::RowsHeld, newly_held)]).await?;
        after = last.filter(|_| more);
        // This run writes first, and then looks again. Whoever changes a hold or the plan does that
        // first, and then queues a run. So one of the two runs sees the other's change.
        let is_as_before = match store.account(&account.id).await? {
            Some(current) => is_same_plan(&current, account),
            None => true,
        };
        if !is_as_before || is_any_held(store, &records).await? != is_held {
            return Ok(Reached::Beginning);
        }
        match &after {
            None => return Ok(Reached::End),
            Some(message) if !has_time() => return Ok(Reached::Message(message.clone())),
            Some(_) => {}
        }
    }
}

fn is_same_plan(current: &Account, account: &Account) -> bool {
    current.plan == account.plan && current.plan_changed_at == account.plan_changed_at
}

/// The day on which the first of these messages must be swept that has not expired yet.
fn visit_by(rows: &[SweepRow], account: &Account, now: Timestamp) -> Option<Day> {
    let messages = rows.iter().filter(|row| row.sent_at.is_some());
    let ends = messages.map(|row| ends_at(row, account, now)).filter(|at| *at > now);
    ends.min().map(sweep_on)
}

/// A row that gets another expiry.
struct Retimed {
    key: MessageKey,
    row: SweepRow,
    until: Timestamp,
}

/// Makes a contact outlive its rows and the marks on it. A contact without rows that is held stays,
/// too.
async fn keep_contact(
    store: &Store,
    conversation: &ConversationId,
    kept: &[Retimed],
    is_held: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let latest = kept.iter().map(|kept| kept.until).max();
    match latest.or(is_held.then_some(now)) {
        Some(latest) => {
            let until = latest.max(now).saturating_add(SUPPRESSION).unwrap_or(Timestamp::MAX);
            store.keep_contact(conversation, until).await
        }
        None => Ok(()),
    }
}

/// What a run does with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// Nothing: the row is as it should be.
    Stays,
    /// It gives the row this expiry. Then time to live removes the row, unless a hold keeps it.
    Until(Timestamp),
    /// It deletes the row.
    Goes,
}

/// What a run does with a row, by the account's plan and by whether a hold is on the row. A message
/// that had expired before the account got its plan stays expired. Tombstones have no content, so
/// they keep their time, and so does an edit that waits for its message.
fn course(row: &SweepRow, account: &Account, is_held: bool, now: Timestamp) -> Course {
    if row.unsent {
        return Course::Stays;
    }
    let expires_at = ends_at(row, account, now);
    let is_moved = expires_at.as_second() != row.expires_at.as_second();
    if !is_moved && row.is_held == is_held {
        Course::Stays
    } else if expires_at <= now && !is_held {
        Course::Goes
    } else {
        Course::Until(expires_at)
    }
}

/// When a row expires by the account's plan, even if the row is not re-timed to that plan yet.
pub(super) fn ends_at(row: &SweepRow, account: &Account, now: Timestamp) -> Timestamp {
    replanned(row, account, now).unwrap_or(row.expires_at)
}

/// When a message expires by the account's plan; `None` if the plan has not changed since it came.
fn replanned(row: &SweepRow, account: &Account, now: Timestamp) -> Option<Timestamp> {
    let sent_at = row.sent_at?;
    if row.expires_at <= account.plan_changed_at? {
        return None;
    }
    match verdict(Clock::Message { sent_at, plan: account.plan }, false, now) {
        Verdict::Keep(until) => Some(until),
        Verdict::EraseNow => Some(now),
        Verdict::Held => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::domain::account::AccountState;
    use crate::domain::plan::Plan;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn now() -> Timestamp {
        "2028-02-28T10:00:00Z".parse().unwrap()
    }

    fn account(plan: Plan, plan_changed_at: Option<Timestamp>) -> Account {
        let id = AccountId::parse("a").unwrap();
        Account {
            id,
            state: AccountState::Active,
            plan,
            plan_changed_at,
            deletion: None,
            profile: None,
            profile_version: 0,
            account_key: None,
            tax_key: None,
            accepted: None,
        }
    }

    fn row(sent_at: Timestamp, expires_at: Timestamp) -> SweepRow {
        SweepRow {
            message: MessageId::parse("m").unwrap(),
            sent_at: Some(sent_at),
            unsent: false,
            edit_at: None,
            expires_at,
            is_held: false,
        }
    }

    //= R6.7
    #[test]
    fn a_hold_keeps_a_row_and_its_time_and_after_it_the_clock_has_gone_on() {
        let account = account(Plan::Days7, None);
        let expires_at = now() + DAY;
        let live = row(now() - DAY * 6, expires_at);
        assert_eq!(course(&live, &account, false, now()), Course::Stays);
        assert_eq!(course(&live, &account, true, now()), Course::Until(expires_at));
        let held = SweepRow { is_held: true, ..live };
        for at in [now(), now() + DAY * 900] {
            assert_eq!(course(&held, &account, true, at), Course::Stays);
        }
        assert_eq!(course(&held, &account, false, now()), Course::Until(expires_at));
        assert_eq!(course(&held, &account, false, expires_at), Course::Goes);
    }

    //= R6.5, R6.7
    #[test]
    fn a_plan_that_changes_under_a_hold_moves_the_time_and_deletes_nothing() {
        let sent_at = now() - DAY * 10;
        let held = SweepRow { is_held: true, ..row(sent_at, sent_at + DAY * 30) };
        let shorter = account(Plan::Days7, Some(now()));
        assert_eq!(course(&held, &shorter, true, now()), Course::Until(now()));
        assert_eq!(course(&held, &shorter, false, now()), Course::Goes);
        let longer = account(Plan::Days90, Some(now()));
        assert_eq!(course(&held, &longer, true, now()), Course::Until(sent_at + DAY * 90));
        // What the shorter plan has hidden, a longer one does not show again.
        let hidden = SweepRow { expires_at: now(), ..held };
        assert_eq!(course(&hidden, &longer, true, now()), Course::Stays);
    }

    #[test]
    fn a_tombstone_goes_in_its_time_whatever_is_held() {
        let account = account(Plan::Days7, None);
        let tombstone = SweepRow { sent_at: None, unsent: true, ..row(now(), now()) };
        assert_eq!(course(&tombstone, &account, true, now()), Course::Stays);
    }

    //= R6.7
    #[test]
    fn an_edit_that_waits_for_its_message_is_held_as_well() {
        let account = account(Plan::Days7, Some(now()));
        let waiting = SweepRow { sent_at: None, ..row(now(), now() + DAY) };
        assert_eq!(course(&waiting, &account, true, now()), Course::Until(now() + DAY));
        assert_eq!(course(&waiting, &account, false, now()), Course::Stays);
    }
}
