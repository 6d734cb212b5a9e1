//! Cuts audit chains: what is about to be 90 days old is replaced by a signed checkpoint.
//!
//! An index finds accounts with old events, the oldest day first. For each page, a checkpoint is
//! signed and written first, and then the links that it stands for are deleted. If a run dies, the
//! next run deletes the links that the checkpoint names. Of two runs at the same time, one writes
//! the checkpoint, and the other leaves the account to it.

use jiff::Timestamp;
use numib::domain::audit::export::Checkpoint;
use numib::domain::audit::{self, Link};
use numib::domain::ids::AccountId;
use numib::domain::policy::{Clock, Verdict, verdict};
use numib::domain::tally::Tally;
use numib::domain::time::Day;
use numib::edge::telemetry::{Metrics, Unit};
use numib::seal::receipt::{self, Jwk, SigningError};
use numib::store::StoreError;
use numib::store::audit::{AuditPage, Audited};
use serde::Serialize;

use crate::{App, HasTime};

/// What a run did.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Run {
    /// Days of accounts that have no event left.
    pub(crate) days_done: u64,
    pub(crate) events_cut: u64,
    /// How many of the events were kept for longer than promised.
    pub(crate) events_late: u64,
    /// Days of accounts that could not be cut.
    pub(crate) failed: u64,
    /// Cuts of chains that are not as they were written.
    pub(crate) broken: u64,
    /// Whether nothing is left to do.
    pub(crate) complete: bool,
}

/// Why a chain was not cut.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The checkpoint was not signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

/// A run.
struct Cut<'a> {
    app: &'a App,
    now: Timestamp,
    /// The key that signs the checkpoints.
    key: Jwk,
    has_time: HasTime<'a>,
    run: Run,
}

/// Cuts until every chain is short enough or time runs out. Adds the result to the tallies.
//= R4.6, R6.4
pub(crate) async fn run(app: &App, now: Timestamp, has_time: HasTime<'_>) -> Result<Run, CutError> {
    let run = cut_all(app, now, has_time).await?;
    let (cut, late) = (run.events_cut, run.events_late);
    let counts = [(Tally::AuditEventsCut, cut), (Tally::AuditEventsCutLate, late)];
    app.store.add_tally(Day::of(now), &counts).await?;
    Ok(run)
}

async fn cut_all(app: &App, now: Timestamp, has_time: HasTime<'_>) -> Result<Run, CutError> {
    let last_day = Day::of(audit::cut_until(now));
    let run = Run { complete: true, ..Run::default() };
    let mut page = app.store.audited_until(last_day, None).await?;
    if page.is_empty() {
        return Ok(report(run, now));
    }
    let key = app.receipts.public().await?;
    let mut cut = Cut { app, now, key, has_time, run };
    while let Some(last) = page.last().cloned() {
        for audited in &page {
            if cut.is_out_of_time() {
                return Ok(report(cut.run, now));
            }
            cut.try_account(audited).await?;
        }
        page = app.store.audited_until(last_day, Some(&last)).await?;
    }
    Ok(report(cut.run, now))
}

