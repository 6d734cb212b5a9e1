//! Whose webhooks are whose, for many routes at once.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use numib::domain::ids::RouteId;
use numib::store::StoreError;
use numib::store::routes::{RouteOwner, RouteOwners};
use serde_json::{Value, json};

use crate::database::Database;
use crate::shop::Shop;
use crate::wire::{Call, Fate};

on_both_databases!(
    routes_of_every_kind_are_told_apart_over_several_batches,
    only_what_is_not_active_is_read_again_and_consistently,
    a_damaged_connection_does_not_hold_up_its_neighbours,
    routes_left_unprocessed_are_asked_for_again,
    a_batch_that_fails_fails_its_own_routes_only,
);

fn unknown(n: usize) -> RouteId {
    RouteId::parse(&format!("unknown{n}")).unwrap()
}

fn route_of(shop: &Shop) -> RouteId {
    shop.connection.route.clone()
}

/// The routes that have this owner.
fn of(owners: &RouteOwners, which: fn(&Result<RouteOwner, StoreError>) -> bool) -> Vec<&RouteId> {
    owners.iter().filter(|(_, owner)| which(owner)).map(|(route, _)| route).collect()
}

fn is_active(owner: &Result<RouteOwner, StoreError>) -> bool {
    matches!(owner, Ok(RouteOwner::Active(..)))
}

/// Takes the index key of a connection away, as an erasure does before it marks the connection.
async fn lose_index_key(db: &Database, shop: &Shop) {
    let delete = db.raw.delete_item().table_name(&db.tables.keys);
    let delete = delete.key("pk", AttributeValue::S(format!("ROUTE#{}", shop.connection.route)));
    delete.key("sk", AttributeValue::S("INDEX".to_owned())).send().await.unwrap();
}

//= R8.1
async fn routes_of_every_kind_are_told_apart_over_several_batches(db: &Database) {
    let mut shops = Vec::new();
    for _ in 0..5 {
        shops.push(Shop::open(db).await);
    }
    let (erased, keyless) = (Shop::open(db).await, Shop::open(db).await);
    erased.erase(db).await;
    lose_index_key(db, &keyless).await;
    let known = shops.iter().chain([&erased, &keyless]).map(route_of);
    let asked: BTreeSet<RouteId> = known.chain((0..120).map(unknown)).collect();
    let owners = db.store.routes(&asked).await;

    assert_eq!(owners.keys().collect::<Vec<_>>(), asked.iter().collect::<Vec<_>>());
    for shop in &shops {
        let Some(Ok(RouteOwner::Active(connection, key))) = owners.get(&shop.connection.route)
        else {
            panic!("{owners:?}")
        };
        assert_eq!(connection.id, shop.connection.id);
        assert_eq!(key.as_slice(), shop.index_key.expose());
    }
    assert_eq!(of(&owners, is_active).len(), shops.len());
    let is_erased = |owner: &Result<_, _>| matches!(owner, Ok(RouteOwner::Erased));
    assert_eq!(of(&owners, is_erased), [&erased.connection.route]);
    let is_conflict = |owner: &Result<_, _>| matches!(owner, Err(StoreError::Conflict));
    assert_eq!(of(&owners, is_conflict), [&keyless.connection.route]);
    assert!(db.store.routes(&BTreeSet::new()).await.is_empty());
}

