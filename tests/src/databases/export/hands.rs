//! Several hands at one export: two workers, the end of its account, rows that are damaged.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use data_export::{Ended, work};
use numib::domain::export::{Failure, State};
use numib::edge::clock::Clock;

use super::{Desk, app_over};
use crate::database::Database;
use crate::shop::{ago, now};
use crate::wire::Call;

on_both_databases!(
    one_worker_is_at_an_export_at_a_time,
    a_worker_that_was_displaced_leaves_the_next_one_alone,
    a_worker_whose_time_is_over_leaves_the_export_to_the_next,
    an_account_that_is_closed_while_its_archive_is_written_gets_no_archive,
    what_was_voided_is_removed_by_a_worker,
    a_message_that_does_not_open_is_counted_and_the_others_are_there,
);

/// Some conversations, in small parts.
async fn desk(db: &Database) -> Desk<'_> {
    let desk = Desk::open(db).await.in_parts_of(1);
    for contact in ["7001", "7002", "7003", "7004"] {
        desk.receive(&[desk.shop.text(contact, ago(9000), &format!("m_{contact}"), "hola")]).await;
    }
    desk
}

/// Just before the save of this number.
fn before_save(number: usize) -> impl Fn(&Call) -> bool + Send + 'static {
    let saves = std::sync::atomic::AtomicUsize::new(1);
    move |call: &Call| {
        let is_save = call.operation == "TransactWriteItems";
        let nth = saves.fetch_add(usize::from(is_save), std::sync::atomic::Ordering::SeqCst);
        is_save && nth == number
    }
}

//= R5.4
async fn one_worker_is_at_an_export_at_a_time(db: &Database) {
    let desk = desk(db).await;
    let id = desk.ask().await;
    let other = app_over(&desk.cloud.around(&db.sdk), db, 1);
    let asked_too = {
        let id = id.clone();
        async move {
            assert_eq!(
                work(&other, &id, Clock::set_to(now()), &|| true).await.unwrap(),
                Ended::ForGood
            );
        }
    };
    db.wire.before_call(before_save(3), asked_too);
    assert_eq!(work(&desk.app, &id, Clock::set_to(now()), &|| true).await.unwrap(), Ended::ForGood);
    assert!(db.wire.interlude_is_over());
    let ready = desk.stored(&id).await;
    assert_eq!((ready.state, ready.restarts, ready.is_taken), (State::Ready, 0, false));
    assert_eq!(desk.archive(&id).await.records("messages").len(), 4);
}

/// An erasure voids it while it is written, and a second worker begins anew before the first one
/// notices: its upload is gone by then.
async fn a_worker_that_was_displaced_leaves_the_next_one_alone(db: &Database) {
    let desk = desk(db).await;
    let id = desk.ask().await;
    let other = app_over(&desk.cloud.around(&db.sdk), db, 1);
    let (store, account) = (db.store.clone(), desk.shop.connection.account.clone());
    let displacing = {
        let id = id.clone();
        async move {
            numib::erasure::void_archives(&store, &account).await.unwrap();
            let steps = std::sync::atomic::AtomicUsize::new(0);
            let has_time = || steps.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2;
            assert_eq!(
                work(&other, &id, Clock::set_to(now()), &has_time).await.unwrap(),
                Ended::ForNow
            );
        }
    };
    db.wire.before_call(|call: &Call| call.operation == "Decrypt", displacing);
    let _ = work(&desk.app, &id, Clock::set_to(now()), &|| true).await;
    assert!(db.wire.interlude_is_over());
    let running = desk.stored(&id).await;
    assert_eq!((running.state, running.restarts), (State::Running, 1));
    assert_eq!(desk.finish(&id).await.records("messages").len(), 4);
}

async fn a_worker_whose_time_is_over_leaves_the_export_to_the_next(db: &Database) {
    let desk = desk(db).await;
    let id = desk.ask().await;
    let steps = std::sync::atomic::AtomicUsize::new(0);
    let has_time = || steps.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2;
    assert_eq!(work(&desk.app, &id, Clock::set_to(now()), &has_time).await.unwrap(), Ended::ForNow);
    assert!(!desk.stored(&id).await.is_taken);
    assert_eq!(work(&desk.app, &id, Clock::set_to(now()), &|| true).await.unwrap(), Ended::ForGood);
    assert_eq!(desk.archive(&id).await.records("messages").len(), 4);
}

//= R6.1
async fn an_account_that_is_closed_while_its_archive_is_written_gets_no_archive(db: &Database) {
    // Taken, counted, written, ended.
    for save in 1..=4 {
        let desk = desk(db).await;
        let id = desk.ask().await;
        let (store, account) = (db.store.clone(), desk.shop.connection.account.clone());
        let closing = async move { store.mark_account_erased(&account).await.unwrap() };
        db.wire.before_call(before_save(save), closing);
        assert_eq!(
            work(&desk.app, &id, Clock::set_to(now()), &|| true).await.unwrap(),
            Ended::ForGood
        );
        assert!(db.wire.interlude_is_over(), "there is no save {save}");
        let ended = desk.stored(&id).await;
        assert_eq!((ended.state, ended.failure), (State::Failed, Some(Failure::AccountClosed)));
        assert_eq!(desk.cloud.names(), Vec::<String>::new(), "closed before save {save}");
    }
}

//= R6.1
async fn what_was_voided_is_removed_by_a_worker(db: &Database) {
    let desk = desk(db).await;
    let id = desk.ask().await;
    desk.finish(&id).await;
    let account = &desk.shop.connection.account;
    let voided = numib::erasure::void_archives(&db.store, account).await.unwrap();
    assert_eq!(voided, std::slice::from_ref(&id));
    // It is queued until it is gone: whoever voided it may have died before queueing.
    let again = numib::erasure::void_archives(&db.store, account).await.unwrap();
    assert_eq!(again, std::slice::from_ref(&id));
    assert_eq!(work(&desk.app, &id, Clock::set_to(now()), &|| true).await.unwrap(), Ended::ForGood);
    assert_eq!(desk.cloud.names(), Vec::<String>::new());
}

//= R5.1
async fn a_message_that_does_not_open_is_counted_and_the_others_are_there(db: &Database) {
    let desk = desk(db).await;
    damage(&desk, "7002").await;
    let id = desk.ask().await;
    let archive = desk.finish(&id).await;
    assert_eq!(archive.records("messages").len(), 3);
    let said = &archive.manifest()["kinds"]["message"];
    assert_eq!((&said["records"], &said["unreadable"]), (&3.into(), &1.into()));
    assert_eq!(desk.stored(&id).await.written.unreadable, 1);
}

/// Changes a byte of what is sealed in a contact's message.
async fn damage(desk: &Desk<'_>, contact: &str) {
    let key = desk.shop.key(contact, &format!("m_{contact}"));
    let row = [("pk", key.conversation.to_string()), ("sk", key.message.to_string())];
    let row = row.map(|(name, value)| (name.to_owned(), AttributeValue::S(value)));
    let client = &desk.db.raw;
    let found = client.get_item().table_name(&desk.db.tables.messages).set_key(Some(row.into()));
    let mut item = found.send().await.unwrap().item.unwrap();
    let mut sealed = item["sealed"].as_b().unwrap().clone().into_inner();
    *sealed.last_mut().unwrap() ^= 1;
    item.insert("sealed".to_owned(), AttributeValue::B(Blob::new(sealed)));
    let put = client.put_item().table_name(&desk.db.tables.messages).set_item(Some(item));
    put.send().await.unwrap();
}
