//! Asked again, or later than it was meant: what came in between is neither missed nor lost.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use numib::domain::connection::ConnectionState;
use numib::domain::erasure::{Request, State, Target};
use numib::domain::hold::Held;
use numib::domain::hold::Hold;
use numib::domain::ids::{HoldId, RequestId};
use numib::seal::pseudonym::Pepper;
use numib::store::messages::MessageKey;
use serde_json::json;
use xtask::meta::signed_request;

use super::callback::{DEAUTHORIZE, DELETE, Desk, SECRETS, asks, code};
use super::{ask, contact, eraser, fill, open, signing_key, stored, sweep_request, work};
use crate::database::Database;
use crate::shop::{PEPPER, Shop, ago, now};
use crate::webhook::Intake;
use crate::wire::Fate;

on_both_databases!(
    asking_again_gives_the_same_code_while_nothing_came_in_between,
    an_index_that_is_a_moment_old_makes_no_new_request,
    what_came_since_a_request_that_is_under_way_is_erased_with_the_next,
    data_without_a_hold_does_not_wait_for_what_was_held_before,
    a_request_that_waits_takes_in_what_is_asked_later,
    each_hold_keeps_only_what_it_is_on,
    a_late_callback_hides_nothing_newer_than_itself,
    a_message_that_comes_while_the_mark_is_being_written_is_found_again,
    a_contact_that_wrote_while_its_erasure_waited_stays_in_the_inbox,
    where_the_inbox_lags_behind_a_worker_shows_the_newest_that_is_left,
    an_edit_of_an_erased_contact_is_found_by_the_next_erasure,
    a_late_callback_leaves_a_channel_that_was_connected_since,
    a_worker_goes_on_with_a_request_that_a_door_put_on_hold_too_late,
);
on_ministack!(a_mark_that_a_restore_lost_is_set_again);

/// Sends a callback at a time, issued at another; returns the code.
async fn call_back(desk: &Desk, at: Timestamp, issued_at: Timestamp) -> String {
    let signed = signed_request(SECRETS[0], &asks("7001", issued_at));
    code(&desk.post_at(at, DELETE, &format!("signed_request={signed}")).await)
}

async fn request(db: &Database, code: &str) -> Request {
    let id = RequestId::parse(code).unwrap();
    db.store.request(&id).await.unwrap().unwrap().request
}

async fn hold(db: &Database, on: &Held) -> HoldId {
    let (id, text) = (HoldId::parse("h").unwrap(), "x".to_owned());
    let hold = Hold { id: id.clone(), reason: text.clone(), reference: text, set_at: now() };
    db.store.put_hold(on, &hold).await.unwrap();
    id
}

fn account(shop: &Shop) -> Held {
    Held::Account(shop.connection.account.clone())
}

/// Lets the contact write at a later time.
async fn write(db: &Database, shop: &Shop, at: Timestamp, mid: &str) {
    let body = shop.body(&[shop.text("7001", at, mid, "new")]);
    assert_eq!(Intake::start(db).deliver_at(at, &body).await.counts()["stored"], 1);
}

async fn is_in_inbox(db: &Database, shop: &Shop) -> bool {
    let inbox = db.store.inbox(&shop.connection.id, None, 10).await.unwrap();
    inbox.iter().any(|entry| entry.conversation == shop.conversation("7001"))
}

/// In how many conversations the person is found.
async fn found(db: &Database) -> usize {
    let pepper = Pepper::new(PEPPER.as_bytes()).unwrap();
    let person = pepper.person(&"7001".to_owned().into());
    db.store.person(&person).await.unwrap().contacts.len()
}

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

