//! A legal hold keeps rows from time to live, shows nothing longer for it, and stops no clock.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use numib::domain::hold::{Held, Hold};
use numib::domain::ids::{Channel, HoldId};
use numib::domain::plan::Plan;
use numib::domain::tally::Tally;
use numib::domain::time::Day;
use numib::retention::{account_of, change_plan, destroy_expired_keys, follow_hold, retime};
use numib::store::messages::Order;
use retention::handle;
use serde_json::{Value, json};

use crate::database::Database;
use crate::expiry::shop;
use crate::retention::{app, clock_for, event, queue};
use crate::shop::{Shop, ago, now};
use crate::webhook::Intake;
use crate::wire::{Call, Wire};

on_both_databases!(
    time_to_live_leaves_what_is_held_and_nobody_sees_it_longer,
    a_lifted_hold_lets_go_what_is_over_and_gives_the_rest_its_own_time_back,
    a_hold_on_a_contact_keeps_nobody_elses_rows,
    a_plan_that_changes_under_a_hold_counts_once_it_is_lifted,
    a_hold_that_is_lifted_while_rows_are_being_held_leaves_none_behind,
    an_unsend_of_a_held_message_is_honoured,
    a_conversation_that_takes_longer_than_a_run_goes_on_at_its_next_message,
    a_hold_that_is_set_again_is_not_forgotten_with_the_one_that_was_lifted,
    an_upgrade_under_a_hold_gives_no_key_that_was_over_a_new_life,
    the_account_of_a_record_is_found_while_something_of_it_can_be_read,
);

on_ministack!(every_held_record_is_looked_after_each_day_once);

const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn set(db: &Database, on: &Held, id: &str) {
    let (id, text) = (HoldId::parse(id).unwrap(), "x".to_owned());
    let hold = Hold { id, reason: text.clone(), reference: text, set_at: now() };
    assert!(db.store.put_hold(on, &hold).await.unwrap());
}

async fn lift(db: &Database, on: &Held, id: &str) {
    assert!(db.store.lift_hold(on, &HoldId::parse(id).unwrap()).await.unwrap());
}

/// What the worker does after either, and several times a day.
async fn follow(db: &Database, on: &Held, at: Timestamp) {
    let mut cursor = None;
    loop {
        cursor = follow_hold(&db.store, on, cursor, at, &|| true).await.unwrap();
        if cursor.is_none() {
            db.store.forget_lifted(on).await.unwrap();
            return;
        }
    }
}

/// The rows that time to live would remove, and all there are.
async fn rows(db: &Database) -> (usize, usize) {
    let rows = db.dump_table(&db.tables.messages).await;
    let is_mortal = |row: &&String| row.contains("expires_at=");
    (rows.iter().filter(is_mortal).count(), rows.len())
}

async fn shown(db: &Database, shop: &Shop, plan: Plan, at: Timestamp) -> usize {
    let newest = (Order::NewestFirst, None);
    let conversation = shop.conversation("7001");
    db.store.message_page(&conversation, newest, 100, (plan, at)).await.unwrap().messages.len()
}

//= R6.2, R6.7
async fn time_to_live_leaves_what_is_held_and_nobody_sees_it_longer(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0, 6]).await;
    for (number, on) in [
        Held::Account(shop.connection.account.clone()),
        Held::Connection(shop.connection.id.clone()),
        Held::Contact(shop.conversation("7001")),
    ]
    .iter()
    .enumerate()
    {
        set(db, on, "h").await;
        assert_eq!(rows(db).await, (2, 2), "{number}");
        follow(db, on, now()).await;
        assert_eq!(rows(db).await, (0, 2), "{number}");
        let counted = db.store.tally(Day::of(now())).await.unwrap().sum(Tally::RowsHeld);
        assert_eq!(counted, 2 * (u64::try_from(number).unwrap() + 1));
        assert_eq!(shown(db, &shop, Plan::Days7, now()).await, 2);
        assert_eq!(shown(db, &shop, Plan::Days7, now() + DAY * 2).await, 1);
        assert_eq!(shown(db, &shop, Plan::Days365, now() + DAY * 8).await, 0);
        lift(db, on, "h").await;
        follow(db, on, now()).await;
    }
    assert_eq!(rows(db).await, (2, 2));
}

