//! After a restore, erases again everything that the ledger lists (R8.6).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::astray::{Astray, rows_astray};
use super::holds::holds_on;
use super::proof::is_clean;
use super::shred::{By, shred_target};
use super::sweeper::{Outcome, Sweeper};
use super::{Eraser, ErasureError};
use crate::domain::data_kind::DataKind;
use crate::domain::erasure::{Counts, Target};
use crate::domain::ids::ConversationId;
use crate::domain::row::SUPPRESSION;
use crate::store::messages::MessageKey;
use crate::store::pace::Pace;

/// What a run found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reapplied {
    /// The last position that the run looked at. The next run starts there.
    pub position: u64,
    /// How many entries it looked at.
    pub entries: u64,
    /// How many targets had come back, in whole or in part.
    pub found: u64,
    /// How many of them a hold keeps now: these are left (R6.7).
    pub held: u64,
    /// What was removed.
    pub removed: Counts,
    /// Whether the run reached the end of the ledger, and looked at every row after that.
    pub complete: bool,
}

impl Eraser {
    /// Applies the ledger after `position` to the tables, while there is time. It removes data that
    /// came back, and sets marks that still have to serve. At the end of the ledger it looks at
    /// every row, and removes rows of something erased. It changes nothing else, so it may run at
    /// any time, and again.
    ///
    /// # Errors
    /// [`ErasureError`]. The next run starts at the same position.
    //= R8.6, R6.6
    pub async fn reapply(
        &self,
        position: u64,
        now: Timestamp,
        has_time: &(dyn Fn() -> bool + Sync),
    ) -> Result<Reapplied, ErasureError> {
        let store = &self.store;
        let page = store.ledger_after(position).await?;
        if page.is_empty() {
            return Ok(Reapplied { position, ..self.remove_astray(now, has_time).await? });
        }
        let mut done = Reapplied { position, ..Reapplied::default() };
        for entry in page {
            if !has_time() {
                break;
            }
            // A mark that would be gone by now is not set again.
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
                let by = By { request: &entry.request, has_sweep: false };
                shred_target(store, target, by, now).await?;
                let mut sweeper = Sweeper::for_report(self, entry.request.clone(), now);
                while sweeper.sweep_target(target).await? == Outcome::More {}
                for (kind, count) in sweeper.counts {
                    kind.count(&mut done.removed, count);
                }
            }
            done.position = entry.position;
            done.entries = done.entries.saturating_add(1);
        }
        Ok(done)
    }

    /// Removes rows of something erased that neither a contact nor a target of the ledger leads to.
    /// Each connection and contact of such rows counts as a target that had come back. The result
    /// is not complete if there was no time to look at every row. The call may be repeated.
    //= R8.3, R8.6
    pub async fn remove_astray(
        &self,
        now: Timestamp,
        has_time: &(dyn Fn() -> bool + Sync),
    ) -> Result<Reapplied, ErasureError> {
        let store = &self.store;
        let mut done = Reapplied::default();
        let Astray { erased, complete, .. } = rows_astray(store, has_time).await?;
        let mut conversations: BTreeMap<ConversationId, Vec<MessageKey>> = BTreeMap::new();
        for row in erased {
            conversations.entry(row.conversation.clone()).or_default().push(row);
        }
        let (mut found, mut gone) = (BTreeSet::new(), Vec::new());
        for (conversation, rows) in conversations {
            let connection = conversation.connection.clone();
            // Nothing of a connection without keys can be read, so a hold on it would keep nothing.
            let Some(account) = store.account_of_keys(&connection).await? else {
                found.insert((connection, None));
                gone.extend(rows);
                continue;
            };
            found.insert((connection, Some(conversation.contact.clone())));
            let target = Target::Contact { account, conversation, until: now };
            if holds_on(store, &target).await?.is_empty() {
                gone.extend(rows);
            } else {
                done.held = done.held.saturating_add(1);
            }
        }
        store.delete_rows(&gone, &mut Pace::default()).await?;
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        done.found = done.found.saturating_add(count(found.len()));
        DataKind::Message.count(&mut done.removed, count(gone.len()));
        tracing::info!(rows = gone.len(), held = done.held, complete, "rows astray removed");
        done.complete = complete;
        Ok(done)
    }
}
