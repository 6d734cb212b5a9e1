//! Meta's callbacks as API Gateway delivers them: who is believed, what is selected, what is said.

use std::collections::BTreeSet;
use std::fs;

use data_deletion::{App, handle};
use jiff::{SignedDuration, Timestamp};
use numib::domain::audit::{self, Actor};
use numib::domain::erasure::State;
use numib::domain::ids::RequestId;
use numib::edge::clock::Clock;
use numib::edge::queue::WorkQueue;
use numib::edge::secrets::SecretsCache;
use serde_json::{Value, json};
use xtask::meta::signed_request;

use super::{fill, held};
use crate::database::Database;
use crate::doors::audit::{events, said};
use crate::shop::{PEPPER, Shop, ago, now};
use crate::webhook::{Answer, Intake, event, request};
use crate::wire::{Fate, Wire, constant};

on_both_databases!(
    every_recorded_callback_has_its_verdict,
    what_is_not_metas_does_nothing,
    a_person_is_erased_in_every_account_before_the_answer,
    asked_twice_at_once_there_is_one_request,
    a_callback_sent_again_later_takes_nothing_newer,
    nobody_selects_nothing,
    a_callback_that_was_not_queued_is_not_acknowledged,
    a_code_shows_its_own_request_and_no_other,
    each_account_has_in_its_chain_what_meta_erased_of_it_and_nothing_of_others,
    what_is_erased_stays_erased_where_it_cannot_be_recorded,
);

/// The secrets of the recorded callbacks.
pub(super) const SECRETS: [&str; 2] =
    ["demo-app-secret-0001-not-real", "demo-ig-secret-0002-not-real"];
pub(super) const DELETE: &str = "POST /meta/data-deletion";
pub(super) const DEAUTHORIZE: &str = "POST /meta/deauthorize";

/// The function, with a queue that a test can look into.
pub(super) struct Desk {
    app: App,
    queue: Wire,
}

impl Desk {
    pub(super) fn open(db: &Database) -> Self {
        Self::with_queue(db, Some(json!({"MessageId": "m"})))
    }

    fn with_queue(db: &Database, answer: Option<Value>) -> Self {
        let queue = Wire::default();
        let sqs = db.sdk.to_builder().http_client(constant(answer)).build();
        let sqs = aws_sdk_sqs::Client::new(&queue.tap(&sqs));
        let secret = json!({"app_secrets": SECRETS, "verify_tokens": [], "pepper": PEPPER});
        let secret = json!({"ARN": "arn", "Name": "meta", "SecretString": secret.to_string()});
        let secrets = db.sdk.to_builder().http_client(constant(Some(secret))).build();
        let secrets = aws_sdk_secretsmanager::Client::new(&secrets);
        let app = App {
            store: db.store.clone(),
            secrets: SecretsCache::new(secrets, "meta".to_owned()),
            queue: WorkQueue::new(sqs, "https://sqs/queue".to_owned()),
            receipts: numib::seal::receipt::SigningKey::new(
                aws_sdk_kms::Client::new(&db.sdk),
                "none".to_owned(),
            ),
            public_url: Some("https://numib.example".to_owned()),
        };
        Self { app, queue }
    }

    pub(super) async fn post_at(&self, now: Timestamp, route: &str, body: &str) -> Answer {
        let mut event = event(route, "");
        event["body"] = body.into();
        Answer::of(&Box::pin(handle(&self.app, &request(&event), Clock::set_to(now))).await)
    }

    pub(super) async fn post(&self, route: &str, payload: &Value) -> Answer {
        let signed = signed_request(SECRETS[0], payload);
        self.post_at(now(), route, &format!("signed_request={signed}")).await
    }

    pub(super) async fn page(&self, code: &str) -> Answer {
        let mut event = event("GET /data-deletion/{code}", "");
        event["pathParameters"] = json!({"code": code});
        event["headers"] = json!({"accept": "application/json"});
        Answer::of(&Box::pin(handle(&self.app, &request(&event), Clock::set_to(now()))).await)
    }
}

pub(super) fn asks(person: &str, issued_at: Timestamp) -> Value {
    let at = issued_at.as_second();
    json!({"user_id": person, "algorithm": "HMAC-SHA256", "issued_at": at})
}

pub(super) fn code(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["confirmation_code"].as_str().unwrap().to_owned()
}

//= R8.4
async fn every_recorded_callback_has_its_verdict(db: &Database) {
    let desk = Desk::open(db);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/signed_requests.jsonl");
    let mut seen = 0;
    for line in fs::read_to_string(path).unwrap().lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        for route in [DELETE, DEAUTHORIZE] {
            let answer = desk.post_at(now(), route, case["body"].as_str().unwrap()).await;
            let taken = case["verdict"] != "reject";
            assert_eq!(answer.status == 200, taken, "{}: {}", case["name"], answer.text);
            assert!(taken || matches!(answer.status, 400 | 401), "{}", case["name"]);
        }
        seen += 1;
    }
    assert!(seen >= 12);
}

