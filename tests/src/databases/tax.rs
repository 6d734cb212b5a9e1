//! Tax records: kept to the last second of their period, whatever becomes of their account, and
//! purged in the next.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use numib::domain::account::Use;
use numib::domain::erasure::{Source, Target};
use numib::domain::hold::{Held, Hold};
use numib::domain::ids::{AccountId, HoldId, InvoiceId};
use numib::domain::invoice::Jurisdiction;
use numib::domain::plan::Plan;
use numib::domain::tally::{Tallies, Tally};
use numib::domain::time::Day;
use numib::erasure::{self, Asked};
use numib::retention::{Purged, RecordsLeft, purge_tax_records, tax_records_left};
use numib::seal::kms::DataKeys;
use numib::store::StoreError;
use numib::store::invoices::StoredInvoice;
use retention::handle;
use serde_json::json;
use xtask::account::random_id;

use crate::database::Database;
use crate::retention::{app, clock_for, event, queue};
use crate::shop::{key_pair, now};

on_both_databases!(
    a_record_goes_in_the_first_second_after_its_last_day_and_not_before,
    a_record_that_is_there_is_never_changed,
    what_a_hold_keeps_is_looked_at_every_day_and_goes_within_one_when_it_is_lifted,
    the_key_goes_with_the_last_record_of_an_account_that_is_gone,
    the_key_of_an_account_that_is_there_stays_without_records,
    a_run_that_died_between_any_two_steps_is_finished_by_the_next,
    a_record_that_cannot_be_read_holds_up_no_other,
    a_run_without_time_purges_nothing_and_says_so,
    the_task_is_tallied_with_what_it_purged_and_how_late,
);

async fn account(db: &Database) -> AccountId {
    let id = AccountId::parse(&random_id().unwrap()).unwrap();
    db.store.create_account(&id, Plan::Days30).await.unwrap();
    id
}

/// An account with a tax key and an invoice of each of these days.
async fn billed(db: &Database, days: &[&str]) -> AccountId {
    let id = account(db).await;
    db.store.put_account_key(&id, Use::TaxRecords, key_pair()).await.unwrap();
    for day in days {
        assert!(db.store.put_invoice(&id, &invoice(day)).await.unwrap());
    }
    id
}

fn invoice(issued_on: &str) -> StoredInvoice {
    let day = Day::parse(issued_on).unwrap();
    StoredInvoice {
        id: InvoiceId::parse(issued_on).unwrap(),
        issued_on: day,
        jurisdiction: Jurisdiction::Guatemala,
        kept_until: Jurisdiction::Guatemala.kept_until(day),
        sealed: b"sealed".to_vec(),
    }
}

async fn left(db: &Database, account: &AccountId) -> Vec<String> {
    let invoices = db.store.invoices(account, None, 10).await.unwrap();
    invoices.into_iter().map(|invoice| invoice.id.to_string()).collect()
}

async fn has_key(db: &Database, account: &AccountId) -> bool {
    db.store.has_account_key(account, Use::TaxRecords).await.unwrap()
}

async fn purge(db: &Database, at: &str) -> Purged {
    purge_tax_records(&db.store, at.parse().unwrap(), &|| true).await.unwrap()
}

const fn purged(purged: u64, held: u64) -> Purged {
    Purged { purged, late: 0, held, failed: 0, complete: true }
}

