//! What an account may look at: channels, requests, the audit trail.

use numib::domain::role::Role;
use serde_json::{Value, json};

use super::{CONNECTION, CONTACT, Office, assert_problem, fill, operator, sign_in};
use crate::database::Database;
use crate::shop::Shop;

on_both_databases!(
    an_account_sees_its_channels_and_no_other,
    an_account_pages_through_its_requests_the_latest_first,
    operators_name_the_account_whose_requests_they_see,
    an_account_sees_a_day_of_its_audit_trail_in_pages,
    what_cannot_be_read_of_a_list_is_named,
);

const CONNECTIONS: &str = "GET /v1/connections";
const REQUESTS: &str = "GET /v1/requests";
const EVENTS: &str = "GET /v1/audit-events";

async fn an_account_sees_its_channels_and_no_other(db: &Database) {
    let (office, shop, other) = (Office::open(db), Shop::open(db).await, Shop::open(db).await);
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let seen = office.look(&owner, CONNECTIONS, "").await;
    assert_eq!(seen.status, 200, "{}", seen.text);
    let expected = json!({"connections": [{
        "id": shop.connection.id.as_str(), "channel": shop.connection.channel.as_str(),
        "state": "active", "connected_at": shop.connection.connected_at.to_string(),
        "plan_days": shop.connection.plan.days(),
    }]});
    assert_eq!(seen.json(), expected);
    assert!(!seen.text.contains(other.connection.id.as_str()));
    let id = json!({"id": shop.connection.id.as_str()});
    assert_eq!(office.delete(&owner, CONNECTION, id).await.status, 202);
    let seen = office.look(&owner, CONNECTIONS, "").await.json();
    assert_eq!(seen["connections"][0]["state"], "erased");
}

/// Follows the cursor of a list to its end.
async fn pages(office: &Office<'_>, member: &Value, (route, query): (&str, &str)) -> Vec<Value> {
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = office.look(member, route, &format!("{query}{cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let page = page.json();
        let next = page["cursor"].as_str().map(|next| format!("&cursor={next}"));
        pages.push(page);
        let Some(next) = next else { return pages };
        cursor = next;
    }
}

//= R5.8
async fn an_account_pages_through_its_requests_the_latest_first(db: &Database) {
    let (office, shop, other) = (Office::open(db), Shop::open(db).await, Shop::open(db).await);
    fill(db, &shop).await;
    fill(db, &other).await;
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let stranger = sign_in(db, &other.connection.account, Role::Owner).await;
    let mut codes = Vec::new();
    for (member, shop, contact) in
        [(&owner, &shop, "7001"), (&owner, &shop, "7002"), (&stranger, &other, "7001")]
    {
        let id = json!({"id": shop.conversation(contact).to_string()});
        let answer = office.delete(member, CONTACT, id).await.json();
        codes.push(answer["request"].as_str().unwrap().to_owned());
    }
    let seen = pages(&office, &owner, (REQUESTS, "limit=1")).await;
    let seen: Vec<_> = seen.iter().flat_map(|page| page["requests"].as_array().unwrap()).collect();
    let mut found: Vec<_> = seen.iter().map(|one| one["request"].as_str().unwrap()).collect();
    found.sort_unstable();
    let mut own = codes[..2].to_vec();
    own.sort_unstable();
    assert_eq!(found, own);
    // The list shows each request as its own page does.
    let code = seen[0]["request"].as_str().unwrap();
    assert_eq!(*seen[0], office.get(&owner, code).await.json());
}

//= R5.7
async fn operators_name_the_account_whose_requests_they_see(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    fill(db, &shop).await;
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let id = json!({"id": shop.conversation("7001").to_string()});
    office.delete(&owner, CONTACT, id).await;
    let staff = operator(db).await;
    let query = format!("account_id={}", shop.connection.account);
    let seen = office.look(&staff, REQUESTS, &query).await;
    assert_eq!(seen.json(), office.look(&owner, REQUESTS, "").await.json());
    for (member, query) in [(&staff, ""), (&staff, "account_id=a%23b"), (&owner, query.as_str())] {
        assert_problem(&office.look(member, REQUESTS, query).await, 400, "account_id");
    }
}

//= R1.3
async fn an_account_sees_a_day_of_its_audit_trail_in_pages(db: &Database) {
    let (office, shop, other) = (Office::open(db), Shop::open(db).await, Shop::open(db).await);
    let account = &shop.connection.account;
    let owner = sign_in(db, account, Role::Owner).await;
    let privacy = sign_in(db, account, Role::Privacy).await;
    for name in ["a", "b", "c"] {
        let id = json!({"id": format!("{name}.x")});
        assert_eq!(office.delete(&owner, CONTACT, id).await.status, 404);
    }
    let seen = pages(&office, &privacy, (EVENTS, "day=2026-12-01&limit=2")).await;
    assert_eq!(seen.len(), 2);
    let events: Vec<_> = seen.iter().flat_map(|page| page["events"].as_array().unwrap()).collect();
    let subjects: Vec<_> = events.iter().map(|event| &event["subjects"][0]).collect();
    assert_eq!(subjects, ["conversation a.x", "conversation b.x", "conversation c.x"]);
    for event in events {
        let who = format!("member {}", owner["sub"].as_str().unwrap());
        assert_eq!((&event["actor"], &event["outcome"]), (&json!(who), &json!("refused")));
        assert_ne!(event["address"], "127.0.0.1", "never as it is");
        assert!(event["address"].is_string());
    }
    let none = json!({"events": []});
    assert_eq!(office.look(&owner, EVENTS, "day=2026-11-30").await.json(), none);
    let stranger = sign_in(db, &other.connection.account, Role::Owner).await;
    assert_eq!(office.look(&stranger, EVENTS, "").await.json(), none);
}

async fn what_cannot_be_read_of_a_list_is_named(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    for (route, query, field) in [
        (REQUESTS, "limit=0", "limit"),
        (REQUESTS, "limit=101", "limit"),
        (REQUESTS, "cursor=x", "cursor"),
        (REQUESTS, "cursor=1.a%20b", "cursor"),
        (EVENTS, "limit=x", "limit"),
        (EVENTS, "cursor=-1", "cursor"),
        (EVENTS, "day=yesterday", "day"),
    ] {
        let answer = office.look(&owner, route, query).await;
        assert_problem(&answer, 400, field);
        assert_eq!(answer.json()["errors"][0]["field"], field);
    }
}
