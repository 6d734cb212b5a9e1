//! Who is let in at which door.

use numib::domain::ids::MemberId;
use numib::domain::role::Role;
use numib::store::accounts::Member;
use serde_json::{Value, json};

use super::{
    CONNECTION, DELETE_ACCOUNT, LIFT_HOLD, Office, SET_HOLD, Said, assert_problem, rows, sign_in,
};
use crate::database::Database;
use crate::shop::{Shop, now};

on_both_databases!(
    membership_and_token_must_agree,
    what_is_sensitive_takes_a_sign_in_of_the_last_15_minutes,
    who_is_removed_is_out_at_once_whatever_the_token_says,
    a_route_that_is_none_is_not_found,
);

fn nothing() -> Said {
    let parameters = json!({"id": "x.y", "message_id": "m", "code": "none",
                            "hold_id": "h", "export_id": "none"});
    Said { parameters, ..Said::default() }
}

//= R4.3
async fn membership_and_token_must_agree(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let account = shop.connection.account.clone();
    let owner = sign_in(db, &account, Role::Owner).await;
    let with = |name: &str, value: Value| {
        let mut claims = owner.clone();
        claims[name] = value;
        claims
    };
    let bad = [
        Value::Null,
        json!({}),
        with("token_use", json!("id")),
        with("sub", json!("nobody")),
        with("cognito:groups", json!("")),
        // The token has the groups of staff, and the database has no such membership.
        with("cognito:groups", json!("[operator]")),
        with("cognito:groups", json!("[admin privacy]")),
    ];
    for claims in bad {
        for route in &rows() {
            let answer = office.call(&claims, route.key, nothing()).await;
            assert_problem(&answer, 403, "forbidden");
        }
    }
    // The database says operator by now, and the token does not yet.
    let id = MemberId::parse(owner["sub"].as_str().unwrap()).unwrap();
    db.store.put_member(&id, &Member { account, role: Role::Operator }).await.unwrap();
    for route in &rows() {
        assert_problem(&office.call(&owner, route.key, nothing()).await, 403, "forbidden");
    }
}

//= R4.3
async fn what_is_sensitive_takes_a_sign_in_of_the_last_15_minutes(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let account = &shop.connection.account;
    for route in &rows() {
        let [role, ..] = route.who.roles else { panic!("a route for nobody") };
        let mut member = sign_in(db, account, *role).await;
        for auth_time in [json!((now().as_second() - 901).to_string()), json!(""), json!("x")] {
            member["auth_time"] = auth_time;
            let answer = office.call(&member, route.key, nothing()).await;
            let is_challenged = answer.status == 401;
            assert_eq!(
                is_challenged, route.who.needs_fresh_sign_in,
                "{}: {}",
                route.key, answer.text
            );
            if is_challenged {
                assert_problem(&answer, 401, "insufficient-user-authentication");
            }
        }
    }
    let rows = rows();
    let sensitive = rows.iter().filter(|route| route.who.needs_fresh_sign_in);
    let sensitive: Vec<_> = sensitive.map(|route| route.key).collect();
    for route in [DELETE_ACCOUNT, SET_HOLD, LIFT_HOLD] {
        assert!(sensitive.contains(&route), "{route}");
    }
}

//= R4.3
async fn who_is_removed_is_out_at_once_whatever_the_token_says(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let account = &shop.connection.account;
    let owner = sign_in(db, account, Role::Owner).await;
    let id = MemberId::parse(owner["sub"].as_str().unwrap()).unwrap();
    assert_eq!(office.call(&owner, CONNECTION, nothing()).await.status, 404);
    db.store.delete_member(account, &id).await.unwrap();
    for route in &rows() {
        assert_problem(&office.call(&owner, route.key, nothing()).await, 403, "forbidden");
    }
}

async fn a_route_that_is_none_is_not_found(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    for route in ["GET /v1/connections/{id}", "DELETE /v1/accounts", "$default /"] {
        assert_problem(&office.call(&owner, route, nothing()).await, 404, "not-found");
    }
}
