//! Lists of ids that Meta publishes: one request each, and the same file again changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use numib::domain::erasure::{Source, State};
use numib::domain::ids::PersonId;
use numib::seal::pseudonym::Pepper;
use serde_json::{Value, json};

use super::{LISTS, LODGE, Office, Said, assert_problem, code, dump, fill, operator};
use crate::database::Database;
use crate::shop::{PEPPER, Shop, now};
use crate::webhook::Answer;
use crate::wire::Fate;

on_both_databases!(
    every_id_of_a_list_is_one_request_and_has_a_line,
    the_same_file_again_changes_nothing_and_gives_the_same_lines,
    another_file_opens_new_requests_where_none_is_under_way,
    a_list_that_runs_out_of_time_says_where_to_go_on,
    what_fails_for_one_person_stops_no_other_and_is_done_by_the_next_try,
    what_fails_for_all_stops_there_and_goes_on_from_there,
    what_was_not_queued_is_queued_when_the_file_comes_again,
    what_is_no_list_is_refused_whole,
);

async fn post(office: &Office<'_>, claims: &Value, list: &str) -> Answer {
    post_from(office, claims, list, "").await
}

async fn post_from(office: &Office<'_>, claims: &Value, list: &str, query: &str) -> Answer {
    let said = Said {
        content_type: Some("text/csv"),
        body: Some(list.to_owned()),
        query: query.to_owned(),
        ..Said::default()
    };
    office.call(claims, LISTS, said).await
}

/// The lines of an answer as `line state`, and the codes they name.
fn lines(answer: &Answer) -> (Vec<String>, Vec<Option<String>>) {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    let lines = body["lines"].as_array().unwrap();
    let line = |line: &Value| format!("{} {}", line["line"], line["state"].as_str().unwrap());
    let code = |line: &Value| line["request"].as_str().map(str::to_owned);
    (lines.iter().map(line).collect(), lines.iter().map(code).collect())
}

/// A list of so many people of whom nothing is held.
fn strangers(count: usize) -> String {
    let ids: Vec<_> = (0..count).map(|number| format!("88{number:06}")).collect();
    ids.join("\n")
}

//= R8.7, R8.3
async fn every_id_of_a_list_is_one_request_and_has_a_line(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let operator = operator(db).await;
    let lodged = json!({"id": "7002", "source": "operator", "reference": "T-1"});
    let lodged = code(&office.post(&operator, LODGE, &lodged).await, State::Shredded);
    office.queued();
    let list = "\u{feff}user_id\r\n\"7001\"\r\n\r\n7002,x\r\n7003\r\n7oo4\r\n7001\r\n";
    let answer = post(&office, &operator, list).await;
    let (states, codes) = lines(&answer);
    let expected =
        ["2 requested", "4 already-under-way", "5 nothing-held", "6 malformed", "7 requested"];
    assert_eq!(states, expected);
    assert_eq!(answer.json().get("resume_from"), None);
    assert_eq!(answer.json()["counts"]["requested"], 2);
    for id in ["7001", "7002", "7003", "7oo4"] {
        assert!(!answer.text.contains(id), "no id comes back");
    }
    assert_eq!(codes[4], codes[0], "one person, one request");
    assert_eq!(codes[1], Some(lodged));
    assert_eq!(codes[3], None);
    let requested = office.stored(codes[0].as_ref().unwrap()).await;
    assert_eq!((requested.source, requested.state), (Source::MetaList, State::Shredded));
    assert_eq!(requested.reference, answer.json()["file"].as_str().map(str::to_owned));
    let conversation = shop.conversation("7001");
    let account = &shop.connection.account;
    let found = db.store.account_conversation(account, &conversation).await.unwrap();
    assert!(found.unwrap().1.marks.erases(now()), "unreadable before the answer");
    let queued = office.queued();
    assert_eq!(queued.len(), 3, "once each");
    let codes: BTreeSet<String> = codes.into_iter().flatten().collect();
    assert_eq!(queued.into_iter().collect::<BTreeSet<_>>(), codes);
    assert!(!db.dump().await.iter().any(|item| item.contains("7001")));
}

//= R8.7
async fn the_same_file_again_changes_nothing_and_gives_the_same_lines(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let operator = operator(db).await;
    let lodged = json!({"id": "7002", "source": "operator", "reference": "T-1"});
    let lodged = code(&office.post(&operator, LODGE, &lodged).await, State::Shredded);
    let list = format!("7001\n7002\nx\n{}", strangers(40));
    let first = post(&office, &operator, &list).await;
    let before = dump(db).await;
    assert_eq!(post(&office, &operator, &list).await.text, first.text);
    assert_eq!(dump(db).await, before);
    // The same holds when all requests have ended.
    let codes = lines(&first).1.into_iter().flatten().chain([lodged]);
    for code in codes {
        db.store.end_request(&office.stored(&code).await).await.unwrap();
    }
    let before = dump(db).await;
    assert_eq!(post(&office, &operator, &list).await.text, first.text);
    assert_eq!(dump(db).await, before);
}

//= R8.7
async fn another_file_opens_new_requests_where_none_is_under_way(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let operator = operator(db).await;
    let (_, codes) = lines(&post(&office, &operator, "7001\n7002\n").await);
    let ended = office.stored(codes[1].as_ref().unwrap()).await;
    db.store.end_request(&ended).await.unwrap();
    let (states, again) = lines(&post(&office, &operator, "7002\n7001\n").await);
    assert_eq!(states, ["1 nothing-held", "2 already-under-way"]);
    assert_eq!(again[1], codes[0]);
    assert_ne!(again[0], codes[1]);
}

