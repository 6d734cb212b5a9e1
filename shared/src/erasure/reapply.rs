//! After a restore: what the ledger says was erased is erased again (R8.6).

use super::open::holds_on;
use super::proof::is_clean;
use super::shred::shred_target;
use super::sweep::{Outcome, Sweeper};
use super::{Eraser, ErasureError};
use jiff::Timestamp;

use crate::domain::erasure::Counts;
use crate::domain::row::SUPPRESSION;

/// What applying a page of the ledger found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reapplied {
    /// The last position it looked at: where the next page starts.
    pub position: u64,
    /// Entries of the page.
    pub entries: u64,
    /// Targets of which something had come back.
    pub found: u64,
    /// Those of them that a hold keeps now: they are left (R6.7).
    pub held: u64,
    /// What was removed of them.
    pub removed: Counts,
    /// Whether that was the end of the ledger.
    pub complete: bool,
}

impl Eraser {
    /// Applies a page of the ledger after `position` to the tables as they are now, while there is
    /// time: data that came back is removed, and marks that are still to serve are set. What is
    /// there already stays as it is, so that it may be run at any time, and again.
    ///
    /// # Errors
    /// [`ErasureError`]; the next run starts at the same position.
    //= R8.6, R6.6
    pub async fn reapply(
        &self,
        position: u64,
        now: Timestamp,
        has_time: &(dyn Fn() -> bool + Sync),
    ) -> Result<Reapplied, ErasureError> {
        let store = &self.store;
        let page = store.ledger_after(position).await?;
        let mut done = Reapplied { position, complete: page.is_empty(), ..Reapplied::default() };
        for entry in page {
            if !has_time() {
                break;
            }
            // A mark that would have gone by itself is not set again.
            let is_marked = now.duration_since(entry.shredded_at) < SUPPRESSION;
            for target in &entry.targets {
                let is_back = !is_clean(self, target).await?;
                done.found = done.found.saturating_add(is_back.into());
                if !is_back && !is_marked {
                    continue;
                }
                if !holds_on(store, target).await?.is_empty() {
                    done.held = done.held.saturating_add(is_back.into());
                    continue;
                }
                shred_target(store, target, now).await?;
                let mut sweeper = Sweeper::new(self, None, now, &|| true);
                while sweeper.target(target, now).await? == Outcome::More {}
                for (kind, count) in sweeper.counts {
                    kind.count(&mut done.removed, count);
                }
            }
            done.position = entry.position;
            done.entries = done.entries.saturating_add(1);
        }
        Ok(done)
    }
}
