//! Exports over HTTP: an archive is downloaded, checked, read back, and compared with the API.

use std::collections::BTreeMap;

use numib::domain::ids::{AccountId, Channel};
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use serde_json::{Value, json};
use xtask::account::random_id;
use xtask::export::{self, Archive};
use xtask::meta::{Answer, send_matching};
use xtask::stack::Login;

use crate::deployed::{Account, Deployed, deployed, digits, now_ms};

const JSON: &str = "application/json";
const NOTHING: (&str, &str) = ("", "");

fn expect(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.body);
    answer.json()
}

/// An account with two channels, and something of every kind; its owner.
async fn account_with_everything(deployed: &Deployed) -> (Account, Login) {
    let messenger = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let id = messenger.id.clone();
    let instagram = deployed.connect(id, Channel::Instagram, Plan::Days30, &[]).await;
    let owner = deployed.member(&messenger.id, Role::Owner).await;
    deployed.member(&messenger.id, Role::Agent).await;
    let (at, people) = (now_ms() - 60_000, [digits(), digits(), digits()]);
    let [marta, luis, eva] = &people;
    let texts =
        ["=1+1", "¿Tienen «nogal»? مرحبا 👩🏽‍💻", "<b>\"quoted\", and\nbroken</b>", "to be unsent"];
    for (number, text) in (0_i64..).zip(texts) {
        let sent = messenger.text(marta, at + number, &format!("m_{number}"), text);
        deployed.deliver(&messenger, &[sent]);
    }
    let edit = json!({"mid": "m_0", "text": "=2+2", "num_edit": 1});
    deployed.deliver(&messenger, &[messenger.from(marta, at + 10, "message_edit", &edit)]);
    let unsend = json!({"mid": "m_3", "is_deleted": true});
    deployed.deliver(&messenger, &[messenger.from(marta, at + 11, "message", &unsend)]);
    let image = json!({"mid": "m_5", "attachments": [{"type": "image"}]});
    deployed.deliver(&messenger, &[messenger.from(luis, at + 12, "message", &image)]);
    // More than a page of the API.
    let many = (0..120).map(|n| instagram.text(eva, at + n, &format!("m_i{n}"), "hola"));
    let body = instagram.body(&many.collect::<Vec<_>>());
    let secret = xtask::up::APP_SECRETS[1];
    let answer = xtask::meta::deliver(&deployed.stack.deployed, secret, body.as_bytes()).unwrap();
    assert_eq!(expect(&answer, 200)["stored"], 120);

    let profile = json!({"name": "Ana Canary", "phone": "+50255501234"}).to_string();
    let to = &deployed.stack.deployed;
    let token = &owner.access_token;
    let corrected = send_matching(to, ("PATCH", "/v1/account"), token, ("\"0\"", &profile));
    expect(&corrected.unwrap(), 200);
    let operator = deployed.member(&AccountId::parse("numib").unwrap(), Role::Operator).await;
    let version = format!("v{}", random_id().unwrap());
    let published = json!({"version": version, "effective_on": "2026-11-24"}).to_string();
    let path = "/v1/operator/policy-versions";
    expect(&deployed.send(("POST", path), &operator, (JSON, &published)), 201);
    let accepted = json!({ "version": version }).to_string();
    let path = "/v1/account/policy-acceptance";
    expect(&deployed.send(("POST", path), &owner, (JSON, &accepted)), 200);
    let objection = json!({"decision": "objected", "policy_version": version}).to_string();
    let path = "/v1/consents/product-analytics";
    expect(&deployed.send(("PUT", path), &owner, (JSON, &objection)), 200);
    let luis = conversation_with(deployed, &owner, luis);
    let restrict = format!("/v1/conversations/{luis}/restriction");
    expect(&deployed.send(("PUT", &restrict), &owner, NOTHING), 200);
    for number in ["1", "2"] {
        let invoice = json!({"issued_on": "2026-11-24", "jurisdiction": "GT", "number": number,
                             "currency": "GTQ", "total_minor": 12345, "lines": ["Canary plan"]});
        let path = format!("/v1/operator/accounts/{}/invoices/i-{number}", messenger.id);
        expect(&deployed.send(("PUT", &path), &operator, (JSON, &invoice.to_string())), 201);
    }
    let gone = conversation_with(deployed, &owner, marta);
    let messages = format!("/v1/conversations/{gone}/messages");
    let gone = deployed.get(&messages, &owner).json()["messages"][0]["id"].clone();
    let path = format!("{messages}/{}", gone.as_str().unwrap());
    let erased = expect(&deployed.send(("DELETE", &path), &owner, NOTHING), 202);
    deployed.followed(&owner, erased["request"].as_str().unwrap()).await;
    (messenger, owner)
}

