//! A run of retention that dies anywhere, and is repeated, ends like a run that does not die.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use numib::domain::hold::{Held, Hold};
use numib::domain::ids::HoldId;
use numib::domain::plan::Plan;
use numib::domain::row::sweep_on;
use numib::domain::time::Day;
use numib::retention::{
    change_plan, destroy_expired_keys, follow_hold, retime, sweep_expired_rows,
};
use numib::store::StoreError;

use crate::database::Database;
use crate::expiry::shop;
use crate::shop::{Shop, now};
use crate::wire::Fate;

on_dynoxide!(
    the_destruction_of_expired_keys_may_die_anywhere,
    a_sweep_may_die_anywhere,
    a_downgrade_may_die_anywhere,
    an_upgrade_may_die_anywhere,
    a_hold_may_die_anywhere,
    a_lift_may_die_anywhere,
);

/// Runs once without an accident. Then, from the same start, it runs once for each request and dies
/// there, and runs again after that. Requests that are under way at once arrive in any order, so
/// the last one may differ. The end must not.
async fn ends_the_same(
    db: &Database,
    requests_min: usize,
    run: impl AsyncFn() -> Result<(), StoreError>,
) {
    let start = db.snapshot().await;
    db.wire.calls();
    run().await.unwrap();
    let (clean, requests) = (items(db).await, db.wire.calls().len());
    assert!(requests >= requests_min, "{requests}");
    for is_heard in [true, false] {
        for last in 0..requests {
            db.restore(&start).await;
            let mut number = 0;
            db.wire.decide(move |_| {
                number += 1;
                match number - 1 {
                    passed if passed < last => Fate::Passes,
                    // The request at which it died has arrived.
                    passed if passed == last && !is_heard => Fate::Unheard,
                    _ => Fate::Lost,
                }
            });
            let died = run().await;
            db.wire.heal();
            assert!(died.is_err() || last + 1 == requests, "it dies at {last} of {requests}");
            run().await.unwrap();
            assert_eq!(items(db).await, clean, "after it died at {last} of {requests}");
        }
    }
}

/// All that is stored, without the day's tallies. A run that dies between a deed and its count
/// leaves the count a little low, as the module of tallies says.
async fn items(db: &Database) -> BTreeSet<String> {
    let mut items = db.dump().await;
    items.retain(|item| !item.contains("pk=RETENTION"));
    items
}

async fn followed(db: &Database, shop: &Shop) -> Result<(), StoreError> {
    let account = &shop.connection.account;
    let mut cursor = None;
    loop {
        // The worker's way: it stops after some time, and then goes on from there.
        cursor = retime(&db.store, account, cursor, now(), &|| false).await?;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

/// The worker follows a hold to the end.
async fn worked(db: &Database, on: &Held, at: Timestamp) -> Result<(), StoreError> {
    let mut cursor = None;
    loop {
        cursor = follow_hold(&db.store, on, cursor, at, &|| false).await?;
        if cursor.is_none() {
            return db.store.forget_lifted(on).await;
        }
    }
}

fn hold() -> Hold {
    let (id, text) = (HoldId::parse("h").unwrap(), "x".to_owned());
    Hold { id, reason: text.clone(), reference: text, set_at: now() }
}

//= R6.2
async fn the_destruction_of_expired_keys_may_die_anywhere(db: &Database) {
    shop(db, Plan::Days7, &[0, 1]).await;
    let held = shop(db, Plan::Days7, &[0]).await;
    db.store.put_hold(&Held::Connection(held.connection.id.clone()), &hold()).await.unwrap();
    let dies = Plan::Days7.shred_on(Day::of(now())).start();
    let run = async || destroy_expired_keys(&db.store, dies, &|| true).await.map(|_| ());
    ends_the_same(db, 60, run).await;
}

//= R6.2
async fn a_sweep_may_die_anywhere(db: &Database) {
    shop(db, Plan::Days7, &[0, 5, 6]).await;
    let held = shop(db, Plan::Days7, &[6]).await;
    db.store.put_hold(&Held::Connection(held.connection.id.clone()), &hold()).await.unwrap();
    let over = sweep_on(now()).start() + SignedDuration::from_hours(48);
    let run = async || sweep_expired_rows(&db.store, over, &|| true).await.map(|_| ());
    ends_the_same(db, 70, run).await;
}

//= R6.5
async fn a_downgrade_may_die_anywhere(db: &Database) {
    let shop = shop(db, Plan::Days90, &[0, 6, 8]).await;
    ends_the_same(db, 20, async || {
        change_plan(&db.store, &shop.connection.account, Plan::Days7, now()).await?;
        followed(db, &shop).await
    })
    .await;
}

//= R6.5
async fn an_upgrade_may_die_anywhere(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0, 6]).await;
    ends_the_same(db, 20, async || {
        change_plan(&db.store, &shop.connection.account, Plan::Days365, now()).await?;
        followed(db, &shop).await
    })
    .await;
}

//= R6.7
async fn a_hold_may_die_anywhere(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0, 6]).await;
    let on = Held::Contact(shop.conversation("7001"));
    ends_the_same(db, 12, async || {
        db.store.put_hold(&on, &hold()).await?;
        worked(db, &on, now()).await
    })
    .await;
}

//= R6.7
async fn a_lift_may_die_anywhere(db: &Database) {
    let shop = shop(db, Plan::Days7, &[0, 6]).await;
    let on = Held::Account(shop.connection.account.clone());
    db.store.put_hold(&on, &hold()).await.unwrap();
    worked(db, &on, now()).await.unwrap();
    let later = now() + SignedDuration::from_hours(48);
    ends_the_same(db, 15, async || {
        db.store.lift_hold(&on, &hold().id).await?;
        worked(db, &on, later).await
    })
    .await;
}
