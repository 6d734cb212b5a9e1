//! Requests that are repeated under the same `Idempotency-Key`.

use jiff::{SignedDuration, Timestamp};
use numib::domain::erasure::State;
use numib::domain::ids::MemberId;
use numib::domain::role::Role;
use numib::store::StoreError;
use numib::store::answers::{Answer as Kept, Attempt, Begun};
use serde_json::{Value, json};
use xtask::account::random_id;

use super::{CANCEL, CONTACT, LODGE, Office, Said, assert_problem, code, fill, operator, sign_in};
use crate::database::Database;
use crate::shop::{Shop, now};
use crate::webhook::Answer;

on_both_databases!(
    what_is_repeated_under_its_key_is_done_once_and_answered_the_same,
    only_one_of_two_requests_at_the_same_time_is_done,
    a_key_belongs_to_one_request_of_one_member,
    what_failed_on_our_side_is_done_when_it_is_repeated,
    while_one_is_under_way_no_other_begins_until_its_lease_ends,
    kept_answers_go_with_their_member,
    what_was_looked_at_or_could_not_be_done_is_not_kept,
);

const KEY: &str = "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"";

fn lodged(id: &str, key: &'static str) -> Said {
    let body = json!({"id": id, "source": "operator", "reference": "T-1"}).to_string();
    let (content_type, body) = (Some("application/json"), Some(body));
    Said { content_type, body, key: Some(key), ..Said::default() }
}

async fn lodge(office: &Office<'_>, member: &Value, id: &str, key: &'static str) -> Answer {
    office.call(member, LODGE, lodged(id, key)).await
}

async fn what_is_repeated_under_its_key_is_done_once_and_answered_the_same(db: &Database) {
    let (office, staff) = (Office::open(db), operator(db).await);
    let first = lodge(&office, &staff, "7001", KEY).await;
    let code = code(&first, State::Shredded);
    assert_eq!(office.queued(), [code]);
    let before = db.dump().await;
    let again = lodge(&office, &staff, "7001", KEY).await;
    assert_eq!((again.status, &again.text), (202, &first.text));
    assert_eq!(again.content_type, first.content_type);
    assert_eq!(db.dump().await, before, "nothing is done, nor recorded, a second time");
    assert!(office.queued().is_empty());
}

async fn only_one_of_two_requests_at_the_same_time_is_done(db: &Database) {
    let (office, staff) = (Office::open(db), operator(db).await);
    let both = [(); 2].map(|()| lodge(&office, &staff, "7001", KEY));
    let both = futures_util::future::join_all(both).await;
    assert_eq!(office.queued().len(), 1);
    assert!(both.iter().any(|one| one.status == 202));
    for one in both.iter().filter(|one| one.status != 202) {
        assert_problem(one, 409, "idempotency-key");
    }
}

async fn a_key_belongs_to_one_request_of_one_member(db: &Database) {
    let (office, staff) = (Office::open(db), operator(db).await);
    let first = lodge(&office, &staff, "7001", KEY).await;
    assert_problem(&lodge(&office, &staff, "7002", KEY).await, 422, "idempotency-key");
    // A quoted key is the same as a bare one. Another member's key is another.
    let bare = KEY.trim_matches('"');
    assert_eq!(lodge(&office, &staff, "7001", bare).await.text, first.text);
    let other = lodge(&office, &operator(db).await, "7002", KEY).await;
    assert_eq!(other.status, 202, "{}", other.text);
    let long = "x".repeat(129).leak();
    for bad in ["", "\"\"", "a b", "a\"b", long] {
        assert_problem(&lodge(&office, &staff, "7001", bad).await, 400, "idempotency-key");
    }
}

