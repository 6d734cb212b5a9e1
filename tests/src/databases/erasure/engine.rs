//! An erasure from the asking to the receipt.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::SignedDuration;
use numib::domain::data_kind::DataKind;
use numib::domain::erasure::State;
use numib::erasure::{self, Asked, ErasureError, Progress};
use numib::seal::receipt;
use numib::store::StoreError;
use serde_json::json;

use super::{
    LATER, ask, asked, claims, connection, contact, counted, counts, erase, eraser, fill, held,
    is_over, later, message, open, signing_key, stored, work,
};
use crate::database::Database;
use crate::shop::{Shop, ago, now};
use crate::webhook::Intake;
use crate::wire::{Call, Wire};

on_ministack!(
    an_erased_connection_leaves_nothing_but_its_mark,
    what_is_shredded_has_no_key_before_any_row_is_deleted,
    the_proof_waits_until_intake_is_done_with_what_it_had_begun,
    a_row_that_comes_back_before_the_proof_is_swept_too,
    a_row_that_is_written_while_its_contact_ends_is_deleted_and_counted,
    two_requests_for_the_same_rows_count_each_row_once,
    an_erased_contact_goes_and_its_neighbours_stay,
    a_contact_that_writes_again_starts_anew,
    an_erased_contact_that_is_restricted_stays_restricted,
    an_erased_message_leaves_a_tombstone_and_its_neighbours,
    asking_again_while_a_request_is_under_way_gives_the_same_request,
    a_request_about_nothing_completes_and_says_so,
    rows_of_more_than_a_page_are_all_deleted,
    two_workers_at_once_delete_and_count_everything_once,
    a_worker_that_runs_out_of_time_is_followed_by_one_that_goes_on,
    erasing_one_connection_leaves_the_next_one_on_its_channel_alone,
    a_receipt_can_be_checked_offline,
);

const ROWS: u64 = 7;
const DAYS: u64 = 10;

//= R8.3, R5.3, R6.6
async fn an_erased_connection_leaves_nothing_but_its_mark(db: &Database) {
    let (shop, other) = (Shop::open(db).await, Shop::open(db).await);
    fill(db, &shop).await;
    fill(db, &other).await;
    let others = held(db, &other).await;
    let key = signing_key(db).await;
    let request = erase(db, &key, &[connection(&shop)]).await;
    assert_eq!(request.state, State::Completed);
    let expected = counted(&[
        (DataKind::Message, ROWS),
        (DataKind::Contact, 3),
        (DataKind::DayKey, DAYS),
        (DataKind::IndexKey, 1),
    ]);
    assert_eq!(counts(&request), expected);
    let left = held(db, &shop).await;
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].contains("state=erased") && left[0].contains("expires_at="), "{left:?}");
    assert!(!left[0].contains("person_id"));
    assert_eq!(held(db, &other).await, others);
}

//= R8.3, R6.6
async fn what_is_shredded_has_no_key_before_any_row_is_deleted(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let rows = db.dump_table(&db.tables.messages).await;
    let request = ask(db, &[connection(&shop)]).await.unwrap();
    assert_eq!((request.state, request.shredded_at), (State::Shredded, Some(now())));
    assert_eq!(db.dump_table(&db.tables.keys).await, BTreeSet::new());
    assert_eq!(db.dump_table(&db.tables.messages).await, rows);
    // Nothing more comes in.
    let body = shop.body(&[shop.text("7001", ago(5), "m_9", "late")]);
    let counts = Intake::start(db).deliver(&body).await.counts();
    assert_eq!(counts, json!({"reasons": {"suppressed": 1}}));
}

//= R8.3
async fn the_proof_waits_until_intake_is_done_with_what_it_had_begun(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let key = signing_key(db).await;
    let request = ask(db, &[connection(&shop)]).await.unwrap();
    for early in [now(), now() + LATER - SignedDuration::from_secs(2)] {
        let swept = eraser(db, &key).work(&request.id, early, &|| true).await.unwrap();
        assert_eq!(swept, Progress::More);
    }
    let swept = stored(db, &request).await;
    assert_eq!((swept.state, swept.receipt), (State::Sweeping, None));
    assert!(is_over(&work(db, &key, &request).await.unwrap()));
}

