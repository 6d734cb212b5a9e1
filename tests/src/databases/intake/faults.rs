//! A database that throttles, fails or does not answer: 500 in time, and Meta's next try completes
//! it.

use std::time::Duration;

use numib::edge::clock::Stopwatch;
use serde_json::json;

use crate::database::Database;
use crate::shop::{Shop, ago};
use crate::webhook::Intake;
use crate::wire::{Call, Fate};

on_both_databases!(
    a_table_that_takes_nothing_fails_the_body_after_a_few_attempts,
    one_failing_row_fails_the_body_and_the_redelivery_completes_it,
    a_passing_fault_is_ridden_out,
    a_body_is_not_acknowledged_before_the_look,
    a_lost_answer_is_no_lost_message,
);

/// Attempts that the SDK makes of one request.
const ATTEMPTS_MAX: usize = 4;

fn body(shop: &Shop, messages: i64) -> serde_json::Value {
    let item = |n: i64| shop.text(&(7000 + n % 3).to_string(), ago(n), &format!("m_{n}"), "hi");
    shop.body(&(0..messages).map(item).collect::<Vec<_>>())
}

fn is_message_put(call: &Call) -> bool {
    call.is("PutItem", "MessagesTable")
}

//= R8.1
async fn a_table_that_takes_nothing_fails_the_body_after_a_few_attempts(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    for fate in [Fate::Throttled, Fate::Failed, Fate::Lost] {
        let shown = format!("{fate:?}");
        db.wire.calls();
        let decided = fate.clone();
        db.wire.decide(
            move |call| {
                if is_message_put(call) { decided.clone() } else { Fate::Passes }
            },
        );
        let answer = intake.deliver(&body(&shop, 1)).await;
        assert_eq!(answer.status, 500, "{shown}");
        assert_eq!(answer.content_type, "application/problem+json");
        let puts = db.wire.calls().iter().filter(|call| is_message_put(call)).count();
        assert!((2..=ATTEMPTS_MAX).contains(&puts), "{shown}: {puts} attempts");
        assert!(db.dump_table(&db.tables.messages).await.is_empty());
    }
    db.wire.heal();
    assert_eq!(intake.deliver(&body(&shop, 1)).await.counts(), json!({"stored": 1}));
}

//= R8.1
async fn one_failing_row_fails_the_body_and_the_redelivery_completes_it(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    let failing = shop.key("7001", "m_7").message.to_string();
    db.wire.decide(move |call| {
        let hit = is_message_put(call) && call.body["Item"]["sk"]["S"] == failing.as_str();
        if hit { Fate::Throttled } else { Fate::Passes }
    });
    assert_eq!(intake.deliver(&body(&shop, 20)).await.status, 500);
    db.wire.heal();
    let counts = intake.deliver(&body(&shop, 20)).await.counts();
    let stored = counts["stored"].as_u64().unwrap();
    let duplicate = counts["reasons"]["duplicate"].as_u64().unwrap_or_default();
    assert_eq!(stored + duplicate, 20);
    assert!(stored >= 1);
    for n in 0..20 {
        let row = shop.row(db, &(7000 + n % 3).to_string(), &format!("m_{n}")).await;
        assert_eq!(row.unwrap().shown(), Some("hi"));
    }
    assert_eq!(db.dump_table(&db.tables.messages).await.len(), 20);
}

async fn a_passing_fault_is_ridden_out(db: &Database) {
    let shop = Shop::open(db).await;
    for fate in [Fate::Throttled, Fate::Failed, Fate::Lost] {
        let mut faults = 0;
        let shown = format!("{fate:?}");
        db.wire.decide(move |_| {
            faults += 1;
            if faults <= 2 { fate.clone() } else { Fate::Passes }
        });
        let answer = Intake::start(db).deliver(&body(&shop, 1)).await;
        assert_eq!(answer.status, 200, "{shown}: {}", answer.text);
    }
    assert_eq!(shop.row(db, "7000", "m_0").await.unwrap().shown(), Some("hi"));
}

//= R8.1, R8.3
async fn a_body_is_not_acknowledged_before_the_look(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    db.wire.decide(|call| match call.operation.as_str() {
        "BatchGetItem" => Fate::Throttled,
        _ => Fate::Passes,
    });
    assert_eq!(intake.deliver(&body(&shop, 1)).await.status, 500);
    db.wire.heal();
    let counts = intake.deliver(&body(&shop, 1)).await.counts();
    assert_eq!(counts, json!({"reasons": {"duplicate": 1}}));
    assert_eq!(shop.row(db, "7000", "m_0").await.unwrap().shown(), Some("hi"));
}

//= R8.1
async fn a_lost_answer_is_no_lost_message(db: &Database) {
    let shop = Shop::open(db).await;
    let mut lost = false;
    db.wire.decide(move |call| {
        let first = is_message_put(call) && !std::mem::replace(&mut lost, true);
        if first { Fate::Unheard } else { Fate::Passes }
    });
    // The SDK tries again, and meets its own row.
    let counts = Intake::start(db).deliver(&body(&shop, 1)).await.counts();
    assert_eq!(counts, json!({"reasons": {"duplicate": 1}}));
    assert_eq!(shop.row(db, "7000", "m_0").await.unwrap().shown(), Some("hi"));
}

//= R8.1
#[tokio::test]
async fn a_database_that_is_too_slow_is_given_up_before_meta_gives_up() {
    let db = Database::on_dynoxide().await;
    let shop = Shop::open(&db).await;
    let intake = Intake::start(&db);
    let edit = shop.edit("7001", ago(8), "m_1", (1, "x"));
    intake.deliver(&shop.body(&[edit])).await.counts();
    // Each request is answered within its own limit, but together they take longer than Meta waits:
    // find the connection, meet the edit, join it, look again.
    db.wire.decide(|_| Fate::Late(Duration::from_millis(1400)));
    let message = shop.body(&[shop.text("7001", ago(9), "m_1", "hi")]);
    let watch = Stopwatch::start();
    assert_eq!(intake.deliver(&message).await.status, 500);
    let elapsed = watch.elapsed();
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    db.wire.heal();
    intake.deliver(&message).await.counts();
    assert_eq!(shop.row(&db, "7001", "m_1").await.unwrap().shown(), Some("x"));
}