//= R6.3
async fn a_record_goes_in_the_first_second_after_its_last_day_and_not_before(db: &Database) {
    // A leap day, the day after it, and the last of a year.
    let account = billed(db, &["2028-02-29", "2028-03-01", "2028-12-31"]).await;
    assert_eq!(left(db, &account).await, ["2028-12-31", "2028-03-01", "2028-02-29"]);
    assert_eq!(purge(db, "2033-02-28T23:59:59Z").await, purged(0, 0));
    assert_eq!(purge(db, "2033-03-01T00:00:00Z").await, purged(1, 0));
    assert_eq!(left(db, &account).await, ["2028-12-31", "2028-03-01"]);
    assert_eq!(purge(db, "2033-03-01T23:59:59Z").await, purged(0, 0));
    assert_eq!(purge(db, "2033-03-02T00:00:00Z").await, purged(1, 0));
    assert_eq!(purge(db, "2033-12-31T23:59:59Z").await, purged(0, 0));
    let day = |text| Day::parse(text).unwrap();
    let none = RecordsLeft::default();
    assert_eq!(tax_records_left(&db.store, day("2033-12-31")).await.unwrap(), none);
    let overdue = RecordsLeft { held: 0, overdue: 1 };
    assert_eq!(tax_records_left(&db.store, day("2034-01-01")).await.unwrap(), overdue);
    assert_eq!(purge(db, "2034-01-01T00:00:00Z").await, purged(1, 0));
    assert_eq!(left(db, &account).await, [""; 0]);
    assert!(!db.dump().await.iter().any(|item| item.contains("2028-")), "nothing is left of any");
}

//= R6.3
async fn a_record_that_is_there_is_never_changed(db: &Database) {
    let account = billed(db, &["2026-11-24"]).await;
    let other = StoredInvoice { sealed: b"other".to_vec(), ..invoice("2026-11-24") };
    assert!(!db.store.put_invoice(&account, &other).await.unwrap());
    let found = db.store.invoice(&account, &other.id).await.unwrap();
    assert_eq!(found, Some(invoice("2026-11-24")));
    let nobody = AccountId::parse("nobody").unwrap();
    let refused = db.store.put_invoice(&nobody, &invoice("2026-11-24")).await;
    assert_eq!(refused.unwrap_err(), StoreError::Conflict);
}

//= R6.3, R6.7
async fn what_a_hold_keeps_is_looked_at_every_day_and_goes_within_one_when_it_is_lifted(
    db: &Database,
) {
    let account = billed(db, &["2026-11-24"]).await;
    let on = Held::Account(account.clone());
    let (id, text) = (HoldId::parse("h").unwrap(), "x".to_owned());
    let hold = Hold { id, reason: text.clone(), reference: text, set_at: now() };
    db.store.put_hold(&on, &hold).await.unwrap();
    assert_eq!(purge(db, "2031-11-25T00:00:00Z").await, purged(0, 1));
    assert_eq!(purge(db, "2031-11-25T23:00:00Z").await, purged(0, 0), "asked once a day");
    assert_eq!(purge(db, "2031-11-26T00:00:00Z").await, purged(0, 1));
    let day = Day::parse("2031-11-27").unwrap();
    let held = RecordsLeft { held: 1, overdue: 0 };
    assert_eq!(tax_records_left(&db.store, day).await.unwrap(), held);
    db.store.lift_hold(&on, &hold.id).await.unwrap();
    assert_eq!(purge(db, "2031-11-27T00:00:00Z").await, purged(1, 0));
    assert_eq!(left(db, &account).await, [""; 0]);
}

/// Erases an account that has no members, without a receipt.
async fn erase(db: &Database, account: &AccountId) {
    let target = Target::Account { account: account.clone() };
    let asked = Asked {
        source: Source::AccountDeletion,
        reference: None,
        subject: target.subject(),
        targets: vec![target],
        due_at: None,
    };
    erasure::begin(&db.store, asked, now()).await.unwrap();
    db.store.delete_account(account).await.unwrap();
}