//= R8.3
async fn a_row_that_comes_back_before_the_proof_is_swept_too(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let key = signing_key(db).await;
    let request = ask(db, &[connection(&shop)]).await.unwrap();
    let early = eraser(db, &key).work(&request.id, now(), &|| true).await.unwrap();
    assert_eq!(early, Progress::More);
    // A contact and its row, once all contacts have been read: their keys are looked for then.
    let (other, late) = (db.through(&Wire::default()), shop.clone());
    let is_at_the_end = |call: &Call| call.is("Query", "KeysTable");
    db.wire.before_call(is_at_the_end, async move {
        let ends = (now(), now() + SignedDuration::from_hours(1000));
        late.moved(&other, &late.conversation("7009"), ends).await;
        other.store.put_tombstone(&late.key("7009", "m_late"), later()).await.unwrap();
    });
    let first = eraser(db, &key).work(&request.id, later(), &|| true).await.unwrap();
    assert!(!is_over(&first) && db.wire.interlude_is_over(), "the proof finds the contact");
    assert!(is_over(&work(db, &key, &request).await.unwrap()));
    assert_eq!(db.dump_table(&db.tables.messages).await, BTreeSet::new());
    let done = stored(db, &request).await;
    assert_eq!(counts(&done)["message"], ROWS + 1, "the late one is counted once, like the others");
    assert_eq!(counts(&done)["contact"], 4);
}

//= R8.3, R8.5
async fn a_row_that_is_written_while_its_contact_ends_is_deleted_and_counted(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let key = signing_key(db).await;
    let request = ask(db, &[connection(&shop)]).await.unwrap();
    assert!(!is_over(&eraser(db, &key).work(&request.id, now(), &|| true).await.unwrap()));
    // After the read of its conversation, and before its contact is gone.
    let (other, late) = (db.through(&Wire::default()), shop.key("7001", "m_late"));
    let is_end = |call: &Call| call.is("DeleteItem", "CoreTable");
    db.wire.before_call(is_end, async move {
        other.store.put_tombstone(&late, later()).await.unwrap();
    });
    assert!(is_over(&eraser(db, &key).work(&request.id, later(), &|| true).await.unwrap()));
    assert!(db.wire.interlude_is_over());
    assert_eq!(db.dump_table(&db.tables.messages).await, BTreeSet::new());
    assert_eq!(counts(&stored(db, &request).await)["message"], ROWS + 1);
}

//= R8.3, R8.5
async fn two_requests_for_the_same_rows_count_each_row_once(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let key = signing_key(db).await;
    let whole = ask(db, &[connection(&shop)]).await.unwrap();
    let again = Asked { subject: "another door".to_owned(), ..asked(&[connection(&shop)]) };
    let again = erasure::begin(&db.store, again, now()).await.unwrap();
    assert_ne!(whole.id, again.id);
    let requests = [whole, again];
    for at in [now(), later(), later() + LATER] {
        for request in &requests {
            eraser(db, &key).work(&request.id, at, &|| true).await.unwrap();
        }
    }
    let mut sum = std::collections::BTreeMap::new();
    for request in &requests {
        let done = stored(db, request).await;
        assert_eq!(done.state, State::Completed);
        for (kind, count) in done.counts {
            kind.count(&mut sum, count);
        }
    }
    let expected = [
        (DataKind::Message, ROWS),
        (DataKind::Contact, 3),
        (DataKind::DayKey, DAYS),
        (DataKind::IndexKey, 1),
    ];
    assert_eq!(sum, expected.into());
    let lanes = db.dump_table(&db.tables.core).await;
    assert!(!lanes.iter().any(|item| item.contains("pk=LANE#")), "nobody stays in the lane");
}

//= R8.3, R5.3
async fn an_erased_contact_goes_and_its_neighbours_stay(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let key = signing_key(db).await;
    let request = erase(db, &key, &[contact(&shop, "7001", now())]).await;
    assert_eq!(counts(&request), counted(&[(DataKind::Message, 2)]));
    for gone in ["m_1", "m_2"] {
        assert_eq!(shop.row(db, "7001", gone).await, None);
    }
    assert!(shop.row(db, "7001", "m_3").await.unwrap().row.unsent, "a tombstone is a mark");
    assert_eq!(shop.row(db, "7002", "m_4").await.unwrap().shown(), Some("four"));
    let inbox = db.store.inbox(&shop.connection.id, None, 10).await.unwrap();
    let listed: Vec<_> = inbox.into_iter().map(|entry| entry.conversation).collect();
    assert_eq!(listed, [shop.conversation("7002")]);
    let left = db.dump_table(&db.tables.core).await;
    let is_it =
        |item: &&String| item.contains(&format!("CONTACT#{}", shop.conversation("7001").contact));
    let mark = left.iter().find(is_it).unwrap();
    assert!(mark.contains("erased_at=") && !mark.contains("person_id"), "{mark}");
    // A redelivery of every message brings nothing back.
    fill_again(db, &shop).await;
    assert_eq!(db.dump_table(&db.tables.core).await, left);
    assert_eq!(shop.row(db, "7001", "m_1").await, None);
    assert!(shop.row(db, "7001", "m_3").await.unwrap().row.unsent, "nor takes a mark away");
}

