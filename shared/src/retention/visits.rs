//! Visits delete what has expired and time to live has left (R6.2). A conversation is visited on
//! the day that its contact names. That day is never later than the day on which its oldest message
//! must go: whoever gives a message its expiry first writes the message, and then looks at the
//! contact. A visit first moves the day on, and then looks at the messages again. So one of the two
//! sees the other, and makes the day earlier.

use jiff::Timestamp;

use super::is_any_held;
use super::look_back::{COUNTED_MAX, Walk, days};
use super::rows::ends_at;
use crate::concurrent::{all, try_all};
use crate::domain::account::Account;
use crate::domain::hold::Held;
use crate::domain::row::sweep_on;
use crate::domain::tally::{Peak, Tally};
use crate::domain::time::Day;
use crate::store::expiries::DueVisit;
use crate::store::sweep::SweepRow;
use crate::store::{Store, StoreError};

/// Conversations that are visited at once.
const VISITS: usize = 16;
/// Rows of a conversation that are deleted at once.
const DELETIONS: usize = 16;
/// Rows of a visit's first page. Time to live has mostly been there before.
const FIRST_PAGE: i32 = 25;
/// Rows of each further page.
const PAGE: i32 = 250;

/// What a run found and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Conversations that were visited.
    pub visited: u64,
    /// Rows that were deleted.
    pub rows: u64,
    /// Conversations that a legal hold keeps. They are visited again tomorrow (R6.7).
    pub held: u64,
    /// Rows and conversations that could not be read or written. Another visit looks at them.
    pub failed: u64,
    /// Of the deleted row that waited longest: seconds from its expiry to the run.
    pub seconds_late: u64,
    /// Whether nothing is left to do.
    pub complete: bool,
}

/// Visits every conversation that is due, the oldest day first, while there is time, and deletes
/// the rows that expired by `now`. An index finds the conversations, so the others cost nothing.
///
/// # Errors
/// [`StoreError`]. Errors of a single item are only counted. Another run goes on from there.
//= R6.2
pub async fn sweep_expired_rows(
    store: &Store,
    now: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<Swept, StoreError> {
    let today = Day::of(now);
    let mut done = Swept { complete: true, ..Swept::default() };
    let mut walk = Walk::over(days(today).rev());
    while let Some((day, after)) = walk.page() {
        if !has_time() {
            done.complete = false;
            break;
        }
        let (visits, next) = store.visits_due(day, after).await?;
        let each = visits.into_iter().map(async |due| match due {
            Ok(due) => visit(store, &due, now, has_time).await.inspect_err(|error| {
                tracing::error!(conversation = %due.conversation, %error, "not swept");
            }),
            Err(error) => {
                tracing::error!(%day, %error, "a contact to sweep cannot be read");
                Err(error)
            }
        });
        for visited in all(each, VISITS).await {
            done.add(visited)?;
        }
        walk.turn(next);
    }
    Ok(done)
}

impl Swept {
    /// Adds the result to the tallies of the run's day.
    pub async fn tally(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let today = Day::of(now);
        store.add_tally(today, &[(Tally::RowsSwept, self.rows)]).await?;
        if self.rows == 0 {
            return Ok(());
        }
        store.raise_peak(today, Peak::RowsSeconds, self.seconds_late).await
    }

    fn add(&mut self, visited: Result<Self, StoreError>) -> Result<(), StoreError> {
        let one = match visited {
            Err(error) if error.is_of_one_item() => {
                Self { failed: 1, complete: true, ..Self::default() }
            }
            visited => visited?,
        };
        self.visited = self.visited.saturating_add(one.visited);
        self.rows = self.rows.saturating_add(one.rows);
        self.held = self.held.saturating_add(one.held);
        self.failed = self.failed.saturating_add(one.failed);
        self.seconds_late = self.seconds_late.max(one.seconds_late);
        self.complete &= one.complete;
        Ok(())
    }
}

/// A conversation during its visit.
struct Visit<'a> {
    store: &'a Store,
    due: &'a DueVisit,
    now: Timestamp,
    /// The account of the conversation; `None` once it is gone.
    account: Option<Account>,
    done: Swept,
    /// When the conversation is due again.
    next: Option<Day>,
}

