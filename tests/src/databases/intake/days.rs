//! Day keys at intake: which days take messages, and what happens without a key.

use jiff::SignedDuration;
use numib::domain::ids::Channel;
use numib::domain::plan::Plan;
use numib::domain::time::Day;
use serde_json::json;

use crate::database::Database;
use crate::shop::{Shop, ago, now};
use crate::webhook::Intake;

on_both_databases!(
    without_a_day_key_nothing_is_acknowledged_until_there_is_one,
    a_closed_day_takes_no_messages,
    an_older_day_that_has_its_key_still_takes_messages,
);

const DAY: SignedDuration = SignedDuration::from_hours(24);

//= R6.2, R8.1
async fn without_a_day_key_nothing_is_acknowledged_until_there_is_one(db: &Database) {
    let (served, behind) =
        (Shop::open(db).await, Shop::without_keys(db, Channel::Messenger, Plan::Days30).await);
    // Yesterday's key is there, today's is not.
    behind.make_keys(db, std::iter::once(Day::of(now()).plus(-1))).await;
    let intake = Intake::start(db);
    let items = [
        behind.text("7001", ago(9), "m_today", "today"),
        behind.text("7001", now() - DAY, "m_yesterday", "yesterday"),
    ];
    let both = [served.entry(&[served.text("7001", ago(9), "m_1", "hi")]), behind.entry(&items)];
    let body = json!({"object": "page", "entry": both});
    let answer = intake.deliver(&body).await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.content_type, "application/problem+json");
    assert_eq!(behind.row(db, "7001", "m_today").await, None);
    let neighbour = behind.row(db, "7001", "m_yesterday").await.unwrap();
    assert_eq!(neighbour.shown(), Some("yesterday"), "what can be stored does not wait for it");
    assert_eq!(served.row(db, "7001", "m_1").await.unwrap().shown(), Some("hi"));
    behind.make_keys(db, std::iter::once(Day::of(now()))).await;
    let counts = intake.deliver(&body).await.counts();
    assert_eq!(counts, json!({"stored": 1, "reasons": {"duplicate": 2}}));
    assert_eq!(behind.row(db, "7001", "m_today").await.unwrap().shown(), Some("today"));
}

//= R6.2
async fn a_closed_day_takes_no_messages(db: &Database) {
    let shop = Shop::open(db).await;
    let items = [
        shop.text("7001", now() - 3 * DAY, "m_old", "too late"),
        shop.text("7001", ago(9), "m_new", "in time"),
    ];
    let counts = Intake::start(db).deliver(&shop.body(&items)).await.counts();
    assert_eq!(counts, json!({"stored": 1, "reasons": {"day_closed": 1}}));
    assert_eq!(shop.row(db, "7001", "m_old").await, None);
}

async fn an_older_day_that_has_its_key_still_takes_messages(db: &Database) {
    let shop = Shop::open(db).await;
    shop.store_key(db, Day::of(now()).plus(-5)).await;
    let body = shop.body(&[shop.text("7001", now() - 5 * DAY, "m_old", "from the archive")]);
    assert_eq!(Intake::start(db).deliver(&body).await.counts(), json!({"stored": 1}));
    let row = shop.row(db, "7001", "m_old").await.unwrap();
    assert_eq!(row.shown(), Some("from the archive"));
    assert_eq!(row.expires_at.as_second(), (now() + 25 * DAY).as_second());
}
