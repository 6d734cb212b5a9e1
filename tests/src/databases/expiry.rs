//! What time does: keys of expired days are destroyed, and a change of plan re-times the rest.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use numib::domain::account::AccountState;
use numib::domain::hold::Held;
use numib::domain::hold::Hold;
use numib::domain::ids::{Channel, HoldId};
use numib::domain::plan::Plan;
use numib::domain::tally::Tally;
use numib::domain::time::Day;
use numib::retention::{
    Expired, KeysLeft, change_plan, destroy_expired_keys, keys_left, retime, sweep_expired_rows,
};
use numib::store::StoreError;
use numib::store::messages::Order;

use crate::database::Database;
use crate::shop::{Shop, ago, now};
use crate::webhook::Intake;
use crate::wire::{Call, Wire};

on_both_databases!(
    a_day_key_dies_with_the_first_run_after_its_last_message_expired,
    a_day_key_of_an_account_on_hold_waits_for_the_hold_and_no_longer,
    what_lives_longer_costs_an_expiry_nothing,
    a_key_that_cannot_be_read_holds_up_no_other,
    a_downgrade_hides_and_destroys_what_is_too_old_before_it_returns,
    an_upgrade_keeps_what_has_not_expired_and_brings_nothing_back,
    a_downgrade_undone_loses_nothing_that_was_within_the_lower_plan,
    retiming_goes_on_where_it_stopped,
    a_row_that_cannot_be_read_holds_up_the_re_timing_of_no_other_conversation,
    a_run_that_an_older_change_began_goes_by_the_newer_plan,
    a_plan_that_changes_between_two_pages_of_a_conversation_counts_for_all_of_it,
    a_hold_that_is_set_while_rows_are_read_keeps_those_that_were_about_to_go,
    what_is_held_loses_no_row_to_a_downgrade_and_its_old_keys_are_found_after_the_hold,
    what_had_expired_before_an_upgrade_stays_gone,
    an_account_that_is_being_deleted_keeps_its_plan,
);

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn days_ago(days: i32) -> i64 {
    i64::from(days) * 24 * 3600 * 1000
}

/// A shop of this plan with keys, and a message of each of so many days ago.
pub(crate) async fn shop(db: &Database, plan: Plan, days: &[i32]) -> Shop {
    let shop = Shop::without_keys(db, Channel::Messenger, plan).await;
    let today = Day::of(now());
    let all: BTreeSet<Day> = days.iter().map(|back| Day::of(ago(days_ago(*back)))).collect();
    shop.make_keys(db, all.into_iter().chain([today])).await;
    for back in days {
        let body = shop.body(&[shop.text("7001", ago(days_ago(*back)), &mid(*back), "text")]);
        let counts = Intake::start(db).deliver(&body).await.counts();
        assert_eq!(counts["stored"], 1, "{back} days ago: {counts}");
    }
    shop
}

fn mid(back: i32) -> String {
    format!("m_{back}")
}

async fn expire(db: &Database, at: Timestamp) -> Expired {
    destroy_expired_keys(&db.store, at, &|| true).await.unwrap()
}

/// The days that a shop has keys for, as days ago.
async fn keys(db: &Database, shop: &Shop) -> Vec<i64> {
    let days = db.store.day_key_days(&shop.connection.id).await.unwrap();
    days.into_iter().map(|day| Day::of(now()).days_since(day)).collect()
}

/// What the inbox may show.
async fn shown(db: &Database, shop: &Shop, plan: Plan, at: Timestamp) -> usize {
    let conversation = shop.conversation("7001");
    let newest = (Order::NewestFirst, None);
    let page = db.store.message_page(&conversation, newest, 100, (plan, at)).await.unwrap();
    page.messages.len()
}

async fn retimed(db: &Database, shop: &Shop, at: Timestamp) {
    let account = &shop.connection.account;
    assert_eq!(retime(&db.store, account, None, at, &|| true).await.unwrap(), None);
}

