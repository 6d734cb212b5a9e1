//! An account erases a channel, a contact, a message.

use std::collections::BTreeSet;

use numib::domain::erasure::{Source, State};
use numib::domain::ids::Channel;
use numib::domain::role::Role;
use numib::erasure::Progress;
use serde_json::{Value, json};

use super::{CONNECTION, CONTACT, MESSAGE, Office, assert_problem, code, dump, fill, sign_in};
use crate::database::Database;
use crate::shop::{Shop, ago, now};
use crate::webhook::Intake;

on_both_databases!(
    disconnecting_a_channel_makes_it_unreadable_before_the_answer,
    a_channel_that_is_being_disconnected_has_one_code_until_it_is_gone,
    erasing_a_contact_hides_all_that_was_sent_until_then_and_nothing_else,
    erasing_a_message_leaves_a_tombstone_that_keeps_it_out,
    another_accounts_ids_are_not_found,
    what_a_failing_queue_did_not_take_is_unreadable_and_queued_by_the_next_try,
);

fn conversation(shop: &Shop, contact: &str) -> Value {
    json!({"id": shop.conversation(contact).to_string()})
}

fn message(shop: &Shop, contact: &str, mid: &str) -> Value {
    let key = shop.key(contact, mid);
    json!({"id": key.conversation.to_string(), "message_id": key.message.to_string()})
}

//= R5.3, R8.3
async fn disconnecting_a_channel_makes_it_unreadable_before_the_answer(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let kept = shop.connect_also(db, Channel::Instagram).await;
    fill(db, &shop).await;
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let id = json!({"id": shop.connection.id.as_str()});
    let code = code(&office.delete(&owner, CONNECTION, id).await, State::Shredded);
    assert!(db.store.day_key_days(&shop.connection.id).await.unwrap().is_empty());
    let connection = db.store.connection(&shop.connection.route, true).await.unwrap().unwrap();
    assert!(!connection.serves(&shop.connection.account));
    assert_eq!(office.queued(), [code.as_str()]);
    let stored = office.stored(&code).await;
    assert_eq!((stored.source, stored.reference), (Source::Disconnect, None));
    let other = db.store.connection(&kept.connection.route, true).await.unwrap().unwrap();
    assert!(other.serves(&shop.connection.account), "only what was named");
}

//= R5.3
async fn a_channel_that_is_being_disconnected_has_one_code_until_it_is_gone(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let account = &shop.connection.account;
    let admin = sign_in(db, account, Role::Admin).await;
    let id = json!({"id": shop.connection.id.as_str()});
    let first = code(&office.delete(&admin, CONNECTION, id.clone()).await, State::Shredded);
    let again = code(&office.delete(&admin, CONNECTION, id.clone()).await, State::Shredded);
    assert_eq!(again, first);
    // The request is swept, proven, and out of the account's list. It has no receipt yet.
    assert_eq!(office.work(&first).await, Progress::More);
    let listed = db.store.account_connection(account, &shop.connection.id).await.unwrap();
    assert_eq!(listed, None);
    let swept = code(&office.delete(&admin, CONNECTION, id.clone()).await, State::Verified);
    assert_eq!(swept, first);
    let stranger = sign_in(db, &Shop::open(db).await.connection.account, Role::Owner).await;
    let foreign = office.delete(&stranger, CONNECTION, id.clone()).await;
    assert_problem(&foreign, 404, "not-found");
    db.store.end_request(&office.stored(&first).await).await.unwrap();
    assert_problem(&office.delete(&admin, CONNECTION, id).await, 404, "not-found");
}

//= R5.3
async fn erasing_a_contact_hides_all_that_was_sent_until_then_and_nothing_else(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let account = &shop.connection.account;
    let officer = sign_in(db, account, Role::Privacy).await;
    let first = office.delete(&officer, CONTACT, conversation(&shop, "7001")).await;
    let first = code(&first, State::Shredded);
    let marks = async |contact: &str| {
        let id = shop.conversation(contact);
        db.store.account_conversation(account, &id).await.unwrap().unwrap().1.marks
    };
    assert!(marks("7001").await.erases(now()));
    assert!(!marks("7002").await.erases(ago(1000)));
    let again = office.delete(&officer, CONTACT, conversation(&shop, "7001")).await;
    assert_eq!(code(&again, State::Shredded), first);
    assert_eq!(office.queued(), [first.clone(), first.clone()], "a worker goes on");
    assert_eq!(office.work(&first).await, Progress::More);
    assert_eq!(shop.row(db, "7001", "m_1").await, None);
    assert_eq!(shop.row(db, "7002", "m_3").await.unwrap().shown(), Some("three"));
    assert_eq!(office.stored(&first).await.source, Source::Account);
}

