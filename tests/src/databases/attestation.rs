//! The daily attestation: what it finds, and that a day is attested once and for good.

use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use aws_sdk_s3::types::{
    DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetentionMode,
    ObjectLockRule,
};
use jiff::{SignedDuration, Timestamp};
use numib::archive::ArchiveError;
use numib::archive::attestations::{Attestations, Form};
use numib::domain::attestation::{ISSUER, Report, Requests, Rule};
use numib::domain::hold::Held;
use numib::domain::hold::Hold;
use numib::domain::ids::{Channel, HoldId};
use numib::domain::plan::Plan;
use numib::domain::tally::{Peak, Tallies, Tally};
use numib::domain::time::Day;
use numib::edge::clients;
use numib::retention::{KeysLeft, keys_left};
use numib::seal::kms::DataKeys;
use numib::seal::receipt::{SigningKey, verify};
use retention::{App, handle};
use serde_json::{Value, json};
use xtask::account::random_id;

use crate::database::Database;
use crate::erasure::{self, restore::plant};
use crate::retention::{app, clock_for, event, queue};
use crate::shop::{Shop, now};

on_both_databases!(
    a_key_is_left_when_its_day_is_over_and_no_hold_keeps_it,
    a_run_of_expiry_is_tallied_with_what_it_destroyed_and_how_late,
);

on_ministack!(
    a_day_is_attested_in_three_forms_that_say_the_same,
    what_is_filed_stays_whatever_is_counted_later,
    a_run_that_dies_between_the_forms_is_finished_by_the_next,
    a_violation_is_stated_and_in_the_history_of_the_days_after,
    an_attestation_that_was_never_filed_is_not_found,
    rows_of_what_was_erased_are_found_without_their_contacts_stated_and_removed,
);

fn today() -> Day {
    Day::of(now())
}

/// When the day's keys of a 7-day plan die.
fn dies() -> Day {
    Plan::Days7.shred_on(today())
}

/// A shop with a key for today alone.
async fn shop(db: &Database) -> Shop {
    let shop = Shop::without_keys(db, Channel::Messenger, Plan::Days7).await;
    shop.make_keys(db, std::iter::once(today())).await;
    shop
}

async fn hold(db: &Database, shop: &Shop) {
    let (id, text) = (HoldId::parse("h").unwrap(), "x".to_owned());
    let hold = Hold { id, reason: text.clone(), reference: text, set_at: now() };
    let on = Held::Connection(shop.connection.id.clone());
    db.store.put_hold(&on, &hold).await.unwrap();
}

/// A function that has nothing but its database.
fn expiring(db: &Database) -> App {
    let day_keys = DataKeys::new(aws_sdk_kms::Client::new(&db.sdk), String::new());
    app(db, day_keys, queue(db, "https://sqs/queue"))
}

/// A function that signs and files; and what checks that.
async fn attesting(db: &Database) -> App {
    let kms = aws_sdk_kms::Client::new(&db.sdk);
    let key = kms.create_key().key_spec(KeySpec::EccNistP256).key_usage(KeyUsageType::SignVerify);
    let key = key.send().await.unwrap().key_metadata.unwrap().arn.unwrap();
    let s3 = clients::s3(&db.sdk);
    let bucket = format!("attestations-{}", random_id().unwrap());
    let created = s3.create_bucket().bucket(&bucket).object_lock_enabled_for_bucket(true);
    created.send().await.unwrap();
    let kept = DefaultRetention::builder().mode(ObjectLockRetentionMode::Governance).days(731);
    let rule = ObjectLockRule::builder().default_retention(kept.build()).build();
    let lock = ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .rule(rule)
        .build();
    let locked = s3.put_object_lock_configuration().bucket(&bucket);
    locked.object_lock_configuration(lock).send().await.unwrap();
    let attestations = Attestations::new(s3, bucket);
    App { receipts: SigningKey::new(kms, key), attestations, ..expiring(db) }
}

async fn run(app: &App, at: Timestamp, task: &str) -> Value {
    let clock = clock_for(SignedDuration::from_mins(5));
    Box::pin(handle(app, event(at, task), clock)).await.unwrap()
}

