//! The erasure engine on real databases: what is left, what is counted, what a dead worker costs.

mod account;
mod again;
mod callback;
mod crash;
mod engine;
mod holds;
mod process;
mod race;
pub(crate) mod restore;
mod world;

use std::collections::BTreeMap;

use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use jiff::{SignedDuration, Timestamp};
use numib::archive::exports::Exports;
use numib::domain::data_kind::DataKind;
use numib::domain::erasure::{Request, Source, Target};
use numib::edge::clients;
use numib::erasure::{self, Asked, Eraser, ErasureError, Progress, SETTLED};
use numib::identity::UserPool;
use numib::seal::receipt::{self, Jwk, SigningKey};
use serde_json::Value;

use crate::cloud::Cloud;
use crate::database::Database;
use crate::shop::{Shop, ago, now};
use crate::webhook::Intake;

/// How long after an erasure was asked for its proof can be given.
const LATER: SignedDuration = SignedDuration::from_secs(11);

fn later() -> Timestamp {
    now() + LATER
}

/// A key that signs receipts, at KMS.
pub(crate) async fn signing_key(db: &Database) -> SigningKey {
    let kms = aws_sdk_kms::Client::new(&db.wire.tap(&db.sdk));
    let made = kms.create_key().key_spec(KeySpec::EccNistP256).key_usage(KeyUsageType::SignVerify);
    let made = made.send().await.unwrap();
    SigningKey::new(kms, made.key_metadata.unwrap().arn.unwrap())
}

pub(crate) fn connection(shop: &Shop) -> Target {
    Target::Connection {
        account: shop.connection.account.clone(),
        route: shop.connection.route.clone(),
        connection: shop.connection.id.clone(),
    }
}

pub(crate) fn contact(shop: &Shop, contact: &str, until: Timestamp) -> Target {
    let (account, conversation) = (shop.connection.account.clone(), shop.conversation(contact));
    Target::Contact { account, conversation, until }
}

fn message(shop: &Shop, contact: &str, mid: &str) -> Target {
    let key = shop.key(contact, mid);
    let account = shop.connection.account.clone();
    Target::Message { account, conversation: key.conversation, message: key.message }
}

fn asked(targets: &[Target]) -> Asked {
    let subject = targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let subject = if subject.is_empty() { "nobody".to_owned() } else { subject };
    Asked {
        source: Source::Disconnect,
        reference: None,
        subject,
        targets: targets.to_vec(),
        due_at: None,
    }
}

/// Opens a request, and shreds nothing yet.
async fn open(db: &Database, asked: Asked, at: Timestamp) -> Request {
    erasure::open(&db.store, asked, None, at).await.unwrap().followed
}

/// Asks for an erasure, and shreds what it covers.
pub(crate) async fn ask(db: &Database, targets: &[Target]) -> Result<Request, ErasureError> {
    let parts = erasure::open(&db.store, asked(targets), None, now()).await?;
    for part in parts.held {
        erasure::shred(&db.store, part, now()).await?;
    }
    erasure::shred(&db.store, parts.followed, now()).await
}

/// A worker. Its user pool knows nobody, since only the end of an account asks the pool.
pub(crate) fn eraser(db: &Database, key: &SigningKey) -> Eraser {
    let user_pool = UserPool::new(&db.sdk, "none".to_owned());
    let exports = Exports::new(clients::s3(&Cloud::new().around(&db.sdk)), "exports".to_owned());
    Eraser { store: db.store.clone(), user_pool, receipts: key.clone(), exports }
}

/// Whether no other run is needed.
const fn is_over(progress: &Progress) -> bool {
    match progress {
        Progress::Completed(_) | Progress::Nothing => true,
        Progress::More | Progress::Behind(_) => false,
    }
}

