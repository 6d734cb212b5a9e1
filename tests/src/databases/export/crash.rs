//! A worker that dies, after any of its requests: the next one writes the same archive. And what
//! erasures do to archives.

use data_export::{Ended, work};
use numib::domain::erasure::{Source, Target};
use numib::domain::export::{Failure, LEASE, State};
use numib::domain::ids::{ExportId, RequestId};
use numib::edge::clock::Clock;
use numib::erasure::{self, Asked, Eraser, SETTLED};

use super::Desk;
use super::archive::sha256;
use crate::database::Database;
use crate::shop::{ago, now};
use crate::wire::{Call, Fate};

on_both_databases!(
    wherever_a_worker_dies_the_next_one_writes_the_same_archive,
    parts_that_were_lost_are_written_anew,
    an_export_that_keeps_failing_ends,
    only_one_export_is_under_way_at_a_time,
    an_erasure_voids_an_archive_and_removes_it,
    an_export_begins_anew_without_what_was_erased_while_it_ran,
    the_end_of_an_account_leaves_no_export,
);

/// Of two channels' conversations, one longer than a page.
async fn fill(desk: &Desk<'_>) {
    for (contact, count) in [("7001", 520), ("7002", 3), ("7003", 510)] {
        let mut items = Vec::new();
        for n in 0..count {
            // Of the sort that does not pack well.
            let noise = sha256(format!("{contact} {n}").as_bytes()).repeat(3);
            let text = format!("{contact} says ñ {noise}");
            let mid = format!("m_{contact}_{n}");
            items.push(desk.shop.text(contact, ago(1_000_000 - i64::from(n)), &mid, &text));
        }
        for items in items.chunks(40) {
            desk.receive(items).await;
        }
    }
}

/// Small parts, so that there are several.
async fn desk(db: &Database) -> Desk<'_> {
    let desk = Desk::open(db).await.in_parts_of(4000);
    fill(&desk).await;
    desk
}

/// One export, asked for once, so that its archives compare.
async fn again(desk: &Desk<'_>, id: &ExportId) {
    let export = desk.stored(id).await;
    db_delete(desk, &export).await;
    let anew = numib::domain::export::Export::new(id.clone(), export.account, now());
    desk.db.store.open_export(&anew).await.unwrap();
}

async fn db_delete(desk: &Desk<'_>, export: &numib::domain::export::Export) {
    desk.app.exports.discard(export).await.unwrap();
    desk.db.store.delete_export(export).await.unwrap();
}

//= R5.4
async fn wherever_a_worker_dies_the_next_one_writes_the_same_archive(db: &Database) {
    let desk = desk(db).await;
    let id = desk.ask().await;
    db.wire.calls();
    let whole = desk.finish(&id).await;
    assert_eq!(whole.records("messages").len(), 1033);
    assert!(desk.stored(&id).await.written.parts > 2, "there is one part only");
    let requests = db.wire.calls().len();
    for dies_at in 0..requests {
        for is_heard in [false, true] {
            again(&desk, &id).await;
            let mut seen = 0;
            db.wire.decide(move |_: &Call| {
                seen += 1;
                match seen {
                    _ if seen <= dies_at => Fate::Passes,
                    _ if seen == dies_at + 1 && is_heard => Fate::Unheard,
                    _ => Fate::Lost,
                }
            });
            let died = work(&desk.app, &id, Clock::set_to(now()), &|| true).await;
            db.wire.heal();
            let archive = desk.finish(&id).await;
            assert_eq!(archive.unsigned(), whole.unsigned(), "died at {dies_at}: {died:?}");
        }
    }
    assert!(requests > 12, "{requests}");
}

async fn parts_that_were_lost_are_written_anew(db: &Database) {
    let desk = desk(db).await;
    let id = desk.ask().await;
    let mut parts = 0;
    db.wire.decide(move |call: &Call| {
        parts += usize::from(call.operation == "TransactWriteItems");
        if parts > 3 { Fate::Lost } else { Fate::Passes }
    });
    assert!(work(&desk.app, &id, Clock::set_to(now()), &|| true).await.is_err());
    db.wire.heal();
    assert!(desk.stored(&id).await.written.parts > 0);
    desk.cloud.lose_uploads();
    let archive = desk.finish(&id).await;
    assert_eq!(archive.records("messages").len(), 1033);
}

async fn an_export_that_keeps_failing_ends(db: &Database) {
    let desk = desk(db).await;
    let id = desk.ask().await;
    for n in 0..5 {
        db.wire.decide(
            |call: &Call| {
                if call.operation == "Decrypt" { Fate::Lost } else { Fate::Passes }
            },
        );
        assert!(
            work(&desk.app, &id, Clock::set_to(now() + LEASE * 2 * n), &|| true).await.is_err()
        );
    }
    db.wire.heal();
    let at = now() + LEASE * 10;
    assert_eq!(work(&desk.app, &id, Clock::set_to(at), &|| true).await.unwrap(), Ended::ForGood);
    let ended = desk.stored(&id).await;
    assert_eq!((ended.state, ended.failure), (State::Failed, Some(Failure::TooManyTries)));
    assert_eq!(desk.cloud.names(), Vec::<String>::new());
}

