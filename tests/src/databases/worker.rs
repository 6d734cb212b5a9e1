//! What a scheduled run has no time for, or no right to, is a worker's, until it is done.

use std::collections::BTreeSet;

use ::worker::{App, Event, Record, handle};
use jiff::{SignedDuration, Timestamp};
use numib::archive::exports::Exports;
use numib::concurrent::try_all;
use numib::domain::erasure::Source;
use numib::domain::ids::Channel;
use numib::domain::plan::Plan;
use numib::domain::tally::Tally;
use numib::domain::time::Day;
use numib::edge::clients;
use numib::erasure::{self, Asked, Eraser};
use numib::identity::UserPool;
use numib::seal::kms::DataKeys;
use numib::seal::receipt::SigningKey;
use serde_json::{Value, json};

use crate::database::Database;
use crate::expiry::shop;
use crate::retention::{app, clock_for, event, queue};
use crate::shop::{Shop, now};
use crate::wire::constant;

on_both_databases!(
    what_a_run_has_no_time_for_is_done_by_a_worker_and_tallied_by_it,
    rows_are_swept_by_the_worker_alone_at_the_time_of_the_schedule,
    work_that_runs_out_of_time_is_queued_again_for_an_hour,
);

on_dynoxide!(however_many_erasures_are_stuck_each_is_queued_again);

const LONG: SignedDuration = SignedDuration::from_mins(5);
/// Less than is kept back for the answer.
const SHORT: SignedDuration = SignedDuration::from_secs(5);

/// A worker that has nothing but its database and its queue.
fn worker(db: &Database) -> App {
    let nothing = db.sdk.to_builder().http_client(constant(None)).build();
    let eraser = Eraser {
        store: db.store.clone(),
        user_pool: UserPool::new(&nothing, "none".to_owned()),
        receipts: SigningKey::new(aws_sdk_kms::Client::new(&nothing), "none".to_owned()),
        exports: Exports::new(clients::s3(&nothing), "none".to_owned()),
    };
    let queue = queue(db, "https://sqs/queue");
    App { eraser, queue, mailer: None, public_url: String::new() }
}

/// Gives these messages to a worker.
async fn work(db: &Database, bodies: &[String], time: SignedDuration) {
    let record = |body: &String| Record { message_id: "m".to_owned(), body: body.clone() };
    let records = bodies.iter().map(record).collect();
    let worker = worker(db);
    let done = handle(&worker, Event::Queue { records }, clock_for(time));
    assert_eq!(Box::pin(done).await.unwrap(), json!({"batchItemFailures": []}));
}

async fn run(db: &Database, task: &str, at: Timestamp, time: SignedDuration) -> Value {
    let keys = DataKeys::new(aws_sdk_kms::Client::new(&db.sdk), String::new());
    let app = app(db, keys, queue(db, "https://sqs/queue"));
    let ran = retention::handle(&app, event(at, task), clock_for(time));
    Box::pin(ran).await.unwrap()
}

/// What was queued since the last time of asking.
fn queued(db: &Database) -> Vec<String> {
    let calls = db.wire.calls().into_iter();
    let bodies = calls.filter_map(|call| Some(call.body["MessageBody"].as_str()?.to_owned()));
    bodies.collect()
}

fn parsed(bodies: &[String]) -> Vec<Value> {
    bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect()
}

//= R6.2
async fn what_a_run_has_no_time_for_is_done_by_a_worker_and_tallied_by_it(db: &Database) {
    let shop = Shop::without_keys(db, Channel::Messenger, Plan::Days7).await;
    shop.make_keys(db, std::iter::once(Day::of(now()))).await;
    let dies = Plan::Days7.shred_on(Day::of(now()));
    db.wire.calls();
    let ran = run(db, "destroy-expired-keys", dies.start(), SHORT).await;
    assert_eq!((&ran["destroyed"], &ran["complete"]), (&json!(0), &json!(false)));
    let bodies = queued(db);
    assert_eq!(parsed(&bodies), [json!({"work": "destroy-day-keys", "at": dies.start()})]);
    work(db, &bodies, LONG).await;
    assert_eq!(db.store.day_key_days(&shop.connection.id).await.unwrap(), []);
    assert_eq!(db.store.tally(dies).await.unwrap().sum(Tally::KeysDestroyed), 1);
    assert_eq!(queued(db), [""; 0], "it is done");
    // One that has time for all of it queues nothing.
    assert_eq!(run(db, "destroy-expired-keys", dies.start(), LONG).await["complete"], true);
    assert_eq!(queued(db), [""; 0]);
}

//= R6.2
async fn rows_are_swept_by_the_worker_alone_at_the_time_of_the_schedule(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0]).await;
    let at = Day::of(now()).plus(9).start();
    db.wire.calls();
    let ran = run(db, "sweep-expired-rows", at, LONG).await;
    assert_eq!(ran, json!({"task": "sweep-expired-rows", "queued": true}));
    let bodies = queued(db);
    assert_eq!(parsed(&bodies), [json!({"work": "sweep-rows", "at": at})]);
    assert!(shop.row(db, "7001", "m_0").await.is_some());
    work(db, &bodies, LONG).await;
    assert!(shop.row(db, "7001", "m_0").await.is_none());
    assert_eq!(db.store.tally(Day::of(at)).await.unwrap().sum(Tally::RowsSwept), 1);
}

//= R6.2
async fn work_that_runs_out_of_time_is_queued_again_for_an_hour(db: &Database) {
    let message = |work: &str, at: &str| json!({"work": work, "at": at}).to_string();
    for name in ["sweep-rows", "destroy-day-keys"] {
        let latest = message(name, "2100-01-01T00:00:00Z");
        db.wire.calls();
        work(db, std::slice::from_ref(&latest), SHORT).await;
        assert_eq!(parsed(&queued(db)), parsed(&[latest]));
        // By then the schedule has queued others, as many as would pile up.
        work(db, &[message(name, "2020-01-01T00:00:00Z")], SHORT).await;
        assert_eq!(queued(db), [""; 0]);
    }
}

//= R5.8
async fn however_many_erasures_are_stuck_each_is_queued_again(db: &Database) {
    const STUCK: usize = 1002;
    let opened = (0..STUCK).map(async |number: usize| {
        let (source, subject) = (Source::Operator, format!("stuck {number}"));
        let asked = Asked { source, reference: None, subject, targets: Vec::new(), due_at: None };
        erasure::open(&db.store, asked, None, now() - SignedDuration::from_mins(16)).await
    });
    let opened = try_all(opened, 16).await.unwrap();
    let opened: BTreeSet<String> =
        opened.into_iter().map(|parts| parts.followed.id.to_string()).collect();
    db.wire.calls();
    assert_eq!(run(db, "resume-erasures", now(), LONG).await["resumed"], STUCK);
    let queued = parsed(&queued(db)).into_iter();
    let queued: BTreeSet<String> =
        queued.map(|work| work["request"].as_str().unwrap().to_owned()).collect();
    assert_eq!(queued, opened);
    assert_eq!(run(db, "resume-erasures", now(), SHORT).await["resumed"], 0, "no time");
}
