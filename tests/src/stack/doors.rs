//! The doors of erasure over HTTP, each function under its own role.

use numib::domain::ids::{AccountId, Channel};
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use serde_json::{Value, json};
use xtask::meta::Answer;
use xtask::stack::Login;

use crate::deployed::{Deployed, deployed, digits, now_ms};

const NOTHING: (&str, &str) = ("", "");

fn accepted(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{}", answer.body);
    answer.json()["request"].as_str().unwrap().to_owned()
}

async fn operator(deployed: &Deployed) -> Login {
    deployed.member(&AccountId::parse("numib").unwrap(), Role::Operator).await
}

//= R5.3, R8.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn a_disconnected_channel_shows_nothing_at_once_and_is_gone_soon() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let owner = deployed.member(&account.id, Role::Owner).await;
    let at = now_ms() - 60_000;
    deployed.deliver(&account, &[account.text("7001", at, "m_1", "one")]);
    deployed.deliver(&account, &[account.text("7002", at, "m_2", "two")]);
    let conversation = deployed.get("/v1/conversations", &owner).json();
    let conversation = conversation["conversations"][0]["id"].as_str().unwrap();
    // A contact first, by the same owner, and one of its messages.
    let page = deployed.get(&format!("/v1/conversations/{conversation}/messages"), &owner).json();
    let message = page["messages"][0]["id"].as_str().unwrap();
    let path = format!("/v1/conversations/{conversation}/messages/{message}");
    let message = accepted(&deployed.send(("DELETE", &path), &owner, NOTHING));
    let path = format!("/v1/conversations/{conversation}");
    let contact = accepted(&deployed.send(("DELETE", &path), &owner, NOTHING));
    let left = deployed.get("/v1/conversations", &owner).json();
    assert_eq!(left["conversations"].as_array().unwrap().len(), 1);
    let path = format!("/v1/connections/{}", account.connection.id);
    let channel = accepted(&deployed.send(("DELETE", &path), &owner, NOTHING));
    let left = deployed.get("/v1/conversations", &owner).json();
    assert_eq!(left["conversations"], json!([]));
    for code in [message, contact, channel] {
        let done = deployed.followed(&owner, &code).await;
        assert_eq!(done["data_held"], true, "{done}");
    }
    assert_eq!(deployed.send(("DELETE", &path), &owner, NOTHING).status, 404);
}

//= R5.7, R6.7, R8.7
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn an_operator_lodges_lists_and_holds() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let operator = operator(&deployed).await;
    let (contact, listed) = (digits(), digits());
    let at = now_ms() - 60_000;
    deployed.deliver(&account, &[account.text(&contact, at, "m_1", "one")]);
    deployed.deliver(&account, &[account.text(&listed, at, "m_2", "two")]);
    let on = format!("account:{}", account.id);
    let hold = json!({"on": on, "reason": "court order", "reference": "AZ 7"}).to_string();
    let set = ("PUT", "/v1/operator/holds/case-7");
    let answer = deployed.send(set, &operator, ("application/json", &hold));
    assert_eq!(answer.status, 201, "{}", answer.body);
    let asked = json!({"id": contact, "source": "operator", "reference": "T-1"}).to_string();
    let lodge = ("POST", "/v1/operator/requests");
    let lodged = deployed.send(lodge, &operator, ("application/json", &asked));
    assert_eq!(lodged.json()["state"], "held", "{}", lodged.body);
    let lift = format!("/v1/operator/holds/case-7?on={on}");
    let lifted = deployed.send(("DELETE", &lift), &operator, NOTHING);
    assert_eq!(lifted.json()["resumed"], 1, "{}", lifted.body);
    let list = format!("user_id\r\n{listed}\r\n{}\r\n", digits());
    let import = ("POST", "/v1/operator/deletion-lists");
    let answer = deployed.send(import, &operator, ("text/csv", &list)).json();
    assert_eq!(answer["lines"][0]["state"], "requested", "{answer}");
    assert_eq!(answer["lines"][1]["state"], "nothing-held", "{answer}");
    let code = |line: &Value| line["request"].as_str().unwrap().to_owned();
    let codes = [accepted(&lodged), code(&answer["lines"][0]), code(&answer["lines"][1])];
    for code in &codes {
        deployed.followed(&operator, code).await;
    }
    let agent = deployed.member(&account.id, Role::Agent).await;
    let refused = deployed.send(import, &agent, ("text/csv", &list));
    assert_eq!(refused.status, 403, "{}", refused.body);
}