fn plan_of(days: u16) -> Plan {
    Plan::from_days(days).unwrap()
}

//= R6.2, R6.6
async fn a_day_key_dies_with_the_first_run_after_its_last_message_expired(db: &Database) {
    for days in [7, 30, 90, 365] {
        let plan = plan_of(days);
        let shop = shop(db, plan, &[0]).await;
        let today = Day::of(now());
        // The last instant of the last day on which something of that day lives, and the next.
        let dies = plan.shred_on(today).start();
        let before = dies - SignedDuration::from_secs(1);
        assert_eq!(expire(db, before).await, Expired { complete: true, ..Expired::default() });
        assert_eq!(keys(db, &shop).await, [0]);
        let done = expire(db, dies).await;
        assert_eq!((done.due, done.destroyed, done.days_late), (1, 1, 0), "{days}");
        assert_eq!(keys(db, &shop).await, [0_i64; 0]);
        let last = today.plus(1).start() - SignedDuration::from_secs(1);
        let expired_for = dies.duration_since(plan.expires_at(last, last));
        assert!(expired_for > SignedDuration::ZERO && expired_for <= DAY, "{days}");
    }
}

//= R6.7
async fn a_day_key_of_an_account_on_hold_waits_for_the_hold_and_no_longer(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0]).await;
    let on = Held::Account(shop.connection.account.clone());
    let (id, text) = (HoldId::parse("h").unwrap(), "x".to_owned());
    let hold = Hold { id: id.clone(), reason: text.clone(), reference: text, set_at: now() };
    db.store.put_hold(&on, &hold).await.unwrap();
    let dies = Plan::Days7.shred_on(Day::of(now())).start();
    // Long past the days that a run looks back over.
    for days in 0..70 {
        let done = expire(db, dies + DAY * days).await;
        assert_eq!((done.due, done.held, done.destroyed), (1, 1, 0), "day {days}");
    }
    db.store.lift_hold(&on, &id).await.unwrap();
    let done = expire(db, dies + DAY * 70).await;
    assert_eq!((done.due, done.held, done.destroyed), (1, 0, 1));
}

//= R6.2
async fn what_lives_longer_costs_an_expiry_nothing(db: &Database) {
    let dies = Plan::Days7.shred_on(Day::of(now())).start();
    let mut calls = Vec::new();
    for live in [0, 20] {
        for _ in 0..live {
            shop(db, Plan::Days365, &[0]).await;
        }
        shop(db, Plan::Days7, &[0]).await;
        db.wire.calls();
        assert_eq!(expire(db, dies).await.destroyed, 1);
        calls.push(db.wire.calls().len());
    }
    assert_eq!(calls[0], calls[1]);
}

//= R6.2
async fn a_key_that_cannot_be_read_holds_up_no_other(db: &Database) {
    let (damaged, whole) = (shop(db, Plan::Days7, &[0]).await, shop(db, Plan::Days7, &[0]).await);
    let update = db.raw.update_item().table_name(&db.tables.keys);
    let pk = format!("CONNECTION#{}", damaged.connection.id);
    let update = update.key("pk", AttributeValue::S(pk));
    let update = update.key("sk", AttributeValue::S(format!("DAY#{}", Day::of(now()))));
    update.update_expression("REMOVE account_id").send().await.unwrap();
    let dies = Plan::Days7.shred_on(Day::of(now()));
    let done = expire(db, dies.start()).await;
    assert_eq!((done.due, done.destroyed, done.failed, done.complete), (2, 1, 1, true));
    assert_eq!((keys(db, &whole).await, keys(db, &damaged).await), (vec![], vec![0]));
    let left = keys_left(&db.store, dies).await.unwrap();
    assert_eq!(left, KeysLeft { held: 0, overdue: 1 });
}

