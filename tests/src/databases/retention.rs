//! Key provisioning: one key per connection and day, a week ahead, whatever happens to a run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use numib::archive::attestations::Attestations;
use numib::archive::exports::Exports;
use numib::domain::connection::Connection;
use numib::domain::erasure::{Source, State};
use numib::domain::ids::{Channel, ConnectionId, RouteId};
use numib::domain::key_window;
use numib::domain::plan::Plan;
use numib::domain::time::Day;
use numib::edge::queue::{ExportQueue, WorkQueue};
use numib::edge::{clients, clock::Clock};
use numib::erasure::{self, Asked};
use numib::seal::key_name::KeyName;
use numib::seal::kms::DataKeys;
use numib::seal::receipt::SigningKey;
use retention::{App, Event, RetentionError, Schedule, handle};
use serde_json::{Value, json};

use crate::database::Database;
use crate::shop::{Shop, ago, key_pair, now};
use crate::webhook::Intake;
use crate::wire::{Call, Fate, constant};

on_ministack!(
    a_run_gives_every_connection_keys_for_the_whole_window,
    a_second_run_changes_nothing,
    the_next_day_brings_one_key_and_lets_the_oldest_go,
    the_time_of_a_run_is_its_events_own,
    erased_connections_get_no_keys,
    a_run_that_is_out_of_time_leaves_whole_connections_and_the_next_goes_on,
    a_run_that_kms_throttles_stops_and_the_next_goes_on,
    one_connection_that_fails_costs_the_others_nothing,
    connections_that_fail_do_not_starve_those_behind_them,
    a_damaged_connection_costs_the_others_nothing,
    runs_at_the_same_time_agree_on_one_key_a_day,
    an_event_of_no_task_is_refused,
    erasures_that_are_stuck_are_queued_again_and_no_others,
    an_erasure_that_a_worker_is_at_is_not_stuck_and_still_open,
);

pub(crate) fn event(at: Timestamp, task: &str) -> Event {
    let schedule =
        format!("arn:aws:scheduler:us-east-1:111122223333:schedule/default/numib-{task}");
    Event::Schedule(Schedule { time: at.to_string(), resources: vec![schedule] })
}

/// A function, and what its KMS is.
async fn function(db: &Database) -> (App, DataKeys) {
    let day_keys = db.day_keys().await;
    let queue = queue(db, "https://sqs/queue");
    (app(db, day_keys.clone(), queue), day_keys)
}

/// A function that has no business with what is signed or filed.
pub(crate) fn app(db: &Database, day_keys: DataKeys, queue: WorkQueue) -> App {
    let nothing = db.sdk.to_builder().http_client(constant(None)).build();
    let receipts = SigningKey::new(aws_sdk_kms::Client::new(&nothing), "none".to_owned());
    let attestations = Attestations::new(clients::s3(&nothing), "none".to_owned());
    let exports = Exports::new(clients::s3(&nothing), "none".to_owned());
    let export_queue = ExportQueue::new(aws_sdk_sqs::Client::new(&nothing), "none".to_owned());
    let store = db.store.clone();
    App { store, day_keys, queue, receipts, attestations, exports, export_queue }
}

/// A queue that takes everything, on the test's wire.
pub(crate) fn queue(db: &Database, url: &str) -> WorkQueue {
    let sqs = db.sdk.to_builder().http_client(constant(Some(json!({"MessageId": "m"})))).build();
    WorkQueue::new(aws_sdk_sqs::Client::new(&db.wire.tap(&sqs)), url.to_owned())
}

/// Runs the task with plenty of time.
async fn run(app: &App, at: Timestamp) -> Value {
    run_for(app, at, SignedDuration::from_mins(5)).await
}

async fn run_for(app: &App, at: Timestamp, time: SignedDuration) -> Value {
    let event = event(at, "provision-day-keys");
    Box::pin(handle(app, event, clock_for(time))).await.unwrap()
}

pub(crate) fn clock_for(time: SignedDuration) -> Clock {
    Clock { lasts: Duration::try_from(time).unwrap_or_default(), ..Clock::start() }
}

async fn shops(db: &Database, count: usize) -> Vec<Shop> {
    let mut shops = Vec::new();
    for _ in 0..count {
        shops.push(Shop::without_keys(db, Channel::Messenger, Plan::Days90).await);
    }
    shops
}

fn today() -> Day {
    Day::of(now())
}

/// The days a connection has keys for; what intake seals to is what the table holds.
async fn days(db: &Database, shop: &Shop) -> Vec<Day> {
    let connection = db.store.connection(&shop.connection.route, true).await.unwrap().unwrap();
    for (day, key) in &connection.day_keys {
        let stored = db.store.public_day_key(&connection.id, *day).await.unwrap();
        assert_eq!(stored.as_ref(), Some(key), "{day}");
    }
    connection.day_keys.keys().copied().collect()
}