//= R8.7
async fn a_list_that_runs_out_of_time_says_where_to_go_on(db: &Database) {
    let mut office = Office::open(db);
    let operator = operator(db).await;
    let list = format!("id\n{}", strangers(50));
    office.staff.list_time = Duration::ZERO;
    let first = post(&office, &operator, &list).await;
    let (states, codes) = lines(&first);
    assert_eq!(states.len(), 16, "some are taken however little time there is");
    assert_eq!(first.json()["resume_from"], 18);
    let next = post_from(&office, &operator, &list, "from=18").await;
    assert_eq!(lines(&next).0.first().map(String::as_str), Some("18 nothing-held"));
    assert_eq!(next.json()["resume_from"], 34);
    // Without `from`, too, nothing is done twice.
    office.staff.list_time = operator_api::LIST_TIME;
    let whole = post(&office, &operator, &list).await;
    assert_eq!(whole.json().get("resume_from"), None);
    let (states, all) = lines(&whole);
    assert_eq!(states.len(), 50);
    assert_eq!(all[..16], codes[..]);
    assert_eq!(all[16..32], lines(&next).1[..]);
    let end = post_from(&office, &operator, &list, "from=52").await;
    assert!(lines(&end).0.is_empty());
    for bad in ["from=0", "from=-1", "from=x", "from="] {
        let answer = post_from(&office, &operator, &list, bad).await;
        assert_problem(&answer, 400, "from");
    }
}

fn person(id: &str) -> PersonId {
    Pepper::new(PEPPER.as_bytes()).unwrap().person(&id.to_owned().into())
}

//= R8.7
async fn what_fails_for_one_person_stops_no_other_and_is_done_by_the_next_try(db: &Database) {
    let office = Office::open(db);
    let operator = operator(db).await;
    // Something in the index that this code did not write.
    let corrupt = [("pk", "ODD#1"), ("sk", "ODD"), ("person_id", person("7002").as_str())]
        .map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())));
    let put = db.raw.put_item().table_name(&db.tables.core);
    put.set_item(Some(corrupt.clone().into())).send().await.unwrap();
    let list = "7001\n7002\n7003\n";
    let (states, _) = lines(&post(&office, &operator, list).await);
    assert_eq!(states, ["1 nothing-held", "2 failed", "3 nothing-held"]);
    let [pk, sk, _] = corrupt;
    let delete = db.raw.delete_item().table_name(&db.tables.core);
    delete.set_key(Some([pk, sk].into())).send().await.unwrap();
    let (states, _) = lines(&post(&office, &operator, list).await);
    assert_eq!(states, ["1 nothing-held", "2 nothing-held", "3 nothing-held"]);
}

//= R8.7
async fn what_fails_for_all_stops_there_and_goes_on_from_there(db: &Database) {
    let office = Office::open(db);
    let operator = operator(db).await;
    let list = strangers(40);
    let stumbles_at = person("88000020");
    db.wire.decide(move |call| {
        let fails = call.body.to_string().contains(stumbles_at.as_str());
        if fails { Fate::Failed } else { Fate::Passes }
    });
    let answer = post(&office, &operator, &list).await;
    assert_eq!(lines(&answer).0.len(), 20);
    assert_eq!(answer.json()["resume_from"], 21);
    db.wire.decide(|call| if call.operation == "Query" { Fate::Failed } else { Fate::Passes });
    let none = post_from(&office, &operator, &list, "from=21").await;
    assert_problem(&none, 500, "internal");
    db.wire.heal();
    let rest = post_from(&office, &operator, &list, "from=21").await;
    assert_eq!(lines(&rest).0.len(), 20);
    assert_eq!(rest.json().get("resume_from"), None);
}

//= R8.7
async fn what_was_not_queued_is_queued_when_the_file_comes_again(db: &Database) {
    let operator = operator(db).await;
    let failing = Office::with_queue(db, "https://sqs/queue", None);
    assert_problem(&post(&failing, &operator, "7001\n").await, 500, "internal");
    let office = Office::open(db);
    let (states, codes) = lines(&post(&office, &operator, "7001\n").await);
    assert_eq!(states, ["1 nothing-held"]);
    assert_eq!(office.queued(), [codes[0].clone().unwrap()]);
}

async fn what_is_no_list_is_refused_whole(db: &Database) {
    let office = Office::open(db);
    let operator = operator(db).await;
    let before = db.dump().await;
    let (many, long) = (strangers(20_001), " ".repeat(4 * 1024 * 1024 + 1));
    let cases = [
        ("", 400, "list"),
        ("id\n", 400, "list"),
        ("7001\n\"7002\n", 400, "list"),
        ("7\u{0}0\u{0}", 400, "list"),
        (many.as_str(), 413, "too-large"),
        (long.as_str(), 413, "too-large"),
    ];
    for (list, status, kind) in cases {
        assert_problem(&post(&office, &operator, list).await, status, kind);
    }
    for content_type in [None, Some("application/json"), Some("text/html")] {
        let body = Some("7001\n".to_owned());
        let said = Said { content_type, body, ..Said::default() };
        let answer = office.call(&operator, LISTS, said).await;
        assert_problem(&answer, 415, "content-type");
    }
    assert_eq!(db.dump().await, before);
}
