//! Legal holds: whoever asks, what is held waits; lifting the last hold lets it go on (R6.7).

use std::collections::BTreeSet;

use aws_sdk_sqs::types::QueueAttributeName;
use jiff::SignedDuration;
use numib::concurrent::all;
use numib::domain::erasure::State;
use numib::domain::hold::Held;
use numib::domain::ids::{HoldId, RequestId};
use numib::domain::role::Role;
use numib::domain::work::Work;
use serde_json::{Value, json};
use xtask::account::random_id;

use super::{
    CONNECTION, CONTACT, HOLDS, LIFT_HOLD, LODGE, MESSAGE, Office, SET_HOLD, Said, assert_problem,
    code, fill, operator, sign_in,
};
use crate::database::Database;
use crate::shop::{Shop, now};
use crate::webhook::Answer;

on_both_databases!(
    what_is_held_waits_at_every_door_says_so_and_goes_on_when_the_last_hold_is_lifted,
    a_hold_is_set_once_and_listed_as_it_was_set,
    a_worker_has_rows_follow_each_hold_and_each_lift,
    all_who_wait_are_queued_however_many_they_are,
    a_lift_that_was_not_queued_is_made_good_by_lifting_again,
    what_cannot_be_read_is_refused_by_name,
);

on_ministack!(what_was_held_arrives_in_the_queue_when_its_hold_is_lifted);

async fn set(office: &Office<'_>, claims: &Value, id: &str, on: &Held) -> Answer {
    let body = json!({"on": on.to_string(), "reason": "court order", "reference": "AZ 7 / 26"});
    put(office, claims, id, &body).await
}

async fn put(office: &Office<'_>, claims: &Value, id: &str, body: &Value) -> Answer {
    let said = Said {
        parameters: json!({"hold_id": id}),
        content_type: Some("application/json"),
        body: Some(body.to_string()),
        ..Said::default()
    };
    office.call(claims, SET_HOLD, said).await
}

async fn lift(office: &Office<'_>, claims: &Value, id: &str, on: &Held) -> Answer {
    let (parameters, query) = (json!({"hold_id": id}), format!("on={on}"));
    office.call(claims, LIFT_HOLD, Said { parameters, query, ..Said::default() }).await
}

async fn list(office: &Office<'_>, claims: &Value, on: &Held) -> Value {
    let answer =
        office.call(claims, HOLDS, Said { query: format!("on={on}"), ..Said::default() }).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

//= R6.7
async fn what_is_held_waits_at_every_door_says_so_and_goes_on_when_the_last_hold_is_lifted(
    db: &Database,
) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let operator = operator(db).await;
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let account = Held::Account(shop.connection.account.clone());
    let connection = Held::Connection(shop.connection.id.clone());
    assert_eq!(set(&office, &operator, "h1", &account).await.status, 201);
    assert_eq!(set(&office, &operator, "h2", &account).await.status, 201);
    assert_eq!(set(&office, &operator, "h3", &connection).await.status, 201);
    let before = db.store.day_key_days(&shop.connection.id).await.unwrap();
    let conversation = shop.conversation("7001").to_string();
    let message = shop.key("7002", "m_3").message;
    let other = shop.conversation("7002").to_string();
    let lodged = json!({"id": "7002", "source": "minor", "reference": "T-1"});
    let answers = [
        office.delete(&owner, CONNECTION, json!({"id": shop.connection.id.as_str()})).await,
        office.delete(&owner, CONTACT, json!({"id": conversation})).await,
        office.delete(&owner, MESSAGE, json!({"id": other, "message_id": message.as_str()})).await,
        office.post(&operator, LODGE, &lodged).await,
    ];
    let codes: Vec<String> = answers.iter().map(|answer| code(answer, State::Held)).collect();
    assert!(office.queued().is_empty(), "there is nothing for a worker to do");
    assert_eq!(db.store.day_key_days(&shop.connection.id).await.unwrap(), before);
    assert_eq!(shop.row(db, "7002", "m_3").await.unwrap().shown(), Some("three"));
    let shown = office.get(&owner, &codes[0]).await;
    assert_eq!(shown.json()["held"], true);
    assert!(!shown.text.contains("court"), "the reason is the operators'");
    let waits = office.delete(&owner, CONTACT, json!({"id": conversation})).await;
    assert_eq!(code(&waits, State::Held), codes[1]);

    let lifted = lift(&office, &operator, "h1", &account).await;
    assert_eq!(lifted.json(), json!({"on": account.to_string(), "resumed": 0, "holds_left": 1}));
    let lifted = lift(&office, &operator, "h2", &account).await;
    assert_eq!(lifted.json(), json!({"on": account.to_string(), "resumed": 4, "holds_left": 0}));
    for code in office.queued() {
        office.work(&code).await;
        assert_eq!(office.stored(&code).await.state, State::Held, "another record holds it still");
    }
    assert_eq!(lift(&office, &operator, "h3", &connection).await.json()["resumed"], 4);
    let mut queued = office.queued();
    queued.sort();
    let mut expected = codes.clone();
    expected.sort();
    assert_eq!(queued, expected);
    for code in &codes {
        let deadline = office.stored(code).await.deadline;
        office.work(code).await;
        let resumed = office.stored(code).await;
        assert_eq!(resumed.state, State::Verified);
        assert_eq!(resumed.deadline, deadline, "no clock starts again");
    }
    assert!(db.store.day_key_days(&shop.connection.id).await.unwrap().is_empty());
    for on in [&account, &connection] {
        assert_eq!(list(&office, &operator, on).await["waiting"], 0);
    }
}

