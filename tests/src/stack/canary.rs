//! Nothing personal in clear, anywhere: unique strings go in through every door, then every table,
//! stream, queue, object, log and metric is searched for them.

use std::collections::BTreeSet;
use std::time::Duration;

use numib::domain::ids::Channel;
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use serde_json::{Value, json};
use xtask::meta;
use xtask::up::APP_SECRETS;

use crate::deployed::{Account, Deployed, deployed, digits, now_ms};

/// Strings that occur nowhere else, by where they go in.
struct Canaries {
    text: String,
    name: String,
    token: String,
    contact: String,
    mid: String,
}

impl Canaries {
    fn new() -> Self {
        let new = |what: &str| format!("canary-{what}-{}", digits());
        Self {
            text: new("text"),
            name: new("name"),
            token: new("token"),
            contact: digits(),
            mid: new("mid"),
        }
    }

    fn all(&self) -> [&str; 5] {
        [&self.text, &self.name, &self.token, &self.contact, &self.mid]
    }
}

/// Every shape that carries something personal, storable or not.
fn items(account: &Account, canaries: &Canaries) -> Vec<Value> {
    let Canaries { text, name, token, contact, mid } = canaries;
    let at = now_ms();
    let url = format!("https://cdn.example/{token}?name={name}");
    let from = |field: &str, value: &Value| account.from(contact, at, field, value);
    vec![
        from(
            "message",
            &json!({"mid": mid, "text": text, "quick_reply": {"payload": token},
            "nlp": {"entities": {"name": name}}, "referral": {"ref": token}}),
        ),
        from(
            "message",
            &json!({"mid": format!("{mid}-2"), "attachments": [
            {"type": "image", "payload": {"url": url, "title": name}}]}),
        ),
        from(
            "message",
            &json!({"mid": format!("{mid}-3"), "text": text, "is_echo": true,
            "metadata": token}),
        ),
        from("message_edit", &json!({"mid": mid, "text": format!("{text} edited"), "num_edit": 1})),
        from("message", &json!({"mid": format!("{mid}-4"), "is_deleted": true})),
        from("reaction", &json!({"mid": mid, "action": "react", "emoji": text})),
        from("read", &json!({"mid": mid, "watermark": at})),
        from("postback", &json!({"mid": format!("{mid}-5"), "title": text, "payload": token})),
        from("message", &json!({"mid": {"odd": mid}, "text": [text, name]})),
        json!({"sender": {"id": contact, "name": name}, "recipient": {"id": text}, "timestamp": at,
            "message": {"mid": mid, "text": text}}),
        json!({"sender": name, "oddity": token}),
    ]
}

/// Sends them through every door there is, the ones that refuse included.
fn run_everything(deployed: &Deployed, account: &Account, canaries: &Canaries) {
    let stack = &deployed.stack.deployed;
    let body = account.body(&items(account, canaries));
    for _ in 0..2 {
        let answer = meta::deliver(stack, APP_SECRETS[0], body.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        found_in(&answer.body, "the webhook's answer", canaries);
    }
    let unknown = json!({"object": canaries.name, "entry": [{"id": canaries.text}]}).to_string();
    meta::deliver(stack, APP_SECRETS[0], unknown.as_bytes()).unwrap();
    meta::deliver(stack, APP_SECRETS[0], canaries.text.as_bytes()).unwrap();
    let cut = &body.as_bytes()[..body.len() / 2];
    meta::deliver(stack, APP_SECRETS[0], cut).unwrap();
    for signature in [None, Some(canaries.token.as_str())] {
        let refused = meta::post(stack, body.as_bytes(), signature).unwrap();
        assert_eq!(refused.status, 401);
        found_in(&refused.body, "the refusal", canaries);
    }
    let Canaries { text, token, .. } = canaries;
    let paths = [
        format!("/meta/webhook?hub.mode=subscribe&hub.verify_token={token}&hub.challenge={text}"),
        format!("/v1/conversations?cursor={text}"),
        format!("/v1/conversations/{text}/messages?older={token}"),
    ];
    for path in paths {
        for token in [None, Some(token.as_str())] {
            let answer = meta::get(stack, &path, token).unwrap();
            assert!(answer.status >= 400, "{path}: {}", answer.body);
            found_in(&answer.body, "a refusal", canaries);
        }
    }
}

fn found_in(text: &str, place: &str, canaries: &Canaries) {
    for canary in canaries.all() {
        assert!(!text.contains(canary), "{canary} is in {place}");
    }
}

/// Everything that is stored anywhere, searched; returns it by its place.
fn searched(deployed: &Deployed, account: &Account, canaries: &Canaries) -> Vec<(String, String)> {
    let dump = deployed.stack.dump().unwrap();
    let mut sources = Vec::new();
    for line in dump.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let source = entry["source"].as_str().unwrap().to_owned();
        let content = entry["content"].to_string();
        found_in(&content, &source, canaries);
        // The Page's own id is personal data as well: rows are found by pseudonyms of it.
        assert!(!content.contains(&account.meta_id), "the Page's id is in {source}");
        sources.push((source, content));
    }
    sources
}