async fn fill_again(db: &Database, shop: &Shop) {
    let items = [
        shop.text("7001", ago(9000), "m_1", "one"),
        shop.edit("7001", ago(7000), "m_2", (1, "edited")),
        shop.unsend("7001", ago(5000), "m_3"),
    ];
    Intake::start(db).deliver_at(later(), &shop.body(&items)).await.counts();
}

//= R8.3
async fn a_contact_that_writes_again_starts_anew(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let key = signing_key(db).await;
    let request = ask(db, &[contact(&shop, "7001", now())]).await.unwrap();
    // Between the shredding and the sweep, less than a minute after its last message.
    let again = shop.body(&[shop.text("7001", later(), "m_10", "hello again")]);
    let counts = Intake::start(db).deliver_at(later(), &again).await.counts();
    assert_eq!(counts, json!({"stored": 1}));
    assert!(is_over(&work(db, &key, &request).await.unwrap()));
    assert_eq!(shop.row(db, "7001", "m_10").await.unwrap().shown(), Some("hello again"));
    assert_eq!(shop.row(db, "7001", "m_1").await, None);
    let inbox = db.store.inbox(&shop.connection.id, None, 10).await.unwrap();
    assert!(inbox.iter().any(|entry| entry.conversation == shop.conversation("7001")));
    // The contact is found when it asks again.
    let core = db.dump_table(&db.tables.core).await;
    let known = format!("CONTACT#{}", shop.conversation("7001").contact);
    assert!(core.iter().any(|item| item.contains(&known) && item.contains("person_id")));
}

//= R2.3, R8.3
async fn an_erased_contact_that_is_restricted_stays_restricted(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let known = format!("CONTACT#{}", shop.conversation("7001").contact);
    db.raw
        .update_item()
        .table_name(&db.tables.core)
        .key("pk", AttributeValue::S(format!("CONNECTION#{}", shop.connection.id)))
        .key("sk", AttributeValue::S(known.clone()))
        .update_expression("SET restricted_at = :at REMOVE expires_at")
        .expression_attribute_values(":at", AttributeValue::N(ago(0).as_millisecond().to_string()))
        .send()
        .await
        .unwrap();
    let key = signing_key(db).await;
    erase(db, &key, &[contact(&shop, "7001", now())]).await;
    assert_eq!(shop.row(db, "7001", "m_1").await, None);
    let core = db.dump_table(&db.tables.core).await;
    let mark = core.iter().find(|item| item.contains(&known)).unwrap();
    assert!(mark.contains("restricted_at=") && mark.contains("erased_at="), "{mark}");
    assert!(!mark.contains("expires_at="), "a restriction does not end: {mark}");
}

//= R5.3
async fn an_erased_message_leaves_a_tombstone_and_its_neighbours(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let key = signing_key(db).await;
    let request = erase(db, &key, &[message(&shop, "7001", "m_1")]).await;
    assert_eq!(counts(&request), counted(&[(DataKind::Message, 1)]));
    assert!(shop.row(db, "7001", "m_1").await.unwrap().row.unsent);
    assert_eq!(shop.row(db, "7001", "m_2").await.unwrap().shown(), Some("edited"));
}

//= R8.4
async fn asking_again_while_a_request_is_under_way_gives_the_same_request(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let key = signing_key(db).await;
    let targets = [connection(&shop)];
    let first = ask(db, &targets).await.unwrap();
    let again = ask(db, &targets).await.unwrap();
    assert_eq!(again.id, first.id);
    work(db, &key, &first).await.unwrap();
    let third = ask(db, &targets).await.unwrap();
    assert_ne!(third.id, first.id, "that one is done");
}

//= R8.4
async fn a_request_about_nothing_completes_and_says_so(db: &Database) {
    let key = signing_key(db).await;
    let request = ask(db, &[]).await.unwrap();
    let soon = eraser(db, &key).work(&request.id, now(), &|| true).await.unwrap();
    assert!(is_over(&soon), "there is nothing to wait for");
    let done = stored(db, &request).await;
    assert_eq!((done.state, done.ledger_position), (State::Completed, None));
    assert_eq!(claims(&key, &done).await["removed"], json!({}));
}

//= R8.3
async fn rows_of_more_than_a_page_are_all_deleted(db: &Database) {
    let shop = Shop::open(db).await;
    // More than a megabyte, at which a page of the database ends, and more than a batch.
    let long = "x".repeat(60_000);
    let large = (0..30).map(|n| shop.text("7001", ago(9000 - n), &format!("m_{n}"), &long));
    let small = (0..320).map(|n| shop.text("7002", ago(9000 - n), &format!("m_{n}"), "hi"));
    let intake = Intake::start(db);
    intake.deliver(&shop.body(&large.collect::<Vec<_>>())).await.counts();
    intake.deliver(&shop.body(&small.collect::<Vec<_>>())).await.counts();
    let key = signing_key(db).await;
    let request = erase(db, &key, &[connection(&shop)]).await;
    assert_eq!(counts(&request)["message"], 350);
    assert_eq!(db.dump_table(&db.tables.messages).await, BTreeSet::new());
}