//= R6.5
async fn a_downgrade_hides_and_destroys_what_is_too_old_before_it_returns(db: &Database) {
    let shop = shop(db, Plan::Days90, &[0, 6, 7, 8, 40]).await;
    assert_eq!(shown(db, &shop, Plan::Days90, now()).await, 5);
    change_plan(&db.store, &shop.connection.account, Plan::Days7, now()).await.unwrap();
    let current = db.store.connection(&shop.connection.route, true).await.unwrap().unwrap();
    assert_eq!(current.plan, Plan::Days7);
    // The day that began 8 days ago is over for good; of the one 7 days ago, a part may live.
    assert_eq!(keys(db, &shop).await, [7, 6, 0]);
    let tallies = db.store.tally(Day::of(now())).await.unwrap();
    assert_eq!(tallies.sum(Tally::KeysDestroyedByPlan), 2);
    assert_eq!(shown(db, &shop, current.plan, now()).await, 2);
    assert!(shop.row(db, "7001", &mid(0)).await.is_some());
    retimed(db, &shop, now()).await;
    let rows = db.store.rows_after(&shop.conversation("7001"), None, 100).await.unwrap().0;
    assert_eq!(rows.len(), 2, "the rest is gone, whatever time to live does");
    for row in rows {
        assert_eq!(row.expires_at, Plan::Days7.expires_at(row.sent_at.unwrap(), now()));
    }
    // And the keys that are left go on their new days.
    let tomorrow = Day::of(now()).plus(1).start();
    assert_eq!(expire(db, tomorrow).await.destroyed, 1);
}

//= R6.5
async fn an_upgrade_keeps_what_has_not_expired_and_brings_nothing_back(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0, 6]).await;
    change_plan(&db.store, &shop.connection.account, Plan::Days90, now()).await.unwrap();
    // By the old plan the older one expires before its row is reached.
    let later = now() + DAY + SignedDuration::from_hours(1);
    assert_eq!(shown(db, &shop, Plan::Days90, later).await, 1);
    retimed(db, &shop, later).await;
    assert_eq!(shown(db, &shop, Plan::Days90, later).await, 2);
    let in_a_month = now() + DAY * 30;
    assert_eq!(expire(db, in_a_month).await.due, 0, "its keys live on");
    assert_eq!(shown(db, &shop, Plan::Days90, in_a_month).await, 2);
    let asked = BTreeSet::from([shop.conversation("7001")]);
    assert!(db.store.look_again(&BTreeSet::new(), &asked).await.unwrap().contacts.len() == 1);
    let in_a_year = now() + DAY * 365;
    assert_eq!(shown(db, &shop, Plan::Days90, in_a_year).await, 0);
}

//= R6.5
async fn a_downgrade_undone_loses_nothing_that_was_within_the_lower_plan(db: &Database) {
    let shop = shop(db, Plan::Days90, &[0, 6, 29, 40]).await;
    let account = &shop.connection.account;
    change_plan(&db.store, account, Plan::Days30, now()).await.unwrap();
    change_plan(&db.store, account, Plan::Days90, now()).await.unwrap();
    // The run that follows the first change comes after the second.
    for _ in 0..2 {
        retimed(db, &shop, now() + SignedDuration::from_secs(15)).await;
    }
    for back in [0, 6, 29] {
        let row = shop.row(db, "7001", &mid(back)).await.unwrap();
        assert_eq!(row.expires_at, Plan::Days90.expires_at(ago(days_ago(back)), now()));
    }
    assert_eq!(keys(db, &shop).await, [29, 6, 0]);
}

