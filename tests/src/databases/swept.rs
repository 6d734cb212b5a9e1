//! What time to live leaves is swept, found by the day that each contact names; and that day is
//! never too late, whoever writes.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use numib::domain::hold::{Held, Hold};
use numib::domain::ids::HoldId;
use numib::domain::plan::Plan;
use numib::domain::row::sweep_on;
use numib::domain::time::Day;
use numib::retention::{Swept, change_plan, follow_hold, retime, sweep_expired_rows, visits_left};

use crate::database::Database;
use crate::expiry::shop;
use crate::shop::{Shop, ago, now};
use crate::webhook::Intake;
use crate::wire::{Call, Wire};

on_both_databases!(
    what_time_to_live_left_is_swept_two_days_later_and_what_lives_beside_it_is_not,
    what_lives_on_costs_a_sweep_nothing,
    what_lives_on_in_the_same_conversation_is_not_read,
    what_is_held_is_not_swept_and_goes_within_a_day_of_the_hold,
    a_conversation_is_visited_earlier_after_an_older_message_comes_late,
    a_message_in_a_known_conversation_costs_no_further_call,
    a_message_that_comes_while_its_conversation_is_visited_is_found_again,
    a_message_that_is_stored_after_a_visit_brings_another_visit,
    conversations_are_visited_earlier_after_a_downgrade,
    a_sweep_goes_by_the_plan_that_the_account_has_now,
    a_row_that_cannot_be_read_holds_up_no_other,
    a_visit_never_makes_a_contact,
);

const DAY: SignedDuration = SignedDuration::from_hours(24);
const DAY_MS: i64 = 24 * 3600 * 1000;

pub(crate) async fn sweep(db: &Database, at: Timestamp) -> Swept {
    let done = sweep_expired_rows(&db.store, at, &|| true).await.unwrap();
    assert!(done.complete);
    done
}

/// The day that the contact of a shop's conversation names.
async fn day(db: &Database, shop: &Shop) -> Option<Day> {
    let asked = BTreeSet::from([shop.conversation("7001")]);
    let sight = db.store.look_again(&BTreeSet::new(), &asked).await.unwrap();
    sight.contacts.values().next().and_then(|contact| contact.sweep_on)
}

/// The day on which a message of so many days ago is to be swept.
fn due(plan: Plan, days: i32) -> Day {
    sweep_on(plan.expires_at(ago(i64::from(days) * DAY_MS), now()))
}

async fn rows(db: &Database) -> usize {
    db.dump_table(&db.tables.messages).await.len()
}

async fn deliver(db: &Database, shop: &Shop, days: i32) {
    let at = ago(i64::from(days) * DAY_MS);
    let body = shop.body(&[shop.text("7001", at, &format!("late_{days}"), "text")]);
    assert_eq!(Intake::start(db).deliver(&body).await.counts()["stored"], 1);
}

/// The update with which a visit ends.
fn ends_a_visit(call: &Call) -> bool {
    let condition = call.body["ConditionExpression"].as_str();
    call.is("UpdateItem", "CoreTable")
        && condition.is_some_and(|condition| condition.starts_with("sweep_on = "))
}

async fn hold(db: &Database, on: &Held) -> HoldId {
    let (id, text) = (HoldId::parse("h").unwrap(), "x".to_owned());
    let hold = Hold { id: id.clone(), reason: text.clone(), reference: text, set_at: now() };
    db.store.put_hold(on, &hold).await.unwrap();
    id
}

//= R6.2
async fn what_time_to_live_left_is_swept_two_days_later_and_what_lives_beside_it_is_not(
    db: &Database,
) {
    let shop = shop(db, Plan::Days7, &[0, 6]).await;
    let (first, last) = (due(Plan::Days7, 6), due(Plan::Days7, 0));
    assert_eq!(day(db, &shop).await, Some(first));
    let before = first.start() - SignedDuration::from_secs(1);
    assert_eq!(sweep(db, before).await, Swept { complete: true, ..Swept::default() });
    assert_eq!(visits_left(&db.store, first).await.unwrap(), 1);
    let done = sweep(db, first.start()).await;
    assert_eq!((done.visited, done.rows, done.held, done.failed), (1, 1, 0, 0));
    assert!((24 * 3600..72 * 3600).contains(&done.seconds_late), "{done:?}");
    assert!(shop.row(db, "7001", "m_0").await.is_some());
    assert_eq!(day(db, &shop).await, Some(last));
    assert_eq!(visits_left(&db.store, first).await.unwrap(), 0);
    assert_eq!(sweep(db, first.start()).await.visited, 0);
    assert_eq!(sweep(db, last.start()).await.rows, 1);
    assert_eq!((rows(db).await, day(db, &shop).await), (0, None));
    // Where time to live was in time, a visit finds nothing.
    deliver(db, &shop, 0).await;
    db.store.delete_message(&shop.key("7001", "late_0")).await.unwrap();
    let done = sweep(db, last.start()).await;
    assert_eq!((done.visited, done.rows, day(db, &shop).await), (1, 0, None));
}