//= R6.7
async fn a_lifted_hold_lets_go_what_is_over_and_gives_the_rest_its_own_time_back(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0, 6]).await;
    let before = db.dump_table(&db.tables.messages).await;
    let on = Held::Connection(shop.connection.id.clone());
    set(db, &on, "h1").await;
    set(db, &on, "h2").await;
    follow(db, &on, now()).await;
    lift(db, &on, "h1").await;
    follow(db, &on, now() + DAY * 2).await;
    assert_eq!(rows(db).await, (0, 2), "another hold is on it");
    lift(db, &on, "h2").await;
    follow(db, &on, now() + DAY * 2).await;
    let after = db.dump_table(&db.tables.messages).await;
    assert_eq!(after.len(), 1);
    assert!(after.is_subset(&before), "its clock has gone on all the time");
}

//= R6.7
async fn a_hold_on_a_contact_keeps_nobody_elses_rows(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0]).await;
    let body = shop.body(&[shop.text("7002", ago(1000), "m", "text")]);
    Intake::start(db).deliver(&body).await;
    let on = Held::Contact(shop.conversation("7002"));
    set(db, &on, "h").await;
    follow(db, &on, now()).await;
    assert_eq!(rows(db).await, (1, 2));
    assert!(db.store.find_row(&shop.key("7002", "m")).await.unwrap().unwrap().is_held);
    // Its contact is kept as well, since an erasure finds the row by its contact.
    let long_after = now() + DAY * 100;
    follow(db, &on, long_after).await;
    let core = db.dump_table(&db.tables.core).await;
    let contact = format!("sk=CONTACT#{}", shop.conversation("7002").contact);
    let item = core.iter().find(|item| item.contains(&contact)).unwrap();
    let end = item.split(' ').find_map(|part| part.strip_prefix("expires_at=")).unwrap();
    assert!(end.parse::<i64>().unwrap() > long_after.as_second());
}

//= R6.5, R6.7
async fn a_plan_that_changes_under_a_hold_counts_once_it_is_lifted(db: &Database) {
    let shop = shop(db, Plan::Days30, &[0, 10]).await;
    let on = Held::Account(shop.connection.account.clone());
    set(db, &on, "h").await;
    follow(db, &on, now()).await;
    change_plan(&db.store, &shop.connection.account, Plan::Days7, now()).await.unwrap();
    let account = &shop.connection.account;
    assert_eq!(retime(&db.store, account, None, now(), &|| true).await.unwrap(), None);
    assert_eq!(rows(db).await, (0, 2));
    assert_eq!(shown(db, &shop, Plan::Days7, now()).await, 1);
    lift(db, &on, "h").await;
    follow(db, &on, now()).await;
    assert_eq!(rows(db).await, (1, 1));
    let row = shop.row(db, "7001", "m_0").await.unwrap();
    assert_eq!(row.expires_at, Plan::Days7.expires_at(ago(0), now()));
}

//= R6.7
async fn a_hold_that_is_lifted_while_rows_are_being_held_leaves_none_behind(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0, 6]).await;
    let on = Held::Account(shop.connection.account.clone());
    set(db, &on, "h").await;
    // The lift and all that follows come just before the first row is written.
    let (lifted, whose) = (db.clone(), on.clone());
    let is_row = |call: &Call| call.is("UpdateItem", "MessagesTable");
    db.wire.before_call(is_row, async move {
        let quiet = lifted.through(&Wire::default());
        lift(&quiet, &whose, "h").await;
        follow(&quiet, &whose, now()).await;
    });
    follow(db, &on, now()).await;
    assert!(db.wire.interlude_is_over());
    assert_eq!(rows(db).await, (2, 2));
}

//= R8.2
async fn an_unsend_of_a_held_message_is_honoured(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0]).await;
    let on = Held::Account(shop.connection.account.clone());
    set(db, &on, "h").await;
    follow(db, &on, now()).await;
    let body = shop.body(&[shop.unsend("7001", ago(0), "m_0")]);
    assert_eq!(Intake::start(db).deliver(&body).await.counts()["unsent"], 1);
    follow(db, &on, now()).await;
    let row = db.store.find_row(&shop.key("7001", "m_0")).await.unwrap().unwrap();
    assert!(row.unsent && !row.is_held, "a tombstone says nothing");
}