//= R6.5
async fn retiming_goes_on_where_it_stopped(db: &Database) {
    let shop = shop(db, Plan::Days30, &[0]).await;
    for contact in ["7002", "7003", "7004"] {
        let body = shop.body(&[shop.text(contact, ago(1000), "m", "text")]);
        Intake::start(db).deliver(&body).await.counts();
    }
    let account = &shop.connection.account;
    change_plan(&db.store, account, Plan::Days90, now()).await.unwrap();
    let (mut cursor, mut runs) = (None, 0);
    loop {
        // Time for one contact.
        cursor = retime(&db.store, account, cursor, now(), &|| false).await.unwrap();
        runs += 1;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(runs, 5, "four contacts, and the end");
    for contact in ["7002", "7003", "7004"] {
        let row = shop.row(db, contact, "m").await.unwrap();
        assert_eq!(row.expires_at, Plan::Days90.expires_at(ago(1000), now()));
    }
}

//= R6.5
async fn a_row_that_cannot_be_read_holds_up_the_re_timing_of_no_other_conversation(db: &Database) {
    let shop = shop(db, Plan::Days90, &[0, 8]).await;
    let others = ["7002", "7003", "7004"];
    for contact in others {
        let body = shop.body(&[shop.text(contact, ago(1000), "m", "text")]);
        Intake::start(db).deliver(&body).await.counts();
    }
    let key = shop.key("7001", "m_0");
    let update = db.raw.update_item().table_name(&db.tables.messages);
    let update = update.key("pk", AttributeValue::S(key.conversation.to_string()));
    let update = update.key("sk", AttributeValue::S(key.message.to_string()));
    update.update_expression("REMOVE expires_at").send().await.unwrap();
    change_plan(&db.store, &shop.connection.account, Plan::Days7, now()).await.unwrap();
    retimed(db, &shop, now()).await;
    for contact in others {
        let row = shop.row(db, contact, "m").await.unwrap();
        assert_eq!(row.expires_at, Plan::Days7.expires_at(ago(1000), now()));
    }
    // What is over in the damaged one is gone tomorrow.
    let swept = sweep_expired_rows(&db.store, now() + DAY, &|| true).await.unwrap();
    assert_eq!((swept.rows, swept.failed), (1, 1));
    assert!(db.store.find_row(&shop.key("7001", "m_8")).await.unwrap().is_none());
}

//= R6.5
async fn a_run_that_an_older_change_began_goes_by_the_newer_plan(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0]).await;
    let account = shop.connection.account.clone();
    change_plan(&db.store, &account, Plan::Days365, now()).await.unwrap();
    // A downgrade comes just before the run writes what it has read of the plan.
    let (store, whose) = (db.store.clone(), account.clone());
    db.wire.before("TransactWriteItems", async move {
        change_plan(&store, &whose, Plan::Days7, now()).await.unwrap();
    });
    retimed(db, &shop, now()).await;
    assert!(db.wire.interlude_is_over());
    let current = db.store.connection(&shop.connection.route, true).await.unwrap().unwrap();
    assert_eq!(current.plan, Plan::Days7);
    let row = shop.row(db, "7001", &mid(0)).await.unwrap();
    assert_eq!(row.expires_at, Plan::Days7.expires_at(ago(0), now()));
    retimed(db, &shop, now()).await;
    let dies = Plan::Days7.shred_on(Day::of(now())).start();
    assert_eq!(expire(db, dies).await.destroyed, 1);
}

//= R6.5
async fn a_plan_that_changes_between_two_pages_of_a_conversation_counts_for_all_of_it(
    db: &Database,
) {
    let shop = shop(db, Plan::Days7, &[0]).await;
    let items: Vec<_> = (0..300)
        .map(|number| shop.text("7001", ago(1000), &format!("more{number}"), "text"))
        .collect();
    assert_eq!(Intake::start(db).deliver(&shop.body(&items)).await.counts()["stored"], 300);
    let account = shop.connection.account.clone();
    change_plan(&db.store, &account, Plan::Days90, now()).await.unwrap();
    let (other, whose) = (db.through(&Wire::default()), account.clone());
    let is_second_page = |call: &Call| {
        let after = &call.body["ExpressionAttributeValues"][":sk"]["S"];
        call.is("Query", "MessagesTable") && *after != "!"
    };
    db.wire.before_call(is_second_page, async move {
        change_plan(&other.store, &whose, Plan::Days30, now()).await.unwrap();
    });
    let (mut cursor, mut runs) = (None, 0);
    loop {
        cursor = retime(&db.store, &account, cursor, now(), &|| true).await.unwrap();
        runs += 1;
        if cursor.is_none() {
            break;
        }
    }
    assert!(db.wire.interlude_is_over());
    assert_eq!(runs, 2, "it begins again once");
    let (rows, more) = db.store.rows_after(&shop.conversation("7001"), None, 1000).await.unwrap();
    assert_eq!((rows.len(), more), (301, false));
    for row in rows {
        assert_eq!(row.expires_at, Plan::Days30.expires_at(row.sent_at.unwrap(), now()));
    }
}

