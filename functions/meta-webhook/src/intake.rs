//! From a parsed body to durable, sealed rows: prepare, move, write, look again.

use std::time::Duration;

use jiff::Timestamp;
use numib::domain::fold::fold;
use numib::edge::clock::Clock;
use numib::edge::fence::{self, TimeUp};
use numib::meta::webhook::Delivery;
use numib::seal::pseudonym::Pepper;

use crate::moves::{move_due, moves};
use crate::prepare::{Prepared, prepare};
use crate::settle::{look_again, settle};
use crate::taken::Taken;
use crate::write::write_all;
use crate::{App, IntakeError};

/// Meta waits 5 seconds; this long after a request came we say 500 ourselves, and Meta redelivers.
/// Nothing is written later than that: an erasure's sweep begins once it can rely on that
/// (`erasure/sweep.rs`).
pub(crate) const DEADLINE: Duration = Duration::from_millis(4500);

/// Takes a body in within [`DEADLINE`] of the request's arrival; returns once everything storable
/// is durable.
pub(crate) async fn take_in(
    app: &App,
    pepper: &Pepper,
    delivery: Delivery,
    clock: &Clock,
) -> Result<Taken, IntakeError> {
    let work = Box::pin(take_in_all(app, pepper, delivery, clock.began));
    fence::within(&clock.stopwatch, DEADLINE, work).await.map_err(|TimeUp| IntakeError::Deadline)?
}

async fn take_in_all(
    app: &App,
    pepper: &Pepper,
    delivery: Delivery,
    now: Timestamp,
) -> Result<Taken, IntakeError> {
    let mut taken = Taken { items: delivery.items(), ..Taken::default() };
    let (changes, beaten) = fold(delivery.updates, now);
    for reason in delivery.ignored.into_iter().chain(beaten) {
        taken.ignore(reason, 1);
    }
    let Prepared { writes, ignored, failure } = prepare(app, pepper, changes, now).await;
    for (reason, updates) in ignored {
        taken.ignore(reason, updates);
    }
    if !writes.is_empty() {
        let moves = moves(&writes, now);
        // Contacts first, so that whatever is stored is found by an erasure, even when this dies
        // before it has looked again. Most have moved within the minute, which costs nothing.
        move_due(app, &moves).await?;
        let effects = write_all(&app.store, &writes, now).await?;
        let sight = look_again(&app.store, &writes).await?;
        taken = taken.and(settle(app, &writes, effects, &moves, &sight, now).await?);
    }
    failure.map_or(Ok(taken), Err)
}
