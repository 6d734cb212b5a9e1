//! Tax records: each is purged when its period is over (R6.3), and the key that opens them with the
//! last record of an account that is gone.

use jiff::Timestamp;
use serde::Serialize;

use super::{Due, is_any_held};
use crate::concurrent::{all, try_all};
use crate::domain::account::Use;
use crate::domain::hold::Held;
use crate::domain::policy::{Clock, Verdict, verdict};
use crate::domain::time::Day;
use crate::store::invoices::DueRecord;
use crate::store::{Store, StoreError};

/// Records that are purged at once.
const AT_ONCE: usize = 16;
/// Records so many of which are counted: from there on the count says "so many or more".
const COUNTED_MAX: usize = 10_000;

/// What a run found and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Purged {
    /// Records that were purged.
    pub purged: u64,
    /// Those of them that were there for more than a day after their period.
    pub late: u64,
    /// Those that a legal hold keeps: they are looked at again tomorrow (R6.7).
    pub held: u64,
    /// Those that could not be read or purged; they are tried again by the next run.
    pub failed: u64,
    /// Whether nothing is left to do.
    pub complete: bool,
}

/// Purges every tax record whose last day is over by `now`, the oldest first, while there is time.
/// Found by that day: what is kept costs nothing.
///
/// # Errors
/// [`StoreError`]; what was purged is purged, and another run goes on.
//= R6.3
pub async fn purge_tax_records(
    store: &Store,
    now: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<Purged, StoreError> {
    let today = Day::of(now);
    let mut done = Purged { complete: true, ..Purged::default() };
    let mut after = None;
    loop {
        if !has_time() {
            done.complete = false;
            return Ok(done);
        }
        let (page, next) = store.tax_records_due(today, after).await?;
        let each = page.into_iter().map(async |due| purge(store, &due?, now).await);
        for one in all(each, AT_ONCE).await {
            done.add(one)?;
        }
        after = next;
        if after.is_none() {
            return Ok(done);
        }
    }
}

impl Purged {
    /// One record.
    fn add(&mut self, done: Result<Due, StoreError>) -> Result<(), StoreError> {
        match done {
            Ok(Due::Gone { is_late }) => {
                self.purged = self.purged.saturating_add(1);
                self.late = self.late.saturating_add(is_late.into());
            }
            Ok(Due::Held) => self.held = self.held.saturating_add(1),
            Ok(Due::NotYet) => {}
            Err(error) if error.is_of_one_item() => {
                tracing::error!(%error, "a tax record was not purged");
                self.failed = self.failed.saturating_add(1);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Records that are still there although their period is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordsLeft {
    /// Those that a legal hold keeps (R6.7).
    pub held: u64,
    /// Those that nothing keeps: each is a violation of R6.3.
    pub overdue: u64,
}

/// Looks for records that were to be purged by the end of that day, and are still there.
///
/// # Errors
/// [`StoreError`].
//= R6.3
pub async fn tax_records_left(store: &Store, until: Day) -> Result<RecordsLeft, StoreError> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let (page, next) = store.tax_records_due(until, after).await?;
        found.extend(page);
        after = next;
        if after.is_none() || found.len() >= COUNTED_MAX {
            break;
        }
    }
    let held = found.iter().map(async |due| match due {
        Ok(due) => is_held(store, due).await,
        // What cannot be read was not purged.
        Err(_) => Ok(false),
    });
    let mut left = RecordsLeft::default();
    for is_held in try_all(held, AT_ONCE).await? {
        let count = if is_held { &mut left.held } else { &mut left.overdue };
        *count = count.saturating_add(1);
    }
    Ok(left)
}

/// Purges a record, unless a hold keeps it. That it is due is forgotten last, so that a run that
/// dies is finished by the next.
async fn purge(store: &Store, due: &DueRecord, now: Timestamp) -> Result<Due, StoreError> {
    let clock = Clock::TaxRecord { kept_until: due.kept_until };
    match verdict(clock, is_held(store, due).await?, now) {
        Verdict::EraseNow => {}
        Verdict::Keep(_) => return Ok(Due::NotYet),
        Verdict::Held => {
            // Asked anew each day: once the hold is lifted, it is gone within one.
            store.put_off_tax_record(due, Day::of(now)).await?;
            return Ok(Due::Held);
        }
    }
    store.delete_invoice(due).await?;
    // Whoever erases the account deletes it first and looks for records then: one of the two sees
    // the other, and nobody can add one in between, for that takes an account.
    let is_last =
        store.account(&due.account).await?.is_none() && !store.has_invoices(&due.account).await?;
    if is_last {
        store.delete_account_key(&due.account, Use::TaxRecords).await?;
    }
    store.forget_due_record(due).await?;
    Ok(Due::Gone { is_late: due.kept_until.plus(1) < Day::of(now) })
}

/// Whether a hold on its account keeps a record: nothing smaller is held that it is part of.
//= R6.7
async fn is_held(store: &Store, due: &DueRecord) -> Result<bool, StoreError> {
    is_any_held(store, &[Held::Account(due.account.clone())]).await
}
