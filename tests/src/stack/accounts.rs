//! An account from its opening to its end, over HTTP: owner, profile, members, invoices.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use numib::domain::account::Use;
use numib::domain::ids::AccountId;
use numib::domain::role::Role;
use serde_json::{Value, json};
use xtask::account::random_id;
use xtask::meta::{Answer, send_matching};
use xtask::stack::Login;

use crate::deployed::{Deployed, deployed, digits};

const JSON: &str = "application/json";
const NOTHING: (&str, &str) = ("", "");

/// Someone with an address and a password of their own.
struct Person {
    email: String,
    password: String,
}

impl Person {
    fn new() -> Self {
        let email = format!("{}@test.example", random_id().unwrap());
        Self { email, password: format!("{}{}Aa1!", digits(), digits()) }
    }

    /// Signs in, as after the invitation, and says in which groups.
    fn sign_in(&self, deployed: &Deployed, role: Role) -> Login {
        let login = deployed.stack.login(&self.email, role.as_str(), &self.password).unwrap();
        let claims = login.access_token.split('.').nth(1).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(claims).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["cognito:groups"], json!([role.as_str()]), "no other is left");
        login
    }
}

fn expect(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.body);
    answer.json()
}

fn post(deployed: &Deployed, path: &str, login: &Login, body: &Value) -> Answer {
    deployed.send(("POST", path), login, (JSON, &body.to_string()))
}

fn patch(deployed: &Deployed, path: &str, login: &Login, version: &str, body: &Value) -> Answer {
    let what = (version, body.to_string());
    let token = &login.access_token;
    let of = &deployed.stack.deployed;
    send_matching(of, ("PATCH", path), token, (what.0, &what.1)).unwrap()
}

/// A new account, its owner, and staff.
async fn opened(deployed: &Deployed) -> (AccountId, Login, Login) {
    let operator = deployed.member(&AccountId::parse("numib").unwrap(), Role::Operator).await;
    let person = Person::new();
    let asked = json!({"owner_email": person.email, "plan_days": 30});
    let answer = post(deployed, "/v1/operator/accounts", &operator, &asked);
    let answer = expect(&answer, 201);
    let account = AccountId::parse(answer["account"].as_str().unwrap()).unwrap();
    let owner = person.sign_in(deployed, Role::Owner);
    assert_eq!(answer["owner"], owner.sub.as_str());
    (account, owner, operator)
}

//= R1.2, R5.2, R10.1
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn an_account_is_opened_with_its_owner_who_corrects_its_profile() {
    let deployed = deployed().await;
    let (account, owner, operator) = opened(&deployed).await;
    let shown = expect(&deployed.get("/v1/account", &owner), 200);
    assert_eq!((&shown["state"], &shown["plan_days"]), (&json!("active"), &json!(30)));
    assert_eq!(shown["profile"], json!({}));
    let first = json!({"name": "Ana Canary", "phone": "+50255501234"});
    let unsaid = deployed.send(("PATCH", "/v1/account"), &owner, (JSON, &first.to_string()));
    expect(&unsaid, 428);
    expect(&patch(&deployed, "/v1/account", &owner, "\"0\"", &first), 200);
    let second = json!({"name": "Eva Canary", "phone": null});
    expect(&patch(&deployed, "/v1/account", &owner, "\"0\"", &second), 412);
    expect(&patch(&deployed, "/v1/account", &owner, "\"1\"", &second), 200);
    let shown = expect(&deployed.get("/v1/account", &owner), 200);
    assert_eq!(shown["profile"], json!({"name": "Eva Canary"}));
    let wrong = patch(&deployed, "/v1/account", &owner, "\"2\"", &json!({"phone": "1"}));
    let wrong = expect(&wrong, 400);
    assert_eq!(wrong["type"], "tag:numib.app,2026:problem/phone");
    let version = format!("v{}", random_id().unwrap());
    let publish = json!({"version": version, "effective_on": "2026-11-24"});
    expect(&post(&deployed, "/v1/operator/policy-versions", &operator, &publish), 201);
    let accept = json!({"version": version});
    expect(&post(&deployed, "/v1/account/policy-acceptance", &owner, &accept), 200);
    let shown = expect(&deployed.get("/v1/account", &owner), 200);
    assert_eq!(shown["policy"]["version"], version.as_str());
    assert!(deployed.store.has_account_key(&account, Use::Profile).await.unwrap());
    assert!(!deployed.stack.dump().unwrap().contains("Canary"));
}