fn window(today: Day) -> Vec<Day> {
    key_window::days(today).collect()
}

//= R4.1
async fn a_run_gives_every_connection_keys_for_the_whole_window(db: &Database) {
    let (app, day_keys) = function(db).await;
    let shops = shops(db, 3).await;
    let done = run(&app, now()).await;
    let expected = json!({
        "task": "provision-day-keys", "connections_done": 3, "connections_failed": 0,
        "keys_made": 30, "horizon_days": 7, "complete": true,
    });
    assert_eq!(done, expected);
    for shop in &shops {
        assert_eq!(days(db, shop).await, window(today()));
        // Intake can seal to them, and KMS unwraps what opens it, under the right name only.
        let body = shop.body(&[shop.text("7001", ago(9), "m_1", "hi")]);
        assert_eq!(Intake::start(db).deliver(&body).await.counts(), json!({"stored": 1}));
        let id = &shop.connection.id;
        let wrapped = db.store.wrapped_day_key(id, today()).await.unwrap().unwrap();
        assert_eq!(wrapped.account, shop.connection.account);
        let name = KeyName::Day { account: &shop.connection.account, connection: id, day: today() };
        day_keys.unwrap(name, &wrapped.wrapped_key).await.unwrap();
        let tomorrow = KeyName::Day {
            account: &shop.connection.account,
            connection: id,
            day: today().plus(1),
        };
        assert!(day_keys.unwrap(tomorrow, &wrapped.wrapped_key).await.is_err());
    }
    let shred_on = format!("shred_on={}", today().plus(91));
    let keys = db.dump_table(&db.tables.keys).await;
    assert_eq!(keys.iter().filter(|item| item.contains(&shred_on)).count(), 3);
}

async fn a_second_run_changes_nothing(db: &Database) {
    let (app, _) = function(db).await;
    shops(db, 2).await;
    run(&app, now()).await;
    let before = db.dump().await;
    let done = run(&app, now()).await;
    assert_eq!((&done["keys_made"], &done["complete"]), (&json!(0), &json!(true)));
    assert_eq!(db.dump().await, before);
}

async fn the_next_day_brings_one_key_and_lets_the_oldest_go(db: &Database) {
    let (app, _) = function(db).await;
    let shops = shops(db, 1).await;
    run(&app, now()).await;
    let before = db.dump_table(&db.tables.keys).await;
    let done = run(&app, now() + SignedDuration::from_hours(24)).await;
    assert_eq!((&done["keys_made"], &done["horizon_days"]), (&json!(1), &json!(7)));
    assert_eq!(days(db, &shops[0]).await, window(today().plus(1)));
    let after = db.dump_table(&db.tables.keys).await;
    assert!(before.is_subset(&after), "no key is replaced, and none is destroyed early");
    assert_eq!(after.len(), before.len() + 1);
}

async fn the_time_of_a_run_is_its_events_own(db: &Database) {
    let (app, _) = function(db).await;
    let shops = shops(db, 1).await;
    let then: Timestamp = "2031-03-01T23:59:59Z".parse().unwrap();
    run(&app, then).await;
    assert_eq!(days(db, &shops[0]).await, window(Day::parse("2031-03-01").unwrap()));
}

//= R8.3
async fn erased_connections_get_no_keys(db: &Database) {
    let (app, _) = function(db).await;
    let shops = shops(db, 2).await;
    shops[0].erase(db).await;
    let done = run(&app, now()).await;
    assert_eq!((&done["connections_done"], &done["keys_made"]), (&json!(1), &json!(10)));
    assert_eq!(done["horizon_days"], 7, "an erased connection is not behind");
    assert_eq!(days(db, &shops[0]).await, []);
    let none = db.store.public_day_key(&shops[0].connection.id, today()).await.unwrap();
    assert_eq!(none, None);
    // One that is erased while it is being served keeps its state, and is no failure.
    let (shop, other) = (shops[1].clone(), db.clone());
    db.wire.before("UpdateItem", async move { shop.erase(&other).await });
    let tomorrow = run(&app, now() + SignedDuration::from_hours(24)).await;
    let served = (&tomorrow["connections_done"], &tomorrow["connections_failed"]);
    assert_eq!(served, (&json!(0), &json!(0)));
    assert_eq!(days(db, &shops[1]).await, []);
}

