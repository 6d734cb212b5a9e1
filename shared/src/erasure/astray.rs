//! Rows astray: what an erasure should have removed and did not, or what no erasure would find.
//!
//! Erasures find rows by their contacts. This goes the other way: it reads every row there is and
//! asks whether something still leads to it. So it also finds what a defect, a restore or a frozen
//! process has left where no index and no contact points.
//!
//! The cost is that of reading the table once, eventually consistent, and each contact once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::ErasureError;
use super::sweeper::is_covered;
use crate::domain::erasure::Target;
use crate::domain::ids::{ConnectionId, ConversationId};
use crate::store::concurrent::try_all;
use crate::store::every_row::{FoundRow, SEGMENTS};
use crate::store::messages::MessageKey;
use crate::store::{Store, StoreError};

/// Rows that are looked at again at once.
const AT_ONCE: usize = 16;
/// Rows that are named; beyond them it is enough to know that there are so many.
const NAMED_MAX: usize = 10_000;
/// Requests under way whose targets are left to their own sweep.
const UNDER_WAY_MAX: usize = 10_000;

/// What a look at every row has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Astray {
    /// Rows of what is erased: of a connection that has no key, or covered by the mark of a contact
    /// that no request is sweeping.
    pub erased: Vec<MessageKey>,
    /// Rows of living connections that no contact leads to.
    pub unlisted: Vec<MessageKey>,
    /// How many rows were looked at.
    pub looked_at: u64,
    /// Rows that could not be read.
    pub unreadable: u64,
    /// Whether it was all of them.
    pub complete: bool,
}

impl Astray {
    /// How many rows are where they should not be, or may be: a row that could not be read counts,
    /// and so does what there was no time for.
    #[must_use]
    pub fn count(&self) -> u64 {
        let named = self.erased.len().saturating_add(self.unlisted.len());
        let named = u64::try_from(named).unwrap_or(u64::MAX);
        named.saturating_add(self.unreadable).saturating_add((!self.complete).into())
    }

    fn add(&mut self, other: Self) {
        self.erased.extend(other.erased);
        self.unlisted.extend(other.unlisted);
        self.looked_at = self.looked_at.saturating_add(other.looked_at);
        self.unreadable = self.unreadable.saturating_add(other.unreadable);
        self.complete &= other.complete;
    }
}

/// What a request that is under way will still sweep.
#[derive(Debug, Default)]
struct UnderWay {
    connections: BTreeSet<ConnectionId>,
    conversations: BTreeSet<ConversationId>,
}

impl UnderWay {
    fn covers(&self, conversation: &ConversationId) -> bool {
        self.connections.contains(&conversation.connection)
            || self.conversations.contains(conversation)
    }
}

/// Looks at every row, while there is time.
///
/// # Errors
/// [`ErasureError`].
//= R8.3, R6.6
pub async fn rows_astray(
    store: &Store,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<Astray, ErasureError> {
    let under_way = under_way(store).await?;
    let segments = (0..SEGMENTS).map(|segment| look_at(store, segment, &under_way, has_time));
    let at_once = usize::try_from(SEGMENTS).unwrap_or(1);
    let mut astray = Astray { complete: true, ..Astray::default() };
    for found in try_all(segments, at_once).await? {
        astray.add(found);
    }
    Ok(astray)
}

async fn under_way(store: &Store) -> Result<UnderWay, ErasureError> {
    let mut under_way = UnderWay::default();
    for id in store.stuck_requests(Timestamp::MAX, UNDER_WAY_MAX).await? {
        let Some(stored) = store.request(&id).await? else { continue };
        for target in stored.request.targets {
            match target {
                Target::Connection { connection, .. } => {
                    under_way.connections.insert(connection);
                }
                Target::Contact { conversation, .. } | Target::Message { conversation, .. } => {
                    under_way.conversations.insert(conversation);
                }
                Target::Account { .. } | Target::Member { .. } => {}
            }
        }
    }
    Ok(under_way)
}

/// Looks at the rows of a segment.
async fn look_at(
    store: &Store,
    segment: i32,
    under_way: &UnderWay,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<Astray, ErasureError> {
    let mut astray = Astray { complete: true, ..Astray::default() };
    let mut after = None;
    // Rows of a partition come one after the other, and a connection's partitions often do.
    let mut has_keys = BTreeMap::new();
    loop {
        if !has_time() {
            return Ok(Astray { complete: false, ..astray });
        }
        let (page, next) = store.every_row(segment, after).await?;
        let mut rows = Vec::with_capacity(page.len());
        for row in page {
            match row {
                Ok(row) => rows.push(row),
                Err(error) => {
                    tracing::error!(%error, "a row cannot be looked at");
                    astray.unreadable = astray.unreadable.saturating_add(1);
                }
            }
        }
        let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        astray.looked_at = astray.looked_at.saturating_add(count);
        rows.retain(|row| !under_way.covers(&row.conversation));
        judge(store, &rows, &mut has_keys, &mut astray).await?;
        after = next;
        if after.is_none() {
            return Ok(astray);
        }
        if astray.erased.len().max(astray.unlisted.len()) >= NAMED_MAX {
            return Ok(Astray { complete: false, ..astray });
        }
    }
}

/// Adds those of these rows that are astray.
async fn judge(
    store: &Store,
    rows: &[FoundRow],
    has_keys: &mut BTreeMap<ConnectionId, bool>,
    astray: &mut Astray,
) -> Result<(), ErasureError> {
    let conversations: BTreeSet<_> = rows.iter().map(|row| row.conversation.clone()).collect();
    let connections: BTreeSet<_> = conversations.iter().map(|one| &one.connection).collect();
    for connection in connections {
        if !has_keys.contains_key(connection) {
            has_keys.insert(connection.clone(), store.has_day_keys(connection).await?);
        }
    }
    let contacts = store.look_again(&BTreeSet::new(), &conversations).await?.contacts;
    let (mut erased, mut unlisted) = (Vec::new(), Vec::new());
    for row in rows {
        let contact = contacts.get(&row.conversation);
        if has_keys.get(&row.conversation.connection) == Some(&false) {
            erased.push(row.key());
        } else if let Some(contact) = contact {
            let until = contact.marks.erased_at;
            if until.is_some() && is_covered(&row.row, until) {
                erased.push(row.key());
            }
        } else {
            unlisted.push(row.key());
        }
    }
    // What was being deleted while it was looked at is gone by now.
    astray.erased.extend(still_there(store, erased).await?);
    astray.unlisted.extend(still_there(store, unlisted).await?);
    Ok(())
}

async fn still_there(store: &Store, keys: Vec<MessageKey>) -> Result<Vec<MessageKey>, StoreError> {
    let each = keys.into_iter().map(async |key| {
        let found = store.find_row(&key).await?;
        Ok(found.map(|_| key))
    });
    Ok(try_all(each, AT_ONCE).await?.into_iter().flatten().collect())
}
