//! After a restore: what the ledger says was erased is erased again (R8.6).

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
    /// Whether that was the end of the ledger, behind which every row has been looked at.
    pub complete: bool,
}

impl Eraser {
    /// Applies a page of the ledger after `position` to the tables as they are now, while there is
    /// time: data that came back is removed, and marks that are still to serve are set. Behind its
    /// end, every row is looked at, and what belongs to something erased is removed. What is there
    /// already stays as it is, so that it may be run at any time, and again.
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
        if page.is_empty() {
            return Ok(Reapplied { position, ..self.remove_astray(now, has_time).await? });
        }
        let mut done = Reapplied { position, ..Reapplied::default() };
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
                let by = By { request: &entry.request, has_sweep: false };
                shred_target(store, target, by, now).await?;
                let mut sweeper = Sweeper::again(self, entry.request.clone(), now);
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

    /// Removes rows of what is erased that no contact, and no target of the ledger, leads to. Each
    /// connection and each contact they belong to counts as a target that was found again. Not
    /// complete, where there was no time to look at every row.
    ///
    /// # Errors
    /// [`ErasureError`]; it may be repeated.
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
            // Of a connection without keys nothing can be read, whoever would hold it.
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