async fn a_run_that_is_out_of_time_leaves_whole_connections_and_the_next_goes_on(db: &Database) {
    let (app, _) = function(db).await;
    let shops = shops(db, 8).await;
    // Ten seconds are kept back; ten keys a connection, paced, take a quarter of a second.
    let first = run_for(&app, now(), SignedDuration::from_millis(11_500)).await;
    assert_eq!((&first["complete"], &first["horizon_days"]), (&json!(false), &json!(-1)));
    let done_first = first["connections_done"].as_u64().unwrap();
    assert!((1..8).contains(&done_first), "{first}");
    let mut whole = 0;
    for shop in &shops {
        let days = days(db, shop).await;
        assert!(days.is_empty() || days == window(today()));
        whole += u64::from(!days.is_empty());
    }
    assert_eq!(whole, done_first);
    let second = run(&app, now()).await;
    assert_eq!(second["connections_done"].as_u64().unwrap(), 8 - done_first);
    assert_eq!((&second["complete"], &second["horizon_days"]), (&json!(true), &json!(7)));
    let keys = [&first, &second].map(|run| run["keys_made"].as_u64().unwrap());
    assert_eq!(keys.iter().sum::<u64>(), 80, "nothing is made twice");
}

fn makes_a_key(call: &Call) -> bool {
    call.operation == "GenerateDataKeyPairWithoutPlaintext"
}

async fn a_run_that_kms_throttles_stops_and_the_next_goes_on(db: &Database) {
    let (app, _) = function(db).await;
    let shops = shops(db, 2).await;
    let mut made = 0;
    db.wire.decide(move |call| {
        made += usize::from(makes_a_key(call));
        if makes_a_key(call) && made > 14 { Fate::Throttled } else { Fate::Passes }
    });
    let first = run(&app, now()).await;
    assert_eq!((&first["connections_done"], &first["complete"]), (&json!(1), &json!(false)));
    assert_eq!(first["connections_failed"], 0);
    db.wire.heal();
    db.wire.calls();
    let second = run(&app, now()).await;
    assert_eq!((&second["connections_done"], &second["complete"]), (&json!(1), &json!(true)));
    let made = db.wire.calls().iter().filter(|call| makes_a_key(call)).count();
    assert_eq!(made, 6, "the four keys of the interrupted connection are used");
    for shop in &shops {
        assert_eq!(days(db, shop).await, window(today()));
    }
}

async fn one_connection_that_fails_costs_the_others_nothing(db: &Database) {
    let (app, _) = function(db).await;
    let shops = shops(db, 4).await;
    let failing = shops[1].connection.id.to_string();
    db.wire.decide(move |call| {
        let hit = call.body["EncryptionContext"]["connection"] == failing.as_str();
        if hit { Fate::Failed } else { Fate::Passes }
    });
    let done = run(&app, now()).await;
    assert_eq!((&done["connections_done"], &done["horizon_days"]), (&json!(3), &json!(-1)));
    assert!(done["connections_failed"].as_u64().unwrap() >= 1);
    let served: BTreeSet<usize> = {
        let mut served = BTreeSet::new();
        for (number, shop) in shops.iter().enumerate() {
            if days(db, shop).await == window(today()) {
                served.insert(number);
            }
        }
        served
    };
    assert_eq!(served, BTreeSet::from([0, 2, 3]));
    assert_eq!(done["complete"], false, "what failed is left to do");
    db.wire.heal();
    assert_eq!(run(&app, now()).await["connections_done"], 1);
}

async fn connections_that_fail_do_not_starve_those_behind_them(db: &Database) {
    let (app, _) = function(db).await;
    // All in one shard, more than are taken at once, and none of them can be given keys.
    let first = Shop::without_keys(db, Channel::Messenger, Plan::Days30).await;
    for number in 0..60 {
        let connection = Connection {
            route: RouteId::parse(&format!("route{number}")).unwrap(),
            ..first.connection.clone()
        };
        db.store.create_connection(&connection, &[7; 32]).await.unwrap();
    }
    let id = first.connection.id.as_str();
    let behind = Connection {
        id: ConnectionId::parse(&id.chars().rev().collect::<String>()).unwrap(),
        route: RouteId::parse("behind").unwrap(),
        ..first.connection.clone()
    };
    db.store.create_connection(&behind, &[7; 32]).await.unwrap();
    let keys = BTreeMap::from([(today(), key_pair().public_key)]);
    db.store.publish_day_keys(&behind, &keys, today()).await.unwrap();
    let failing = id.to_owned();
    db.wire.decide(move |call| {
        let hit = call.body["EncryptionContext"]["connection"] == failing.as_str();
        if hit { Fate::Failed } else { Fate::Passes }
    });
    let done = run(&app, now()).await;
    let counts = (&done["connections_done"], &done["connections_failed"], &done["complete"]);
    assert_eq!(counts, (&json!(1), &json!(61), &json!(false)));
}

