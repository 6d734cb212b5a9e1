//! Operators lodge requests for people: a deletion asked for by e-mail, a report about a minor.

use numib::domain::erasure::{Source, State};
use numib::domain::ids::Channel;
use serde_json::{Value, json};

use super::{LODGE, Office, Said, assert_problem, code, fill, operator};
use crate::database::Database;
use crate::shop::{Shop, now};

on_both_databases!(
    a_person_is_erased_wherever_they_write_with_the_reference_of_their_case,
    a_report_about_a_minor_goes_the_same_way,
    a_person_of_whom_nothing_is_held_gets_an_honest_code,
    the_same_person_again_has_the_code_that_is_under_way,
    what_cannot_be_read_is_refused_by_name_and_nothing_is_done,
);

fn asked(id: &str) -> Value {
    json!({"id": id, "source": "operator", "reference": "T-4711"})
}

//= R5.7, R8.3
async fn a_person_is_erased_wherever_they_write_with_the_reference_of_their_case(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let other = Shop::open_with(db, Channel::Instagram, shop.connection.plan).await;
    fill(db, &shop).await;
    fill(db, &other).await;
    let operator = operator(db).await;
    let answer = office.post(&operator, LODGE, &asked("7001")).await;
    assert!(!answer.text.contains("7001"), "no Meta id comes back");
    let code = code(&answer, State::Shredded);
    for shop in [&shop, &other] {
        let account = &shop.connection.account;
        let marks = async |contact: &str| {
            let id = shop.conversation(contact);
            db.store.account_conversation(account, &id).await.unwrap().unwrap().1.marks
        };
        assert!(marks("7001").await.erases(now()));
        assert!(!marks("7002").await.erases(now()));
    }
    assert_eq!(office.queued(), [code.as_str()]);
    let stored = office.stored(&code).await;
    assert_eq!((stored.source, stored.targets.len()), (Source::Operator, 2));
    assert_eq!(office.get(&operator, &code).await.json()["reference"], "T-4711");
    let is_leaked = |item: &String| item.contains("7001");
    assert!(!db.dump().await.iter().any(is_leaked), "no Meta id is stored");
}

//= R9.1
async fn a_report_about_a_minor_goes_the_same_way(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let body = json!({"id": "7002", "source": "minor", "reference": "report 1"});
    let code = code(&office.post(&operator(db).await, LODGE, &body).await, State::Shredded);
    assert_eq!(office.stored(&code).await.source, Source::Minor);
    office.work(&code).await;
    assert_eq!(shop.row(db, "7002", "m_3").await, None);
    assert_eq!(shop.row(db, "7001", "m_1").await.unwrap().shown(), Some("one"));
}

//= R5.7
async fn a_person_of_whom_nothing_is_held_gets_an_honest_code(db: &Database) {
    let office = Office::open(db);
    let operator = operator(db).await;
    let code = code(&office.post(&operator, LODGE, &asked("7009")).await, State::Shredded);
    assert_eq!(office.get(&operator, &code).await.json()["data_held"], false);
}

//= R5.7
async fn the_same_person_again_has_the_code_that_is_under_way(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let operator = operator(db).await;
    let first = code(&office.post(&operator, LODGE, &asked("7001")).await, State::Shredded);
    let again = code(&office.post(&operator, LODGE, &asked("7001")).await, State::Shredded);
    assert_eq!(again, first);
    db.store.end_request(&office.stored(&first).await).await.unwrap();
    let anew = code(&office.post(&operator, LODGE, &asked("7001")).await, State::Shredded);
    assert_ne!(anew, first, "what has ended can be asked for again");
}

async fn what_cannot_be_read_is_refused_by_name_and_nothing_is_done(db: &Database) {
    let office = Office::open(db);
    let operator = operator(db).await;
    let before = db.dump().await;
    let with = |name: &str, value: Value| {
        let mut body = asked("7001");
        body[name] = value;
        body
    };
    let cases = [
        (with("id", json!("")), "id"),
        (with("id", json!("0")), "id"),
        (with("id", json!("ana@example.com")), "id"),
        (with("id", json!("9".repeat(65))), "id"),
        (with("id", json!(7001)), "id"),
        (with("source", json!("meta-deletion")), "source"),
        (with("source", json!("")), "source"),
        (with("reference", json!("")), "reference"),
        (with("reference", json!(" ")), "reference"),
        (with("reference", json!("ana@example.com")), "reference"),
        (with("reference", json!("x".repeat(101))), "reference"),
        (with("reference", Value::Null), "reference"),
        (with("more", json!(1)), "body"),
        (json!([]), "body"),
        (json!("7001"), "body"),
    ];
    for (body, kind) in cases {
        let answer = office.post(&operator, LODGE, &body).await;
        assert_problem(&answer, 400, kind);
        assert!(!answer.text.contains("7001") && !answer.text.contains("example"));
    }
    let said = |content_type, body: &str| Said {
        content_type,
        body: Some(body.to_owned()),
        ..Said::default()
    };
    let long = format!("{{\"id\":\"{}\"}}", " ".repeat(128 * 1024));
    let body = asked("7001").to_string();
    for (said, status, kind) in [
        (said(None, &body), 415, "content-type"),
        (said(Some("text/plain"), &body), 415, "content-type"),
        (said(Some("application/json"), &long), 413, "too-large"),
        (said(Some("application/json; charset=utf-8"), "{"), 400, "body"),
        (Said { content_type: Some("application/json"), ..Said::default() }, 400, "body"),
    ] {
        assert_problem(&office.call(&operator, LODGE, said).await, status, kind);
    }
    assert_eq!(db.dump().await, before);
}