fn conversation_with(deployed: &Deployed, owner: &Login, person: &str) -> String {
    let sought = json!({ "meta_id": person }).to_string();
    let found = deployed.send(("POST", "/v1/contacts/search"), owner, (JSON, &sought));
    let found = expect(&found, 200);
    let text = found.to_string();
    found["contacts"][0]["conversation"].as_str().unwrap_or_else(|| panic!("{text}")).to_owned()
}

/// All records of a kind in the archive, by their id.
fn archived(archive: &mut Archive, kind: &str) -> BTreeMap<String, Value> {
    let of_kind = |name: &&str| {
        let rest = name.strip_prefix("data/").and_then(|name| name.strip_prefix(kind));
        let digits = rest.and_then(|rest| rest.strip_suffix(".ndjson"));
        digits.is_some_and(|rest| rest.chars().all(|c| c == '-' || c.is_ascii_digit()))
    };
    let names = archive.files().iter().map(|file| file["name"].as_str().unwrap());
    let names: Vec<String> = names.filter(of_kind).map(str::to_owned).collect();
    let mut records = BTreeMap::new();
    for name in names {
        for line in String::from_utf8(archive.read(&name).unwrap()).unwrap().lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            let id = record["id"].as_str().unwrap().to_owned();
            assert_eq!(records.insert(id, record), None, "{kind} twice");
        }
    }
    let said = archive.manifest["kinds"].as_object().unwrap().values();
    let said = said.filter(|one| one["files"] == format!("data/{kind}*.ndjson"));
    let said: u64 = said.map(|one| one["records"].as_u64().unwrap()).sum();
    assert_eq!(u64::try_from(records.len()).unwrap(), said, "{kind}, by the manifest");
    records
}

/// All records of a list of the API, page by page.
fn listed(
    deployed: &Deployed,
    owner: &Login,
    path: &str,
    (list, next): (&str, &str),
) -> Vec<Value> {
    let mut all = Vec::new();
    let mut query = String::new();
    loop {
        let page = expect(&deployed.get(&format!("{path}?limit=50{query}"), owner), 200);
        all.extend(page[list].as_array().unwrap().iter().cloned());
        let Some(cursor) = page[next].as_str() else { return all };
        query = format!("&{next}={cursor}");
    }
}

/// A record of the API under the archive's names: its id is called `id`, and what only serves the
/// next call is left out.
fn as_archived(mut record: Value, id: &str, left_out: &[&str]) -> (String, Value) {
    let fields = record.as_object_mut().unwrap();
    let id = fields.remove(id).unwrap();
    for name in left_out {
        assert!(fields.remove(*name).is_some(), "the API has no {name}");
    }
    fields.insert("id".to_owned(), id.clone());
    (id.as_str().unwrap().to_owned(), record)
}

/// The archive's record without what the API does not show.
fn without(mut record: Value, more: &[&str]) -> Value {
    for name in more {
        record.as_object_mut().unwrap().remove(*name);
    }
    record
}

/// Compares a list of the API with the records of the archive, both ways.
fn assert_same(
    kind: &str,
    api: impl Iterator<Item = (String, Value)>,
    archived: BTreeMap<String, Value>,
    more: &[&str],
) {
    let archived: BTreeMap<_, _> =
        archived.into_iter().map(|(id, record)| (id, without(record, more))).collect();
    let api: BTreeMap<_, _> = api.collect();
    assert!(!api.is_empty(), "nothing to compare of {kind}");
    assert_eq!(api, archived, "{kind}");
}

