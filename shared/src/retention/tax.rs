//! Purges tax records when their period is over (R6.3). The last record of an account that is gone
//! takes the key with it that opened the records.

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
/// A count of what is left ends here. Then the report says "so many or more".
const COUNTED_MAX: usize = 10_000;

/// What a run found and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Purged {
    /// Records that were purged.
    pub purged: u64,
    /// Purged records that were there for more than a day after their period.
    pub late: u64,
    /// Records that a legal hold keeps. They are due again tomorrow (R6.7).
    pub held: u64,
    /// Records that could not be read or purged. The next run tries again.
    pub failed: u64,
    /// Whether nothing is left to do.
    pub complete: bool,
}

/// Purges every tax record whose last day is over by `now`, the oldest first, while there is time.
/// Records are found by that day, so those that are kept cost nothing.
///
/// # Errors
/// [`StoreError`], but not for a single record. Another run goes on.
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
    /// Adds what became of one record.
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
    /// Records that a legal hold keeps (R6.7).
    pub held: u64,
    /// Records that nothing keeps. Each is a violation of R6.3.
    pub overdue: u64,
}

/// Counts the records that had to be purged by the end of that day, and are still there.
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
        // A record that cannot be read was not purged.
        Err(_) => Ok(false),
    });
    let mut left = RecordsLeft::default();
    for is_held in try_all(held, AT_ONCE).await? {
        let count = if is_held { &mut left.held } else { &mut left.overdue };
        *count = count.saturating_add(1);
    }
    Ok(left)
}

/// Purges a record, unless a hold keeps it. The note that the record is due goes last, so that the
/// next run finishes what a run left that died.
async fn purge(store: &Store, due: &DueRecord, now: Timestamp) -> Result<Due, StoreError> {
    let clock = Clock::TaxRecord { kept_until: due.kept_until };
    match verdict(clock, is_held(store, due).await?, now) {
        Verdict::EraseNow => {}
        Verdict::Keep(_) => return Ok(Due::NotYet),
        Verdict::Held => {
            // A run looks at the record each day, so it is gone within a day after the hold is
            // lifted.
            store.put_off_tax_record(due, Day::of(now)).await?;
            return Ok(Due::Held);
        }
    }
    store.delete_invoice(due).await?;
    // Whoever erases the account deletes it first, and then looks for records. So one of the two
    // sees the other. Nobody adds a record in between, for that takes an account.
    let is_last =
        store.account(&due.account).await?.is_none() && !store.has_invoices(&due.account).await?;
    if is_last {
        store.delete_account_key(&due.account, Use::TaxRecords).await?;
    }
    store.forget_due_record(due).await?;
    Ok(Due::Gone { is_late: due.kept_until.plus(1) < Day::of(now) })
}

/// Whether a hold keeps a record. Only a hold on the whole account covers tax records.
//= R6.7
async fn is_held(store: &Store, due: &DueRecord) -> Result<bool, StoreError> {
    is_any_held(store, &[Held::Account(due.account.clone())]).await
}