async fn what_failed_on_our_side_is_done_when_it_is_repeated(db: &Database) {
    let staff = operator(db).await;
    let broken = Office::with_queue(db, "https://sqs/queue", None);
    assert_problem(&lodge(&broken, &staff, "7001", KEY).await, 500, "internal");
    let office = Office::open(db);
    assert_eq!(lodge(&office, &staff, "7001", KEY).await.status, 202);
    assert_eq!(office.queued().len(), 1);
}

fn attempt(member: &str, at: Timestamp) -> Attempt {
    let member = MemberId::parse(member).unwrap();
    Attempt { member, key: "k".to_owned(), fingerprint: "f".to_owned(), at }
}

async fn while_one_is_under_way_no_other_begins_until_its_lease_ends(db: &Database) {
    let id = random_id().unwrap();
    let at = |seconds| now() + SignedDuration::from_secs(seconds);
    let (first, second) = (attempt(&id, at(0)), attempt(&id, at(30)));
    let begin = async |attempt: &Attempt| db.store.begin_attempt(attempt).await.unwrap();
    assert_eq!(begin(&first).await, Begun::First);
    assert_eq!(begin(&attempt(&id, at(29))).await, Begun::UnderWay);
    // The first request died, or is slow. Its answer is not kept any more.
    assert_eq!(begin(&second).await, Begun::First);
    let body = r#"{"request": "c"}"#.to_owned();
    let answer = Kept { status: 202, content_type: "application/json".to_owned(), body };
    let late = db.store.keep_answer(&first, &answer).await;
    assert_eq!(late.unwrap_err(), StoreError::Conflict);
    db.store.give_up_attempt(&first).await.unwrap();
    assert_eq!(begin(&attempt(&id, at(31))).await, Begun::UnderWay, "the second still has it");
    db.store.keep_answer(&second, &answer).await.unwrap();
    let day = 24 * 60 * 60;
    for later in [32, day] {
        assert_eq!(begin(&attempt(&id, at(later))).await, Begun::Answered(answer.clone()));
    }
    let other = Attempt { fingerprint: "g".to_owned(), ..attempt(&id, at(33)) };
    assert_eq!(begin(&other).await, Begun::Other);
    assert_eq!(begin(&attempt(&id, at(30 + day))).await, Begun::First, "a day later it is over");
}

//= R6.1
async fn kept_answers_go_with_their_member(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let account = &shop.connection.account;
    let owner = sign_in(db, account, Role::Owner).await;
    let parameters = json!({"code": "none"});
    let cancel = Said { parameters, key: Some(KEY), ..Said::default() };
    assert_problem(&office.call(&owner, CANCEL, cancel).await, 404, "not-found");
    let id = owner["sub"].as_str().unwrap();
    let has = |dump: &std::collections::BTreeSet<String>| {
        dump.iter().any(|item| item.contains(&format!("ANSWER#{id}")))
    };
    assert!(has(&db.dump().await));
    let member = MemberId::parse(id).unwrap();
    db.store.delete_member(account, &member).await.unwrap();
    assert!(!has(&db.dump().await));
}

//= R8.3
async fn what_was_looked_at_or_could_not_be_done_is_not_kept(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let body = Some(json!({"meta_id": "7001"}).to_string());
    let content_type = Some("application/json");
    let said = Said { content_type, body, key: Some(KEY), ..Said::default() };
    let search = || office.call(&owner, "POST /v1/contacts/search", said.clone());
    let found = search().await.json()["contacts"][0]["conversation"].clone();
    let erased = office.delete(&owner, CONTACT, json!({"id": found})).await;
    let code = code(&erased, State::Shredded);
    assert_eq!(search().await.json(), json!({"contacts": []}), "what was erased is in no answer");
    let parameters = json!({"code": code});
    let cancel = Said { parameters, key: Some(KEY), ..Said::default() };
    assert_problem(&office.call(&owner, CANCEL, cancel).await, 409, "conflict");
    let id = format!("ANSWER#{}", owner["sub"].as_str().unwrap());
    assert!(!db.dump().await.iter().any(|item| item.contains(&id)));
}