//= R6.1, R6.3
async fn the_key_goes_with_the_last_record_of_an_account_that_is_gone(db: &Database) {
    let account = billed(db, &["2026-11-24", "2026-12-24"]).await;
    db.store.put_account_key(&account, Use::Profile, key_pair()).await.unwrap();
    erase(db, &account).await;
    assert_eq!(left(db, &account).await.len(), 2, "they outlive it");
    assert!(has_key(db, &account).await);
    assert!(!db.store.has_account_key(&account, Use::Profile).await.unwrap());
    let late = db.store.put_invoice(&account, &invoice("2026-12-25")).await;
    assert_eq!(late.unwrap_err(), StoreError::Conflict, "nothing is added to it");
    purge(db, "2031-11-25T00:00:00Z").await;
    assert!(has_key(db, &account).await, "there is another");
    purge(db, "2031-12-25T00:00:00Z").await;
    assert!(!has_key(db, &account).await);
}

//= R6.3
async fn the_key_of_an_account_that_is_there_stays_without_records(db: &Database) {
    let account = billed(db, &["2026-11-24"]).await;
    purge(db, "2031-11-25T00:00:00Z").await;
    assert_eq!(left(db, &account).await, [""; 0]);
    assert!(has_key(db, &account).await);
}

//= R6.3
async fn a_run_that_died_between_any_two_steps_is_finished_by_the_next(db: &Database) {
    let account = billed(db, &["2026-11-24"]).await;
    erase(db, &account).await;
    let today = Day::parse("2031-11-25").unwrap();
    let due = db.store.tax_records_due(today, None).await.unwrap();
    db.store.delete_invoice(due.0[0].as_ref().unwrap()).await.unwrap();
    assert_eq!(purge(db, "2031-11-25T00:00:00Z").await, purged(1, 0));
    assert!(!has_key(db, &account).await);
    assert!(db.store.tax_records_due(today, None).await.unwrap().0.is_empty());
}

//= R6.3
async fn a_record_that_cannot_be_read_holds_up_no_other(db: &Database) {
    let account = billed(db, &["2026-11-24", "2026-11-25"]).await;
    let put = db.raw.put_item().table_name(&db.tables.core);
    let put = put.item("pk", AttributeValue::S("TAX-DUE".to_owned()));
    // It is due before the others.
    put.item("sk", AttributeValue::S("2026-01-01".to_owned())).send().await.unwrap();
    let done = purge(db, "2031-11-26T00:00:00Z").await;
    assert_eq!((done.purged, done.failed, done.complete), (2, 1, true));
    assert_eq!(left(db, &account).await, [""; 0]);
    let today = Day::parse("2031-11-26").unwrap();
    let left = tax_records_left(&db.store, today).await.unwrap();
    assert_eq!(left, RecordsLeft { held: 0, overdue: 1 });
}

async fn a_run_without_time_purges_nothing_and_says_so(db: &Database) {
    let account = billed(db, &["2026-11-24"]).await;
    let at: Timestamp = "2031-11-25T00:00:00Z".parse().unwrap();
    let done = purge_tax_records(&db.store, at, &|| false).await.unwrap();
    assert_eq!(done, Purged::default());
    assert_eq!(left(db, &account).await, ["2026-11-24"]);
}

//= R6.3
async fn the_task_is_tallied_with_what_it_purged_and_how_late(db: &Database) {
    billed(db, &["2026-11-24", "2026-11-25"]).await;
    let keys = DataKeys::new(aws_sdk_kms::Client::new(&db.sdk), String::new());
    let app = app(db, keys, queue(db, "https://sqs/queue"));
    let at: Timestamp = "2031-11-26T00:10:00Z".parse().unwrap();
    let run = handle(&app, event(at, "purge-tax-records"), clock_for(SignedDuration::from_mins(5)));
    let done = Box::pin(run).await.unwrap();
    let task = "purge-tax-records";
    let expected = json!({
        "task": task, "purged": 2, "late": 1, "held": 0, "failed": 0, "complete": true,
    });
    assert_eq!(done, expected);
    let sums = [(Tally::TaxRecordsPurged, 2), (Tally::TaxRecordsPurgedLate, 1)].into();
    let expected = Tallies { sums, ..Tallies::default() };
    assert_eq!(db.store.tally(Day::of(at)).await.unwrap(), expected);
}
