//! From a parsed body to durable, sealed rows: prepare, write, look again.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use numib::domain::fold::fold;
use numib::domain::update::Ignored;
use numib::edge::clock::Stopwatch;
use numib::edge::fence::{self, TimeUp};
use numib::meta::webhook::Delivery;
use numib::seal::SealError;
use numib::seal::pseudonym::Pepper;
use numib::store::StoreError;

use crate::App;
use crate::prepare::{Prepared, prepare};
use crate::write::{look_again, move_due, moves, settle, write_all};

/// Meta waits 5 seconds; this long after a request came we say 500 ourselves, and Meta redelivers.
/// Nothing is written later than that: an erasure's sweep begins once it can rely on that
/// (`erasure/sweep.rs`).
const DEADLINE: Duration = Duration::from_millis(4500);
/// Requests under way at once: enough to hide the network, few enough not to be a burst.
pub(crate) const CONCURRENCY: usize = 32;

/// Why a body was not taken in. Nothing is acknowledged; Meta redelivers, and what is already
/// stored is met again as a duplicate.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum IntakeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Provisioning is behind: storing under another day's key would break its expiry.
    #[error("a connection has no key for a day that is still open")]
    NoDayKey,
    #[error("the body was not stored within {DEADLINE:?}")]
    Deadline,
}

/// What became of a body's updates: `items = stored + edited + unsent + ignored`.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) items: usize,
    pub(crate) stored: usize,
    pub(crate) edited: usize,
    pub(crate) unsent: usize,
    pub(crate) ignored: BTreeMap<Ignored, usize>,
    /// How old each stored message was on arrival, in milliseconds.
    pub(crate) lag_ms: Vec<i64>,
}

impl Tally {
    pub(crate) fn ignore(&mut self, reason: Ignored, updates: usize) {
        let count = self.ignored.entry(reason).or_default();
        *count = count.saturating_add(updates);
    }
}

/// Takes a body in before the stopwatch shows [`DEADLINE`]; returns once everything storable is
/// durable.
pub(crate) async fn take_in(
    app: &App,
    pepper: &Pepper,
    delivery: Delivery,
    (now, stopwatch): (Timestamp, &Stopwatch),
) -> Result<Tally, IntakeError> {
    let work = Box::pin(take_in_all(app, pepper, delivery, now));
    fence::within(stopwatch, DEADLINE, work).await.map_err(|TimeUp| IntakeError::Deadline)?
}

async fn take_in_all(
    app: &App,
    pepper: &Pepper,
    delivery: Delivery,
    now: Timestamp,
) -> Result<Tally, IntakeError> {
    let mut tally = Tally { items: delivery.items(), ..Tally::default() };
    let (changes, beaten) = fold(delivery.updates, now);
    for reason in delivery.ignored.into_iter().chain(beaten) {
        tally.ignore(reason, 1);
    }
    let Prepared { writes, failure } = prepare(app, pepper, changes, now, &mut tally).await;
    if !writes.is_empty() {
        let moves = moves(&writes, now);
        // Contacts first, so that whatever is stored is found by an erasure, even when this dies
        // before it has looked again. Most have moved within the minute, which costs nothing.
        move_due(app, &moves).await?;
        let effects = write_all(&app.store, &writes, now).await?;
        let sight = look_again(&app.store, &writes).await?;
        settle(app, &writes, (effects, &moves), &sight, now, &mut tally).await?;
    }
    failure.map_or(Ok(tally), Err)
}