/// Deletes what has expired of one conversation, and notes when it is due again.
async fn visit(
    store: &Store,
    due: &DueVisit,
    now: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<Swept, StoreError> {
    let account = store.account(&due.account).await?;
    let done = Swept { visited: 1, complete: true, ..Swept::default() };
    let mut visit = Visit { store, due, now, account, done, next: None };
    let (mut after, mut limit) = (None, FIRST_PAGE);
    loop {
        let (rows, more) = store.oldest_rows(&due.conversation, after, limit).await?;
        if !visit.page(rows).await? {
            break;
        }
        (after, limit) = (more, PAGE);
        if after.is_none() {
            break;
        }
        if !has_time() {
            // The conversation keeps its day, so the next run goes on.
            visit.done.complete = false;
            return Ok(visit.done);
        }
    }
    visit.end().await?;
    Ok(visit.done)
}

impl Visit<'_> {
    /// Deletes what has expired of a page. False once nothing behind it can have expired: messages
    /// expire in the order in which they were sent.
    async fn page(&mut self, rows: Vec<Result<SweepRow, StoreError>>) -> Result<bool, StoreError> {
        let (mut gone, mut goes_on, mut lives) = (Vec::new(), false, false);
        for row in rows {
            match row {
                Ok(row) if self.has_expired(&row) => gone.push(row),
                Ok(row) => {
                    lives = true;
                    self.again(self.day_of(&row));
                }
                Err(error) => {
                    let conversation = &self.due.conversation;
                    tracing::error!(%conversation, %error, "a row cannot be swept");
                    self.done.failed = self.done.failed.saturating_add(1);
                    self.again(self.tomorrow());
                    goes_on = true;
                }
            }
        }
        if gone.is_empty() {
            return Ok(goes_on);
        }
        // Looks for holds right before the deletion. A hold that comes after this finds rows that
        // expired before the hold.
        let DueVisit { account, conversation, .. } = self.due;
        if is_any_held(self.store, &Held::of_conversation(account, conversation)).await? {
            self.done.held = 1;
            self.again(self.tomorrow());
            return Ok(false);
        }
        // Reads the plan again, too: a longer plan may keep what has just expired by the earlier
        // one.
        self.account = self.store.account(account).await?;
        let (gone, kept): (Vec<_>, Vec<_>) =
            gone.into_iter().partition(|row| self.has_expired(row));
        for row in &kept {
            lives = true;
            self.again(self.day_of(row));
        }
        let deletions = gone.iter().map(|row| self.store.delete_expired_row(conversation, row));
        let deleted = try_all(deletions, DELETIONS).await?;
        for (row, is_deleted) in gone.iter().zip(deleted) {
            if is_deleted {
                self.done.rows = self.done.rows.saturating_add(1);
                let late = self.now.duration_since(row.expires_at).as_secs();
                let late = u64::try_from(late).unwrap_or_default();
                self.done.seconds_late = self.done.seconds_late.max(late);
            } else {
                // The row is gone, or has changed.
                self.again(self.tomorrow());
            }
        }
        Ok(goes_on || !lives)
    }

    /// Moves the contact on to its next day, and then looks at the messages again.
    async fn end(&mut self) -> Result<(), StoreError> {
        let (store, conversation) = (self.store, &self.due.conversation);
        // Refused if somebody made the day earlier, or visited meanwhile: then that day stands.
        if !store.end_visit(self.due, self.next).await? {
            return Ok(());
        }
        // A message may have been stored or re-timed since, or the plan may have changed, and
        // whoever did so may have looked at the contact before it was moved on.
        let looked = self.look_again().await;
        if looked.is_err() {
            // The look failed, so something may be there.
            store.visit_by(conversation, self.tomorrow()).await?;
        }
        looked
    }

    /// Makes the day earlier, if that is due by now.
    async fn look_again(&mut self) -> Result<(), StoreError> {
        let (store, conversation) = (self.store, &self.due.conversation);
        self.account = store.account(&self.due.account).await?;
        let (oldest, _) = store.oldest_rows(conversation, None, 1).await?;
        let day = oldest
            .first()
            .map(|row| row.as_ref().map_or_else(|_| self.tomorrow(), |row| self.day_of(row)));
        match day {
            Some(day) if self.next.is_none_or(|next| day < next) => {
                store.visit_by(conversation, day).await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Makes the conversation due on that day at the latest.
    fn again(&mut self, day: Day) {
        self.next = Some(self.next.map_or(day, |next| next.min(day)));
    }

    fn has_expired(&self, row: &SweepRow) -> bool {
        !row.is_held && self.ends_at(row) <= self.now
    }

    /// The day on which a row must go. A row that a hold keeps is looked at each day, since its
    /// expiry comes back when the hold is lifted.
    fn day_of(&self, row: &SweepRow) -> Day {
        let tomorrow = self.tomorrow();
        if row.is_held { tomorrow } else { sweep_on(self.ends_at(row)).max(tomorrow) }
    }

    /// When a row expires by the account's plan, even if the row is not re-timed to it yet.
    fn ends_at(&self, row: &SweepRow) -> Timestamp {
        self.account.as_ref().map_or(row.expires_at, |account| ends_at(row, account, self.now))
    }

    fn tomorrow(&self) -> Day {
        Day::of(self.now).plus(1)
    }
}

/// How many conversations were due by the end of that day, had no visit, and no hold keeps them. It
/// uses the same index, which may be a moment old, and looks as far back.
//= R6.2
pub async fn visits_left(store: &Store, until: Day) -> Result<u64, StoreError> {
    let (mut found, mut walk) = (Vec::new(), Walk::over(days(until)));
    while found.len() < COUNTED_MAX
        && let Some((day, after)) = walk.page()
    {
        let (visits, next) = store.visits_due(day, after).await?;
        found.extend(visits);
        walk.turn(next);
    }
    let held = found.iter().map(async |due| match due {
        Ok(DueVisit { account, conversation, .. }) => {
            is_any_held(store, &Held::of_conversation(account, conversation)).await
        }
        // A conversation that cannot be read was not visited.
        Err(_) => Ok(false),
    });
    let held = try_all(held, VISITS).await?;
    Ok(held.into_iter().map(|is_held| u64::from(!is_held)).sum())
}