//= R6.7
async fn a_hold_is_set_once_and_listed_as_it_was_set(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let operator = operator(db).await;
    let on = Held::Contact(shop.conversation("7001"));
    shop.moved(db, &shop.conversation("7001"), (now(), now() + SignedDuration::from_hours(1)))
        .await;
    assert_eq!(list(&office, &operator, &on).await["holds"], json!([]));
    assert_problem(&lift(&office, &operator, "h1", &on).await, 404, "not-found");
    let first = set(&office, &operator, "h1", &on).await;
    assert_eq!(first.status, 201);
    let other = json!({"on": on.to_string(), "reason": "another", "reference": "B 2"});
    let again = put(&office, &operator, "h1", &other).await;
    assert_eq!((again.status, &again.text), (200, &first.text), "it stays as it was set");
    let listed = list(&office, &operator, &on).await;
    let expected = json!({
        "on": on.to_string(), "waiting": 0,
        "holds": [{"id": "h1", "reason": "court order", "reference": "AZ 7 / 26",
                   "set_at": now().to_string()}],
    });
    assert_eq!(listed, expected);
    let elsewhere = Held::parse("connection:c1").unwrap();
    assert_problem(&lift(&office, &operator, "h1", &elsewhere).await, 404, "not-found");
    assert_eq!(lift(&office, &operator, "h1", &on).await.status, 200);
    assert_problem(&lift(&office, &operator, "h1", &on).await, 404, "not-found");
}

//= R6.7
async fn a_worker_has_rows_follow_each_hold_and_each_lift(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let operator = operator(db).await;
    let on = Held::Contact(shop.conversation("7001"));
    shop.moved(db, &shop.conversation("7001"), (now(), now() + SignedDuration::from_hours(1)))
        .await;
    assert_eq!(set(&office, &operator, "h1", &on).await.status, 201);
    assert_eq!(office.queued_as("held"), [on.to_string()]);
    // Lifted once more, in case the first lift queued nothing.
    assert_eq!(set(&office, &operator, "h1", &on).await.status, 200);
    assert_eq!(office.queued_as("held"), [on.to_string()]);
    assert_eq!(lift(&office, &operator, "h1", &on).await.status, 200);
    assert_eq!(office.queued_as("held"), [on.to_string()]);
    assert_eq!(lift(&office, &operator, "h1", &on).await.status, 404);
    assert_eq!(office.queued_as("held"), [on.to_string()], "the first may not have been queued");
    // What does not exist cannot be held.
    // A mistyped contact of an existing channel cannot be held either.
    let mistyped = Held::Contact(shop.conversation("7009"));
    let nothing = ["account:nobody", "connection:none", "contact:none.nobody"];
    let nothing = nothing.iter().map(|nothing| Held::parse(nothing).unwrap());
    for nothing in nothing.chain([mistyped]) {
        assert_problem(&set(&office, &operator, "h1", &nothing).await, 404, "not-found");
    }
}

//= R6.7
async fn all_who_wait_are_queued_however_many_they_are(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let operator = operator(db).await;
    let on = Held::Account(shop.connection.account.clone());
    set(&office, &operator, "h1", &on).await;
    let waits = (0..600).map(async |number| {
        let request = RequestId::parse(&format!("r{number}")).unwrap();
        db.store.put_waiting(&on, &request).await.unwrap();
    });
    all(waits, 50).await;
    assert_eq!(list(&office, &operator, &on).await["waiting"], 600);
    assert!(db.store.is_held(&on).await.unwrap());
    assert_eq!(lift(&office, &operator, "h1", &on).await.json()["resumed"], 600);
    assert_eq!(office.queued().len(), 600);
    assert!(!db.store.is_held(&on).await.unwrap(), "who waits holds nothing");
}

