//! Intake and erasure at the same time, in orders of their requests with up to two changes from one
//! to the other and back: whatever the order, nothing of what is erased survives.
//!
//! No clock decides the order: each request waits until it is its turn.

use numib::domain::erasure::Target;
use numib::domain::key_window;
use numib::domain::time::Day;
use numib::erasure::{self, ErasureError, Progress};
use numib::seal::receipt::SigningKey;
use serde_json::{Value, json};

use super::process::Process;
use super::{LATER, asked, connection, contact, eraser, held, later, message, open};
use crate::database::Database;
use crate::shop::{Shop, ago, now};
use crate::webhook::Intake;
use crate::wire::{Call, constant};

fn every(_: &Call) -> bool {
    true
}

/// What erasure does to what intake reads or writes: not its own records, nor the ledger.
fn of_the_data(call: &Call) -> bool {
    let key = |name: &str| call.body[name]["pk"]["S"].as_str().unwrap_or_default().to_owned();
    let asked = call.body["ExpressionAttributeValues"][":pk"]["S"].as_str().unwrap_or_default();
    let keys = [key("Key"), key("Item"), asked.to_owned()];
    let own = ["REQUEST#", "SUBJECT#", "HOLD#", "WAIT#", "HEAD", "ERASURES"];
    let is_own = |key: &String| own.iter().any(|prefix| key.starts_with(prefix));
    call.operation != "TransactWriteItems" && !keys.iter().any(is_own)
}

/// No key: a receipt comes after the proof, which is all there is to see here.
pub(super) fn no_key(db: &Database) -> SigningKey {
    let nothing = db.sdk.to_builder().http_client(constant(Some(json!({})))).build();
    SigningKey::new(aws_sdk_kms::Client::new(&nothing), "none".to_owned())
}

async fn shred_and_sweep(db: Database, target: Target) {
    let request = open(&db, asked(std::slice::from_ref(&target)), now()).await;
    let request = erasure::shred(&db.store, request, now()).await.unwrap();
    let swept = eraser(&db, &no_key(&db)).work(&request.id, now(), &|| true).await.unwrap();
    assert_eq!(swept, Progress::More, "the proof waits for intake");
}

/// The proof, when intake is over for sure. Only the signature is missing then.
async fn prove(db: &Database, target: &Target) {
    let request = open(db, asked(std::slice::from_ref(target)), now()).await;
    for _ in 0..3 {
        let at = later() + LATER;
        match eraser(db, &no_key(db)).work(&request.id, at, &|| true).await {
            Ok(Progress::More) => {}
            Err(ErasureError::Signing(_)) => return,
            other => panic!("{other:?}"),
        }
    }
    panic!("the proof finds something again and again");
}

/// One order of the two: so many requests of intake, of erasure, of intake, of erasure, then the
/// rest of either.
async fn run(db: &Database, (body, target): (&Value, &Target), order: [usize; 4]) {
    let delivered = body.clone();
    let mut intake = Process::start(db, every, async move |db| {
        let status = Intake::start(&db).deliver(&delivered).await.status;
        assert!(status == 200 || status == 500, "{status}");
    });
    let erased = target.clone();
    let mut erasure =
        Process::start(db, of_the_data, async move |db| shred_and_sweep(db, erased).await);
    let [first, second, third, fourth] = order;
    intake.go(first).await;
    erasure.go(second).await;
    intake.go(third).await;
    erasure.go(fourth).await;
    intake.go(usize::MAX).await;
    erasure.go(usize::MAX).await;
}

/// Requests of a delivery, and of an erasure, that the other side sees; a little more than there
/// are.
const INTAKE: usize = 8;
const ERASURE: usize = 18;
/// A prime, so that no request is always or never the one before a change.
const SPREAD: usize = 37;

/// Every order with one change, and an even spread over those with two.
fn orders() -> impl Iterator<Item = [usize; 4]> {
    let starts = || (0..INTAKE).flat_map(|i| (1..ERASURE).map(move |e| (i, e)));
    let once = starts().map(|(i, e)| [i, e, 0, 0]);
    let twice = starts().flat_map(|(i, e)| {
        let rests = (1..INTAKE - i).flat_map(move |j| (1..ERASURE - e).map(move |f| (j, f)));
        rests.map(move |(j, f)| [i, e, j, f])
    });
    once.chain(twice.step_by(SPREAD))
}

async fn in_process() -> Database {
    Database::in_process(dynoxide::Database::memory().unwrap()).await
}

async fn shop_of_one_day(db: &Database) -> Shop {
    let shop = Shop::open_bare(db).await;
    shop.make_keys(db, key_window::days(Day::of(now())).skip(2).take(1)).await;
    shop
}

//= R8.3
#[tokio::test]
async fn in_no_order_does_a_message_survive_the_erasure_of_its_connection() {
    let mut db = in_process().await;
    for (number, order) in orders().enumerate() {
        if number % 50 == 0 {
            // What is looked through each time stays small.
            db = in_process().await;
        }
        let shop = shop_of_one_day(&db).await;
        let body = shop.body(&[shop.text("7001", ago(9), "m_1", "hi")]);
        let target = connection(&shop);
        run(&db, (&body, &target), order).await;
        prove(&db, &target).await;
        let left = held(&db, &shop).await;
        assert_eq!(left.len(), 1, "{order:?}: {left:?}");
        assert!(left[0].contains("state=erased"), "{order:?}");
        // And the next delivery brings nothing back.
        Intake::start(&db).deliver(&body).await.counts();
        assert_eq!(held(&db, &shop).await, left, "{order:?}");
    }
}

//= R8.3
#[tokio::test]
async fn in_no_order_does_a_message_survive_the_erasure_of_its_contact() {
    let db = in_process().await;
    let shop = shop_of_one_day(&db).await;
    for (number, order) in orders().enumerate() {
        let name = number.to_string();
        let body = shop.body(&[shop.text(&name, ago(9), &name, "hi")]);
        let target = contact(&shop, &name, now());
        run(&db, (&body, &target), order).await;
        prove(&db, &target).await;
        assert_eq!(shop.row(&db, &name, &name).await, None, "{order:?}");
        Intake::start(&db).deliver(&body).await.counts();
        assert_eq!(shop.row(&db, &name, &name).await, None, "{order:?}");
    }
    let inbox = db.store.inbox(&shop.connection.id, None, 10).await.unwrap();
    assert_eq!(inbox, [], "nor does its contact show");
}

//= R5.3
#[tokio::test]
async fn in_no_order_does_a_message_survive_its_own_erasure() {
    let db = in_process().await;
    let shop = shop_of_one_day(&db).await;
    for (number, order) in orders().enumerate().step_by(3) {
        let name = number.to_string();
        let body = shop.body(&[
            shop.text("7001", ago(9), &name, "hi"),
            shop.edit("7001", ago(8), &name, (1, "edited")),
        ]);
        let target = message(&shop, "7001", &name);
        run(&db, (&body, &target), order).await;
        prove(&db, &target).await;
        let row = shop.row(&db, "7001", &name).await.unwrap();
        assert!(row.row.unsent && row.message.is_none() && row.edit.is_none(), "{order:?}");
    }
}
