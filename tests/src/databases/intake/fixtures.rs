//! The recorded bodies, each against an empty store: rows, deletions, edits and reasons as
//! expected.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use numib::domain::ids::Channel;
use numib::domain::plan::Plan;
use numib::domain::time::Day;
use numib::domain::update::{Direction, Kind};
use serde_json::{Value, json};
use xtask::meta::signature;

use crate::database::Database;
use crate::shop::{Message, Shop, now};
use crate::webhook::{APP_SECRETS, Answer, Intake};

on_both_databases!(every_recorded_body_ends_as_expected);

const PAGES: [&str; 5] =
    ["900000000000101", "900000000000202", "900000000000303", "900000000000404", "900000000000505"];
const INSTAGRAM: [&str; 2] = ["17841499000000001", "17841499000000002"];
/// Reasons that have another name in the expectations than in the code.
const REASONS: [(&str, &str); 4] = [
    ("duplicate_mid", "duplicate"),
    ("duplicate_delete", "duplicate_unsend"),
    ("deleted_in_same_batch", "unsent"),
    ("message_after_its_delete", "unsent"),
];

type Shops = BTreeMap<(&'static str, &'static str), Shop>;

fn fixture(name: &str) -> String {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/webhooks"));
    std::fs::read_to_string(folder.join(name)).unwrap()
}

//= R1.1, R8.1, R8.2
async fn every_recorded_body_ends_as_expected(db: &Database) {
    let expectations = fixture("expected.jsonl");
    assert_eq!(expectations.lines().count(), 19);
    for line in expectations.lines() {
        let expected: Value = serde_json::from_str(line).unwrap();
        let file = expected["file"].as_str().unwrap();
        let shops = connect_all(db).await;
        let rows_before = db.dump_table(&db.tables.messages).await.len();
        check_answer(&deliver(db, file).await, &expected);
        let rows = check_rows(db, &shops, &expected).await;
        let rows_after = db.dump_table(&db.tables.messages).await.len();
        assert_eq!(rows_after - rows_before, rows, "{file}: nothing else is stored");
        for shop in shops.values() {
            shop.erase(db).await;
        }
    }
}

/// Connects every account of the bodies anew, so that nothing is stored of it.
async fn connect_all(db: &Database) -> Shops {
    let pages = PAGES.map(|id| (Channel::Messenger, id));
    let accounts = INSTAGRAM.map(|id| (Channel::Instagram, id));
    let mut shops = BTreeMap::new();
    for (channel, id) in pages.into_iter().chain(accounts) {
        let shop = Shop::connect(db, (channel, id.to_owned()), Plan::Days30).await;
        shop.make_keys(db, std::iter::once(Day::of(now()))).await;
        shops.insert((channel.as_str(), id), shop);
    }
    shops
}

async fn deliver(db: &Database, file: &str) -> Answer {
    let body = fixture(file);
    let headers = json!({"x-hub-signature-256": signature(APP_SECRETS[0], body.as_bytes())});
    let body = json!({"body": body, "isBase64Encoded": false});
    Intake::start(db).post(now(), &headers, &body).await
}

fn check_answer(answer: &Answer, expected: &Value) {
    let file = &expected["file"];
    assert_eq!(u64::from(answer.status), expected["ack_status"].as_u64().unwrap(), "{file}");
    assert_eq!(answer.json()["received"], expected["items"], "{file}");
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for (reason, count) in expected["ignored"]["reasons"].as_object().unwrap() {
        let ours = REASONS.iter().find(|(theirs, _)| theirs == reason);
        *reasons.entry(ours.map_or(reason, |(_, ours)| ours)).or_default() +=
            count.as_u64().unwrap();
    }
    let count = |list: &str| expected[list].as_array().unwrap().len();
    let mut counts = json!({
        "stored": count("messages_to_store"),
        "edited": count("messages_to_edit"),
        "unsent": count("messages_to_delete"),
        "reasons": reasons,
    });
    counts.as_object_mut().unwrap().retain(|_, count| *count != json!(0) && *count != json!({}));
    assert_eq!(answer.counts(), counts, "{file}");
}

/// Checks every expected row, and returns their number.
async fn check_rows(db: &Database, shops: &Shops, expected: &Value) -> usize {
    let list = |name: &str| expected[name].as_array().unwrap();
    let edit_of = |mid: &Value| list("messages_to_edit").iter().find(|edit| edit["mid"] == *mid);
    for row in list("messages_to_store") {
        let text = |name: &str| row[name].as_str().unwrap();
        let (contact, direction) = match text("direction") {
            "in" => (text("sender_id"), Direction::In),
            _ => (text("recipient_id"), Direction::Out),
        };
        let shop = &shops[&(text("channel"), text("account_id"))];
        let stored = shop.row(db, contact, text("mid")).await.expect("a message is missing");
        let sent_at = Timestamp::from_millisecond(row["timestamp_ms"].as_i64().unwrap());
        let message = Message {
            text: row["text"].as_str().map(str::to_owned),
            kind: Kind::parse(text("kind")).unwrap(),
            direction,
            sent_at: sent_at.unwrap(),
        };
        assert_eq!(stored.message, Some(message), "{}", expected["file"]);
        let edited = edit_of(&row["mid"]).map(|edit| edit["text"].as_str().unwrap());
        assert_eq!(stored.edit.as_deref(), edited, "{}", expected["file"]);
    }
    for row in list("delete_detail") {
        let text = |name: &str| row[name].as_str().unwrap();
        let shop = &shops[&(text("channel"), text("account_id"))];
        let stored = shop.row(db, text("requested_by"), text("mid")).await;
        assert!(stored.expect("a tombstone is missing").row.unsent);
    }
    list("messages_to_store").len() + list("delete_detail").len()
}