//= R6.7
async fn a_lift_that_was_not_queued_is_made_good_by_lifting_again(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let failing = Office::with_queue(db, "https://sqs/queue", None);
    let operator = operator(db).await;
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let on = Held::Connection(shop.connection.id.clone());
    set(&office, &operator, "h1", &on).await;
    let id = json!({"id": shop.connection.id.as_str()});
    let code = code(&office.delete(&owner, CONNECTION, id).await, State::Held);
    assert_problem(&lift(&failing, &operator, "h1", &on).await, 500, "internal");
    assert!(!db.store.lift_hold(&on, &HoldId::parse("h1").unwrap()).await.unwrap(), "it is gone");
    assert_eq!(lift(&office, &operator, "h1", &on).await.json()["resumed"], 1);
    assert_eq!(office.queued(), [code]);
}

async fn what_cannot_be_read_is_refused_by_name(db: &Database) {
    let office = Office::open(db);
    let operator = operator(db).await;
    let before = db.dump().await;
    let with = |name: &str, value: Value| {
        let mut body = json!({"on": "account:a1", "reason": "why", "reference": "T-1"});
        body[name] = value;
        body
    };
    let cases = [
        (with("on", json!("a1")), "on"),
        (with("on", json!("message:m1")), "on"),
        (with("on", json!("contact:c1")), "on"),
        (with("reason", json!("")), "reason"),
        (with("reason", json!("  ")), "reason"),
        (with("reason", json!("a\nb")), "reason"),
        (with("reason", json!("é".repeat(501))), "reason"),
        (with("reference", json!("ana@example.com")), "reference"),
        (with("set_at", json!("2026-01-01T00:00:00Z")), "body"),
        (with("reason", json!(null)), "reason"),
    ];
    for (body, kind) in cases {
        assert_problem(&put(&office, &operator, "h1", &body).await, 400, kind);
    }
    for id in ["", "a b", "a#b", &"x".repeat(65)] {
        assert_problem(&put(&office, &operator, id, &with("more", json!(1))).await, 400, "hold");
    }
    for query in ["", "on=", "on=account", "on=account:a%23b", "of=account:a1"] {
        for route in [HOLDS, LIFT_HOLD] {
            let parameters = json!({"hold_id": "h1"});
            let said = Said { parameters, query: query.to_owned(), ..Said::default() };
            assert_problem(&office.call(&operator, route, said).await, 400, "on");
        }
    }
    assert_eq!(db.dump().await, before);
}

//= R6.7
async fn what_was_held_arrives_in_the_queue_when_its_hold_is_lifted(db: &Database) {
    let sqs = aws_sdk_sqs::Client::new(&db.sdk);
    let name = format!("erasure-{}", random_id().unwrap());
    let url = sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
    let mut office = Office::open(db);
    office.staff.queue = numib::edge::queue::WorkQueue::new(sqs.clone(), url.clone());
    let shop = Shop::open(db).await;
    let operator = operator(db).await;
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let on = Held::Account(shop.connection.account.clone());
    set(&office, &operator, "h1", &on).await;
    let id = json!({"id": shop.connection.id.as_str()});
    let code = code(&office.delete(&owner, CONNECTION, id).await, State::Held);
    let waiting = QueueAttributeName::ApproximateNumberOfMessages;
    let asked = sqs.get_queue_attributes().queue_url(&url).attribute_names(waiting.clone());
    let attributes = asked.send().await.unwrap().attributes.unwrap();
    assert_eq!(attributes[&waiting], "1", "rows follow the hold, and nothing is erased");
    lift(&office, &operator, "h1", &on).await;
    let mut bodies = BTreeSet::new();
    for _ in 0..3 {
        let receive = sqs.receive_message().queue_url(&url).max_number_of_messages(10);
        let received = receive.wait_time_seconds(1).send().await.unwrap();
        bodies.extend(received.messages().iter().filter_map(|one| one.body().map(str::to_owned)));
    }
    let followed = Work::FollowHold { held: on.clone(), cursor: None };
    let request = RequestId::parse(&code).unwrap();
    let expected = [followed, Work::Erase { request, not_before: None }];
    let expected = expected.map(|work| serde_json::to_string(&work).unwrap());
    assert_eq!(bodies, BTreeSet::from(expected));
    sqs.delete_queue().queue_url(url).send().await.unwrap();
}
