//! After a restore, everything that the ledger lists is erased again (R8.6).

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::SignedDuration;
use numib::domain::data_kind::DataKind;
use numib::domain::sealed::Sealed;
use numib::domain::time::Day;
use numib::store::messages::NewMessage;

use super::{connection, contact, erase, eraser, fill, held, later, message, signing_key};
use crate::database::Database;
use crate::shop::{Shop, ago, now};

on_ministack!(
    what_a_restore_brings_back_is_erased_again_and_reported,
    rows_that_no_contact_leads_to_are_found_and_removed_behind_the_ledgers_end,
);

#[expect(clippy::disallowed_types, reason = "the SDK's own type")]
type Items = Vec<(String, std::collections::HashMap<String, AttributeValue>)>;

/// A copy of every item of the tables that a restore replaces.
async fn backup(db: &Database) -> Items {
    let mut items = Vec::new();
    for table in [&db.tables.core, &db.tables.messages, &db.tables.keys] {
        let pages = db.raw.scan().table_name(table).into_paginator().items().send();
        let found: Result<Vec<_>, _> = pages.collect().await;
        items.extend(found.unwrap().into_iter().map(|item| (table.clone(), item)));
    }
    items
}

async fn restore(db: &Database, items: Items) {
    for (table, item) in items {
        db.raw.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
    }
}

//= R8.6, R6.6
async fn what_a_restore_brings_back_is_erased_again_and_reported(db: &Database) {
    let (shop, other) = (Shop::open(db).await, Shop::open(db).await);
    fill(db, &shop).await;
    fill(db, &other).await;
    let items = backup(db).await;
    let key = signing_key(db).await;
    erase(db, &key, &[connection(&shop)]).await;
    erase(db, &key, &[contact(&other, "7001", now())]).await;
    erase(db, &key, &[message(&other, "7002", "m_4")]).await;
    restore(db, items).await;
    assert!(shop.row(db, "7001", "m_1").await.is_some(), "it is back, keys and all");
    assert!(other.row(db, "7001", "m_1").await.is_some());
    let done = eraser(db, &key).reapply(0, later(), &|| true).await.unwrap();
    assert_eq!((done.position, done.entries, done.found), (3, 3, 3));
    let removed: BTreeMap<_, _> = done.removed.iter().map(|(kind, n)| (*kind, *n)).collect();
    assert_eq!(removed[&DataKind::Message], 9);
    assert_eq!(removed[&DataKind::Contact], 3);
    let left = held(db, &shop).await;
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].contains("state=erased"));
    assert_eq!(other.row(db, "7001", "m_1").await, None);
    assert!(other.row(db, "7002", "m_4").await.unwrap().row.unsent);
    assert_eq!(other.row(db, "7002", "m_7").await.unwrap().shown(), Some("seven"));
    let again = eraser(db, &key).reapply(0, later(), &|| true).await.unwrap();
    assert_eq!((again.entries, again.found), (3, 0));
    assert!(eraser(db, &key).reapply(3, later(), &|| true).await.unwrap().complete);
}

//= R8.3, R8.6
async fn rows_that_no_contact_leads_to_are_found_and_removed_behind_the_ledgers_end(db: &Database) {
    let (shop, other) = (Shop::open(db).await, Shop::open(db).await);
    fill(db, &shop).await;
    fill(db, &other).await;
    let key = signing_key(db).await;
    erase(db, &key, &[connection(&shop)]).await;
    erase(db, &key, &[contact(&other, "7001", now())]).await;
    let kept = db.dump().await;
    let again = eraser(db, &key).reapply(2, later(), &|| true).await.unwrap();
    assert_eq!((again.found, again.complete), (0, true));
    // Rows that a frozen process would leave.
    plant(db, &shop, "7001", "m_planted").await;
    plant(db, &shop, "7009", "m_planted").await;
    plant(db, &other, "7001", "m_planted").await;
    let again = eraser(db, &key).reapply(2, later(), &|| true).await.unwrap();
    assert_eq!((again.found, again.held, again.complete), (2, 0, true), "a channel and a contact");
    assert_eq!(again.removed, [(DataKind::Message, 3)].into());
    assert_eq!(db.dump().await, kept);
}

/// Puts a row as intake writes it, but without its contact.
pub(crate) async fn plant(db: &Database, shop: &Shop, contact: &str, mid: &str) {
    let key = shop.key(contact, mid);
    let sealed = Sealed { day: Day::of(now()), bytes: vec![7; 90] };
    let expires_at = now() + SignedDuration::from_hours(24 * 30);
    let message = NewMessage { sent_at: ago(9), sealed, expires_at };
    db.store.put_message(&key, message, None).await.unwrap();
}
