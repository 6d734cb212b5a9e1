//! Destroys the keys of days whose last message has expired. Then nothing opens those days, in any
//! table, index, stream or backup (R6.2, R6.6).

use jiff::Timestamp;
use serde::Serialize;

use super::look_back::{COUNTED_MAX, Walk, days};
use super::{Due, is_any_held};
use crate::concurrent::{all, try_all};
use crate::domain::hold::Held;
use crate::domain::policy::{Clock, Verdict, verdict};
use crate::domain::tally::{Peak, Tally};
use crate::domain::time::Day;
use crate::store::day_keys::DueKey;
use crate::store::{Store, StoreError};

/// Keys that are destroyed at once.
const AT_ONCE: usize = 32;

/// What a run found and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Expired {
    /// Keys whose day had come.
    pub due: u64,
    /// Due keys that were destroyed.
    pub destroyed: u64,
    /// Destroyed keys whose day was over: they outlived their last message by more than 24 hours.
    pub late: u64,
    /// Due keys that a legal hold keeps. They are due again tomorrow (R6.7).
    pub held: u64,
    /// Keys that could not be read or destroyed. The next run tries again.
    pub failed: u64,
    /// For how many days the destroyed key was due that waited longest.
    pub days_late: i64,
    /// Whether nothing is left to do.
    pub complete: bool,
}

impl Expired {
    /// Adds the result to the tallies of the run's day.
    pub async fn tally(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let today = Day::of(now);
        let counts = [
            (Tally::KeysDestroyed, self.destroyed),
            (Tally::KeysDestroyedLate, self.late),
            (Tally::KeysHeld, self.held),
        ];
        store.add_tally(today, &counts).await?;
        if self.destroyed == 0 {
            return Ok(());
        }
        let due_on = i32::try_from(self.days_late).map_or(today, |days| today.plus(-days));
        let seconds = now.duration_since(due_on.start()).as_secs();
        store.raise_peak(today, Peak::KeysSeconds, u64::try_from(seconds).unwrap_or_default()).await
    }

    /// Adds what became of one key. `day` is the day on which the key was due.
    fn add(
        &mut self,
        done: Result<Due, StoreError>,
        day: Day,
        today: Day,
    ) -> Result<(), StoreError> {
        match done {
            Ok(Due::Gone { is_late }) => {
                self.destroyed = self.destroyed.saturating_add(1);
                self.late = self.late.saturating_add(is_late.into());
                self.days_late = self.days_late.max(today.days_since(day));
            }
            Ok(Due::Held) => self.held = self.held.saturating_add(1),
            Ok(Due::NotYet) => return Ok(()),
            Err(error) if error.is_of_one_item() => {
                tracing::error!(%day, %error, "a day key was not destroyed");
                self.failed = self.failed.saturating_add(1);
            }
            Err(error) => return Err(error),
        }
        self.due = self.due.saturating_add(1);
        Ok(())
    }
}

/// Destroys every day key whose day has come by `now`, the oldest first, while there is time. An
/// index finds the keys, so the others cost nothing.
///
/// # Errors
/// [`StoreError`], but not for a single key. Another run goes on.
//= R6.2, R6.6
pub async fn destroy_expired_keys(
    store: &Store,
    now: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<Expired, StoreError> {
    let today = Day::of(now);
    let mut done = Expired { complete: true, ..Expired::default() };
    let mut walk = Walk::over(days(today).rev());
    while let Some((day, after)) = walk.page() {
        if !has_time() {
            done.complete = false;
            break;
        }
        let (keys, next) = store.keys_due(day, after).await?;
        let each = keys.into_iter().map(async |key| destroy(store, &key?, day, now).await);
        for one in all(each, AT_ONCE).await {
            done.add(one, day, today)?;
        }
        walk.turn(next);
    }
    Ok(done)
}

/// Keys that are still there although their day is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeysLeft {
    /// Keys that a legal hold keeps (R6.7).
    pub held: u64,
    /// Keys that nothing keeps. Each is a violation of R6.2.
    pub overdue: u64,
}

/// Counts the keys that had to be destroyed by the end of that day, and are still there. It uses
/// the same index, which may be a moment old, and looks as far back.
//= R6.2
pub async fn keys_left(store: &Store, until: Day) -> Result<KeysLeft, StoreError> {
    let (mut found, mut walk) = (Vec::new(), Walk::over(days(until)));
    while found.len() < COUNTED_MAX
        && let Some((day, after)) = walk.page()
    {
        let (keys, next) = store.keys_due(day, after).await?;
        found.extend(keys);
        walk.turn(next);
    }
    let held = found.iter().map(async |key| match key {
        Ok(key) => is_held(store, key).await,
        // A key that cannot be read was not destroyed.
        Err(_) => Ok(false),
    });
    let held = try_all(held, AT_ONCE).await?;
    let mut left = KeysLeft::default();
    for is_held in held {
        let count = if is_held { &mut left.held } else { &mut left.overdue };
        *count = count.saturating_add(1);
    }
    Ok(left)
}

async fn destroy(
    store: &Store,
    key: &DueKey,
    shred_on: Day,
    now: Timestamp,
) -> Result<Due, StoreError> {
    let today = Day::of(now);
    match verdict(Clock::DayKey { shred_on }, is_held(store, key).await?, now) {
        Verdict::Keep(_) => Ok(Due::NotYet),
        Verdict::EraseNow => {
            let destroyed = store.destroy_due_key(key, today).await?;
            Ok(if destroyed { Due::Gone { is_late: shred_on < today } } else { Due::NotYet })
        }
        Verdict::Held => {
            // A run looks at the key each day, so it is gone within a day after the hold is lifted.
            store.put_off_key(key, today).await?;
            Ok(Due::Held)
        }
    }
}

/// Whether a hold keeps something that a key opens.
//= R6.7
async fn is_held(store: &Store, key: &DueKey) -> Result<bool, StoreError> {
    is_any_held(store, &Held::of_connection(&key.account, &key.connection)).await
}
