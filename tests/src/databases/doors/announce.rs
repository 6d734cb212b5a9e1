//! How owners are told of a new version of the privacy policy.

use std::time::Duration;

use ::worker::{App, Event};
use numib::domain::ids::{AccountId, MemberId, PolicyVersion};
use numib::domain::role::Role;
use numib::edge::clock::Clock;
use numib::edge::mail::Mailer;
use numib::edge::queue::WorkQueue;
use numib::identity::UserPool;
use serde_json::{Value, json};
use xtask::account::random_id;

use super::consents::publish;
use super::{DELETE_ACCOUNT, Office, sign_in};
use crate::database::Database;
use crate::wire::{Fate, Wire, constant};

on_both_databases!(announcing_goes_on_where_it_was_and_one_owner_holds_up_no_other);

/// A worker, and what it asks of the user pool, of SES and of its queue.
struct Worker {
    app: App,
    pool: Wire,
    mail: Wire,
    queue: Wire,
}

impl Worker {
    fn open(db: &Database, office: &Office<'_>) -> Self {
        let [pool, mail, queue] = [(); 3].map(|()| Wire::default());
        let answers = |answer| db.sdk.to_builder().http_client(constant(answer)).build();
        let user_pool = UserPool::new(&pool.tap(&answers(None)), "none".to_owned());
        let sent = answers(Some(json!({"MessageId": "m"})));
        let sqs = aws_sdk_sqs::Client::new(&queue.tap(&sent));
        let app = App {
            eraser: office.eraser(user_pool),
            queue: WorkQueue::new(sqs, "https://sqs/queue".to_owned()),
            mailer: Some(Mailer::new(&mail.tap(&sent), "numib@numib.example".to_owned())),
            public_url: "https://numib.example".to_owned(),
        };
        Self { app, pool, mail, queue }
    }

    /// Lets it work on this when its time is over; returns what it left.
    async fn work(&self, body: &str) -> Option<String> {
        let records = json!({"Records": [{"messageId": "m", "body": body}]});
        let event: Event = serde_json::from_value(records).unwrap();
        let clock = Clock { lasts: Duration::ZERO, ..Clock::start() };
        let answer = ::worker::handle(&self.app, event, clock).await.unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}));
        let left = |call: crate::wire::Call| call.body["MessageBody"].as_str().map(str::to_owned);
        self.queue.calls().into_iter().find_map(left)
    }

    fn told(&self) -> Vec<String> {
        let to = |call: crate::wire::Call| call.body["Destination"]["ToAddresses"][0].to_string();
        self.mail.calls().into_iter().map(to).collect()
    }
}

fn user(claims: &Value, email: &str, is_verified: bool) -> Value {
    let attribute = |name: &str, value: &str| json!({"Name": name, "Value": value});
    let verified = attribute("email_verified", &is_verified.to_string());
    let sub = claims["sub"].as_str().unwrap();
    json!({"Attributes": [attribute("sub", sub), attribute("email", email), verified]})
}

//= R10.1
async fn announcing_goes_on_where_it_was_and_one_owner_holds_up_no_other(db: &Database) {
    let office = Office::open(db);
    let mut owners = Vec::new();
    for _ in 0..4 {
        let account = AccountId::parse(&random_id().unwrap()).unwrap();
        owners.push(sign_in(db, &account, Role::Owner).await);
    }
    let locked = office.delete(&owners[1], DELETE_ACCOUNT, json!({})).await;
    assert_eq!(locked.status, 202, "{}", locked.text);
    publish(db, "v2", "2027-01-15").await;
    let worker = Worker::open(db, &office);
    let first = [
        user(&owners[0], "refused@shop.example", true),
        user(&owners[1], "locked@shop.example", true),
        user(&owners[2], "unverified@shop.example", false),
    ];
    let second = [user(&owners[3], "good@shop.example", true)];
    worker.pool.decide(move |call| {
        let page = match call.body["NextToken"].as_str() {
            None => json!({"Users": first, "NextToken": "page-2"}),
            Some("page-2") => json!({"Users": second}),
            Some(other) => panic!("{other}"),
        };
        Fate::Answered(page)
    });
    worker.mail.decide(|call| {
        let is_refused = call.body.to_string().contains("refused@");
        if is_refused { Fate::Refused("MessageRejected") } else { Fate::Passes }
    });
    let left = worker.work(r#"{"work": "announce", "version": "v2"}"#).await.unwrap();
    assert_eq!(left, r#"{"work":"announce","version":"v2","page":"page-2"}"#);
    assert_eq!(worker.told(), ["\"refused@shop.example\""]);
    assert_eq!(worker.work(&left).await, None, "it ends");
    assert_eq!(worker.told(), ["\"good@shop.example\""]);
    let version = PolicyVersion::parse("v2").unwrap();
    for (owner, is_told) in owners.iter().zip([false, false, false, true]) {
        let id = MemberId::parse(owner["sub"].as_str().unwrap()).unwrap();
        assert_eq!(db.store.was_told(&id, &version).await.unwrap(), is_told);
    }
}
