//! A worker that dies, after any of its requests: the next one ends the same, with one receipt and
//! exact counts.

use std::collections::BTreeSet;

use numib::domain::erasure::{Request, State};
use numib::erasure::Asked;
use numib::seal::receipt::SigningKey;

use super::{
    ask, asked, connection, contact, counts, erase, fill, held, is_over, message, now, open,
    signing_key, stored, work,
};
use crate::database::Database;
use crate::shop::Shop;
use crate::wire::{Call, Fate};

on_ministack!(wherever_it_dies_the_next_try_ends_the_same);

/// Requests that may be lost on the way, or whose answer may.
#[derive(Clone, Copy, PartialEq)]
enum Death {
    Before,
    After,
}

/// Erases what two targets cover, where the process dies at this request. `None` once it had fewer.
async fn dies_at(
    db: &Database,
    key: &SigningKey,
    (request, death): (usize, Death),
) -> Option<(Shop, Request)> {
    let (shop, other) = (Shop::open(db).await, Shop::open(db).await);
    fill(db, &shop).await;
    fill(db, &other).await;
    let targets =
        [connection(&shop), contact(&other, "7001", now()), message(&other, "7002", "m_4")];
    let mut requests = 0;
    db.wire.decide(move |_: &Call| {
        requests += 1;
        match death {
            _ if requests <= request => Fate::Passes,
            // The one that kills it has arrived.
            Death::After if requests == request + 1 => Fate::Unheard,
            Death::Before | Death::After => Fate::Lost,
        }
    });
    let asked = ask(db, &targets).await;
    let worked = match &asked {
        Ok(asked) => work(db, key, asked).await.is_ok(),
        Err(_) => false,
    };
    db.wire.heal();
    if worked {
        return None;
    }
    // Meta comes again, or, once it has had its answer, the queue.
    let asked = match asked {
        Ok(asked) => asked,
        Err(_) => ask(db, &targets).await.unwrap(),
    };
    assert!(is_over(&work(db, key, &asked).await.unwrap()));
    let left = held(db, &shop).await;
    assert_eq!(left.len(), 1, "{left:?}");
    Some((shop, stored(db, &asked).await))
}

//= R8.3, R8.5
async fn wherever_it_dies_the_next_try_ends_the_same(db: &Database) {
    let key = signing_key(db).await;
    let whole = {
        let (shop, other) = (Shop::open(db).await, Shop::open(db).await);
        fill(db, &shop).await;
        fill(db, &other).await;
        let targets =
            [connection(&shop), contact(&other, "7001", now()), message(&other, "7002", "m_4")];
        erase(db, &key, &targets).await
    };
    for death in [Death::Before, Death::After] {
        let mut receipts = BTreeSet::new();
        let mut request = 0;
        while let Some((_, ended)) = dies_at(db, &key, (request, death)).await {
            assert_eq!(ended.state, State::Completed, "died at request {request}");
            assert_eq!(counts(&ended), counts(&whole), "died at request {request}");
            let (id, subject) = (ended.id.clone(), ended.subject.clone());
            assert!(receipts.insert(ended.receipt), "one receipt each");
            let anew = Asked { subject, ..asked(&[]) };
            let anew = open(db, anew, now()).await;
            assert_ne!(anew.id, id, "asked anew, it is a new request: died at {request}");
            request += 1;
        }
        assert!(request > 40, "{request}");
    }
    let ledger = db.dump_table(&db.tables.ledger).await;
    let entries = ledger.iter().filter(|item| item.contains("pk=ERASURES"));
    let requests: BTreeSet<_> = entries
        .clone()
        .map(|item| item.split(' ').find(|part| part.starts_with("request_id=")).unwrap())
        .collect();
    assert_eq!(entries.count(), requests.len(), "an erasure has one entry");
}