//= R5.1, R5.4
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn an_archive_read_back_is_what_the_api_shows_record_by_record() {
    let deployed = deployed().await;
    let (account, owner) = account_with_everything(&deployed).await;
    let mut archive = export::export(&deployed.stack, &owner).unwrap();
    assert_eq!(archive.manifest["account"], account.id.as_str());

    let conversations = listed(&deployed, &owner, "/v1/conversations", ("conversations", "cursor"));
    assert_eq!(conversations.len(), 3);
    let mut shown = Vec::new();
    for conversation in &conversations {
        let id = conversation["id"].as_str().unwrap();
        let path = format!("/v1/conversations/{id}/messages");
        for mut message in listed(&deployed, &owner, &path, ("messages", "older")) {
            message["conversation_id"] = json!(id);
            shown.push(as_archived(message, "id", &[]));
        }
    }
    assert_eq!(shown.len(), 123);
    let more = ["text_before_edits", "meta_message_id", "meta_contact_id"];
    let messages = archived(&mut archive, "messages");
    assert!(messages.values().any(|it| it["text_before_edits"] == "=1+1" && it["text"] == "=2+2"));
    assert_same("messages", shown.into_iter(), messages, &more);

    let contacts = conversations.into_iter().map(|one| {
        let contact = one["id"].as_str().unwrap().split_once('.').unwrap().1.to_owned();
        let (channel, connection) = (&one["channel"], &one["connection_id"]);
        let record = json!({"id": contact, "conversation_id": one["id"], "channel": channel,
                            "connection_id": connection});
        (contact, record)
    });
    let held = archived(&mut archive, "contacts");
    assert_eq!(held.values().filter(|it| it["restricted_at"].is_string()).count(), 1);
    assert_same("contacts", contacts, held, &["last_message_at", "restricted_at"]);

    let connections = listed(&deployed, &owner, "/v1/connections", ("connections", "cursor"));
    let connections = connections.into_iter().map(|one| as_archived(one, "id", &[]));
    assert_same("connections", connections, archived(&mut archive, "connections"), &[]);
    let members = listed(&deployed, &owner, "/v1/members", ("members", "cursor"));
    let members = members.into_iter().map(|one| as_archived(one, "member", &["etag"]));
    assert_same("members", members, archived(&mut archive, "members"), &[]);
    let invoices = listed(&deployed, &owner, "/v1/invoices", ("invoices", "cursor"));
    let invoices = invoices.into_iter().map(|one| as_archived(one, "invoice", &[]));
    assert_same("invoices", invoices, archived(&mut archive, "invoices"), &[]);
    let requests = listed(&deployed, &owner, "/v1/requests", ("requests", "cursor"));
    let ways = ["data_held", "status_url"];
    let requests = requests.into_iter().map(|one| as_archived(one, "request", &ways));
    assert_same("requests", requests, archived(&mut archive, "requests"), &["receipt"]);
    let account = [expect(&deployed.get("/v1/account", &owner), 200)];
    let account = account.into_iter().map(|one| as_archived(one, "account", &["deletion"]));
    let more = ["plan_changed_at", "policies_accepted"];
    assert_same("account", account, archived(&mut archive, "account"), &more);
}

//= R2.2, R4.6, R5.1
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn an_archive_has_every_decision_and_every_audit_event_until_it_was_asked_for() {
    let deployed = deployed().await;
    let (_, owner) = account_with_everything(&deployed).await;
    let mut archive = export::export(&deployed.stack, &owner).unwrap();
    let text = String::from_utf8(archive.read("data/consents.ndjson").unwrap()).unwrap();
    let decisions: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let purposes = expect(&deployed.get("/v1/consents", &owner), 200);
    let shown = purposes["purposes"].as_array().unwrap().iter();
    let shown = shown.filter(|one| one["decided_at"].is_string());
    let shown: Vec<Value> = shown.map(|one| without(one.clone(), &["may_be_processed"])).collect();
    assert_eq!((shown.len(), shown), (1, decisions));

    let events = listed(&deployed, &owner, "/v1/audit-events", ("events", "cursor"));
    let asked_at = archive.manifest["snapshot"]["high_water_mark"].as_str().unwrap().to_owned();
    let asked_at: jiff::Timestamp = asked_at.parse().unwrap();
    let at = |one: &Value| one["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let events = events.into_iter().filter(|one| at(one) <= asked_at);
    // Staff have no address there: null in the API, absent in the chain.
    let events = events.map(|mut one| {
        one.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        as_archived(one, "id", &[])
    });
    let chain = ["account", "day", "number", "previous", "hash"];
    assert_same("audit events", events, archived(&mut archive, "audit-events"), &chain);
}
