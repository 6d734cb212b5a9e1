//! What must be true of the raw tables when all is over.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use numib::domain::data_kind::DataKind;
use numib::domain::erasure::{Request, State, Target};
use numib::domain::ids::RequestId;
use numib::seal::receipt;

use super::actors::{eraser, signing_key};
use super::plan::{Message, Word};
use super::watch::{Gone, Key, Row, Tables, row, takes};
use super::{FAR, World};

/// What is wrong in a world that has come to its end; nothing, if it is as it should be.
pub(super) async fn judge(world: &World) -> Vec<String> {
    let tables = world.raw.tables();
    let mut faults = world.watch.lost.clone();
    rows_left(world, &tables, &mut faults);
    rows_kept(world, &tables, &mut faults);
    let requests = requests(world, &tables).await;
    counts(world, &requests, &mut faults);
    receipts(world, &requests, &mut faults).await;
    reapplied(world, &mut faults).await;
    faults
}

/// Nothing is left of what was to be erased.
fn rows_left(world: &World, tables: &Tables, faults: &mut Vec<String>) {
    let mut left = BTreeMap::<String, usize>::new();
    for (key, item) in &tables.messages {
        let row = row(item);
        let of = world.cover.iter().find(|target| takes(target, DataKind::Message, key, row));
        if let Some(target) = of {
            let what = if row.unsent { "tombstone" } else { "row" };
            *left.entry(format!("{what} of a {}", target.scope().as_str())).or_default() += 1;
        }
    }
    let others = tables.core.keys().map(|key| (DataKind::Contact, key));
    let others = others.chain(tables.keys.keys().map(|key| (DataKind::DayKey, key)));
    for (_, key) in others {
        for target in &world.cover {
            let Target::Connection { route, connection, .. } = target else { continue };
            let is_of = key.0 == format!("CONNECTION#{connection}");
            if is_of || (key.0 == format!("ROUTE#{route}") && key.1 == "INDEX") {
                let what = key.1.split('#').next().unwrap_or_default();
                *left.entry(format!("{what} of a connection")).or_default() += 1;
            }
        }
    }
    faults.extend(left.into_iter().map(|(what, number)| format!("left: {number} {what}")));
}

/// What nothing covers is there, as if nothing had been erased.
fn rows_kept(world: &World, tables: &Tables, faults: &mut Vec<String>) {
    let mut told = BTreeMap::<&Message, BTreeSet<Word>>::new();
    let bodies = world.plan.old.iter().chain(&world.plan.bodies);
    for (message, word) in bodies.flatten() {
        told.entry(message).or_default().insert(*word);
    }
    for (message, words) in told {
        let expected = expected(message, &words);
        let key = world.shops.row(message);
        let shown = Row { unsent: false, ..expected };
        if world.cover.iter().any(|target| takes(target, DataKind::Message, &key, shown)) {
            continue;
        }
        let found = tables.messages.get(&key).map(row);
        if found != Some(expected) {
            faults.push(format!("{} is to be {expected:?}, and is {found:?}", message.mid));
        }
        let (connection, contact) = key.0.split_once('.').unwrap();
        let contact = (format!("CONNECTION#{connection}"), format!("CONTACT#{contact}"));
        if !tables.core.contains_key(&contact) {
            faults.push(format!("{} has rows and no contact", message.contact));
        }
    }
    for (item, before) in &world.apart {
        let is_there = [&tables.core, &tables.messages, &tables.keys]
            .iter()
            .any(|table| table.get(item) == Some(before));
        if !is_there {
            faults.push(format!("{item:?}, which is another's, is not as it was"));
        }
    }
}

fn expected(message: &Message, words: &BTreeSet<Word>) -> Row {
    if words.contains(&Word::Unsend) {
        return Row { unsent: true, ..Row::default() };
    }
    let edits = words.iter().filter_map(|word| match word {
        Word::Edit(number) => Some(*number),
        Word::Text | Word::Unsend => None,
    });
    let sent_at = words.contains(&Word::Text).then(|| crate::shop::ago(message.age));
    Row { unsent: false, sent_at, num_edit: edits.max() }
}