//= R4.3, R9.1
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn members_are_added_demoted_and_removed_and_are_out_at_once() {
    let deployed = deployed().await;
    let (_, owner, operator) = opened(&deployed).await;
    let person = Person::new();
    let asked = json!({"email": person.email, "role": "admin"});
    let added = expect(&post(&deployed, "/v1/members", &owner, &asked), 201);
    let path = format!("/v1/members/{}", added["member"].as_str().unwrap());
    let admin = person.sign_in(&deployed, Role::Admin);
    let listed = expect(&deployed.get("/v1/members", &admin), 200);
    let listed = listed["members"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().any(|one| one["email"] == person.email.as_str()), "{listed:?}");
    // Somebody else's member, and one's own, are refused in the same words.
    let (_, other, _) = opened(&deployed).await;
    let elsewhere = post(&deployed, "/v1/members", &other, &asked);
    let here = post(&deployed, "/v1/members", &owner, &asked);
    assert_eq!(expect(&elsewhere, 409), expect(&here, 409));
    expect(&deployed.send(("DELETE", &path), &other, NOTHING), 404);
    // An admin makes no admin, and touches no owner.
    let asked = json!({"email": Person::new().email, "role": "admin"});
    expect(&post(&deployed, "/v1/members", &admin, &asked), 403);
    let owners = format!("/v1/members/{}", owner.sub);
    expect(&deployed.send(("DELETE", &owners), &admin, NOTHING), 403);
    // The last owner stays.
    expect(&deployed.send(("DELETE", &owners), &owner, NOTHING), 409);
    let step_down = json!({"role": "agent"});
    expect(&patch(&deployed, &owners, &owner, "\"owner\"", &step_down), 409);

    expect(&patch(&deployed, &path, &owner, "\"agent\"", &step_down), 412);
    expect(&patch(&deployed, &path, &owner, "\"admin\"", &step_down), 200);
    expect(&deployed.get("/v1/members", &admin), 403);
    let agent = person.sign_in(&deployed, Role::Agent);
    expect(&deployed.get("/v1/conversations", &agent), 200);
    let removed = expect(&deployed.send(("DELETE", &path), &owner, NOTHING), 202);
    expect(&deployed.get("/v1/conversations", &agent), 403);
    let code = removed["request"].as_str().unwrap();
    let done = deployed.followed(&owner, code).await;
    assert_eq!(done["removed"], json!({"member": 1}));
    expect(&deployed.send(("DELETE", &path), &owner, NOTHING), 404);

    let minor = Person::new();
    let asked = json!({"email": minor.email, "role": "agent"});
    let added = expect(&post(&deployed, "/v1/members", &owner, &asked), 201);
    let path = format!("/v1/members/{}/minor-report", added["member"].as_str().unwrap());
    let reported = expect(&post(&deployed, &path, &owner, &json!({})), 202);
    let code = reported["request"].as_str().unwrap();
    let done = deployed.followed(&operator, code).await;
    assert_eq!(done["source"], "operator", "that it is a minor is told to nobody");
}

//= R10.1
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn a_new_policy_is_announced_to_every_owner_once() {
    let deployed = deployed().await;
    let (_, _, operator) = opened(&deployed).await;
    let version = format!("v{}", random_id().unwrap());
    let asked = json!({"version": version, "effective_on": "2027-01-15"});
    let publish = || post(&deployed, "/v1/operator/policy-versions", &operator, &asked);
    let mails = || deployed.stack.mail().unwrap().to_string().matches(&version).count();
    expect(&publish(), 201);
    let mut sent = 0;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        sent = mails();
        if sent > 0 {
            break;
        }
    }
    assert!(sent > 0, "no owner was told");
    // Until all are told: others' tests make owners, too.
    tokio::time::sleep(Duration::from_secs(5)).await;
    expect(&publish(), 200);
    let other_day = json!({"version": version, "effective_on": "2027-01-16"});
    expect(&post(&deployed, "/v1/operator/policy-versions", &operator, &other_day), 409);
}

//= R6.1, R6.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn invoices_are_filed_listed_and_survive_the_account_until_their_period_is_over() {
    let deployed = deployed().await;
    let (account, owner, operator) = opened(&deployed).await;
    let invoice = |number: &str| {
        json!({"issued_on": "2026-11-24", "jurisdiction": "GT", "number": number,
               "currency": "GTQ", "total_minor": 12345, "lines": ["Canary plan"]})
    };
    let file = |id: &str, body: &Value| {
        let path = format!("/v1/operator/accounts/{account}/invoices/{id}");
        deployed.send(("PUT", &path), &operator, (JSON, &body.to_string()))
    };
    let filed = expect(&file("i-1", &invoice("1")), 201);
    assert_eq!(filed["kept_until"], "2031-11-24");
    expect(&file("i-1", &invoice("1")), 200);
    expect(&file("i-1", &invoice("2")), 409);
    expect(&file("i-2", &invoice("2")), 201);
    let mut nowhere = invoice("3");
    nowhere["jurisdiction"] = json!("XX");
    expect(&file("i-3", &nowhere), 400);
    let page = expect(&deployed.get("/v1/invoices?limit=1", &owner), 200);
    assert_eq!((&page["cursor"], &page["invoices"][0]["number"]), (&json!("i-2"), &json!("2")));
    let page = expect(&deployed.get("/v1/invoices?limit=1&cursor=i-2", &owner), 200);
    assert_eq!(page["invoices"][0]["lines"], json!(["Canary plan"]));

    let deleted = expect(&deployed.send(("DELETE", "/v1/account"), &owner, NOTHING), 202);
    let locked = expect(&deployed.get("/v1/account", &owner), 200);
    assert_eq!((&locked["state"], &locked["deletion"]), (&json!("locked"), &deleted["request"]));
    let due_at: Timestamp = deleted["due_at"].as_str().unwrap().parse().unwrap();
    // The schedule of that day, tried today.
    let on_its_day = (due_at + SignedDuration::from_mins(16)).to_string();
    deployed.stack.run_task("resume-erasures", &on_its_day).unwrap();
    let code = deleted["request"].as_str().unwrap();
    deployed.followed(&operator, code).await;
    assert_eq!(deployed.store.account(&account).await.unwrap(), None);
    let records = format!("/v1/operator/accounts/{account}/invoices");
    let kept = expect(&deployed.get(&records, &operator), 200);
    assert_eq!(kept["invoices"].as_array().unwrap().len(), 2, "for who may still ask for them");
    expect(&deployed.get(&records, &owner), 403);
    let purge = |at| deployed.stack.run_task("purge-tax-records", at).unwrap();
    purge("2031-11-24T23:59:59Z");
    assert_eq!(deployed.store.invoices(&account, None, 9).await.unwrap().len(), 2);
    purge("2031-11-25T00:00:00Z");
    assert!(!deployed.store.has_invoices(&account).await.unwrap());
    assert!(!deployed.store.has_account_key(&account, Use::TaxRecords).await.unwrap());
}
