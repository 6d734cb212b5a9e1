//! The cut at 90 days: nothing older is kept, what is left still verifies, and a run that dies
//! anywhere, or meets another, ends the same.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use numib::domain::audit::export::Checkpoint;
use numib::domain::audit::{self, Link};
use numib::domain::ids::AccountId;
use numib::edge::clock::Clock;
use numib::edge::queue::WorkQueue;
use numib::seal::receipt;
use retention::{App, Event, Schedule, handle};
use serde_json::{Value, json};

use super::{account, links, record, tamper, whole};
use crate::database::Database;
use crate::erasure::signing_key;
use crate::retention::app;
use crate::shop::now;
use crate::wire::{Call, Fate};

on_ministack!(
    what_is_older_is_cut_and_what_is_left_verifies_from_the_checkpoint,
    a_second_run_changes_nothing_and_the_next_day_goes_on,
    a_cut_that_dies_anywhere_ends_the_same,
    runs_at_the_same_time_and_new_events_meanwhile_lose_nothing,
    a_broken_chain_is_cut_and_said_to_be_broken_for_good,
    a_checkpoint_that_is_not_the_accounts_own_is_not_believed,
    one_chain_that_cannot_be_read_costs_the_others_nothing,
    a_run_that_is_out_of_time_leaves_the_rest_to_the_next,
);

const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn function(db: &Database) -> App {
    let queue = WorkQueue::new(aws_sdk_sqs::Client::new(&db.sdk), "none".to_owned());
    let receipts = signing_key(db).await;
    App { receipts, ..app(db, db.day_keys().await, queue) }
}

async fn try_run(app: &App, at: Timestamp, time: SignedDuration) -> Option<Value> {
    let schedule = "arn:aws:scheduler:us-east-1:111122223333:schedule/default/numib-cut-audit";
    let event = Schedule { time: at.to_string(), resources: vec![schedule.to_owned()] };
    let event = Event::Schedule(event);
    let lasts = std::time::Duration::try_from(time).unwrap_or_default();
    let clock = Clock { lasts, ..Clock::start() };
    Box::pin(handle(app, event, clock)).await.ok()
}

async fn run(app: &App, at: Timestamp) -> Value {
    try_run(app, at, SignedDuration::from_mins(5)).await.unwrap()
}

/// Days that are done, events that were cut, and those of them that were late.
fn did(days_done: u64, events_cut: u64, events_late: u64) -> Value {
    json!({
        "task": "cut-audit", "days_done": days_done, "events_cut": events_cut,
        "events_late": events_late, "failed": 0,
        "broken": 0, "complete": true,
    })
}

/// What the last cut signed; `None` where nothing was cut.
async fn checkpoint(db: &Database, app: &App, id: &AccountId) -> Option<Checkpoint> {
    let signed = db.store.audit_page(id, None).await.unwrap().checkpoint?;
    let published = app.receipts.public().await.unwrap();
    Some(Checkpoint::parse(&receipt::verify(&signed, &[published]).unwrap()).unwrap())
}

/// What is left, which must follow its checkpoint and end where its head says.
async fn left(db: &Database, app: &App, id: &AccountId) -> Vec<Link> {
    let links = links(db, id).await;
    let start = checkpoint(db, app, id).await.map(|cut| cut.last);
    assert_eq!(audit::verify(id, start, &links).unwrap(), db.store.audit_head(id).await.unwrap());
    links
}

/// Events 92, 91, 90, 89 and 88 days ago, and now: three are due.
async fn six(db: &Database, id: &AccountId) {
    let ago = |days: i64| now() - SignedDuration::from_hours(24 * days);
    record(db, id, [ago(92), ago(91), ago(90), ago(89), ago(88), now()]).await;
}