//= R6.2
async fn what_lives_on_costs_a_sweep_nothing(db: &Database) {
    let mut calls = Vec::new();
    for live in [0, 20] {
        for _ in 0..live {
            shop(db, Plan::Days365, &[0, 1]).await;
        }
        shop(db, Plan::Days7, &[0]).await;
        db.wire.calls();
        assert_eq!(sweep(db, due(Plan::Days7, 0).start()).await.rows, 1);
        calls.push(db.wire.calls().len());
    }
    assert_eq!(calls[0], calls[1]);
}

//= R6.2
async fn what_lives_on_in_the_same_conversation_is_not_read(db: &Database) {
    let mut calls = Vec::new();
    for live in [0, 60] {
        let shop = shop(db, Plan::Days7, &[0, 6]).await;
        let mid = |n: i64| format!("live{n}");
        let items: Vec<_> =
            (0..live).map(|n| shop.text("7001", ago(1000 + n), &mid(n), "text")).collect();
        Intake::start(db).deliver(&shop.body(&items)).await.counts();
        db.wire.calls();
        assert_eq!(sweep(db, due(Plan::Days7, 6).start()).await.rows, 1);
        calls.push(db.wire.calls().len());
    }
    assert_eq!(calls[0], calls[1]);
}

//= R6.2, R6.7
async fn what_is_held_is_not_swept_and_goes_within_a_day_of_the_hold(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0, 6]).await;
    let on = Held::Connection(shop.connection.id.clone());
    let id = hold(db, &on).await;
    let first = due(Plan::Days7, 6);
    // The rows are not followed yet, and then they are.
    for days in 0..50 {
        let at = first.plus(days).start();
        let done = sweep(db, at).await;
        assert_eq!((done.visited, done.rows), (1, 0), "day {days}");
        assert_eq!(day(db, &shop).await, Some(first.plus(days + 1)));
        assert_eq!(visits_left(&db.store, first.plus(days)).await.unwrap(), 0);
        if days == 2 {
            assert_eq!(follow_hold(&db.store, &on, None, at, &|| true).await.unwrap(), None);
        }
    }
    db.store.lift_hold(&on, &id).await.unwrap();
    assert_eq!(rows(db).await, 2);
    assert_eq!(follow_hold(&db.store, &on, None, now(), &|| true).await.unwrap(), None);
    assert_eq!(sweep(db, first.plus(50).start()).await.rows, 2);
    assert_eq!(rows(db).await, 0);
}

//= R6.2
async fn a_conversation_is_visited_earlier_after_an_older_message_comes_late(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0]).await;
    shop.store_key(db, Day::of(ago(6 * DAY_MS))).await;
    assert_eq!(day(db, &shop).await, Some(due(Plan::Days7, 0)));
    deliver(db, &shop, 6).await;
    assert_eq!(day(db, &shop).await, Some(due(Plan::Days7, 6)));
    // Later ones leave it.
    deliver(db, &shop, 0).await;
    assert_eq!(day(db, &shop).await, Some(due(Plan::Days7, 6)));
}

//= R6.2
async fn a_message_in_a_known_conversation_costs_no_further_call(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0]).await;
    let intake = Intake::start(db);
    let mut updates = Vec::new();
    for number in 0..2 {
        db.wire.calls();
        let mid = format!("next{number}");
        let body = shop.body(&[shop.text("7001", now(), &mid, "text")]);
        assert_eq!(intake.deliver(&body).await.counts()["stored"], 1);
        let calls = db.wire.calls();
        updates.push(calls.iter().filter(|call| call.operation == "UpdateItem").count());
    }
    // A container that knows nothing asks once whether the conversation is to move.
    assert_eq!(updates, [1, 0]);
}

//= R6.2
async fn a_message_that_comes_while_its_conversation_is_visited_is_found_again(db: &Database) {
    let shop = shop(db, Plan::Days7, &[6]).await;
    let first = due(Plan::Days7, 6);
    // Stored, and its contact looked at, just before the visit says that nothing is left.
    let (other, whose) = (db.through(&Wire::default()), shop.clone());
    db.wire.before_call(ends_a_visit, async move { deliver(&other, &whose, 0).await });
    assert_eq!(sweep(db, first.start()).await.rows, 1);
    assert!(db.wire.interlude_is_over());
    assert_eq!(day(db, &shop).await, Some(due(Plan::Days7, 0)));
}

