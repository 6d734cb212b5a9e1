//! The look after the write.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use numib::domain::connection::ConnectionState;
use numib::domain::ids::{ConversationId, RouteId};
use numib::store::StoreError;
use serde_json::{Value, json};

use crate::database::Database;
use crate::shop::{Shop, now};
use crate::wire::{Call, Fate};

on_both_databases!(
    a_look_sees_connections_and_contacts_as_they_are,
    a_look_at_more_than_a_batch_sees_everything,
    keys_left_unprocessed_are_asked_for_again,
    keys_left_unprocessed_for_ever_are_throttling,
);

//= R8.3, R2.3
async fn a_look_sees_connections_and_contacts_as_they_are(db: &Database) {
    let (active, erased) = (Shop::open(db).await, Shop::open(db).await);
    erased.erase(db).await;
    active.restrict_contact(db, "restricted").await;
    active.erase_contact(db, "erased", now()).await;
    let conversations = ["restricted", "erased", "unknown"].map(|name| active.conversation(name));
    let routes = [&active, &erased].map(|shop| shop.connection.route.clone());
    let unknown = RouteId::parse("unknown").unwrap();
    let asked = routes.iter().cloned().chain([unknown]).collect();
    let sight = db.store.look_again(&asked, &conversations.clone().into()).await.unwrap();
    let states: BTreeMap<_, _> =
        sight.connections.iter().map(|(route, one)| (route, one.state)).collect();
    let [active, erased] = &routes;
    let expected =
        BTreeMap::from([(active, ConnectionState::Active), (erased, ConnectionState::Erased)]);
    assert_eq!(states, expected);
    let marks = |n: usize| sight.contacts.get(&conversations[n]).map(|contact| contact.marks);
    assert_eq!(marks(0).unwrap().restricted_at, Some(now()));
    assert_eq!(marks(1).unwrap().erased_at, Some(now()));
    assert_eq!(marks(2), None);
}

async fn a_look_at_more_than_a_batch_sees_everything(db: &Database) {
    let shop = Shop::open(db).await;
    let known: BTreeSet<ConversationId> =
        (0..230).map(|n| shop.conversation(&n.to_string())).collect();
    let expires_at = now() + SignedDuration::from_hours(1);
    for conversation in &known {
        shop.moved(db, conversation, (now(), expires_at)).await;
    }
    let routes = BTreeSet::from([shop.connection.route.clone()]);
    let sight = db.store.look_again(&routes, &known).await.unwrap();
    assert_eq!(sight.contacts.keys().collect::<BTreeSet<_>>(), known.iter().collect());
    assert_eq!(sight.connections.len(), 1);
    let none = db.store.look_again(&BTreeSet::new(), &BTreeSet::new()).await.unwrap();
    assert!(none.connections.is_empty() && none.contacts.is_empty());
}

fn unprocessed(call: &Call) -> Value {
    json!({"Responses": {}, "UnprocessedKeys": call.body["RequestItems"]})
}

async fn keys_left_unprocessed_are_asked_for_again(db: &Database) {
    let shop = Shop::open(db).await;
    let mut rounds = 0;
    db.wire.decide(move |call| {
        rounds += 1;
        if rounds <= 2 { Fate::Answered(unprocessed(call)) } else { Fate::Passes }
    });
    let routes = BTreeSet::from([shop.connection.route.clone()]);
    let sight = db.store.look_again(&routes, &BTreeSet::new()).await.unwrap();
    assert_eq!(sight.connections.len(), 1);
}

async fn keys_left_unprocessed_for_ever_are_throttling(db: &Database) {
    let shop = Shop::open(db).await;
    db.wire.calls();
    db.wire.decide(|call| Fate::Answered(unprocessed(call)));
    let routes = BTreeSet::from([shop.connection.route.clone()]);
    let error = db.store.look_again(&routes, &BTreeSet::new()).await.unwrap_err();
    assert_eq!(error, StoreError::Throttled);
    assert!(db.wire.calls().len() <= 4, "a bounded number of rounds");
}
