//! Rows astray: what an erasure should have removed and did not, or what no erasure would find.
//!
//! Erasures find rows by their contacts. This goes the other way: it reads every row there is and
//! asks whether something still leads to it. So it also finds what a defect, a restore or a frozen
//! process has left where no index and no contact points.
//!
//! The cost is that of reading the table once, eventually consistent, and a contact for each page
//! on which it has rows.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::ErasureError;
use super::sweeper::is_covered;
use crate::concurrent::try_all;
use crate::domain::erasure::Target;
use crate::domain::ids::{ConnectionId, ConversationId};
use crate::store::every_row::{FoundRow, SEGMENTS};
use crate::store::messages::MessageKey;
use crate::store::{Store, StoreError};

/// Rows that are looked at again at once.
const AT_ONCE: usize = 16;
/// Rows of a segment that are named. Of more rows it is enough to know that there are so many.
const NAMED_MAX: usize = 10_000;
/// Rows that are judged once more at once.
const JUDGED_AT_ONCE: usize = 1000;
/// Requests under way whose targets are left to their own sweep.
const UNDER_WAY_MAX: usize = 10_000;

/// What a look at every row has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Astray {
    /// Rows of what is erased. Either their contact has a mark that covers them, and no request has
    /// yet to sweep the contact. Or they have no contact, and their connection has no key: only a
    /// sweep ends a contact, so that sweep is over.
    pub erased: Vec<MessageKey>,
    /// Rows that no contact leads to, of connections that have keys.
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

/// Looks at every row, while there is time. What seems astray is judged once more at the end:
/// erasures that began meanwhile will sweep their rows themselves.
//= R8.3, R6.6
pub async fn rows_astray(
    store: &Store,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<Astray, ErasureError> {
    let segments = (0..SEGMENTS).map(|segment| look_at(store, segment, has_time));
    let at_once = usize::try_from(SEGMENTS).unwrap_or(1);
    let mut astray = Astray { complete: true, ..Astray::default() };
    let mut suspects = Vec::new();
    for (found, of_segment) in try_all(segments, at_once).await? {
        astray.add(found);
        suspects.extend(of_segment);
    }
    let under_way = under_way(store).await?;
    suspects.retain(|row| !under_way.covers(&row.conversation));
    for rows in suspects.chunks(JUDGED_AT_ONCE) {
        let strays = judge(store, rows).await?;
        // A row that was being deleted while this looked at it is gone by now.
        let each = rows.iter().zip(strays).map(async |(row, stray)| {
            let is_there = store.find_row(&row.key()).await?.is_some();
            Ok::<_, StoreError>((row.key(), stray.filter(|_| is_there)))
        });
        for (key, stray) in try_all(each, AT_ONCE).await? {
            match stray {
                Some(Stray::Erased) => astray.erased.push(key),
                Some(Stray::Unlisted) => astray.unlisted.push(key),
                None => {}
            }
        }
    }
    Ok(astray)
}

async fn under_way(store: &Store) -> Result<UnderWay, ErasureError> {
    let mut under_way = UnderWay::default();
    for id in store.stuck_requests(Timestamp::MAX).first(UNDER_WAY_MAX).await? {
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

/// Looks at the rows of a segment; returns those that seem astray.
async fn look_at(
    store: &Store,
    segment: i32,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<(Astray, Vec<FoundRow>), ErasureError> {
    let mut astray = Astray { complete: true, ..Astray::default() };
    let (mut suspects, mut after) = (Vec::new(), None);
    while astray.complete {
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
        let strays = judge(store, &rows).await?;
        let judged = rows.into_iter().zip(strays);
        suspects.extend(judged.filter_map(|(row, stray)| stray.map(|_| row)));
        after = next;
        if after.is_none() {
            break;
        }
        astray.complete = has_time() && suspects.len() < NAMED_MAX;
    }
    Ok((astray, suspects))
}

/// Why a row is astray.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stray {
    Erased,
    Unlisted,
}

/// Which of these rows are astray.
async fn judge(store: &Store, rows: &[FoundRow]) -> Result<Vec<Option<Stray>>, ErasureError> {
    let conversations: BTreeSet<_> = rows.iter().map(|row| row.conversation.clone()).collect();
    let contacts = store.look_again(&BTreeSet::new(), &conversations).await?.contacts;
    let lost = conversations.iter().filter(|one| !contacts.contains_key(one));
    let lost: BTreeSet<_> = lost.map(|one| one.connection.clone()).collect();
    let keys = lost.into_iter().map(async |connection| {
        let has_keys = store.has_day_keys(&connection).await?;
        Ok::<_, StoreError>((connection, has_keys))
    });
    let has_keys: BTreeMap<_, _> = try_all(keys, AT_ONCE).await?.into_iter().collect();
    let stray = |FoundRow { conversation, row }: &FoundRow| match contacts.get(conversation) {
        Some(contact) => {
            let until = contact.marks.erased_at.filter(|_| !contact.is_erasing);
            let is_erased = until.is_some() && is_covered(row, until);
            is_erased.then_some(Stray::Erased)
        }
        None if has_keys.get(&conversation.connection) == Some(&true) => Some(Stray::Unlisted),
        None => Some(Stray::Erased),
    };
    Ok(rows.iter().map(stray).collect())
}