/// What one request reads of a table: how consistently, which attributes, and of which routes.
fn read(db: &Database, call: &Call) -> (Value, [Value; 2], Vec<String>) {
    let [core, keys] = [&db.tables.core, &db.tables.keys].map(|it| &call.body["RequestItems"][it]);
    assert_eq!(core["ConsistentRead"], keys["ConsistentRead"]);
    let routes = |table: &Value| -> Vec<String> {
        let keys = table["Keys"].as_array().unwrap().iter();
        keys.map(|key| key["pk"]["S"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(routes(core), routes(keys));
    let projections = [core, keys].map(|table| table["ProjectionExpression"].clone());
    (core["ConsistentRead"].clone(), projections, routes(core))
}

//= R8.1
async fn only_what_is_not_active_is_read_again_and_consistently(db: &Database) {
    let (active, erased) = (Shop::open(db).await, Shop::open(db).await);
    erased.erase(db).await;
    let asked = BTreeSet::from([route_of(&active), route_of(&erased), unknown(0)]);
    db.wire.calls();
    db.store.routes(&asked).await;
    let calls = db.wire.calls();
    let [first, second] = &calls.iter().map(|call| read(db, call)).collect::<Vec<_>>()[..] else {
        panic!("{calls:?}")
    };
    let pk = |route: &RouteId| format!("ROUTE#{route}");
    let projections = [Value::Null, json!("connection_id, index_key")];
    assert_eq!(*first, (json!(false), projections.clone(), asked.iter().map(pk).collect()));
    let doubtful = asked.iter().filter(|route| **route != active.connection.route).map(pk);
    assert_eq!(*second, (json!(true), projections, doubtful.collect()));

    // What is active is believed at once.
    db.store.routes(&BTreeSet::from([route_of(&active)])).await;
    assert_eq!(db.wire.calls().len(), 1);
}

//= R8.1
async fn a_damaged_connection_does_not_hold_up_its_neighbours(db: &Database) {
    let (sound, damaged) = (Shop::open(db).await, Shop::open(db).await);
    let update = db.raw.update_item().table_name(&db.tables.core);
    update
        .key("pk", AttributeValue::S(format!("ROUTE#{}", damaged.connection.route)))
        .key("sk", AttributeValue::S("CONNECTION".to_owned()))
        .update_expression("REMOVE plan_days")
        .send()
        .await
        .unwrap();
    let owners = db.store.routes(&BTreeSet::from([&sound, &damaged].map(route_of))).await;
    assert_eq!(of(&owners, is_active), [&sound.connection.route]);
    let error = owners[&damaged.connection.route].as_ref().unwrap_err();
    let row = format!("ROUTE#{} / CONNECTION", damaged.connection.route);
    assert_eq!(*error, StoreError::Corrupt { row, attribute: "plan_days" });
}

async fn routes_left_unprocessed_are_asked_for_again(db: &Database) {
    let shop = Shop::open(db).await;
    let mut rounds = 0;
    db.wire.calls();
    db.wire.decide(move |call| {
        rounds += 1;
        let left = &call.body["RequestItems"];
        let none = json!({"Responses": {}, "UnprocessedKeys": left});
        if rounds == 1 { Fate::Answered(none) } else { Fate::Passes }
    });
    let owner = db.store.route(&shop.connection.route).await.unwrap();
    assert!(matches!(owner, RouteOwner::Active(..)));
    let calls = db.wire.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].body, calls[1].body, "it is asked for as before");

    db.wire.decide(|call| {
        let left = &call.body["RequestItems"];
        Fate::Answered(json!({"Responses": {}, "UnprocessedKeys": left}))
    });
    let error = db.store.route(&shop.connection.route).await.unwrap_err();
    assert_eq!(error, StoreError::Throttled);
    assert!(db.wire.calls().len() <= 4, "a bounded number of rounds");
}

//= R8.1
async fn a_batch_that_fails_fails_its_own_routes_only(db: &Database) {
    let shop = Shop::open(db).await;
    let mut asked: BTreeSet<RouteId> = (0..120).map(unknown).collect();
    asked.insert(route_of(&shop));
    let marked = format!("ROUTE#{}", unknown(7));
    db.wire.decide(move |call| {
        let hit = call.body.to_string().contains(&format!("\"{marked}\""));
        if hit { Fate::Refused("ValidationException") } else { Fate::Passes }
    });
    let owners = db.store.routes(&asked).await;
    let failed = |owner: &Result<_, _>| matches!(owner, Err(StoreError::Refused(_)));
    let failed = of(&owners, failed);
    assert!(failed.contains(&&unknown(7)) && failed.len() <= 50, "{failed:?}");
    let nobody = |owner: &Result<_, _>| matches!(owner, Ok(RouteOwner::Nobody));
    let told = of(&owners, nobody).len() + of(&owners, is_active).len();
    assert_eq!(told + failed.len(), asked.len());
}