async fn a_damaged_connection_costs_the_others_nothing(db: &Database) {
    let (app, _) = function(db).await;
    let shops = shops(db, 3).await;
    db.raw
        .update_item()
        .table_name(&db.tables.core)
        .key("pk", AttributeValue::S(format!("ROUTE#{}", shops[0].connection.route)))
        .key("sk", AttributeValue::S("CONNECTION".to_owned()))
        .update_expression("REMOVE plan_days")
        .send()
        .await
        .unwrap();
    let done = run(&app, now()).await;
    let counts = (&done["connections_done"], &done["connections_failed"], &done["complete"]);
    assert_eq!(counts, (&json!(2), &json!(1), &json!(false)));
}

async fn runs_at_the_same_time_agree_on_one_key_a_day(db: &Database) {
    let (app, day_keys) = function(db).await;
    let other = self::app(db, day_keys, app.queue.clone());
    let shops = shops(db, 3).await;
    let (one, two) = tokio::join!(run(&app, now()), run(&other, now()));
    for done in [&one, &two] {
        assert_eq!((&done["complete"], &done["connections_failed"]), (&json!(true), &json!(0)));
    }
    for shop in &shops {
        assert_eq!(days(db, shop).await, window(today()));
    }
    let keys = db.dump_table(&db.tables.keys).await;
    assert_eq!(keys.iter().filter(|item| item.contains("sk=DAY#")).count(), 30);
}

async fn an_event_of_no_task_is_refused(db: &Database) {
    let (app, _) = function(db).await;
    let clock = clock_for(SignedDuration::from_mins(5));
    let unknown = handle(&app, event(now(), "make-coffee"), clock).await;
    assert!(matches!(unknown, Err(RetentionError::UnknownTask)));
    let resources = vec!["numib-provision-day-keys".to_owned()];
    let timeless = Event::Schedule(Schedule { time: "yesterday".to_owned(), resources });
    assert!(matches!(handle(&app, timeless, clock).await, Err(RetentionError::BadTime)));
}

//= R5.8
async fn erasures_that_are_stuck_are_queued_again_and_no_others(db: &Database) {
    let (app, _) = function(db).await;
    let ask = async |subject: &str, ago: SignedDuration| {
        let (source, subject) = (Source::Operator, subject.to_owned());
        let asked = Asked { source, reference: None, subject, targets: Vec::new(), due_at: None };
        erasure::begin(&db.store, asked, now() - ago).await.unwrap().id
    };
    let stuck = ask("stuck", SignedDuration::from_mins(16)).await;
    ask("young", SignedDuration::from_mins(14)).await;
    let ended = ask("ended", SignedDuration::from_mins(20)).await;
    let mut request = db.store.request(&ended).await.unwrap().unwrap().request;
    request.state = State::Completed;
    db.store.save_progress(request).await.unwrap();
    db.wire.calls();
    let event = event(now(), "resume-erasures");
    let clock = clock_for(SignedDuration::from_mins(5));
    let done = handle(&app, event, clock).await.unwrap();
    assert_eq!(done, json!({"task": "resume-erasures", "resumed": 1}));
    let sent: Vec<_> = db.wire.calls();
    let sent: Vec<_> = sent.iter().filter(|call| call.operation == "SendMessage").collect();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].body["MessageBody"].as_str().unwrap().contains(stuck.as_str()));
}

//= R5.8
async fn an_erasure_that_a_worker_is_at_is_not_stuck_and_still_open(db: &Database) {
    let (app, _) = function(db).await;
    let (source, subject) = (Source::Operator, "long".to_owned());
    let asked = Asked { source, reference: None, subject, targets: Vec::new(), due_at: None };
    let asked_at = now() - SignedDuration::from_mins(45);
    let id = erasure::begin(&db.store, asked, asked_at).await.unwrap().id;
    let run = async |task: &str, at: Timestamp| {
        let clock = clock_for(SignedDuration::from_mins(5));
        Box::pin(handle(&app, event(at, task), clock)).await.unwrap()
    };
    let mut request = db.store.request(&id).await.unwrap().unwrap().request;
    request.state = State::Sweeping;
    let saved_at = now() - SignedDuration::from_mins(5);
    db.store.save_work(request, None, saved_at).await.unwrap();
    assert_eq!(run("resume-erasures", now()).await["resumed"], 0);
    assert_eq!(run("watch-deadlines", now()).await["open"], 1);
    // Its worker died: nothing has saved it since.
    let later = saved_at + SignedDuration::from_mins(16);
    assert_eq!(run("resume-erasures", later).await["resumed"], 1);
    // A run at a time before the erasure was asked for finds none.
    assert_eq!(run("watch-deadlines", asked_at - SignedDuration::from_mins(1)).await["open"], 0);
}