//= R6.5, R6.7
async fn a_hold_that_is_set_while_rows_are_read_keeps_those_that_were_about_to_go(db: &Database) {
    let shop = shop(db, Plan::Days90, &[0, 8]).await;
    let account = shop.connection.account.clone();
    change_plan(&db.store, &account, Plan::Days7, now()).await.unwrap();
    let (other, on) = (db.through(&Wire::default()), Held::Account(account.clone()));
    let is_page = |call: &Call| call.is("Query", "MessagesTable");
    db.wire.before_call(is_page, async move {
        let (id, text) = (HoldId::parse("h").unwrap(), "x".to_owned());
        let hold = Hold { id, reason: text.clone(), reference: text, set_at: now() };
        other.store.put_hold(&on, &hold).await.unwrap();
    });
    let stopped = retime(&db.store, &account, None, now(), &|| true).await.unwrap();
    assert!(db.wire.interlude_is_over() && stopped.is_some(), "it begins again");
    assert_eq!(retime(&db.store, &account, stopped, now(), &|| true).await.unwrap(), None);
    let rows = db.store.rows_after(&shop.conversation("7001"), None, 100).await.unwrap().0;
    assert_eq!(rows.iter().filter(|row| row.is_held).count(), 2);
}

//= R6.5, R6.7
async fn what_is_held_loses_no_row_to_a_downgrade_and_its_old_keys_are_found_after_the_hold(
    db: &Database,
) {
    let shop = shop(db, Plan::Days365, &[0, 100]).await;
    let account = &shop.connection.account;
    let on = Held::Account(account.clone());
    let (id, text) = (HoldId::parse("h").unwrap(), "x".to_owned());
    let hold = Hold { id: id.clone(), reason: text.clone(), reference: text, set_at: now() };
    db.store.put_hold(&on, &hold).await.unwrap();
    change_plan(&db.store, account, Plan::Days7, now()).await.unwrap();
    retimed(db, &shop, now()).await;
    assert!(shop.row(db, "7001", &mid(100)).await.is_some());
    assert_eq!(keys(db, &shop).await, [100, 0]);
    db.store.lift_hold(&on, &id).await.unwrap();
    assert_eq!(expire(db, now()).await.destroyed, 1);
    assert_eq!(keys(db, &shop).await, [0]);
}

//= R6.2, R6.5
async fn what_had_expired_before_an_upgrade_stays_gone(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0, 6]).await;
    // By now the older one has expired; neither its row nor its key is gone.
    let later = now() + DAY + SignedDuration::from_hours(1);
    assert_eq!(shown(db, &shop, Plan::Days7, later).await, 1);
    change_plan(&db.store, &shop.connection.account, Plan::Days90, later).await.unwrap();
    retimed(db, &shop, later).await;
    assert_eq!(shown(db, &shop, Plan::Days90, later).await, 1);
}

//= R6.1, R6.5
async fn an_account_that_is_being_deleted_keeps_its_plan(db: &Database) {
    let shop = shop(db, Plan::Days30, &[0]).await;
    let account = &shop.connection.account;
    db.store.mark_account_erased(account).await.unwrap();
    let refused = change_plan(&db.store, account, Plan::Days7, now()).await;
    assert_eq!(refused, Err(StoreError::Conflict));
    let found = db.store.account(account).await.unwrap().unwrap();
    assert_eq!((found.state, found.plan), (AccountState::Erased, Plan::Days30));
}