/// What workers do with it: one finds it shredded, or shreds it; the next ones sweep it, and prove
/// that nothing is left.
async fn work(
    db: &Database,
    key: &SigningKey,
    request: &Request,
) -> Result<Progress, ErasureError> {
    let eraser = eraser(db, key);
    let mut progress = Progress::More;
    for at in [now(), later(), later() + LATER] {
        progress = eraser.work(&request.id, at, &|| true).await?;
        if is_over(&progress) {
            break;
        }
    }
    Ok(progress)
}

/// What workers do with one that waited for a hold: it is shredded only now.
async fn resume(db: &Database, key: &SigningKey, request: &Request) -> Request {
    assert!(is_over(&work(db, key, request).await.unwrap()));
    stored(db, request).await
}

async fn stored(db: &Database, request: &Request) -> Request {
    db.store.request(&request.id).await.unwrap().unwrap().request
}

/// Erases a target as far as its proof; there is no key to sign a receipt with.
pub(crate) async fn sweep(db: &Database, target: &Target) {
    let request = ask(db, std::slice::from_ref(target)).await.unwrap();
    sweep_request(db, &request, now()).await;
}

/// Sweeps what is shredded, from a time on, and proves that nothing is left.
pub(crate) async fn sweep_request(db: &Database, request: &Request, at: Timestamp) {
    let eraser = eraser(db, &race::no_key(db));
    let begun = eraser.work(&request.id, at, &|| true).await.unwrap();
    assert_eq!(begun, Progress::More, "it waits until intake has settled");
    let swept = eraser.work(&request.id, at + SETTLED, &|| true).await;
    assert!(matches!(swept, Err(ErasureError::Signing(_))), "{swept:?}");
}

/// Asks, and works until it is done.
pub(crate) async fn erase(db: &Database, key: &SigningKey, targets: &[Target]) -> Request {
    let request = ask(db, targets).await.unwrap();
    assert!(is_over(&work(db, key, &request).await.unwrap()));
    stored(db, &request).await
}

/// The claims of a request's receipt, verified with the published key.
async fn claims(key: &SigningKey, request: &Request) -> Value {
    let published: Jwk = key.public().await.unwrap();
    receipt::verify(request.receipt.as_ref().unwrap(), &[published]).unwrap()
}

fn counts(request: &Request) -> BTreeMap<&'static str, u64> {
    request.counts.iter().map(|(kind, count)| (kind.as_str(), *count)).collect()
}

fn counted(kinds: &[(DataKind, u64)]) -> BTreeMap<&'static str, u64> {
    kinds.iter().map(|(kind, count)| (kind.as_str(), *count)).collect()
}

/// Three contacts: messages, an edit, an edit that waits, a tombstone. Seven rows in all.
pub(crate) async fn fill(db: &Database, shop: &Shop) {
    let items = [
        shop.text("7001", ago(9000), "m_1", "one"),
        shop.text("7001", ago(8000), "m_2", "two"),
        shop.edit("7001", ago(7000), "m_2", (1, "edited")),
        shop.text("7001", ago(6000), "m_3", "regretted"),
        shop.unsend("7001", ago(5000), "m_3"),
        shop.text("7002", ago(4000), "m_4", "four"),
        shop.edit("7002", ago(3000), "m_5", (1, "waits")),
        shop.unsend("7003", ago(2000), "m_6"),
        shop.text("7002", ago(1000), "m_7", "seven"),
    ];
    let counts = Intake::start(db).deliver(&shop.body(&items)).await.counts();
    assert_eq!(counts["reasons"].as_object().map_or(0, serde_json::Map::len), 1, "{counts}");
}

/// What there is of rows, contacts and keys that belongs to this shop.
async fn held(db: &Database, shop: &Shop) -> Vec<String> {
    let id = shop.connection.id.as_str();
    let all = db.dump().await.into_iter();
    all.filter(|item| {
        let is_proof = ["REQUEST#", "SUBJECT#", "ERASURES", "HOLD#", "WAIT#"]
            .iter()
            .any(|of| item.contains(of));
        item.contains(id) && !is_proof
    })
    .collect()
}
