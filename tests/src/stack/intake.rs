//! Webhooks over HTTP.

use numib::domain::erasure::Counts;
use numib::domain::ids::Channel;
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use numib::seal::random;
use serde_json::json;
use xtask::meta;
use xtask::up::{APP_SECRETS, VERIFY_TOKENS};

use crate::deployed::{deployed, digits, now_ms};

#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn the_handshake_echoes_its_challenge_to_a_known_token_only() {
    let stack = deployed().await.stack;
    let ask = |query: &str| {
        let path = format!("/meta/webhook?{query}");
        meta::get(&stack.deployed, &path, None).unwrap()
    };
    let [token] = VERIFY_TOKENS;
    let good =
        ask(&format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1158201444"));
    assert_eq!((good.status, good.body.as_str()), (200, "1158201444"));
    assert!(good.content_type.starts_with("text/plain"), "{}", good.content_type);
    let wrong = ask("hub.mode=subscribe&hub.verify_token=other&hub.challenge=1");
    assert_eq!((wrong.status, wrong.content_type.as_str()), (403, "application/problem+json"));
    assert_eq!(ask("hub.mode=subscribe").status, 400);
    let script = format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=%3Cscript%3E");
    assert_eq!(ask(&script).status, 400);
}

//= R8.1
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn a_body_without_a_valid_signature_is_refused_and_stores_nothing() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let member = deployed.member(&account.id, Role::Agent).await;
    let body = account.body(&[account.text("7001", now_ms(), "m_forged", "forged")]);
    let right = meta::signature(APP_SECRETS[0], body.as_bytes());
    let other = meta::signature("another secret", body.as_bytes());
    for signature in
        [None, Some(""), Some("sha256="), right.strip_prefix("sha256="), Some(other.as_str())]
    {
        let answer = meta::post(&deployed.stack.deployed, body.as_bytes(), signature).unwrap();
        assert_eq!(answer.status, 401, "{signature:?}: {}", answer.body);
        assert_eq!(answer.content_type, "application/problem+json");
    }
    let list = deployed.get("/v1/conversations", &member).json();
    assert_eq!(list["conversations"], json!([]));
    // The same body, signed, shows that nothing but the signature kept it out.
    let taken = meta::post(&deployed.stack.deployed, body.as_bytes(), Some(&right)).unwrap();
    assert_eq!((taken.status, taken.json()["stored"].as_u64()), (200, Some(1)));
}

#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn either_apps_secret_signs() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Instagram, Plan::Days30, &[]).await;
    for (secret, mid) in APP_SECRETS.into_iter().zip(["m_a", "m_b"]) {
        let body = account.body(&[account.text("8001", now_ms(), mid, "hi")]);
        let answer = meta::deliver(&deployed.stack.deployed, secret, body.as_bytes()).unwrap();
        assert_eq!(answer.json()["stored"], 1, "{}", answer.body);
    }
}

#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn a_body_over_the_limit_is_refused_by_its_size() {
    let deployed = deployed().await;
    let body = format!("{{\"object\":\"page\",\"entry\":[],\"x\":\"{}\"}}", "x".repeat(4 << 20));
    let answer = meta::deliver(&deployed.stack.deployed, APP_SECRETS[0], body.as_bytes()).unwrap();
    assert_eq!((answer.status, answer.content_type.as_str()), (413, "application/problem+json"));
}

#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn authentic_but_useless_bodies_are_acknowledged_and_counted() {
    let deployed = deployed().await;
    let bodies = [
        (json!({"object": "user", "entry": [{"id": "1", "changes": [{}]}]}), "unknown_object"),
        (
            json!({"object": "page", "entry": [{"id": digits(), "time": 1, "messaging": [{
                "sender": {"id": "1"}, "recipient": {"id": "2"}, "timestamp": now_ms(),
                "message": {"mid": "m_1", "text": "hi"}}]}]}),
            "account_mismatch",
        ),
    ];
    for (body, reason) in bodies {
        let body = body.to_string();
        let answer = meta::deliver(&deployed.stack.deployed, APP_SECRETS[0], body.as_bytes());
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.json()["ignored"], 1, "{reason}: {}", answer.body);
        assert_eq!(answer.json()["stored"], 0);
    }
    let junk = meta::deliver(&deployed.stack.deployed, APP_SECRETS[0], b"not json").unwrap();
    assert_eq!(junk.status, 200, "{}", junk.body);
}

//= R8.1, R8.2
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn redeliveries_and_late_originals_change_nothing() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let member = deployed.member(&account.id, Role::Agent).await;
    let at = now_ms() - 60_000;
    let kept = account.text("7001", at, "m_kept", "first");
    let taken_back = account.text("7001", at + 1, "m_unsent", "taken back");
    let unsend =
        account.from("7001", at + 2, "message", &json!({"mid": "m_unsent", "is_deleted": true}));
    let edit = json!({"mid": "m_kept", "text": "second", "num_edit": 1});
    let edit = account.from("7001", at + 3, "message_edit", &edit);
    assert_eq!(deployed.deliver(&account, std::slice::from_ref(&unsend))["unsent"], 1);
    assert_eq!(deployed.deliver(&account, std::slice::from_ref(&edit))["edited"], 1);
    let all = [kept, taken_back, unsend, edit];
    assert_eq!(deployed.deliver(&account, &all)["stored"], 1);
    for _ in 0..2 {
        let again = deployed.deliver(&account, &all);
        assert_eq!((&again["stored"], &again["ignored"]), (&json!(0), &json!(4)), "{again}");
    }
    let list = deployed.get("/v1/conversations", &member).json();
    let id = list["conversations"][0]["id"].as_str().unwrap();
    let page = deployed.get(&format!("/v1/conversations/{id}/messages"), &member).json();
    let texts: Vec<_> = page["messages"].as_array().unwrap().iter().map(|m| &m["text"]).collect();
    assert_eq!(texts, ["second"]);
    assert_eq!(page["messages"][0]["edited"], true);
}

#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn a_large_body_over_several_accounts_is_stored_whole() {
    let deployed = deployed().await;
    let mut accounts = Vec::new();
    for _ in 0..3 {
        accounts.push(deployed.account(Channel::Messenger, Plan::Days90, &[]).await);
    }
    let at = now_ms();
    let entries: Vec<_> = accounts
        .iter()
        .map(|account| {
            let item = |n: i64| {
                let contact = (7000 + n % 10).to_string();
                account.text(&contact, at - n, &format!("m_{n}"), "hello")
            };
            let items: Vec<_> = (0..60).map(item).collect();
            json!({"id": account.meta_id, "time": at, "messaging": items})
        })
        .collect();
    let body = json!({"object": "page", "entry": entries}).to_string();
    let answer = meta::deliver(&deployed.stack.deployed, APP_SECRETS[0], body.as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["stored"], 180, "{}", answer.body);
}

//= R8.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn what_arrives_for_an_erased_connection_is_acknowledged_and_dropped() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let route = &account.connection.route;
    deployed
        .store
        .mark_connection_erased(
            route,
            &account.connection.id,
            (&random::request_id().unwrap(), Counts::new()),
            jiff::Timestamp::MAX,
        )
        .await
        .unwrap();
    let answer = deployed.deliver(&account, &[account.text("7001", now_ms(), "m_1", "late")]);
    assert_eq!((&answer["stored"], &answer["reasons"]), (&json!(0), &json!({"suppressed": 1})));
}