async fn only_one_export_is_under_way_at_a_time(db: &Database) {
    let desk = Desk::open(db).await;
    let id = desk.ask().await;
    let account = &desk.shop.connection.account;
    desk.ask().await;
    assert_eq!(db.store.account_exports(account).await.unwrap(), std::slice::from_ref(&id));
    desk.finish(&id).await;
    let next = desk.ask().await;
    assert_eq!(db.store.account_exports(account).await.unwrap().len(), 2);
    assert_eq!(db.store.export_under_way(account).await.unwrap(), Some(next));
}

fn contact(desk: &Desk<'_>, contact: &str) -> Target {
    let account = desk.shop.connection.account.clone();
    Target::Contact { account, conversation: desk.shop.conversation(contact), until: now() }
}

/// Asks for an erasure, which is shredded when this returns.
async fn erase(desk: &Desk<'_>, target: Target) -> RequestId {
    let (subject, targets) = (target.to_string(), vec![target]);
    let asked =
        Asked { source: Source::Disconnect, reference: None, subject, targets, due_at: None };
    erasure::begin(&desk.db.store, asked, now()).await.unwrap().id
}

fn eraser(desk: &Desk<'_>) -> Eraser {
    Eraser {
        store: desk.db.store.clone(),
        user_pool: desk.app.user_pool.clone(),
        receipts: desk.app.receipts.clone(),
        exports: desk.app.exports.clone(),
    }
}

/// What workers do with an erasure. Of an account, its channels are erased by a request of their
/// own first, which waits for intake to settle, too.
async fn sweep(desk: &Desk<'_>, request: &RequestId) {
    let mut requests = vec![request.clone()];
    for run in 0..6 {
        for id in requests.clone() {
            let at = now() + SETTLED * run;
            let worked = eraser(desk).work(&id, at, &|| true).await.unwrap();
            if let erasure::Progress::Behind(other) = worked {
                requests.push(other);
            }
        }
    }
}

//= R8.3
async fn an_erasure_voids_an_archive_and_removes_it(db: &Database) {
    let desk = desk(db).await;
    let id = desk.ask().await;
    desk.finish(&id).await;
    let request = erase(&desk, contact(&desk, "7002")).await;
    assert_eq!(desk.stored(&id).await.state, State::Void, "before the answer");
    sweep(&desk, &request).await;
    assert_eq!(desk.cloud.names(), Vec::<String>::new());
    let next = desk.export().await;
    assert_eq!(next.records("messages").len(), 1030);
}

//= R8.3, R5.4
async fn an_export_begins_anew_without_what_was_erased_while_it_ran(db: &Database) {
    let desk = desk(db).await;
    let id = desk.ask().await;
    let target = contact(&desk, "7001");
    let erasing = {
        let (store, target) = (desk.db.store.clone(), target.clone());
        async move {
            let (subject, targets) = (target.to_string(), vec![target]);
            let source = Source::Disconnect;
            let asked = Asked { source, reference: None, subject, targets, due_at: None };
            erasure::begin(&store, asked, now()).await.unwrap();
        }
    };
    // When parts with that contact's messages are uploaded.
    let saves = std::sync::atomic::AtomicUsize::new(0);
    let is_third_save = move |call: &Call| {
        let is_save = call.operation == "TransactWriteItems";
        let before = saves.fetch_add(usize::from(is_save), std::sync::atomic::Ordering::SeqCst);
        is_save && before == 3
    };
    db.wire.before_call(is_third_save, erasing);
    let met = work(&desk.app, &id, Clock::set_to(now()), &|| true).await;
    assert!(db.wire.interlude_is_over());
    assert!(met.is_err(), "somebody else has saved it: {met:?}");
    let begun_anew = desk.stored(&id).await;
    assert_eq!((begun_anew.state, begun_anew.restarts), (State::Asked, 1));
    let archive = desk.finish(&id).await;
    assert_eq!(archive.records("messages").len(), 513);
    let all: String = archive.files.values().cloned().collect();
    assert!(!all.contains("7001 says"));
    assert_eq!(desk.cloud.names().len(), 1, "no other upload is left");
}

//= R6.1
async fn the_end_of_an_account_leaves_no_export(db: &Database) {
    let desk = desk(db).await;
    let done = desk.ask().await;
    desk.finish(&done).await;
    // One more, of which a part is uploaded.
    let id = desk.ask().await;
    let parts = std::sync::atomic::AtomicUsize::new(0);
    db.wire.decide(move |call: &Call| {
        let is_save = usize::from(call.operation == "TransactWriteItems");
        let saves = parts.fetch_add(is_save, std::sync::atomic::Ordering::SeqCst);
        if saves > 2 { Fate::Lost } else { Fate::Passes }
    });
    assert!(work(&desk.app, &id, Clock::set_to(now()), &|| true).await.is_err());
    db.wire.heal();
    assert_eq!(desk.cloud.names().len(), 2);
    let account = desk.shop.connection.account.clone();
    let request = erase(&desk, Target::Account { account: account.clone() }).await;
    sweep(&desk, &request).await;
    assert_eq!(desk.cloud.names(), Vec::<String>::new());
    assert_eq!(db.store.account_exports(&account).await.unwrap(), []);
    let left = db.dump_table(&db.tables.core).await;
    let left: Vec<_> = left.iter().filter(|item| item.contains("EXPORT")).collect();
    assert_eq!(left, Vec::<&String>::new());
    assert_eq!(work(&desk.app, &id, Clock::set_to(now()), &|| true).await.unwrap(), Ended::ForGood);
}
