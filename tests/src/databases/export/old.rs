//! The schedule of exports: what is a week old goes, what is stuck goes on.

use jiff::{SignedDuration, Timestamp};
use numib::domain::export::KEPT;
use numib::domain::tally::Tally;
use numib::domain::time::Day;
use retention::{App, handle};
use serde_json::{Value, json};

use super::Desk;
use crate::database::Database;
use crate::retention::{app, clock_for, event, queue};
use crate::shop::{ago, now};
use crate::wire::{Call, Wire};

on_both_databases!(
    an_export_of_a_week_ago_is_removed_with_its_archive_and_no_other,
    an_export_that_nobody_goes_on_with_is_queued_again,
    an_export_that_another_run_removes_counts_once,
);

async fn run(desk: &Desk<'_>, at: Timestamp) -> Value {
    let expiring = app(desk.db, desk.app.keys.clone(), queue(desk.db, "https://sqs/queue"));
    let (exports, export_queue) = (desk.app.exports.clone(), desk.app.queue.clone());
    let app = App { exports, export_queue, ..expiring };
    let clock = clock_for(SignedDuration::from_mins(5));
    Box::pin(handle(&app, event(at, "carry-on-exports"), clock)).await.unwrap()
}

fn said(removed: u64, resumed: u64) -> Value {
    json!({"task": "carry-on-exports", "removed": removed, "resumed": resumed, "failed": 0})
}

//= R5.4
async fn an_export_of_a_week_ago_is_removed_with_its_archive_and_no_other(db: &Database) {
    let desk = Desk::open(db).await;
    desk.receive(&[desk.shop.text("7001", ago(9000), "m_1", "one")]).await;
    let id = desk.ask().await;
    desk.finish(&id).await;
    let second = SignedDuration::from_secs(1);
    assert_eq!(run(&desk, now() + KEPT - second).await, said(0, 0));
    assert_eq!(desk.cloud.names().len(), 1);
    let day = Day::of(now() + KEPT);
    let left = async || db.store.old_exports(day.plus(1).start(), 9).await.unwrap().len();
    assert_eq!(left().await, 1, "what an attestation of that day would state");
    assert_eq!(run(&desk, now() + KEPT).await, said(1, 0));
    assert_eq!(left().await, 0);
    let tallies = db.store.tallies(day, day).await.unwrap();
    assert_eq!(tallies[&day].sum(Tally::ExportsRemoved), 1);
    assert_eq!(desk.cloud.names(), Vec::<String>::new());
    let left = db.dump_table(&db.tables.core).await;
    let left: Vec<_> = left.iter().filter(|item| item.contains(id.as_str())).collect();
    assert_eq!(left, Vec::<&String>::new());
}

async fn an_export_that_nobody_goes_on_with_is_queued_again(db: &Database) {
    let desk = Desk::open(db).await;
    let id = desk.ask().await;
    assert_eq!(run(&desk, now() + SignedDuration::from_mins(19)).await, said(0, 0));
    db.wire.calls();
    assert_eq!(run(&desk, now() + SignedDuration::from_mins(20)).await, said(0, 1));
    let calls = db.wire.calls();
    let queued = calls.iter().find(|call| call.operation == "SendMessage").unwrap();
    assert!(queued.body["MessageBody"].as_str().unwrap().contains(id.as_str()));
    // It may only be waiting for its turn: one message in twenty minutes is enough.
    assert_eq!(run(&desk, now() + SignedDuration::from_mins(21)).await, said(0, 0));
    assert_eq!(run(&desk, now() + SignedDuration::from_mins(40)).await, said(0, 1));
}

//= R5.4
async fn an_export_that_another_run_removes_counts_once(db: &Database) {
    let desk = Desk::open(db).await;
    desk.receive(&[desk.shop.text("7001", ago(9000), "m_1", "one")]).await;
    let id = desk.ask().await;
    desk.finish(&id).await;
    // The other run is done between this run's look at the index and its look at the export.
    let other = db.through(&Wire::default());
    let is_look_at_export = |call: &Call| call.operation == "GetItem";
    db.wire.before_call(is_look_at_export, async move {
        let export = other.store.export(&id).await.unwrap().unwrap();
        other.store.delete_export(&export).await.unwrap();
    });
    assert_eq!(run(&desk, now() + KEPT).await, said(0, 0));
    assert!(db.wire.interlude_is_over());
}