impl Cut<'_> {
    fn is_out_of_time(&mut self) -> bool {
        let is_out = !(self.has_time)();
        self.run.complete &= !is_out;
        is_out
    }

    /// Cuts what is due of an account. A failure costs other accounts nothing.
    async fn try_account(&mut self, audited: &Audited) -> Result<(), CutError> {
        match self.cut_account(audited).await {
            Ok(()) => {}
            // Another run has the account.
            Err(CutError::Store(StoreError::Conflict)) => self.run.complete = false,
            Err(CutError::Store(error)) if !error.is_of_one_item() => return Err(error.into()),
            Err(error) => {
                self.run.complete = false;
                self.run.failed = self.run.failed.saturating_add(1);
                tracing::error!(account = %audited.account, error = %error, "a chain was not cut");
            }
        }
        Ok(())
    }

    async fn cut_account(&mut self, audited: &Audited) -> Result<(), CutError> {
        let store = &self.app.store;
        while !self.is_out_of_time() {
            let page = store.audit_page(&audited.account, None).await?;
            let before = self.read_checkpoint(&page, &audited.account);
            // A run may have died after it wrote a checkpoint, and before it deleted the links that
            // the checkpoint stands for.
            let is_cut = |link: &Link| {
                let place = (link.day, link.number);
                before.as_ref().is_some_and(|cut| (cut.last.day, cut.last.number) >= place)
            };
            let left_over = page.links.partition_point(is_cut);
            let (left_over, links) = page.links.split_at(left_over);
            store.delete_audit_links(left_over).await?;
            let is_due = |link: &Link| {
                let clock = Clock::AuditEvent { at: link.event.at };
                verdict(clock, false, self.now) == Verdict::EraseNow
            };
            let due = links.iter().rposition(is_due).map_or(0, |last| last.saturating_add(1));
            let (due, kept) = links.split_at(due);
            if !due.is_empty() {
                self.cut_links(&page, before, due).await?;
            } else if left_over.is_empty() || !kept.is_empty() {
                return self.end_day(audited, kept.first()).await;
            }
        }
        Ok(())
    }

    /// Puts a signed checkpoint in the place of these links.
    //= R4.6
    async fn cut_links(
        &mut self,
        page: &AuditPage,
        before: Option<Checkpoint>,
        due: &[Link],
    ) -> Result<(), CutError> {
        let Some(last) = due.last() else { return Ok(()) };
        let is_intact = self.is_intact(page, before.as_ref(), due);
        let removed = u64::try_from(due.len()).unwrap_or(u64::MAX);
        let removed_before = before.map_or(0, |cut| cut.removed_in_all);
        let checkpoint = Checkpoint {
            account: last.account.clone(),
            last: last.point(),
            removed,
            removed_in_all: removed_before.saturating_add(removed),
            is_intact,
            cut_at: self.now,
        };
        let signed = self.app.receipts.sign(&self.key, &checkpoint.claims()).await?;
        let (store, before) = (&self.app.store, page.checkpoint.as_deref());
        store.put_audit_checkpoint(&last.account, before, &signed).await?;
        store.delete_audit_links(due).await?;
        self.run.events_cut = self.run.events_cut.saturating_add(removed);
        let late = due.iter().filter(|link| self.now.duration_since(link.event.at) > audit::KEPT);
        let late = u64::try_from(late.count()).unwrap_or(u64::MAX);
        self.run.events_late = self.run.events_late.saturating_add(late);
        Ok(())
    }

    /// Takes the day off the list, if no event of that day is left.
    async fn end_day(&mut self, audited: &Audited, first: Option<&Link>) -> Result<(), CutError> {
        if first.is_none_or(|link| link.day > audited.day) {
            self.app.store.forget_audited(audited).await?;
            self.run.days_done = self.run.days_done.saturating_add(1);
        }
        Ok(())
    }

    /// The checkpoint of the last cut, if we signed it for this account.
    fn read_checkpoint(&self, page: &AuditPage, account: &AccountId) -> Option<Checkpoint> {
        let claims = receipt::verify(page.checkpoint.as_ref()?, std::slice::from_ref(&self.key));
        Checkpoint::parse(&claims.ok()?).filter(|cut| cut.account == *account)
    }

    /// Whether these links are as they were written, and follow the last cut. If not, they are cut
    /// all the same, for their time is over. But then this checkpoint says so, as do all later
    /// ones, and an alarm rings.
    fn is_intact(&mut self, page: &AuditPage, before: Option<&Checkpoint>, due: &[Link]) -> bool {
        let Some(account) = due.first().map(|link| &link.account) else { return true };
        let is_forged = page.checkpoint.is_some() && before.is_none();
        let verified = audit::verify(account, before.map(|cut| cut.last), due);
        if is_forged {
            tracing::error!(account = %account, "a checkpoint is not one of ours");
        } else if let Err(broken) = &verified {
            tracing::error!(account = %account, error = %broken, "an audit chain is broken");
        }
        let is_whole = verified.is_ok() && !is_forged;
        self.run.broken = self.run.broken.saturating_add(u64::from(!is_whole));
        is_whole && before.is_none_or(|cut| cut.is_intact)
    }
}

fn report(run: Run, now: Timestamp) -> Run {
    tracing::info!(
        days_done = run.days_done,
        events_cut = run.events_cut,
        failed = run.failed,
        broken = run.broken,
        complete = run.complete,
        "audit chains cut"
    );
    let mut metrics = Metrics::new(now);
    metrics.add("AuditEventsCut", Unit::Count, run.events_cut);
    metrics.add("AuditCutFailures", Unit::Count, run.failed);
    metrics.add("AuditChainsBroken", Unit::Count, run.broken);
    metrics.emit();
    run
}