/// Attests a day, as the schedule does, half an hour after its end.
async fn attest(app: &App, day: Day) -> Value {
    run(app, day.plus(1).start() + SignedDuration::from_mins(30), "attest").await
}

async fn filed(app: &App, day: Day) -> [Vec<u8>; 3] {
    let form = async |form| app.attestations.filed(day, form).await.unwrap();
    [form(Form::Report).await, form(Form::Signed).await, form(Form::Page).await]
}

//= R8.3
async fn rows_of_what_was_erased_are_found_without_their_contacts_stated_and_removed(
    db: &Database,
) {
    let app = attesting(db).await;
    let (gone, kept) = (Shop::open(db).await, Shop::open(db).await);
    for shop in [&gone, &kept] {
        erasure::fill(db, shop).await;
    }
    erasure::erase(db, &app.receipts, &[erasure::connection(&gone)]).await;
    assert_eq!(attest(&app, today()).await["violations"], 0, "a sweep leaves nothing");
    plant(db, &gone, "7001", "m_planted").await;
    plant(db, &kept, "7009", "m_unlisted").await;
    // Rows that a request will still sweep are not counted.
    erasure::ask(db, &[erasure::contact(&kept, "7002", now())]).await.unwrap();
    let (rows, next) = (db.dump_table(&db.tables.messages).await, today().plus(1));
    assert_eq!(attest(&app, next).await["violations"], 2);
    let report: Report = serde_json::from_slice(&filed(&app, next).await[0]).unwrap();
    let broken = report.rules.iter().find(|kept| kept.violations > 0).unwrap();
    assert_eq!((broken.rule, broken.left), (Rule::Erasures, Some(2)));
    assert_eq!(db.dump_table(&db.tables.messages).await, rows, "it only looks");
    let nobodys = erasure::eraser(db, &app.receipts);
    let done = nobodys.remove_astray(now(), &|| true).await.unwrap();
    assert_eq!((done.found, done.complete), (1, true));
    let left = db.dump_table(&db.tables.messages).await;
    let removed: Vec<_> = rows.difference(&left).collect();
    assert_eq!(removed.len(), 1, "what nobody can read is removed; what somebody can, is told of");
    assert!(removed[0].contains(gone.connection.id.as_str()), "{removed:?}");
    assert_eq!(attest(&app, next.plus(1)).await["violations"], 1);
}

//= R6.2, R6.7
async fn a_key_is_left_when_its_day_is_over_and_no_hold_keeps_it(db: &Database) {
    shop(db).await;
    hold(db, &shop(db).await).await;
    let none = KeysLeft::default();
    assert_eq!(keys_left(&db.store, dies().plus(-1)).await.unwrap(), none, "not due yet");
    for later in [0, 1, 60] {
        let left = keys_left(&db.store, dies().plus(later)).await.unwrap();
        assert_eq!(left, KeysLeft { held: 1, overdue: 1 }, "{later} days later");
    }
    // The last second of its day is in time.
    let app = expiring(db);
    run(&app, dies().plus(1).start() - SignedDuration::from_secs(1), "destroy-expired-keys").await;
    assert_eq!(keys_left(&db.store, dies()).await.unwrap(), none);
}

//= R6.2
async fn a_run_of_expiry_is_tallied_with_what_it_destroyed_and_how_late(db: &Database) {
    let app = expiring(db);
    shop(db).await;
    hold(db, &shop(db).await).await;
    let at = dies().start() + SignedDuration::from_mins(20);
    run(&app, at, "destroy-expired-keys").await;
    // Again on that day: nothing is left to count.
    run(&app, at + SignedDuration::from_hours(1), "destroy-expired-keys").await;
    let sums = [(Tally::KeysDestroyed, 1), (Tally::KeysHeld, 1)].into();
    let peaks = [(Peak::KeysSeconds, 1200)].into();
    assert_eq!(db.store.tally(dies()).await.unwrap(), Tallies { sums, peaks });

    shop(db).await;
    run(&app, dies().plus(2).start(), "destroy-expired-keys").await;
    let tallies = db.store.tally(dies().plus(2)).await.unwrap();
    assert_eq!(tallies.sum(Tally::KeysDestroyedLate), 1);
    assert_eq!(tallies.peak(Peak::KeysSeconds), Some(2 * 24 * 3600));
}