//= R8.4
async fn what_is_not_metas_does_nothing(db: &Database) {
    let desk = Desk::open(db);
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let before = db.dump().await;
    let asked = asks("7001", now());
    let right = signed_request(SECRETS[0], &asked);
    let (signature, payload) = right.split_once('.').unwrap();
    let bodies = [
        (401, format!("signed_request={}", signed_request("another", &asked))),
        (401, format!("signed_request={}", signed_request("", &asked))),
        (400, format!("signed_request={signature}")),
        (400, format!("signed_request={right}&signed_request={right}")),
        (400, format!("signed_request=x{signature}.{payload}")),
        (400, String::new()),
        (413, format!("signed_request={right}&x={}", "x".repeat(40_000))),
        (400, format!("signed_request={}", "x".repeat(15_000))),
    ];
    for route in [DELETE, DEAUTHORIZE] {
        for (status, body) in &bodies {
            let answer = desk.post_at(now(), route, body).await;
            assert_eq!(answer.status, *status, "{route}: {}", answer.text);
            assert_eq!(answer.content_type, "application/problem+json");
        }
    }
    assert_eq!(db.dump().await, before);
    assert!(desk.queue.calls().is_empty());
}

//= R8.3, R8.4
async fn a_person_is_erased_in_every_account_before_the_answer(db: &Database) {
    let desk = Desk::open(db);
    let shops = [Shop::open(db).await, Shop::open(db).await];
    for shop in &shops {
        fill(db, shop).await;
    }
    let answer = desk.post(DELETE, &asks("7001", now())).await;
    let found = code(&answer);
    let fields: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["confirmation_code", "url"]);
    assert_eq!(answer.json()["url"], format!("https://numib.example/data-deletion/{found}"));
    for shop in &shops {
        let inbox = db.store.inbox(&shop.connection.id, None, 10).await.unwrap();
        assert!(inbox.iter().all(|entry| entry.conversation != shop.conversation("7001")));
    }
    let stored = db.store.request(&RequestId::parse(&found).unwrap()).await.unwrap().unwrap();
    assert_eq!((stored.request.state, stored.request.targets.len()), (State::Shredded, 2));
    let queued = desk.queue.calls();
    assert_eq!(queued.len(), 1);
    assert!(queued[0].body["MessageBody"].as_str().unwrap().contains(&found));
}

//= R8.4
async fn asked_twice_at_once_there_is_one_request(db: &Database) {
    let desk = Desk::open(db);
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let asked = asks("7001", now());
    let (one, two) = tokio::join!(desk.post(DELETE, &asked), desk.post(DELETE, &asked));
    assert_eq!(code(&one), code(&two));
    assert_eq!(code(&desk.post(DELETE, &asked).await), code(&one));
}

//= R8.3
async fn a_callback_sent_again_later_takes_nothing_newer(db: &Database) {
    let desk = Desk::open(db);
    let shop = Shop::open(db).await;
    // It was issued a day ago, so it does not cover what was written since.
    let issued = now() - SignedDuration::from_hours(24);
    let items = [
        shop.text("7001", ago(9000), "m_1", "newer"),
        shop.text("7001", ago(8000), "m_2", "newer still"),
    ];
    Intake::start(db).deliver(&shop.body(&items)).await.counts();
    code(&desk.post(DELETE, &asks("7001", issued)).await);
    assert_eq!(shop.row(db, "7001", "m_1").await.unwrap().shown(), Some("newer"));
    let conversation = shop.conversation("7001");
    let asked = BTreeSet::from([conversation.clone()]);
    let sight = db.store.look_again(&BTreeSet::new(), &asked).await.unwrap();
    let marks = sight.contacts[&conversation].marks;
    assert!(!marks.erases(ago(9000)), "the mark ends soon after the callback was issued");
    // A deauthorisation of before the channel was connected takes nothing.
    let old = Shop::open(db).await;
    old.erase(db).await;
    let fresh = old.successor(db, ago(1000)).await;
    let removed = json!({"user_id": "0", "profile_id": fresh.meta_id,
                         "algorithm": "HMAC-SHA256", "issued_at": issued.as_second()});
    assert_eq!(desk.post(DEAUTHORIZE, &removed).await.status, 200);
    let found = db.store.connection(&fresh.connection.route, true).await.unwrap().unwrap();
    assert_eq!(found.state, numib::domain::connection::ConnectionState::Active);
}

