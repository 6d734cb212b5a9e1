//! Deliveries that cross: one of them reads a row, and the row changes before its write.

use std::time::Duration;

use numib::domain::row::Row;
use numib::edge::clock::Stopwatch;
use serde_json::{Value, json};

use crate::database::Database;
use crate::shop::{Shop, ago};
use crate::webhook::Intake;
use crate::wire::Call;

on_both_databases!(
    an_edit_finds_the_message_that_came_between_its_two_tries,
    an_edit_finds_the_tombstone_that_came_between_its_two_tries,
    a_message_joins_no_edit_that_was_unsent_after_it_was_met,
    a_message_is_stored_when_the_edit_that_it_met_is_gone,
    a_message_with_an_edit_meets_a_copy_of_itself,
    bodies_of_edits_and_of_their_messages_cross_without_failing,
);

/// How long the SDK waits for an answer. Whatever fails sooner met a conflict.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1500);

/// An update of a row that is not there: an edit that will wait, or a message that joins an edit.
fn is_second_try(call: &Call) -> bool {
    let expression = call.body["UpdateExpression"].as_str();
    call.is("UpdateItem", "MessagesTable")
        && expression.is_some_and(|expression| expression.contains("expires_at"))
}

/// Delivers a body, and another just before its second try at the row of `m_1`. Returns the counts.
async fn crossed_by(db: &Database, shop: &Shop, items: &[Value], other: &[Value]) -> Value {
    let (meanwhile, body) = (Intake::start(db), shop.body(other));
    db.wire.before_call(is_second_try, async move {
        meanwhile.deliver(&body).await.counts();
    });
    let counts = Intake::start(db).deliver(&shop.body(items)).await.counts();
    assert!(db.wire.interlude_is_over(), "they did not cross");
    counts
}

//= R8.1, R8.2
async fn an_edit_finds_the_message_that_came_between_its_two_tries(db: &Database) {
    let shop = Shop::open(db).await;
    let edit = shop.edit("7001", ago(8), "m_1", (1, "edited"));
    let message = shop.text("7001", ago(9), "m_1", "hi");
    let counts = crossed_by(db, &shop, &[edit], &[message]).await;
    assert_eq!(counts, json!({"edited": 1}));
    let row = shop.row(db, "7001", "m_1").await.unwrap();
    assert_eq!(row.shown(), Some("edited"));
    assert_eq!(row.row, Row { unsent: false, has_message: true, num_edit: Some(1) });
}

//= R8.2
async fn an_edit_finds_the_tombstone_that_came_between_its_two_tries(db: &Database) {
    let shop = Shop::open(db).await;
    let edit = shop.edit("7001", ago(8), "m_1", (1, "edited"));
    let counts = crossed_by(db, &shop, &[edit], &[shop.unsend("7001", ago(7), "m_1")]).await;
    assert_eq!(counts, json!({"reasons": {"unsent": 1}}));
    assert!(shop.row(db, "7001", "m_1").await.unwrap().row.unsent);
}

//= R8.2
async fn a_message_joins_no_edit_that_was_unsent_after_it_was_met(db: &Database) {
    let shop = Shop::open(db).await;
    let waiting = shop.edit("7001", ago(8), "m_1", (1, "edited"));
    Intake::start(db).deliver(&shop.body(&[waiting])).await.counts();
    let items = [
        shop.text("7001", ago(9), "m_1", "regretted"),
        shop.edit("7001", ago(6), "m_1", (2, "regretted, too")),
    ];
    let counts = crossed_by(db, &shop, &items, &[shop.unsend("7001", ago(7), "m_1")]).await;
    assert_eq!(counts, json!({"reasons": {"unsent": 2}}));
    let row = shop.row(db, "7001", "m_1").await.unwrap();
    assert!(row.row.unsent && row.message.is_none() && row.edit.is_none());
}

//= R8.1
async fn a_message_is_stored_when_the_edit_that_it_met_is_gone(db: &Database) {
    let shop = Shop::open(db).await;
    let waiting = shop.edit("7001", ago(8), "m_1", (1, "edited"));
    Intake::start(db).deliver(&shop.body(&[waiting])).await.counts();
    // Time to live removes the row, or a delivery that finds its contact restricted.
    let (other, key) = (db.clone(), shop.key("7001", "m_1"));
    db.wire.before_call(is_second_try, async move {
        assert!(other.store.delete_waiting_edit(&key).await.unwrap());
    });
    let items = [
        shop.text("7001", ago(9), "m_1", "hi"),
        shop.edit("7001", ago(6), "m_1", (2, "edited again")),
    ];
    let counts = Intake::start(db).deliver(&shop.body(&items)).await.counts();
    assert!(db.wire.interlude_is_over());
    assert_eq!(counts, json!({"stored": 1, "edited": 1}));
    let row = shop.row(db, "7001", "m_1").await.unwrap();
    assert_eq!(row.shown(), Some("edited again"));
    assert_eq!(row.row, Row { unsent: false, has_message: true, num_edit: Some(2) });
}

//= R8.1, R8.2
async fn a_message_with_an_edit_meets_a_copy_of_itself(db: &Database) {
    let shop = Shop::open(db).await;
    let waiting = shop.edit("7001", ago(8), "m_1", (1, "edited"));
    Intake::start(db).deliver(&shop.body(&[waiting])).await.counts();
    let message = shop.text("7001", ago(9), "m_1", "hi");
    let edit = shop.edit("7001", ago(6), "m_1", (2, "edited again"));
    let items = [message.clone(), edit];
    let counts = crossed_by(db, &shop, &items, &[message]).await;
    assert_eq!(counts, json!({"edited": 1, "reasons": {"duplicate": 1}}));
    assert_eq!(shop.row(db, "7001", "m_1").await.unwrap().shown(), Some("edited again"));
}

//= R8.1, R8.2
async fn bodies_of_edits_and_of_their_messages_cross_without_failing(db: &Database) {
    const UPDATES: i64 = 100;
    let shop = Shop::open(db).await;
    let (one, other) = (Intake::start(db), Intake::start(db));
    for round in 0..3 {
        let mid = |n: i64| format!("m_{round}_{n}");
        let contact = |n: i64| (7000 + n % 10).to_string();
        let edit = |n: i64| shop.edit(&contact(n), ago(8), &mid(n), (1, "edited"));
        let message = |n: i64| shop.text(&contact(n), ago(9), &mid(n), "hi");
        let edits = shop.body(&(0..UPDATES).map(edit).collect::<Vec<_>>());
        let messages = shop.body(&(0..UPDATES).map(message).collect::<Vec<_>>());
        tokio::join!(taken_in(&one, &edits), taken_in(&other, &messages));
        for n in 0..UPDATES {
            let raw = db.store.message_row(&shop.key(&contact(n), &mid(n))).await.unwrap();
            let edited = Row { unsent: false, has_message: true, num_edit: Some(1) };
            assert_eq!(raw.unwrap().row, edited, "{n}");
        }
        let row = shop.row(db, &contact(0), &mid(0)).await.unwrap();
        assert_eq!(row.shown(), Some("edited"));
    }
}

/// Delivers a body. If the machine is too slow for the database to answer in time, this delivers
/// the body again, as Meta does.
async fn taken_in(intake: &Intake, body: &Value) {
    for _ in 0..10 {
        let watch = Stopwatch::start();
        let answer = intake.deliver(body).await;
        if answer.status == 200 {
            return;
        }
        let elapsed = watch.elapsed();
        assert!(elapsed >= ATTEMPT_TIMEOUT, "{} after {elapsed:?}", answer.text);
    }
    panic!("not taken in after ten deliveries");
}