//= R6.2
async fn a_day_is_attested_in_three_forms_that_say_the_same(db: &Database) {
    let app = attesting(db).await;
    shop(db).await;
    run(&app, dies().start() + SignedDuration::from_mins(20), "destroy-expired-keys").await;
    let done = attest(&app, dies()).await;
    let expected = json!({"task": "attest", "day": dies(), "violations": 0, "new": true});
    assert_eq!(done, expected);
    let [report, signed, page] = filed(&app, dies()).await;
    let report: Report = serde_json::from_slice(&report).unwrap();
    assert_eq!((report.day, report.rules[0].due, report.violations), (dies(), Some(1), 0));
    assert_eq!(report.rules[0].longest_seconds, Some(1200));
    assert_eq!(report.requests, Requests::default());
    let key = app.receipts.public().await.unwrap();
    let claims = verify(std::str::from_utf8(&signed).unwrap(), &[key]).unwrap();
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["report"], serde_json::to_value(&report).unwrap());
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains(&format!("Retention attestation for {}", dies())));
}

async fn what_is_filed_stays_whatever_is_counted_later(db: &Database) {
    let app = attesting(db).await;
    attest(&app, dies()).await;
    let before = filed(&app, dies()).await;
    db.store.add_tally(dies(), &[(Tally::RowsRemoved, 7)]).await.unwrap();
    let again = attest(&app, dies()).await;
    assert_eq!((&again["new"], &again["violations"]), (&json!(false), &json!(0)));
    assert_eq!(filed(&app, dies()).await, before);
}

async fn a_run_that_dies_between_the_forms_is_finished_by_the_next(db: &Database) {
    let app = attesting(db).await;
    attest(&app, dies()).await;
    let [report, ..] = filed(&app, dies()).await;
    // Only the report is filed, as by a run that dies after it.
    let mut half: Report = serde_json::from_slice(&report).unwrap();
    (half.day, half.violations) = (dies().plus(1), 5);
    let bytes = serde_json::to_vec(&half).unwrap();
    assert!(app.attestations.file(half.day, Form::Report, bytes).await.unwrap());
    let done = attest(&app, half.day).await;
    assert_eq!((&done["new"], &done["violations"]), (&json!(false), &json!(5)));
    let [_, signed, page] = filed(&app, half.day).await;
    let key = app.receipts.public().await.unwrap();
    let claims = verify(std::str::from_utf8(&signed).unwrap(), &[key]).unwrap();
    assert_eq!(claims["report"]["violations"], 5);
    assert!(String::from_utf8(page).unwrap().contains("Rules were broken."));
    assert_eq!(db.store.tally(half.day).await.unwrap().peak(Peak::Violations), Some(5));
}

//= R6.2
async fn a_violation_is_stated_and_in_the_history_of_the_days_after(db: &Database) {
    let app = attesting(db).await;
    shop(db).await;
    // Nothing destroys the key: it is there on the last second of its day, and on the next.
    assert_eq!(attest(&app, dies().plus(-1)).await["violations"], 0);
    assert_eq!(attest(&app, dies()).await["violations"], 1);
    run(&app, dies().plus(1).start() + SignedDuration::from_hours(1), "destroy-expired-keys").await;
    let late = attest(&app, dies().plus(1)).await;
    assert_eq!(late["violations"], 1, "it was destroyed, but late");
    assert_eq!(attest(&app, dies().plus(2)).await["violations"], 0);
    let [report, ..] = filed(&app, dies().plus(2)).await;
    let report: Report = serde_json::from_slice(&report).unwrap();
    let last: Vec<_> = report.history[25..].iter().map(|day| day.violations).collect();
    assert_eq!(last, [None, Some(0), Some(1), Some(1), Some(0)]);
}

async fn an_attestation_that_was_never_filed_is_not_found(db: &Database) {
    let app = attesting(db).await;
    let nothing = app.attestations.filed(dies(), Form::Page).await;
    assert_eq!(nothing, Err(ArchiveError::Denied));
}
