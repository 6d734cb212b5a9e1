//! Which reads are consistent: no emulator is ever behind, so only the request shows it.

use std::collections::BTreeSet;

use numib::domain::ids::MemberId;
use numib::domain::plan::Plan;
use numib::domain::time::Day;
use numib::store::messages::Order;
use serde_json::json;

use crate::database::Database;
use crate::shop::{Shop, now};

on_both_databases!(what_decides_who_sees_what_is_read_consistently);

//= R2.3, R4.3, R8.3
async fn what_decides_who_sees_what_is_read_consistently(db: &Database) {
    let shop = Shop::open(db).await;
    let (account, id) = (&shop.connection.account, &shop.connection.id);
    let (route, today) = (&shop.connection.route, Day::of(now()));
    let (conversation, key) = (shop.conversation("7001"), shop.key("7001", "m_1"));
    let member = MemberId::parse("member").unwrap();
    db.wire.calls();

    let store = &db.store;
    store.connection(route, true).await.unwrap();
    store.member(&member).await.unwrap();
    store.account_connection(account, id).await.unwrap();
    store.account_connections(account).await.unwrap();
    store.public_day_key(id, today).await.unwrap();
    store.wrapped_day_key(id, today).await.unwrap();
    store.message_row(&key).await.unwrap();
    store
        .message_page(&conversation, (Order::NewestFirst, None), 1, (Plan::Days365, now()))
        .await
        .unwrap();
    let routes = BTreeSet::from([route.clone()]);
    store.look_again(&routes, &BTreeSet::from([conversation])).await.unwrap();

    let calls = db.wire.calls();
    assert_eq!(calls.len(), 9);
    for call in calls {
        let read = match call.operation.as_str() {
            "BatchGetItem" => &call.body["RequestItems"][&db.tables.core],
            _ => &call.body,
        };
        assert_eq!(read["ConsistentRead"], json!(true), "{call:?}");
    }
}
