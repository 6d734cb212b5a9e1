//! Connections, their index keys, their place in the account and in provisioning.

use std::collections::{BTreeMap, BTreeSet};

use numib::domain::connection::{Connection, ConnectionState};
use numib::domain::ids::{Channel, ConnectionId, RouteId};
use numib::domain::key_window;
use numib::domain::plan::Plan;
use numib::domain::time::Day;
use numib::store::StoreError;
use numib::store::connections::PROVISION_SHARDS;
use numib::store::routes::{IndexKeyBytes, RouteOwner};

use crate::database::Database;
use crate::shop::{Shop, key_pair, now};

on_both_databases!(
    a_connection_reads_back_as_it_was_made,
    a_route_belongs_to_one_active_connection,
    an_erased_connections_route_is_free_again,
    erasing_one_connection_leaves_its_successor_alone,
    a_route_without_its_index_key_is_a_conflict_until_it_is_erased,
    an_account_sees_its_own_connections_only,
    a_connection_is_due_until_its_keys_reach_far_enough,
    those_furthest_behind_are_due_first,
    pages_of_due_connections_follow_one_another,
    the_shortest_keys_of_a_shard_are_found,
    keys_are_published_to_the_same_active_connection_only,
);

fn today() -> Day {
    Day::of(now())
}

/// The routes due in any shard.
async fn due(db: &Database, until: Day) -> BTreeSet<RouteId> {
    let mut routes = BTreeSet::new();
    for shard in 0..PROVISION_SHARDS {
        routes.extend(db.store.routes_due(shard, until, 100, None).await.unwrap().0);
    }
    routes
}

async fn shortest(db: &Database) -> Option<Day> {
    let mut shortest = BTreeSet::new();
    for shard in 0..PROVISION_SHARDS {
        shortest.extend(db.store.shortest_keys(shard).await.unwrap());
    }
    shortest.first().copied()
}

/// The connection that this route leads to, with its index key.
async fn active(db: &Database, route: &RouteId) -> (Connection, IndexKeyBytes) {
    let owner = db.store.route(route).await.unwrap();
    let RouteOwner::Active(connection, key) = owner else { panic!("{owner:?}") };
    (*connection, key)
}

async fn a_connection_reads_back_as_it_was_made(db: &Database) {
    for (channel, plan) in [(Channel::Messenger, Plan::Days7), (Channel::Instagram, Plan::Days365)]
    {
        let shop = Shop::without_keys(db, channel, plan).await;
        let route = &shop.connection.route;
        for consistent in [true, false] {
            let read = db.store.connection(route, consistent).await.unwrap();
            assert_eq!(read.as_ref(), Some(&shop.connection));
        }
        let (connection, index_key) = active(db, route).await;
        assert_eq!(connection, shop.connection);
        assert_eq!(index_key.as_slice(), shop.index_key.expose());
        shop.make_keys(db, key_window::days(today())).await;
        let read = db.store.connection(route, true).await.unwrap().unwrap();
        let days: Vec<Day> = read.day_keys.keys().copied().collect();
        assert_eq!(days, key_window::days(today()).collect::<Vec<_>>());
    }
    let unknown = RouteId::parse("unknown").unwrap();
    assert_eq!(db.store.connection(&unknown, true).await.unwrap(), None);
    assert!(matches!(db.store.route(&unknown).await, Ok(RouteOwner::Nobody)));
}

async fn a_route_belongs_to_one_active_connection(db: &Database) {
    let shop = Shop::open(db).await;
    let before = db.dump().await;
    let mut rival = Shop::open(db).await.connection;
    rival.route = shop.connection.route.clone();
    let with_rival = db.dump().await;
    let refused = db.store.create_connection(&rival, &[7; 32]).await;
    assert_eq!(refused, Err(StoreError::Conflict));
    assert_eq!(db.dump().await, with_rival, "all or nothing");
    assert!(before.is_subset(&with_rival));
}

//= R8.3
async fn an_erased_connections_route_is_free_again(db: &Database) {
    let old = Shop::open(db).await;
    old.erase(db).await;
    let erased = db.store.connection(&old.connection.route, true).await.unwrap().unwrap();
    assert_eq!(erased.state, ConnectionState::Erased);
    assert!(erased.day_keys.is_empty(), "nothing can be sealed for it any more");
    let channel = (old.connection.channel, old.meta_id.clone());
    let new = Shop::connect(db, channel, Plan::Days90).await;
    let (connection, index_key) = active(db, &old.connection.route).await;
    assert_eq!(connection, new.connection);
    assert_eq!(index_key.as_slice(), new.index_key.expose());
    assert_ne!(new.key("7001", "m").conversation, old.key("7001", "m").conversation);
}

async fn erasing_one_connection_leaves_its_successor_alone(db: &Database) {
    let old = Shop::open(db).await;
    old.erase(db).await;
    old.erase(db).await;
    let channel = (old.connection.channel, old.meta_id.clone());
    let new = Shop::connect(db, channel, Plan::Days30).await;
    let route = &old.connection.route;
    old.erase(db).await;
    let read = db.store.connection(route, true).await.unwrap();
    assert_eq!(read, Some(new.connection));
}

async fn a_route_without_its_index_key_is_a_conflict_until_it_is_erased(db: &Database) {
    use aws_sdk_dynamodb::types::AttributeValue;
    let shop = Shop::open(db).await;
    let pk = AttributeValue::S(format!("ROUTE#{}", shop.connection.route));
    db.raw
        .delete_item()
        .table_name(&db.tables.keys)
        .key("pk", pk)
        .key("sk", AttributeValue::S("INDEX".to_owned()))
        .send()
        .await
        .unwrap();
    let route = &shop.connection.route;
    assert_eq!(db.store.route(route).await.unwrap_err(), StoreError::Conflict);
    shop.erase(db).await;
    assert!(matches!(db.store.route(route).await, Ok(RouteOwner::Erased)));
}