//= R8.5
async fn two_workers_at_once_delete_and_count_everything_once(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let key = signing_key(db).await;
    let request = ask(db, &[connection(&shop)]).await.unwrap();
    let (one, two) = tokio::join!(work(db, &key, &request), work(db, &key, &request));
    for done in [one, two] {
        let lost = matches!(done, Err(ErasureError::Store(StoreError::Conflict)));
        assert!(lost || done.is_ok(), "{done:?}");
    }
    assert!(is_over(&work(db, &key, &request).await.unwrap()));
    let done = stored(db, &request).await;
    assert_eq!(done.state, State::Completed);
    assert_eq!(counts(&done)["message"], ROWS);
    assert_eq!(db.dump_table(&db.tables.messages).await, BTreeSet::new());
}

async fn a_worker_that_runs_out_of_time_is_followed_by_one_that_goes_on(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let key = signing_key(db).await;
    let request = ask(db, &[connection(&shop)]).await.unwrap();
    db.wire.calls();
    let mut runs = 0;
    loop {
        let at = now() + LATER * runs;
        if is_over(&eraser(db, &key).work(&request.id, at, &|| false).await.unwrap()) {
            break;
        }
        runs += 1;
        assert!(runs < 20, "each run gets further");
    }
    assert!(runs > 1);
    let rows_deleted = db.wire.calls().iter().map(Call::rows_deleted).sum::<usize>();
    assert_eq!(rows_deleted, 7, "no run deletes again what the one before has deleted");
    assert_eq!(counts(&stored(db, &request).await)["message"], ROWS);
    assert_eq!(db.dump_table(&db.tables.messages).await, BTreeSet::new());
}

//= R8.3
async fn erasing_one_connection_leaves_the_next_one_on_its_channel_alone(db: &Database) {
    let old = Shop::open(db).await;
    fill(db, &old).await;
    let key = signing_key(db).await;
    let request = ask(db, &[connection(&old)]).await.unwrap();
    let new = old.successor(db, ago(10_000)).await;
    new.make_keys(db, numib::domain::key_window::days(numib::domain::time::Day::of(now()))).await;
    let body = new.body(&[new.text("7001", ago(5), "m_new", "hi")]);
    Intake::start(db).deliver(&body).await.counts();
    let before = held(db, &new).await;
    assert!(is_over(&work(db, &key, &request).await.unwrap()));
    assert_eq!(held(db, &new).await, before);
    assert_eq!(new.row(db, "7001", "m_new").await.unwrap().shown(), Some("hi"));
    assert_eq!(held(db, &old).await, Vec::<String>::new());
    // A second erasure of the old one finds it gone, and the new one in peace.
    let again = erase(db, &key, &[connection(&old)]).await;
    assert_eq!(counts(&again), counted(&[]));
    assert_eq!(held(db, &new).await, before);
    let ends = open(db, asked(&[connection(&new)]), now()).await;
    assert_eq!(ends.state, State::Requested);
}

//= R8.5
async fn a_receipt_can_be_checked_offline(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let key = signing_key(db).await;
    let request = erase(db, &key, &[connection(&shop)]).await;
    let claims = claims(&key, &request).await;
    assert_eq!(claims["jti"], request.id.as_str());
    let digest = receipt::target_digest(request.id.as_str(), &connection(&shop).to_string());
    assert_eq!(claims["targets"], json!([{"kind": "connection", "digest": digest}]));
    assert_eq!(claims["in_backups_until"], json!(null), "its keys are gone");
    assert_eq!(claims["requested_at"], now().as_second());
    assert_eq!(claims["shredded_at"], now().as_second());
    assert_eq!(claims["completed_at"], later().as_second());
    assert_eq!(claims["removed"]["message"], ROWS);
    assert_eq!(claims["keys_destroyed"], DAYS + 1);
    assert_eq!(claims["ledger_position"], 1);
    assert!(claims["kept"].as_array().unwrap().iter().all(|kept| kept["basis"].is_string()));
    for private in [&shop.meta_id, shop.connection.id.as_str(), shop.connection.account.as_str()] {
        assert!(!claims.to_string().contains(private), "{private}");
    }
    let one = erase(db, &key, &[contact(&Shop::open(db).await, "7001", now())]).await;
    let in_backups_until = self::claims(&key, &one).await["in_backups_until"].as_i64();
    assert_eq!(in_backups_until, Some(now().as_second() + 7 * 24 * 3600));
}
