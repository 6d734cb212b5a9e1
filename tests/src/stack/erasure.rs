//! Meta's callbacks over HTTP, and the public pages: from the signed request to the receipt.

use std::time::Duration;

use numib::domain::ids::Channel;
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use serde_json::{Value, json};
use xtask::meta::{self, Answer};
use xtask::receipt;
use xtask::up::APP_SECRETS;

use crate::deployed::{Deployed, deployed, digits, now_ms};

fn call_back(deployed: &Deployed, path: &str, payload: &Value) -> Answer {
    let signed = meta::signed_request(APP_SECRETS[0], payload);
    meta::call_back(&deployed.stack.deployed, path, &signed).unwrap()
}

fn asks(person: &str) -> Value {
    json!({"user_id": person, "algorithm": "HMAC-SHA256", "issued_at": now_ms() / 1000})
}

fn page(deployed: &Deployed, path: &str) -> Answer {
    meta::get_json(&deployed.stack.deployed, path).unwrap()
}

async fn completed(deployed: &Deployed, path: &str) -> Value {
    for _ in 0..120 {
        let status = page(deployed, path).json();
        if status["state"] == "completed" {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("not completed within a minute");
}

//= R8.3, R8.4, R8.5
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn a_deletion_callback_is_followed_to_a_receipt_and_leaves_nothing_of_the_person() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Instagram, Plan::Days30, &[]).await;
    let agent = deployed.member(&account.id, Role::Agent).await;
    let (person, other) = (digits(), digits());
    let at = now_ms() - 60_000;
    deployed.deliver(&account, &[account.text(&person, at, "m_1", "to be forgotten")]);
    deployed.deliver(&account, &[account.text(&other, at, "m_2", "to be kept")]);
    let answer = call_back(&deployed, "/meta/data-deletion", &asks(&person));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.content_type, "application/json");
    let answer = answer.json();
    let fields: Vec<_> = answer.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["confirmation_code", "url"]);
    let code = answer["confirmation_code"].as_str().unwrap();
    assert!(code.len() >= 26 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert!(answer["url"].as_str().unwrap().ends_with(&format!("/data-deletion/{code}")));
    // At once: not shown any more, and the same question has the same answer.
    let shown = deployed.get("/v1/conversations", &agent).json();
    assert_eq!(shown["conversations"].as_array().unwrap().len(), 1);
    let path = format!("/data-deletion/{code}");
    let status = page(&deployed, &path).json();
    assert_ne!(status["unreadable_since"], Value::Null, "{status}");
    let again = call_back(&deployed, "/meta/data-deletion", &asks(&person)).json();
    assert_eq!(again["confirmation_code"], code);
    // Soon: gone, proven, signed.
    let done = completed(&deployed, &path).await;
    assert_eq!(done["removed"], json!({"message": 1}), "{done}");
    let signed = page(&deployed, &format!("{path}/receipt"));
    let keys = page(&deployed, "/.well-known/jwks.json");
    let claims = receipt::verify(&signed.body, &keys.body).unwrap();
    assert_eq!((&claims["jti"], &claims["source"]), (&json!(code), &json!("meta-deletion")));
    // A redelivery brings nothing back, and who was not asked for is still there.
    let late = deployed.deliver(&account, &[account.text(&person, at, "m_1", "to be forgotten")]);
    assert_eq!(late["reasons"], json!({"suppressed": 1}));
    let left = deployed.get("/v1/conversations", &agent).json();
    assert_eq!(left["conversations"][0]["last_message"]["text"], "to be kept");
}

//= R8.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn a_deauthorised_page_is_unreadable_at_once_and_its_keys_and_rows_are_gone_soon() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let agent = deployed.member(&account.id, Role::Agent).await;
    deployed.deliver(&account, &[account.text(&digits(), now_ms() - 60_000, "m_1", "hi")]);
    let removed = json!({"user_id": "0", "profile_id": account.meta_id,
                         "algorithm": "HMAC-SHA256", "issued_at": now_ms() / 1000});
    let answer = call_back(&deployed, "/meta/deauthorize", &removed);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(deployed.get("/v1/conversations", &agent).json()["conversations"], json!([]));
    let id = &account.connection.id;
    assert_eq!(deployed.store.day_key_days(id).await.unwrap(), [], "its keys are destroyed");
    for _ in 0..120 {
        let contacts = deployed.store.contacts_after(id, None).await.unwrap();
        if contacts.is_empty() {
            // Our own unsubscribe comes back as another callback, which finds nothing to do.
            assert_eq!(call_back(&deployed, "/meta/deauthorize", &removed).status, 200);
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("not swept within a minute");
}

//= R8.4
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn what_is_not_metas_changes_nothing_and_an_unknown_person_gets_an_honest_page() {
    let deployed = deployed().await;
    let forged = meta::signed_request("not the secret", &asks("4711"));
    let to = &deployed.stack.deployed;
    for path in ["/meta/data-deletion", "/meta/deauthorize"] {
        assert_eq!(meta::call_back(to, path, &forged).unwrap().status, 401, "{path}");
        assert_eq!(meta::call_back(to, path, "nonsense").unwrap().status, 400, "{path}");
        let long = "x".repeat(20_000);
        let status = meta::call_back(to, path, &long).unwrap().status;
        assert!(status == 400 || status == 413, "{path}: {status}");
    }
    let unknown = call_back(&deployed, "/meta/data-deletion", &asks(&digits())).json();
    let path = format!("/data-deletion/{}", unknown["confirmation_code"].as_str().unwrap());
    let status = page(&deployed, &path).json();
    assert_eq!(status["data_held"], false, "{status}");
    completed(&deployed, &path).await;
    let nobody = page(&deployed, "/data-deletion/00000000000000000000000000");
    assert_eq!(nobody.status, 404);
    for path in ["/en/data-deletion", "/es/data-deletion", &path] {
        let html = meta::get(to, path, None).unwrap();
        assert_eq!((html.status, html.content_type.as_str()), (200, "text/html; charset=utf-8"));
    }
}
