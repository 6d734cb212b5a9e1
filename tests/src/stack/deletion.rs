//! The end of an account over HTTP: from the owner's request to the last receipt.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use numib::domain::connection::Connection;
use numib::domain::erasure::{Source, Target};
use numib::domain::ids::{Channel, MemberId};
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use numib::edge::clock;
use numib::erasure::{self, Asked};
use numib::identity::UserPool;
use serde_json::Value;
use xtask::meta;

use crate::deployed::{Deployed, deployed, digits, now_ms};

const NOTHING: (&str, &str) = ("", "");

async fn page(deployed: &Deployed, code: &str, state: &str) -> Value {
    for _ in 0..120 {
        let path = format!("/data-deletion/{code}");
        let page = meta::get_json(&deployed.stack.deployed, &path).unwrap().json();
        if page["state"] == state {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("not {state} within a minute");
}

/// Waits until an e-mail about this request was sent with this in its subject.
async fn told(deployed: &Deployed, code: &str, subject: &str) {
    for _ in 0..60 {
        let mail = deployed.stack.mail().unwrap().to_string();
        // The e-mails are short, and each has the code.
        if mail.contains(subject) && mail.contains(code) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("nobody was told: {subject}");
}

//= R5.3, R6.1, R8.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn an_account_ends_with_its_data_at_once_and_itself_on_its_day() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let owner = deployed.member(&account.id, Role::Owner).await;
    let agent = deployed.member(&account.id, Role::Agent).await;
    deployed.deliver(&account, &[account.text(&digits(), now_ms() - 60_000, "m_1", "one")]);
    assert_eq!(deployed.get("/v1/conversations", &agent).status, 200);

    let delete = ("DELETE", "/v1/account");
    assert_eq!(deployed.send(delete, &agent, NOTHING).status, 403);
    let first = deployed.send(delete, &owner, NOTHING);
    assert_eq!(first.status, 202, "{}", first.body);
    let first = first.json();
    let code = first["request"].as_str().unwrap();
    for member in [&agent, &owner] {
        assert_eq!(deployed.get("/v1/conversations", member).status, 403, "locked");
    }
    told(&deployed, code, "will be deleted").await;
    page(&deployed, first["data_request"].as_str().unwrap(), "completed").await;

    let cancel = format!("/v1/requests/{code}/cancel");
    let cancelled = deployed.send(("POST", &cancel), &owner, NOTHING);
    assert_eq!(cancelled.json()["state"], "cancelled", "{}", cancelled.body);
    assert_eq!(deployed.get("/v1/conversations", &agent).json()["conversations"], json_list());

    let again = deployed.send(delete, &owner, NOTHING).json();
    let code = again["request"].as_str().unwrap();
    let due_at: Timestamp = again["due_at"].as_str().unwrap().parse().unwrap();
    // The schedule of that day, tried today.
    let on_its_day = (due_at + SignedDuration::from_mins(16)).to_string();
    let ran = deployed.stack.run_task("resume-erasures", &on_its_day).unwrap();
    assert!(ran["resumed"].as_u64().unwrap() >= 1, "{ran}");
    told(&deployed, code, "is being deleted").await;
    let page = page(&deployed, code, "completed").await;
    assert_eq!(page["removed"], serde_json::json!({"account": 1, "member": 2}), "{page}");
    assert_eq!(deployed.store.account(&account.id).await.unwrap(), None);
    let pool = deployed.stack.deployed.outputs.user_pool_id.clone();
    let pool = UserPool::new(&deployed.stack.sdk(), pool);
    for member in [owner, agent] {
        assert_eq!(deployed.get("/v1/conversations", &member).status, 403);
        let member = MemberId::parse(&member.sub).unwrap();
        assert_eq!(deployed.store.member(&member).await.unwrap(), None);
        assert_eq!(pool.email(&member).await.unwrap(), None);
    }
}

//= R5.8
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn what_may_be_late_is_told_to_its_owners_and_done() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    deployed.member(&account.id, Role::Owner).await;
    let Connection { account, route, id: connection, .. } = account.connection.clone();
    let target = Target::Connection { account, route, connection };
    let subject = target.subject();
    let asked = Asked {
        source: Source::Disconnect,
        reference: None,
        subject,
        targets: vec![target],
        due_at: None,
    };
    // Nobody has queued the request for almost a month.
    let now = clock::now();
    let asked_at = now - SignedDuration::from_hours(25 * 24);
    let request = erasure::begin(&deployed.store, asked, asked_at).await.unwrap();
    deployed.stack.run_task("resume-erasures", &now.to_string()).unwrap();
    told(&deployed, request.id.as_str(), "takes longer than it should").await;
    page(&deployed, request.id.as_str(), "completed").await;
}

fn json_list() -> Value {
    Value::Array(Vec::new())
}