//= R8.4
async fn nobody_selects_nothing(db: &Database) {
    let desk = Desk::open(db);
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let before = held(db, &shop).await;
    for nobody in [json!(""), json!("0"), json!(0), Value::Null] {
        let payload = json!({"user_id": nobody, "algorithm": "HMAC-SHA256"});
        let first = code(&desk.post(DELETE, &payload).await);
        let second = code(&desk.post(DELETE, &payload).await);
        assert_ne!(first, second, "two who are not named are not the same");
        assert_eq!(desk.page(&first).await.json()["data_held"], false);
        assert_eq!(desk.post(DEAUTHORIZE, &payload).await.status, 200);
    }
    assert_eq!(held(db, &shop).await, before);
}

//= R8.3
async fn a_callback_that_was_not_queued_is_not_acknowledged(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let deaf = Desk::with_queue(db, None);
    assert_eq!(deaf.post(DELETE, &asks("7001", now())).await.status, 500);
    // What it covers is unreadable all the same, and the next try queues it.
    let inbox = db.store.inbox(&shop.connection.id, None, 10).await.unwrap();
    assert!(inbox.iter().all(|entry| entry.conversation != shop.conversation("7001")));
    let desk = Desk::open(db);
    code(&desk.post(DELETE, &asks("7001", now())).await);
    assert_eq!(desk.queue.calls().len(), 1);
}

//= R8.4
async fn a_code_shows_its_own_request_and_no_other(db: &Database) {
    let desk = Desk::open(db);
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let found = code(&desk.post(DELETE, &asks("7001", now())).await);
    let status = desk.page(&found).await;
    assert_eq!(status.json()["confirmation_code"], found);
    for text in [shop.meta_id.as_str(), shop.connection.account.as_str()] {
        assert!(!status.text.contains(text), "{text} is on the page");
    }
    let mut near = found.clone().into_bytes();
    near[0] = if near[0] == b'0' { b'1' } else { b'0' };
    let near = String::from_utf8(near).unwrap();
    let long = "a".repeat(4000);
    for other in [near.as_str(), "", "..", "a#b", "REQUEST", "%00", "<script>", long.as_str()] {
        assert_eq!(desk.page(other).await.status, 404, "{other:?}");
    }
}

//= R1.3
async fn each_account_has_in_its_chain_what_meta_erased_of_it_and_nothing_of_others(db: &Database) {
    let desk = Desk::open(db);
    let shops = [Shop::open(db).await, Shop::open(db).await, Shop::open(db).await];
    let [one, two, _] = &shops;
    fill(db, one).await;
    let body = two.body(&[two.text("7001", ago(2000), "m_1", "one")]);
    Intake::start(db).deliver(&body).await;
    code(&desk.post(DELETE, &asks("7001", now())).await);
    let alone = code(&desk.post(DELETE, &asks("7002", now())).await);
    // Where nothing is held of a person, no account has anything to record.
    code(&desk.post(DELETE, &asks("7099", now())).await);
    let issued_at = now().as_second();
    let gone = json!({
        "algorithm": "HMAC-SHA256", "profile_id": two.meta_id, "issued_at": issued_at,
    });
    assert_eq!(desk.post(DEAUTHORIZE, &gone).await.status, 200);
    let expected = [
        vec![
            format!("meta-deletion done: conversation {}", one.conversation("7001")),
            format!(
                "meta-deletion done: conversation {}, request {alone}",
                one.conversation("7002")
            ),
        ],
        vec![
            format!("meta-deletion done: conversation {}", two.conversation("7001")),
            format!("meta-deauthorize done: connection {}", two.connection.id),
        ],
        Vec::new(),
    ];
    for (shop, expected) in shops.iter().zip(expected) {
        let events = events(db, &shop.connection.account).await;
        assert_eq!(events.iter().map(said).collect::<Vec<_>>(), expected);
        assert!(events.iter().all(|event| event.actor == Actor::Meta && event.address.is_none()));
    }
    assert_eq!(events(db, &audit::nobody()).await, []);
}

//= R8.3
async fn what_is_erased_stays_erased_where_it_cannot_be_recorded(db: &Database) {
    let desk = Desk::open(db);
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    db.wire.decide(|call| {
        let is_audit =
            call.operation == "TransactWriteItems" && call.body.to_string().contains("\"AUDIT#");
        if is_audit { Fate::Failed } else { Fate::Passes }
    });
    let found = code(&desk.post(DELETE, &asks("7001", now())).await);
    db.wire.heal();
    let stored = db.store.request(&RequestId::parse(&found).unwrap()).await.unwrap().unwrap();
    assert_eq!(stored.request.state, State::Shredded);
    assert_eq!(desk.queue.calls().len(), 1);
}
