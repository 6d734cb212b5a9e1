//! What an account decides about optional purposes.

use numib::domain::consent::{Choice, Purpose, may_be_processed};
use numib::domain::ids::PolicyVersion;
use numib::domain::role::Role;
use numib::domain::time::Day;
use numib::edge::clock::Clock;
use serde_json::{Value, json};

use super::{Office, Said, assert_problem, operator, sign_in};
use crate::database::Database;
use crate::shop::{Shop, now};
use crate::webhook::{Answer, event, request};

on_both_databases!(
    each_decision_is_kept_and_the_latest_says_whether_a_purpose_may_be_processed,
    what_is_no_decision_is_refused_by_name,
    decisions_go_with_their_account,
    an_account_accepts_published_versions_only_and_sees_which_is_in_force,
);

const LIST: &str = "GET /v1/consents";
const ACCEPT: &str = "POST /v1/account/policy-acceptance";
const DECIDE: &str = "PUT /v1/consents/{purpose}";

pub(super) async fn publish(db: &Database, version: &str, effective_on: &str) {
    let (version, day) =
        (PolicyVersion::parse(version).unwrap(), Day::parse(effective_on).unwrap());
    db.store.put_policy_version(&version, day).await.unwrap();
}

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
    let answer =
        Box::pin(privacy_api::handle(&office.app, &request(&event), Clock::set_to(at))).await;
    assert_eq!(answer.status(), 200);
}

//= R2.2, R5.5, R5.6
async fn each_decision_is_kept_and_the_latest_says_whether_a_purpose_may_be_processed(
    db: &Database,
) {
    let (office, shop, other) = (Office::open(db), Shop::open(db).await, Shop::open(db).await);
    publish(db, "2026-11", "2026-11-01").await;
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
        ("marketing-email", body("granted", "never"), 400, "policy_version"),
        ("marketing-email", body("granted", "a b"), 400, "policy_version"),
        ("marketing-email", json!({"decision": "granted"}), 400, "policy_version"),
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
    publish(db, "2026-11", "2026-11-01").await;
    decide_later(&office, &owner, "granted", 1).await;
    db.store.delete_decisions(account).await.unwrap();
    assert_eq!(db.store.decisions(account).await.unwrap(), []);
    assert!(!db.dump().await.iter().any(|item| item.contains(&format!("CONSENTS#{account}"))));
}

//= R10.1
async fn an_account_accepts_published_versions_only_and_sees_which_is_in_force(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    let today = Day::of(now());
    publish(db, "old", "2026-01-01").await;
    publish(db, "current", &today.to_string()).await;
    publish(db, "coming", &today.plus(1).to_string()).await;
    let accept =
        async |version: &str| office.post(&owner, ACCEPT, &json!({"version": version})).await;
    for bad in ["never", "", "a b"] {
        assert_problem(&accept(bad).await, 400, "version");
    }
    for good in ["current", "old"] {
        assert_eq!(accept(good).await.status, 200, "{good}");
    }
    let listed = office.look(&owner, "GET /v1/policy-versions", "").await.json();
    let listed = listed["versions"].as_array().unwrap();
    let said = |one: &Value| json!([one["version"], one["is_in_force"], one["accepted"].is_null()]);
    let expected = [
        json!(["coming", false, true]),
        json!(["current", true, false]),
        json!(["old", false, false]),
    ];
    assert_eq!(listed.iter().map(said).collect::<Vec<_>>(), expected);
    assert_eq!(listed[1]["accepted"]["accepted_by"], owner["sub"]);
    let shown = office.look(&owner, "GET /v1/account", "").await.json();
    assert_eq!(shown["policy"]["version"], "current", "an older one takes nothing back");
    let number = json!({"version": "20270101", "effective_on": "2027-01-01"});
    let staff = operator(db).await;
    let refused = office.post(&staff, "POST /v1/operator/policy-versions", &number).await;
    assert_problem(&refused, 400, "version");
}