//= R8.3
async fn asking_again_gives_the_same_code_while_nothing_came_in_between(db: &Database) {
    let (desk, shop) = (Desk::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let first = call_back(&desk, now(), now()).await;
    let (later, much_later) = (now() + seconds(5), now() + seconds(3600));
    assert_eq!(call_back(&desk, later, now()).await, first, "the same callback");
    assert_eq!(call_back(&desk, much_later, much_later).await, first, "another one");
}

//= R8.3
async fn an_index_that_is_a_moment_old_makes_no_new_request(db: &Database) {
    let (desk, shop) = (Desk::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let first = call_back(&desk, now(), now()).await;
    let conversation = shop.conversation("7001");
    let stale = json!({"Count": 1, "ScannedCount": 1, "Items": [{
        "pk": {"S": format!("CONNECTION#{}", conversation.connection)},
        "sk": {"S": format!("CONTACT#{}", conversation.contact)},
        "account_id": {"S": shop.connection.account.as_str()},
    }]});
    db.wire.decide(move |call| {
        let is_of_persons = call.body["IndexName"] == "by_person";
        if is_of_persons { Fate::Answered(stale.clone()) } else { Fate::Passes }
    });
    let later = now() + seconds(1);
    assert_eq!(call_back(&desk, later, later).await, first);
    db.wire.heal();
}

//= R8.3
async fn what_came_since_a_request_that_is_under_way_is_erased_with_the_next(db: &Database) {
    let (desk, shop) = (Desk::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let first = call_back(&desk, now(), now()).await;
    write(db, &shop, now() + seconds(30), "m_new").await;
    assert!(is_in_inbox(db, &shop).await);
    let at = now() + seconds(60);
    let second = call_back(&desk, at, at).await;
    assert_ne!(second, first);
    assert!(!is_in_inbox(db, &shop).await);
    assert_eq!(call_back(&desk, at, at).await, second);
}

//= R6.7, R8.3
async fn data_without_a_hold_does_not_wait_for_what_was_held_before(db: &Database) {
    let (desk, shop, other) = (Desk::open(db), Shop::open(db).await, Shop::open(db).await);
    fill(db, &shop).await;
    hold(db, &account(&shop)).await;
    let first = call_back(&desk, ago(500), ago(500)).await;
    assert_eq!(request(db, &first).await.state, State::Held);
    fill(db, &other).await;
    let second = request(db, &call_back(&desk, now(), now()).await).await;
    assert_eq!((second.state, second.targets.len()), (State::Shredded, 1));
    assert_eq!(second.held_part.unwrap().as_str(), first);
    assert!(!is_in_inbox(db, &other).await && is_in_inbox(db, &shop).await);
}

//= R6.7, R8.3
async fn a_request_that_waits_takes_in_what_is_asked_later(db: &Database) {
    let (desk, shop) = (Desk::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    hold(db, &account(&shop)).await;
    let first = call_back(&desk, now(), now()).await;
    let at = now() + seconds(60);
    write(db, &shop, now() + seconds(30), "m_new").await;
    assert_eq!(call_back(&desk, at, at).await, first);
    let targets = request(db, &first).await.targets;
    assert_eq!(targets, [contact(&shop, "7001", at)]);
}

//= R6.7
async fn each_hold_keeps_only_what_it_is_on(db: &Database) {
    let (shop, other) = (Shop::open(db).await, Shop::open(db).await);
    let targets = [contact(&shop, "7001", now()), contact(&other, "7001", now())];
    fill(db, &shop).await;
    fill(db, &other).await;
    let lifted = hold(db, &account(&shop)).await;
    hold(db, &account(&other)).await;
    let mut part = Some(ask(db, &targets).await.unwrap().id);
    db.store.lift_hold(&account(&shop), &lifted).await.unwrap();
    let mut states = Vec::new();
    while let Some(id) = part.take() {
        let waiting = request(db, id.as_str()).await;
        part.clone_from(&waiting.held_part);
        let shredded = numib::erasure::shred(&db.store, waiting, now()).await.unwrap();
        states.push((shredded.state, shredded.targets));
    }
    let [one, two] = targets.map(|target| vec![target]);
    states.sort();
    assert_eq!(states, [(State::Held, two), (State::Shredded, one)]);
}

//= R8.3
async fn a_late_callback_hides_nothing_newer_than_itself(db: &Database) {
    let (desk, shop) = (Desk::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    call_back(&desk, now(), now() - SignedDuration::from_hours(24)).await;
    assert_eq!(shop.row(db, "7001", "m_1").await.unwrap().shown(), Some("one"));
    assert!(is_in_inbox(db, &shop).await);
    assert_eq!(found(db).await, 1);
}

//= R8.3
async fn a_message_that_comes_while_the_mark_is_being_written_is_found_again(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let asked = super::asked(&[contact(&shop, "7001", now())]);
    let first = open(db, asked, now()).await;
    // Sent after the question, acknowledged before the mark, and not yet in the inbox index.
    write(db, &shop, now() + seconds(1), "m_new").await;
    numib::erasure::shred(&db.store, first.clone(), now()).await.unwrap();
    sweep_request(db, &first, now() + seconds(2)).await;
    assert_eq!(shop.row(db, "7001", "m_1").await, None);
    assert_eq!(shop.row(db, "7001", "m_new").await.unwrap().shown(), Some("new"));
    assert!(is_in_inbox(db, &shop).await);
    let desk = Desk::open(db);
    let at = now() + seconds(60);
    let second = request(db, &call_back(&desk, at, at).await).await;
    assert_eq!(second.targets, [contact(&shop, "7001", at)], "and by the next question");
}

//= R6.7, R8.3
async fn a_contact_that_wrote_while_its_erasure_waited_stays_in_the_inbox(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let on = Held::Contact(shop.conversation("7001"));
    let id = hold(db, &on).await;
    let waiting = ask(db, &[contact(&shop, "7001", now())]).await.unwrap();
    let at = now() + SignedDuration::from_hours(5);
    write(db, &shop, at, "m_new").await;
    db.store.lift_hold(&on, &id).await.unwrap();
    let waiting = stored(db, &waiting).await;
    let after = at + SignedDuration::from_hours(1);
    let shredded = numib::erasure::shred(&db.store, waiting, after).await.unwrap();
    assert_eq!(shredded.state, State::Shredded);
    assert!(is_in_inbox(db, &shop).await);
    assert_eq!(found(db).await, 1);
}

//= R8.3
async fn where_the_inbox_lags_behind_a_worker_shows_the_newest_that_is_left(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    // Within the minute, in which the inbox does not move again.
    let newest = now() + seconds(20);
    write(db, &shop, newest, "m_new").await;
    let until = now() + seconds(10);
    let request = open(db, super::asked(&[contact(&shop, "7001", until)]), newest).await;
    numib::erasure::shred(&db.store, request.clone(), newest).await.unwrap();
    sweep_request(db, &request, newest + seconds(1)).await;
    let asked = BTreeSet::from([shop.conversation("7001")]);
    let sight = db.store.look_again(&BTreeSet::new(), &asked).await.unwrap();
    let seen = sight.contacts[&shop.conversation("7001")];
    assert_eq!((seen.last_message_at, seen.is_known), (Some(newest), true));
    assert_eq!(shop.row(db, "7001", "m_1").await, None);
}

//= R8.2, R8.3
async fn an_edit_of_an_erased_contact_is_found_by_the_next_erasure(db: &Database) {
    let (desk, shop) = (Desk::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let first = call_back(&desk, now(), now()).await;
    assert_eq!(call_back(&desk, now() + seconds(1), now() + seconds(1)).await, first);
    let at = now() + SignedDuration::from_hours(1);
    let edit = shop.body(&[shop.edit("7001", at, "m_waits", (1, "secret"))]);
    assert_eq!(Intake::start(db).deliver_at(at, &edit).await.counts()["edited"], 1);
    let second = call_back(&desk, at, at).await;
    assert_eq!(request(db, &second).await.targets, [contact(&shop, "7001", at)]);
}

//= R8.3
async fn a_late_callback_leaves_a_channel_that_was_connected_since(db: &Database) {
    let (desk, old) = (Desk::open(db), Shop::open(db).await);
    old.erase(db).await;
    let fresh = old.successor(db, ago(60_000)).await;
    let removed = json!({"user_id": "", "profile_id": fresh.meta_id,
                         "algorithm": "HMAC-SHA256", "issued_at": ago(600_000).as_second()});
    assert_eq!(desk.post(DEAUTHORIZE, &removed).await.status, 200);
    let found = db.store.connection(&fresh.connection.route, true).await.unwrap().unwrap();
    assert_eq!(found.state, ConnectionState::Active);
}

//= R6.7
async fn a_worker_goes_on_with_a_request_that_a_door_put_on_hold_too_late(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let on = Held::Contact(shop.conversation("7001"));
    let id = hold(db, &on).await;
    // The door has looked twice, and is about to save that it waits, when the hold is lifted and
    // the worker reads the request.
    let store = db.store.clone();
    let (tell, told) = tokio::sync::oneshot::channel();
    let is_held_save = |call: &crate::wire::Call| {
        call.operation == "PutItem" && call.body["Item"]["state"]["S"] == "held"
    };
    db.wire.before_call(is_held_save, async move {
        store.lift_hold(&on, &id).await.unwrap();
        let waiting = store.holds(&on).await.unwrap().waiting;
        let _ = tell.send(store.request(&waiting[0]).await.unwrap().unwrap().request);
    });
    let door = ask(db, &[contact(&shop, "7001", now())]).await.unwrap();
    let read = told.await.unwrap();
    assert!(numib::erasure::shred(&db.store, read, now()).await.is_err(), "the door was first");
    // Its message comes again: one run shreds it, and has the next begin the sweep.
    let key = super::race::no_key(db);
    for state in [State::Shredded, State::Sweeping] {
        eraser(db, &key).work(&door.id, now(), &|| true).await.unwrap();
        assert_eq!(stored(db, &door).await.state, state);
    }
}

//= R8.6
async fn a_mark_that_a_restore_lost_is_set_again(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let pages = db.raw.scan().table_name(&db.tables.core).into_paginator().items().send();
    let backup: Result<Vec<_>, _> = pages.collect().await;
    let key = signing_key(db).await;
    let erased = ask(db, &[contact(&shop, "7001", now())]).await.unwrap();
    work(db, &key, &erased).await.unwrap();
    // The table of accounts and contacts alone is restored.
    for item in backup.unwrap() {
        let put = db.raw.put_item().table_name(&db.tables.core).set_item(Some(item));
        put.send().await.unwrap();
    }
    let done = eraser(db, &key).reapply(0, super::later(), &|| true).await.unwrap();
    assert_eq!((done.entries, done.found), (1, 0));
    let late = shop.body(&[shop.text("7001", ago(9000), "m_1", "one")]);
    assert_eq!(Intake::start(db).deliver(&late).await.counts()["reasons"]["suppressed"], 1);
    let Target::Contact { conversation, .. } = contact(&shop, "7001", now()) else { panic!() };
    let message = shop.key("7001", "m_1").message;
    let row = db.store.find_row(&MessageKey { conversation, message }).await.unwrap();
    assert_eq!(row, None);
    assert_eq!(found(db).await, 0);
}