//= R6.2
async fn a_message_that_is_stored_after_a_visit_brings_another_visit(db: &Database) {
    let shop = shop(db, Plan::Days7, &[6]).await;
    let first = due(Plan::Days7, 6);
    // All of a visit comes between the look at the contact before, and the row.
    let other = db.through(&Wire::default());
    let is_row = |call: &Call| call.is("PutItem", "MessagesTable");
    db.wire.before_call(is_row, async move {
        assert_eq!(sweep(&other, first.start()).await.rows, 1);
    });
    deliver(db, &shop, 0).await;
    assert!(db.wire.interlude_is_over());
    assert_eq!(day(db, &shop).await, Some(due(Plan::Days7, 0)));
}

//= R6.2, R6.5
async fn conversations_are_visited_earlier_after_a_downgrade(db: &Database) {
    let shop = shop(db, Plan::Days365, &[0, 3, 100]).await;
    let account = &shop.connection.account;
    assert_eq!(day(db, &shop).await, Some(due(Plan::Days365, 100)));
    // A visit that has read the old plan and the old rows, and ends after all of it.
    let far = due(Plan::Days365, 100);
    let (other, whose) = (db.through(&Wire::default()), account.clone());
    db.wire.before_call(ends_a_visit, async move {
        change_plan(&other.store, &whose, Plan::Days7, now()).await.unwrap();
        assert_eq!(retime(&other.store, &whose, None, now(), &|| true).await.unwrap(), None);
    });
    // The day may be too early: it is only a lower bound.
    db.store.visit_by(&shop.conversation("7001"), Day::of(now())).await.unwrap();
    assert_eq!(sweep(db, now()).await.rows, 0);
    assert!(db.wire.interlude_is_over());
    assert_eq!(rows(db).await, 2);
    let wanted = due(Plan::Days7, 3);
    assert!(wanted < far);
    assert_eq!(day(db, &shop).await, Some(wanted));
    // The same holds without a visit in between.
    change_plan(&db.store, account, Plan::Days365, now()).await.unwrap();
    retime(&db.store, account, None, now(), &|| true).await.unwrap();
    assert_eq!(sweep(db, wanted.start()).await.rows, 0);
    assert_eq!(day(db, &shop).await, Some(due(Plan::Days365, 3)));
    change_plan(&db.store, account, Plan::Days30, now()).await.unwrap();
    retime(&db.store, account, None, now(), &|| true).await.unwrap();
    assert_eq!(day(db, &shop).await, Some(due(Plan::Days30, 3)));
}

//= R6.2, R6.5
async fn a_sweep_goes_by_the_plan_that_the_account_has_now(db: &Database) {
    let shop = shop(db, Plan::Days7, &[6]).await;
    change_plan(&db.store, &shop.connection.account, Plan::Days90, now()).await.unwrap();
    // Nothing has re-timed the row yet, and by the old plan it is over.
    assert_eq!(sweep(db, due(Plan::Days7, 6).start()).await.rows, 0);
    assert_eq!(day(db, &shop).await, Some(due(Plan::Days90, 6)));
    assert_eq!(sweep(db, due(Plan::Days90, 6).start()).await.rows, 1);
}

//= R6.2
async fn a_row_that_cannot_be_read_holds_up_no_other(db: &Database) {
    let shop = shop(db, Plan::Days7, &[5, 6]).await;
    let key = shop.key("7001", "m_6");
    let update = db.raw.update_item().table_name(&db.tables.messages);
    let update = update.key("pk", AttributeValue::S(key.conversation.to_string()));
    let update = update.key("sk", AttributeValue::S(key.message.to_string()));
    update.update_expression("REMOVE expires_at").send().await.unwrap();
    let at = due(Plan::Days7, 5).start();
    let done = sweep(db, at).await;
    assert_eq!((done.visited, done.rows, done.failed), (1, 1, 1));
    assert_eq!(day(db, &shop).await, Some(Day::of(at).plus(1)), "it is looked at every day");
}

async fn a_visit_never_makes_a_contact(db: &Database) {
    let shop = shop(db, Plan::Days7, &[6]).await;
    let (other, conversation) = (db.through(&Wire::default()), shop.conversation("7001"));
    let gone = conversation.clone();
    db.wire.before_call(ends_a_visit, async move {
        other.store.delete_contacts(&[gone]).await.unwrap();
    });
    sweep(db, due(Plan::Days7, 6).start() + DAY).await;
    db.store.visit_by(&conversation, Day::of(now())).await.unwrap();
    let core = db.dump_table(&db.tables.core).await;
    assert!(!core.iter().any(|item| item.contains("sk=CONTACT#")));
}