//= R4.6, R6.4
async fn what_is_older_is_cut_and_what_is_left_verifies_from_the_checkpoint(db: &Database) {
    let app = function(db).await;
    let (id, young) = (account("a"), account("young"));
    six(db, &id).await;
    record(db, &young, [now()]).await;
    let before = whole(db, &id).await;
    assert_eq!(run(&app, now()).await, did(3, 3, 2));
    assert_eq!(left(db, &app, &id).await, before[3..]);
    let expected = Checkpoint {
        account: id.clone(),
        last: before[2].point(),
        removed: 3,
        removed_in_all: 3,
        is_intact: true,
        cut_at: now(),
    };
    assert_eq!(checkpoint(db, &app, &id).await, Some(expected));
    assert_eq!(checkpoint(db, &app, &young).await, None);
    assert_eq!(whole(db, &young).await.len(), 1);
    // The boundary, to the second.
    let oldest = before[3].event.at;
    let kept = SignedDuration::from_hours(90 * 24 - 12);
    run(&app, oldest + kept - SignedDuration::from_secs(1)).await;
    assert_eq!(left(db, &app, &id).await, before[3..]);
    run(&app, oldest + kept).await;
    assert_eq!(left(db, &app, &id).await, before[4..]);
    // The last event goes too. Later events go on from its hash.
    run(&app, now() + DAY * 90).await;
    assert_eq!(left(db, &app, &id).await, []);
    record(db, &id, [now() + DAY * 91]).await;
    assert_eq!(left(db, &app, &id).await.len(), 1);
    assert_eq!(checkpoint(db, &app, &id).await.unwrap().removed_in_all, 6);
}

//= R4.6
async fn a_second_run_changes_nothing_and_the_next_day_goes_on(db: &Database) {
    let app = function(db).await;
    let id = account("a");
    six(db, &id).await;
    // More of one day than a page has.
    let many = account("many");
    record(db, &many, (0..270).map(|_| now() - DAY * 100)).await;
    assert_eq!(run(&app, now()).await, did(4, 273, 272));
    assert_eq!(checkpoint(db, &app, &many).await.unwrap().removed_in_all, 270);
    let before = db.dump().await;
    assert_eq!(run(&app, now()).await, did(0, 0, 0));
    assert_eq!(db.dump().await, before);
    assert_eq!(run(&app, now() + DAY).await, did(1, 1, 0));
    let cut = checkpoint(db, &app, &id).await.unwrap();
    assert_eq!((cut.removed, cut.removed_in_all), (1, 4));
    assert_eq!(left(db, &app, &id).await.len(), 2);
}

/// At this request the process dies: before it arrives, or after.
async fn dies_at(db: &Database, app: &App, (request, arrives): (usize, bool)) -> bool {
    let mut requests = 0;
    db.wire.decide(move |_: &Call| {
        requests += 1;
        match requests {
            passed if passed <= request => Fate::Passes,
            last if last == request + 1 && arrives => Fate::Unheard,
            _ => Fate::Lost,
        }
    });
    let died = try_run(app, now(), SignedDuration::from_mins(5)).await;
    db.wire.heal();
    died.is_none_or(|did| did["complete"] == false)
}

//= R4.6, R6.4
async fn a_cut_that_dies_anywhere_ends_the_same(db: &Database) {
    let app = function(db).await;
    for arrives in [false, true] {
        let mut request = 0;
        loop {
            let ids = ["one", "two"].map(|name| account(&format!("{name}-{request}-{arrives}")));
            for id in &ids {
                six(db, id).await;
            }
            let before = [whole(db, &ids[0]).await, whole(db, &ids[1]).await];
            let died = dies_at(db, &app, (request, arrives)).await;
            for (id, before) in ids.iter().zip(&before) {
                // Even now nothing is lost that no checkpoint stands for.
                let links = links(db, id).await;
                let cut = checkpoint(db, &app, id).await;
                let is_after =
                    |link: &&Link| cut.as_ref().is_none_or(|cut| link.point() > cut.last);
                let after: Vec<&Link> = links.iter().filter(is_after).collect();
                let start = cut.as_ref().map(|cut| cut.last);
                let end = audit::verify(id, start, after.iter().copied()).unwrap();
                assert_eq!(end, before.last().map(Link::point), "died at request {request}");
            }
            run(&app, now()).await;
            for (id, before) in ids.iter().zip(&before) {
                assert_eq!(left(db, &app, id).await, before[3..], "died at request {request}");
                let cut = checkpoint(db, &app, id).await.unwrap();
                assert_eq!((cut.removed_in_all, cut.is_intact), (3, true));
                assert_eq!(cut.last, before[2].point());
            }
            assert_eq!(run(&app, now()).await, did(0, 0, 0), "died at request {request}");
            if !died {
                break;
            }
            request += 1;
        }
        assert!(request > 12, "{request}");
    }
}