/// Erases the contact through the public door, tries the doors that refuse, and returns when the
/// erasure is completed.
async fn erase(deployed: &Deployed, canaries: &Canaries) {
    let stack = &deployed.stack.deployed;
    let Canaries { text, token, contact, .. } = canaries;
    let asked = json!({"user_id": contact, "algorithm": "HMAC-SHA256", "oauth_token": token,
                       "user": {"locale": text}, "issued_at": now_ms() / 1000});
    for (secret, status) in [("not the secret", 401), (APP_SECRETS[1], 200)] {
        let signed = meta::signed_request(secret, &asked);
        let answer = meta::call_back(stack, "/meta/data-deletion", &signed).unwrap();
        assert_eq!(answer.status, status, "{}", answer.body);
        found_in(&answer.body, "a callback's answer", canaries);
        let Some(code) = answer.json()["confirmation_code"].as_str().map(str::to_owned) else {
            continue;
        };
        let page = format!("/data-deletion/{code}");
        for _ in 0..120 {
            let status = meta::get_json(stack, &page).unwrap();
            found_in(&status.body, "the page", canaries);
            if status.json()["state"] == "completed" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    panic!("not erased within a minute");
}

#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn every_line_of_a_log_is_searched_however_many_there_are() {
    let deployed = deployed().await;
    // One answer has 10,000 at most.
    let (group, lines) = (format!("long-log-{}", digits()), 20_001);
    deployed.stack.log(&group, lines).unwrap();
    let dump = deployed.stack.dump().unwrap();
    let log = dump.lines().find(|line| line.contains(&format!("log:{group}"))).unwrap();
    let log: Value = serde_json::from_str(log).unwrap();
    let log = log["content"].as_array().unwrap().iter();
    let found: BTreeSet<&str> = log.map(|line| line["message"].as_str().unwrap()).collect();
    let written: BTreeSet<String> = (0..lines).map(|number| format!("line {number}")).collect();
    assert_eq!(found.len(), written.len(), "of so many lines");
    assert!(found.into_iter().eq(&written), "the dump has other lines");
}

//= R1.1, R4.1, R8.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn nothing_personal_is_in_clear_anywhere() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let member = deployed.member(&account.id, Role::Agent).await;
    let canaries = Canaries::new();
    run_everything(&deployed, &account, &canaries);
    deployed.stack.run_task("provision-day-keys", &numib::edge::clock::now().to_string()).unwrap();

    // Whoever may read what went in can read it, so the search below is for something real.
    let list = deployed.get("/v1/conversations", &member);
    let id = list.json()["conversations"][0]["id"].as_str().unwrap().to_owned();
    let page = deployed.get(&format!("/v1/conversations/{id}/messages"), &member);
    for text in [format!("\"{}\"", canaries.text), format!("\"{} edited\"", canaries.text)] {
        assert!(page.body.contains(&text), "{text} is not in {}", page.body);
    }

    let sources = searched(&deployed, &account, &canaries);
    let has = |kind: &str, what: &str| {
        sources.iter().any(|(source, content)| source.starts_with(kind) && content.contains(what))
    };
    assert!(has("table:", &id), "the dump does not have the conversation's rows");
    assert!(has("stream:", account.connection.id.as_str()), "the dump has no stream");
    assert!(has("log:", "webhook taken in"), "the dump has no log of the intake");
    assert!(has("log:", "GET /v1/conversations"), "the dump has no log of the inbox");
    // After the erasure nothing is left of the conversation but its mark and the proof.
    erase(&deployed, &canaries).await;
    let sources = searched(&deployed, &account, &canaries);
    for (source, content) in sources.iter().filter(|(source, _)| source.starts_with("table:")) {
        let items: Vec<Value> = serde_json::from_str(content).unwrap();
        for item in items.iter().map(Value::to_string).filter(|item| item.contains(&id)) {
            assert!(!item.contains("sealed"), "{source} has a ciphertext of it: {item}");
        }
    }
    let log = xtask::project::local().join("test/emulator.log");
    let log = std::fs::read_to_string(log).unwrap();
    // The emulator prints what a function writes: every log line and every metric.
    let ours = log.lines().filter(|line| line.starts_with('{'));
    for line in ours {
        found_in(line, "a function's output", &canaries);
    }
}