async fn requests(world: &World, tables: &Tables) -> Vec<Request> {
    let ids = tables.core.keys().filter(|(_, sk)| sk == "REQUEST");
    let mut requests = Vec::new();
    for (pk, _) in ids {
        let id = RequestId::parse(pk.strip_prefix("REQUEST#").unwrap()).unwrap();
        requests.push(world.db.store.request(&id).await.unwrap().unwrap().request);
    }
    requests
}

/// What went is counted once, over all receipts together.
fn counts(world: &World, requests: &[Request], faults: &mut Vec<String>) {
    use DataKind::{Contact, DayKey, IndexKey, Member};
    for kind in [DataKind::Message, Contact, DayKey, IndexKey, Member] {
        let told: u64 = requests.iter().filter_map(|request| request.counts.get(&kind)).sum();
        let gone = world.watch.gone.iter().filter(|gone| gone.kind == kind);
        let gone: Vec<&Gone> = gone.collect();
        let counted = gone.iter().filter(|gone| gone.counts);
        // What came back while it was swept may be told of as often as it went.
        let once: BTreeSet<(&Key, bool)> =
            counted.map(|gone| (&gone.key, gone.is_tombstone)).collect();
        let (least, most) = (once.len(), gone.len());
        let is_true = u64::try_from(least).unwrap() <= told && told <= u64::try_from(most).unwrap();
        if !is_true {
            let hands: BTreeMap<String, usize> =
                gone.iter().fold(BTreeMap::new(), |mut hands, gone| {
                    let what = if gone.is_tombstone { "buried" } else { "removed" };
                    let counts = if gone.counts { "" } else { ", need not be told" };
                    let (by, made_by) = (gone.by, gone.made_by);
                    let hand = format!("{what} by {by}, was {made_by}'s{counts}");
                    *hands.entry(hand).or_default() += 1;
                    hands
                });
            faults.push(format!(
                "counts: {told} of {} told, {least} to {most} went: {hands:?}",
                kind.as_str()
            ));
        }
    }
}

/// One receipt a request, and the ledger says the same.
async fn receipts(world: &World, requests: &[Request], faults: &mut Vec<String>) {
    let key = signing_key(&world.db.sdk).public().await.unwrap();
    let ledger = world.db.store.ledger_after(0).await.unwrap();
    for request in requests {
        let id = &request.id;
        if request.state != State::Completed {
            faults.push(format!("{id} is {:?}", request.state));
            continue;
        }
        let Some(receipt) = &request.receipt else {
            faults.push(format!("{id} has no receipt"));
            continue;
        };
        let claims = receipt::verify(receipt, std::slice::from_ref(&key)).unwrap();
        let counts = serde_json::to_value(&request.counts).unwrap();
        let shredded_at = request.shredded_at.map(Timestamp::as_second);
        if claims["removed"] != counts
            || claims["shredded_at"].as_i64() != shredded_at
            || claims["ledger_position"].as_u64() != request.ledger_position
        {
            faults.push(format!("the receipt of {id} says {claims}, the request {request:?}"));
        }
        let entries: Vec<_> = ledger.iter().filter(|entry| entry.request == *id).collect();
        let mut targets: Vec<&Target> = entries.iter().flat_map(|one| &one.targets).collect();
        let mut asked: Vec<&Target> = request.targets.iter().collect();
        targets.sort();
        asked.sort();
        if targets != asked {
            faults.push(format!("ledger: {id} erased {asked:?}, its entries are {targets:?}"));
        }
        let own = entries.iter().find(|one| Some(one.position) == request.ledger_position);
        if own.map(|one| one.shredded_at) != request.shredded_at {
            let at = own.map(|one| one.shredded_at);
            faults.push(format!(
                "ledger: {id} was shredded at {:?}, its entry says {at:?}",
                request.shredded_at
            ));
        }
    }
    let strays = ledger.iter().filter(|one| !requests.iter().any(|of| of.id == one.request));
    faults.extend(strays.map(|one| format!("ledger: an entry of no request: {one:?}")));
}

/// The ledger, applied again, finds nothing.
async fn reapplied(world: &World, faults: &mut Vec<String>) {
    let done = eraser(&world.db).reapply(0, world.clock + FAR, &|| true).await;
    match done {
        Ok(done) if done.found == 0 && done.removed.is_empty() => {}
        other => faults.push(format!("reapply: {other:?}")),
    }
}