//= R4.6
async fn runs_at_the_same_time_and_new_events_meanwhile_lose_nothing(db: &Database) {
    let app = function(db).await;
    let ids = ["a", "b", "c"].map(account);
    for id in &ids {
        six(db, id).await;
    }
    let news = async {
        for id in &ids {
            record(db, id, [now(), now()]).await;
        }
    };
    let (one, two, ()) = tokio::join!(run(&app, now()), run(&app, now()), news);
    for did in [one, two] {
        assert_eq!((&did["failed"], &did["broken"]), (&json!(0), &json!(0)), "{did}");
    }
    run(&app, now()).await;
    for id in &ids {
        assert_eq!(left(db, &app, id).await.len(), 5);
        let cut = checkpoint(db, &app, id).await.unwrap();
        assert_eq!((cut.removed_in_all, cut.is_intact), (3, true));
    }
}

//= R4.6
async fn a_broken_chain_is_cut_and_said_to_be_broken_for_good(db: &Database) {
    let app = function(db).await;
    let id = account("a");
    record(db, &id, [now(), now(), now()]).await;
    tamper(db, 2, "outcome", AttributeValue::S("refused".to_owned())).await;
    record(db, &id, [now() + DAY]).await;
    let did = run(&app, now() + DAY * 90).await;
    assert_eq!((&did["broken"], &did["events_cut"]), (&json!(1), &json!(3)), "{did}");
    assert!(!checkpoint(db, &app, &id).await.unwrap().is_intact);
    assert_eq!(left(db, &app, &id).await.len(), 1, "what was not touched still verifies");
    let did = run(&app, now() + DAY * 91).await;
    assert_eq!((&did["broken"], &did["events_cut"]), (&json!(0), &json!(1)), "{did}");
    assert!(!checkpoint(db, &app, &id).await.unwrap().is_intact, "once broken, always broken");
}

//= R4.6
async fn a_checkpoint_that_is_not_the_accounts_own_is_not_believed(db: &Database) {
    let app = function(db).await;
    let (id, other) = (account("a"), account("b"));
    record(db, &other, [now(), now(), now()]).await;
    run(&app, now() + DAY * 90).await;
    let foreign = db.store.audit_page(&other, None).await.unwrap().checkpoint.unwrap();
    record(db, &id, [now(), now(), now() + DAY * 80]).await;
    let before = whole(db, &id).await;
    // It is later than this account's first events. A cut that trusted it would delete them unseen.
    db.store.put_audit_checkpoint(&id, None, &foreign).await.unwrap();
    let did = run(&app, now() + DAY * 90).await;
    assert_eq!((&did["broken"], &did["events_cut"]), (&json!(1), &json!(2)), "{did}");
    let cut = checkpoint(db, &app, &id).await.unwrap();
    assert_eq!((&cut.account, cut.last, cut.is_intact), (&id, before[1].point(), false));
    assert_eq!(left(db, &app, &id).await, before[2..]);
}

async fn one_chain_that_cannot_be_read_costs_the_others_nothing(db: &Database) {
    let app = function(db).await;
    for id in ["a", "b"].map(account) {
        record(db, &id, [now()]).await;
    }
    tamper(db, 1, "action", AttributeValue::S("set-fire".to_owned())).await;
    let done = run(&app, now() + DAY * 90).await;
    let counts = (&done["failed"], &done["events_cut"], &done["complete"]);
    assert_eq!(counts, (&json!(1), &json!(1), &json!(false)), "{done}");
}

async fn a_run_that_is_out_of_time_leaves_the_rest_to_the_next(db: &Database) {
    let app = function(db).await;
    let id = account("a");
    six(db, &id).await;
    // Ten seconds are kept back.
    let done = try_run(&app, now(), SignedDuration::from_secs(9)).await.unwrap();
    assert_eq!((&done["events_cut"], &done["complete"]), (&json!(0), &json!(false)));
    assert_eq!(run(&app, now()).await, did(3, 3, 2));
}