async fn an_account_sees_its_own_connections_only(db: &Database) {
    let shop = Shop::open(db).await;
    let other = Shop::open(db).await;
    let account = &shop.connection.account;
    let routes = db.store.account_connections(account).await.unwrap();
    assert_eq!(routes, std::slice::from_ref(&shop.connection.route));
    let own = db.store.account_connection(account, &shop.connection.id).await.unwrap();
    assert_eq!(own, Some(shop.connection.route));
    let foreign = db.store.account_connection(account, &other.connection.id).await.unwrap();
    assert_eq!(foreign, None);
}

async fn a_connection_is_due_until_its_keys_reach_far_enough(db: &Database) {
    let new = Shop::without_keys(db, Channel::Messenger, Plan::Days30).await;
    let served = Shop::open(db).await;
    let until = key_window::until(today());
    let both = BTreeSet::from([new.connection.route.clone(), served.connection.route.clone()]);
    assert_eq!(due(db, until).await, BTreeSet::from([new.connection.route.clone()]));
    assert_eq!(due(db, until.plus(1)).await, both, "tomorrow both are due");
    new.erase(db).await;
    assert_eq!(due(db, until).await, BTreeSet::new(), "an erased one is never due");
    assert_eq!(shortest(db).await, Some(until), "nor does it count as behind");
}

async fn those_furthest_behind_are_due_first(db: &Database) {
    let shop = Shop::open(db).await;
    let keys = BTreeMap::from([(today(), key_pair().public_key)]);
    // Ids of the same letters are all in one shard.
    for (id, reach) in [("abc", 2), ("bca", 0), ("cab", 1)] {
        let connection = Connection {
            id: ConnectionId::parse(id).unwrap(),
            route: RouteId::parse(id).unwrap(),
            ..shop.connection.clone()
        };
        db.store.create_connection(&connection, &[7; 32]).await.unwrap();
        db.store.publish_day_keys(&connection, &keys, today().plus(reach)).await.unwrap();
    }
    for (limit, until, expected) in [
        (10, 3, vec!["bca", "cab", "abc"]),
        (10, 2, vec!["bca", "cab"]),
        (2, 3, vec!["bca", "cab"]),
        (1, 3, vec!["bca"]),
    ] {
        let mut shards = Vec::new();
        for shard in 0..PROVISION_SHARDS {
            let until = today().plus(until);
            shards.push(db.store.routes_due(shard, until, limit, None).await.unwrap().0);
        }
        shards.retain(|routes| !routes.is_empty());
        let expected = expected.into_iter().map(|route| RouteId::parse(route).unwrap());
        assert_eq!(shards, [expected.collect::<Vec<_>>()]);
    }
}

async fn pages_of_due_connections_follow_one_another(db: &Database) {
    let shop = Shop::open(db).await;
    let routes = ["abc", "bca", "cab"].map(|id| RouteId::parse(id).unwrap());
    for route in &routes {
        let id = ConnectionId::parse(route.as_str()).unwrap();
        let connection = Connection { id, route: route.clone(), ..shop.connection.clone() };
        db.store.create_connection(&connection, &[7; 32]).await.unwrap();
    }
    let mut seen = BTreeSet::new();
    for shard in 0..PROVISION_SHARDS {
        let mut after = None;
        loop {
            let page = db.store.routes_due(shard, today(), 1, after).await.unwrap();
            assert!(page.0.len() <= 1);
            for route in page.0 {
                assert!(seen.insert(route), "each comes once");
            }
            after = page.1;
            if after.is_none() {
                break;
            }
        }
    }
    assert_eq!(seen, BTreeSet::from(routes));
}

async fn the_shortest_keys_of_a_shard_are_found(db: &Database) {
    assert_eq!(shortest(db).await, None);
    let shop = Shop::open(db).await;
    assert_eq!(shortest(db).await, Some(key_window::until(today())));
    let behind = Shop::without_keys(db, Channel::Instagram, Plan::Days7).await;
    assert!(shortest(db).await.unwrap() < today().plus(-365), "one without keys is far behind");
    let keys = BTreeMap::from([(today(), key_pair().public_key)]);
    let reach = today().plus(2);
    db.store.publish_day_keys(&behind.connection, &keys, reach).await.unwrap();
    assert_eq!(shortest(db).await, Some(reach));
    shop.erase(db).await;
    assert_eq!(shortest(db).await, Some(reach));
}

//= R8.3
async fn keys_are_published_to_the_same_active_connection_only(db: &Database) {
    let old = Shop::open(db).await;
    let keys = BTreeMap::from([(today(), key_pair().public_key)]);
    old.erase(db).await;
    let erased = db.store.publish_day_keys(&old.connection, &keys, today()).await;
    assert_eq!(erased, Err(StoreError::Conflict));
    let channel = (old.connection.channel, old.meta_id.clone());
    let new = Shop::connect(db, channel, Plan::Days30).await;
    let replaced = db.store.publish_day_keys(&old.connection, &keys, today()).await;
    assert_eq!(replaced, Err(StoreError::Conflict));
    let read = db.store.connection(&new.connection.route, true).await.unwrap().unwrap();
    assert!(read.day_keys.is_empty());
}