//= R6.7
async fn a_conversation_that_takes_longer_than_a_run_goes_on_at_its_next_message(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0]).await;
    let items: Vec<_> = (0..600)
        .map(|number| shop.text("7001", ago(1000 + number), &format!("m{number}"), "text"))
        .collect();
    assert_eq!(Intake::start(db).deliver(&shop.body(&items)).await.counts()["stored"], 600);
    for on in [
        Held::Contact(shop.conversation("7001")),
        Held::Connection(shop.connection.id.clone()),
        Held::Account(shop.connection.account.clone()),
    ] {
        set(db, &on, "h").await;
        let (mut cursor, mut runs) = (None, 0);
        loop {
            // Time for one page.
            cursor = follow_hold(&db.store, &on, cursor, now(), &|| false).await.unwrap();
            runs += 1;
            if cursor.is_none() {
                break;
            }
            assert!(runs < 10, "it does not come to an end");
        }
        assert!(runs >= 3, "{runs}");
        assert_eq!(rows(db).await, (0, 601));
        lift(db, &on, "h").await;
        follow(db, &on, now()).await;
        assert_eq!(rows(db).await, (601, 601));
    }
}

//= R6.7
async fn a_hold_that_is_set_again_is_not_forgotten_with_the_one_that_was_lifted(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0]).await;
    let on = Held::Account(shop.connection.account.clone());
    set(db, &on, "h1").await;
    set(db, &on, "h2").await;
    lift(db, &on, "h1").await;
    lift(db, &on, "h2").await;
    set(db, &on, "h2").await;
    db.store.forget_lifted(&on).await.unwrap();
    let listed = db.store.held_after(None).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].held, on);
}

//= R6.2, R6.5, R6.7
async fn an_upgrade_under_a_hold_gives_no_key_that_was_over_a_new_life(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0]).await;
    let on = Held::Account(shop.connection.account.clone());
    set(db, &on, "h").await;
    let dies = Plan::Days7.shred_on(Day::of(now())).start();
    let held = destroy_expired_keys(&db.store, dies, &|| true).await.unwrap();
    assert_eq!((held.held, held.destroyed), (1, 0));
    let later = dies + SignedDuration::from_hours(1);
    change_plan(&db.store, &shop.connection.account, Plan::Days365, later).await.unwrap();
    lift(db, &on, "h").await;
    let destroyed = destroy_expired_keys(&db.store, dies + DAY, &|| true).await.unwrap();
    assert_eq!(destroyed.destroyed, 1);
}

async fn the_account_of_a_record_is_found_while_something_of_it_can_be_read(db: &Database) {
    let shop = Shop::open_with(db, Channel::Messenger, Plan::Days7).await;
    let account = Some(shop.connection.account.clone());
    let on = Held::Contact(shop.conversation("7001"));
    assert_eq!(account_of(&db.store, &on).await.unwrap(), account);
    let id = &shop.connection.id;
    let days = db.store.day_key_days(id).await.unwrap();
    db.store.delete_day_keys(id, &days).await.unwrap();
    assert_eq!(account_of(&db.store, &on).await.unwrap(), None);
}

//= R6.7
async fn every_held_record_is_looked_after_each_day_once(db: &Database) {
    let shop = Shop::open_with(db, Channel::Messenger, Plan::Days7).await;
    let all = [
        Held::Account(shop.connection.account.clone()),
        Held::Connection(shop.connection.id.clone()),
        Held::Contact(shop.conversation("7001")),
    ];
    for on in &all {
        // More than a page of the list holds.
        for number in 0..40 {
            set(db, on, &format!("h{number}")).await;
        }
    }
    let app = app(db, db.day_keys().await, queue(db, "https://sqs/queue"));
    db.wire.calls();
    let ran = handle(&app, event(now(), "keep-held"), clock_for(DAY)).await.unwrap();
    assert_eq!(ran, json!({"task": "keep-held", "records": 3, "complete": true}));
    let queued = db.wire.calls().into_iter().filter_map(|call| {
        let work: Value = serde_json::from_str(call.body["MessageBody"].as_str()?).unwrap();
        Some(work["held"].as_str().unwrap().to_owned())
    });
    let queued: Vec<String> = queued.collect();
    assert_eq!(queued.len(), 3);
    let expected: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(queued.into_iter().collect::<BTreeSet<_>>(), expected);
    for on in &all {
        for number in 0..40 {
            lift(db, on, &format!("h{number}")).await;
        }
    }
    // No worker has followed yet, so the list still has them.
    let ran = handle(&app, event(now(), "keep-held"), clock_for(DAY)).await.unwrap();
    assert_eq!(ran["records"], 3);
    for on in &all {
        follow(db, on, now()).await;
    }
    let ran = handle(&app, event(now(), "keep-held"), clock_for(DAY)).await.unwrap();
    assert_eq!(ran["records"], 0);
}