//= R5.3, R8.3
async fn erasing_a_message_leaves_a_tombstone_that_keeps_it_out(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let first = office.delete(&owner, MESSAGE, message(&shop, "7001", "m_1")).await;
    let first = code(&first, State::Shredded);
    assert!(shop.row(db, "7001", "m_1").await.unwrap().row.unsent);
    assert_eq!(shop.row(db, "7001", "m_2").await.unwrap().shown(), Some("two"));
    let redelivery = shop.body(&[shop.text("7001", ago(3000), "m_1", "one")]);
    Intake::start(db).deliver(&redelivery).await.counts();
    assert!(shop.row(db, "7001", "m_1").await.unwrap().row.unsent);
    let again = office.delete(&owner, MESSAGE, message(&shop, "7001", "m_1")).await;
    assert_eq!(code(&again, State::Shredded), first);
    assert_eq!(office.stored(&first).await.counts.values().sum::<u64>(), 1);
    db.store.end_request(&office.stored(&first).await).await.unwrap();
    let gone = office.delete(&owner, MESSAGE, message(&shop, "7001", "m_1")).await;
    assert_problem(&gone, 404, "not-found");
}

//= R5.3
async fn another_accounts_ids_are_not_found(db: &Database) {
    let (office, shop, other) = (Office::open(db), Shop::open(db).await, Shop::open(db).await);
    fill(db, &shop).await;
    fill(db, &other).await;
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let before = dump(db).await;
    let mixed = |connection: &Shop, contact: &Shop| {
        let (connection, contact) =
            (connection.conversation("7001"), contact.conversation("7001").contact);
        format!("{}.{contact}", connection.connection)
    };
    let theirs = other.key("7001", "m_1");
    let mine = shop.conversation("7001").to_string();
    let cases = [
        (CONNECTION, json!({"id": other.connection.id.as_str()})),
        (CONNECTION, json!({"id": "nobodys"})),
        (CONNECTION, json!({"id": "a#b"})),
        (CONTACT, conversation(&other, "7001")),
        (CONTACT, json!({"id": mixed(&shop, &other)})),
        (CONTACT, json!({"id": mixed(&other, &shop)})),
        (CONTACT, conversation(&shop, "7003")),
        (CONTACT, json!({"id": ""})),
        (MESSAGE, message(&other, "7001", "m_1")),
        (MESSAGE, json!({"id": mine, "message_id": theirs.message.as_str()})),
        (MESSAGE, json!({"id": mine, "message_id": "never"})),
        (MESSAGE, json!({"id": mine, "message_id": "a b"})),
        (MESSAGE, json!({"id": mine})),
    ];
    let mut answers = BTreeSet::new();
    for (route, parameters) in cases {
        let answer = office.delete(&owner, route, parameters).await;
        assert_problem(&answer, 404, "not-found");
        answers.insert(answer.text);
    }
    assert_eq!(answers.len(), 1, "none of them tells from the others");
    assert_eq!(dump(db).await, before, "and none of them changed anything");
    assert!(office.queued().is_empty());
}

//= R8.3
async fn what_a_failing_queue_did_not_take_is_unreadable_and_queued_by_the_next_try(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let id = json!({"id": shop.connection.id.as_str()});
    let failing = Office::with_queue(db, "https://sqs/queue", None);
    let answer = failing.delete(&owner, CONNECTION, id.clone()).await;
    assert_problem(&answer, 500, "internal");
    assert!(db.store.day_key_days(&shop.connection.id).await.unwrap().is_empty());
    let office = Office::open(db);
    let code = code(&office.delete(&owner, CONNECTION, id).await, State::Shredded);
    assert_eq!(office.queued(), [code]);
}
