//! What an account decides about optional purposes.

use numib::domain::consent::{Choice, Purpose, may_be_processed};
use numib::domain::role::Role;
use serde_json::{Value, json};

use super::{Office, Said, assert_problem, sign_in};
use crate::database::Database;
use crate::shop::{Shop, now};
use crate::webhook::{Answer, event, request};

on_both_databases!(
    each_decision_is_kept_and_the_latest_says_whether_a_purpose_may_be_processed,
    what_is_no_decision_is_refused_by_name,
    decisions_go_with_their_account,
);

const LIST: &str = "GET /v1/consents";
const DECIDE: &str = "PUT /v1/consents/{purpose}";

async fn decide(office: &Office<'_>, member: &Value, purpose: &str, body: Value) -> Answer {
    let parameters = json!({"purpose": purpose});
    let (content_type, body) = (Some("application/json"), Some(body.to_string()));
    let said = Said { parameters, content_type, body, ..Said::default() };
    office.call(member, DECIDE, said).await
}

/// The same, that many milliseconds later.
async fn decide_later(office: &Office<'_>, member: &Value, decision: &str, ms: i64) {
    let mut event = event(DECIDE, "");
    event["requestContext"]["authorizer"] = json!({"jwt": {"claims": member}});
    event["pathParameters"] = json!({"purpose": "marketing-email"});
    event["headers"] = json!({"content-type": "application/json"});
    event["body"] = json!(json!({"decision": decision, "policy_version": "2026-11"}).to_string());
    let at = now() + jiff::SignedDuration::from_millis(ms);
    let answer = Box::pin(privacy_api::handle(&office.app, &request(&event), at)).await;
    assert_eq!(answer.status(), 200);
}

//= R2.2
async fn each_decision_is_kept_and_the_latest_says_whether_a_purpose_may_be_processed(
    db: &Database,
) {
    let (office, shop, other) = (Office::open(db), Shop::open(db).await, Shop::open(db).await);
    let account = &shop.connection.account;
    let owner = sign_in(db, account, Role::Owner).await;
    let before = office.look(&owner, LIST, "").await.json();
    let unasked = |purpose: &str| {
        json!({"purpose": purpose, "may_be_processed": false, "decision": null,
               "policy_version": null, "decided_at": null, "decided_by": null})
    };
    let none = json!({"purposes": [unasked("product-analytics"), unasked("marketing-email")]});
    assert_eq!(before, none, "silence is no consent");
    let may = async || {
        let latest = db.store.latest_decision(account, Purpose::MarketingEmail).await.unwrap();
        may_be_processed(latest.as_ref())
    };
    for (ms, decision, expected) in [
        (1, "granted", true),
        (2, "withdrawn", false),
        (3, "granted", true),
        (4, "objected", false),
    ] {
        decide_later(&office, &owner, decision, ms).await;
        assert_eq!(may().await, expected, "{decision} takes effect at once");
    }
    let seen = office.look(&owner, LIST, "").await.json();
    assert_eq!(seen["purposes"][0], unasked("product-analytics"));
    assert_eq!(seen["purposes"][1]["decision"], "objected");
    assert_eq!(seen["purposes"][1]["policy_version"], "2026-11");
    assert_eq!(seen["purposes"][1]["decided_by"], owner["sub"]);
    let kept = db.store.decisions(account).await.unwrap();
    let choices: Vec<_> = kept.iter().map(|one| one.choice).collect();
    let granted = Choice::Granted;
    assert_eq!(choices, [granted, Choice::Withdrawn, granted, Choice::Objected]);
    let trail = office.look(&owner, "GET /v1/audit-events", "").await.json();
    let trail = trail["events"].as_array().unwrap();
    assert_eq!(trail.len(), 4);
    assert_eq!(
        trail[0]["subjects"],
        json!(["consent marketing-email", "decision granted", "policy 2026-11"])
    );
    let stranger = sign_in(db, &other.connection.account, Role::Privacy).await;
    assert_eq!(office.look(&stranger, LIST, "").await.json(), none);
}

async fn what_is_no_decision_is_refused_by_name(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let body =
        |decision: &str, version: &str| json!({"decision": decision, "policy_version": version});
    for (purpose, body, status, kind) in [
        ("sales", body("granted", "1"), 404, "not-found"),
        ("marketing-email", body("maybe", "1"), 400, "decision"),
        ("marketing-email", body("granted", ""), 400, "policy_version"),
        ("marketing-email", body("granted", "a b"), 400, "policy_version"),
        ("marketing-email", json!({"decision": "granted"}), 400, "body"),
    ] {
        assert_problem(&decide(&office, &owner, purpose, body).await, status, kind);
    }
    assert_eq!(db.store.decisions(&shop.connection.account).await.unwrap(), []);
}

//= R6.1
async fn decisions_go_with_their_account(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let account = &shop.connection.account;
    let owner = sign_in(db, account, Role::Owner).await;
    decide_later(&office, &owner, "granted", 1).await;
    db.store.delete_decisions(account).await.unwrap();
    assert_eq!(db.store.decisions(account).await.unwrap(), []);
    assert!(!db.dump().await.iter().any(|item| item.contains(&format!("CONSENTS#{account}"))));
}
