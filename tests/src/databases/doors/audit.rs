//! What the doors record of those who come to them.

use numib::domain::account::Use;
use numib::domain::audit::{self, Actor, Event, Link, Subject};
use numib::domain::hold::{Held, Hold};
use numib::domain::ids::{AccountId, HoldId, PolicyVersion};
use numib::domain::role::Role;
use numib::domain::time::Day;
use serde_json::{Value, json};

use super::members::{ADD, CHANGE, OPEN, REPORT, an_account, pool};
use super::{
    CANCEL, CONNECTION, CONTACT, DELETE_ACCOUNT, LIFT_HOLD, LISTS, LODGE, MESSAGE, Office,
    SET_HOLD, Said, operator, sign_in,
};
use crate::database::Database;
use crate::shop::{Shop, key_pair, now};
use crate::wire::Fate;

const DECIDE: &str = "PUT /v1/consents/{purpose}";
const ACCEPT: &str = "POST /v1/account/policy-acceptance";
const PLAN: &str = "PUT /v1/operator/accounts/{account_id}/plan";

on_both_databases!(
    each_change_is_one_event_of_who_did_what_and_what_became_of_it,
    operators_are_recorded_in_their_own_chain_and_strangers_in_nobodys,
    whoever_is_refused_is_recorded_and_whoever_only_looks_is_not,
    no_address_user_agent_or_meta_id_is_recorded_as_it_is,
    what_is_done_stays_done_where_it_cannot_be_recorded,
    what_was_decided_is_recorded_with_the_policy_the_role_and_the_plan,
    whoever_removes_themselves_is_in_the_chain_of_the_account_they_were_in,
    what_staff_do_to_an_account_is_in_its_chain_without_who_of_them,
    an_account_is_told_of_an_erasure_that_a_hold_keeps_from_its_data,
);

pub(crate) async fn events(db: &Database, account: &AccountId) -> Vec<Event> {
    let links: Vec<Link> = db.store.audit_page(account, None).await.unwrap().links;
    audit::verify(account, None, &links).unwrap();
    links.into_iter().map(|link| link.event).collect()
}

/// Action, outcome, and what it was about.
pub(crate) fn said(event: &Event) -> String {
    let subjects: Vec<&str> = event.subjects.iter().map(Subject::as_str).collect();
    let (action, outcome) = (event.action.as_str(), event.outcome.as_str());
    format!("{action} {outcome}: {}", subjects.join(", "))
}

fn code(answer: &crate::webhook::Answer, name: &str) -> String {
    answer.json()[name].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned()
}

//= R1.3
async fn each_change_is_one_event_of_who_did_what_and_what_became_of_it(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    super::fill(db, &shop).await;
    let account = &shop.connection.account;
    let owner = sign_in(db, account, Role::Owner).await;
    let (key, conversation) = (shop.key("7002", "m_3"), shop.conversation("7001"));
    let message = json!({"id": key.conversation.to_string(), "message_id": key.message.as_str()});
    let message = office.delete(&owner, MESSAGE, message).await;
    let contact = json!({"id": conversation.to_string()});
    let contact = office.delete(&owner, CONTACT, contact).await;
    let channel = json!({"id": shop.connection.id.as_str()});
    let channel = office.delete(&owner, CONNECTION, channel).await;
    let deletion = office.delete(&owner, DELETE_ACCOUNT, json!({})).await;
    let (deletion, data) = (code(&deletion, "request"), code(&deletion, "data_request"));
    let parameters = json!({"code": deletion});
    office.call(&owner, CANCEL, Said { parameters, ..Said::default() }).await;
    let events = events(db, account).await;
    let id = &shop.connection.id;
    let [message, contact, channel] =
        [message, contact, channel].map(|answer| code(&answer, "request"));
    assert_eq!(
        events.iter().map(said).collect::<Vec<_>>(),
        [
            format!(
                "erase-message done: conversation {}, message {}, request {message}",
                key.conversation, key.message
            ),
            format!("erase-contact done: conversation {conversation}, request {contact}"),
            format!("disconnect done: connection {id}, request {channel}"),
            format!("delete-account done: request {deletion}, request {data}"),
            format!("cancel-deletion done: request {deletion}"),
        ]
    );
    for event in events {
        let Actor::Member(member) = &event.actor else { panic!("{event:?}") };
        assert_eq!(member.as_str(), owner["sub"]);
        assert_eq!(event.at, now());
        assert!(event.address.is_some() && event.user_agent.is_some());
    }
}

//= R1.3, R4.3
async fn operators_are_recorded_in_their_own_chain_and_strangers_in_nobodys(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let staff = operator(db).await;
    let lodged = json!({"id": "7001", "source": "operator", "reference": "T-1"});
    let lodged = code(&office.post(&staff, LODGE, &lodged).await, "request");
    let list = Some("id\n7002\n".to_owned());
    let list = Said { content_type: Some("text/csv"), body: list, ..Said::default() };
    let file = code(&office.call(&staff, LISTS, list).await, "file");
    let on = format!("account:{}", shop.connection.account);
    let hold = json!({"on": on, "reason": "an order", "reference": "T-2"}).to_string();
    let parameters = json!({"hold_id": "h1"});
    let (content_type, body) = (Some("application/json"), Some(hold));
    let hold = Said { parameters: parameters.clone(), content_type, body, ..Said::default() };
    assert_eq!(office.call(&staff, SET_HOLD, hold).await.status, 201);
    let query = format!("on={on}");
    let lift = Said { parameters, query, ..Said::default() };
    assert_eq!(office.call(&staff, LIFT_HOLD, lift).await.status, 200);
    let recorded = events(db, &AccountId::parse("numib").unwrap()).await;
    assert_eq!(
        recorded.iter().map(said).collect::<Vec<_>>(),
        [
            format!("lodge-request done: request {lodged}"),
            format!("import-list done: list {file}"),
            format!("set-hold done: hold h1, on {on}"),
            format!("lift-hold done: hold h1, on {on}"),
        ]
    );
    assert_eq!(events(db, &shop.connection.account).await, []);
    let stranger = json!({"token_use": "access", "sub": "stranger", "cognito:groups": "[owner]"});
    office.delete(&stranger, DELETE_ACCOUNT, json!({})).await;
    let strangers: Vec<_> = events(db, &audit::nobody()).await.iter().map(said).collect();
    assert_eq!(strangers, ["delete-account refused: "]);
}

//= R1.3
async fn whoever_is_refused_is_recorded_and_whoever_only_looks_is_not(db: &Database) {
    let (office, shop, other) = (Office::open(db), Shop::open(db).await, Shop::open(db).await);
    let account = &shop.connection.account;
    let agent = sign_in(db, account, Role::Agent).await;
    let admin = sign_in(db, account, Role::Admin).await;
    let channel = |shop: &Shop| json!({"id": shop.connection.id.as_str()});
    assert_eq!(office.delete(&agent, CONNECTION, channel(&shop)).await.status, 403);
    assert_eq!(office.delete(&admin, CONNECTION, channel(&other)).await.status, 404);
    assert_eq!(office.get(&agent, "code").await.status, 403);
    assert_eq!(office.post(&admin, LODGE, &json!({"id": 1})).await.status, 403);
    // A request that cannot be read asks for nothing, and a caller without a token has no name.
    let staff = operator(db).await;
    assert_eq!(office.post(&staff, LODGE, &json!({"id": 1})).await.status, 400);
    assert_eq!(office.delete(&Value::Null, DELETE_ACCOUNT, json!({})).await.status, 403);
    let recorded: Vec<_> = events(db, account).await.iter().map(said).collect();
    let expected = [
        format!("disconnect refused: connection {}", shop.connection.id),
        format!("disconnect refused: connection {}", other.connection.id),
        "lodge-request refused: ".to_owned(),
    ];
    assert_eq!(recorded, expected);
    for id in ["numib", "-"] {
        assert_eq!(events(db, &AccountId::parse(id).unwrap()).await, [], "{id}");
    }
    assert_eq!(events(db, &other.connection.account).await, []);
}

//= R1.3, R4.1
async fn no_address_user_agent_or_meta_id_is_recorded_as_it_is(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    // A Meta id where one of ours belongs, as a caller may well write it.
    office.delete(&owner, CONNECTION, json!({"id": "17841400000000001"})).await;
    office.delete(&owner, CONTACT, json!({"id": "ana@example.com"})).await;
    let recorded: Vec<_> = events(db, &shop.connection.account).await.iter().map(said).collect();
    assert_eq!(recorded, ["disconnect refused: ", "erase-contact refused: "]);
    for item in db.dump_table(&db.tables.ledger).await {
        for personal in ["127.0.0.1", "user_agent=test", "17841400000000001", "ana"] {
            assert!(!item.contains(personal), "{item}");
        }
    }
}

//= R1.3
async fn what_is_done_stays_done_where_it_cannot_be_recorded(db: &Database) {
    let (office, shop) = (Office::open(db), Shop::open(db).await);
    let owner = sign_in(db, &shop.connection.account, Role::Owner).await;
    db.wire.decide(|call| {
        let is_head =
            call.body["Key"]["pk"]["S"].as_str().is_some_and(|pk| pk.starts_with("AUDIT#"));
        if is_head { Fate::Failed } else { Fate::Passes }
    });
    let id = json!({"id": shop.connection.id.as_str()});
    let answer = office.delete(&owner, CONNECTION, id).await;
    db.wire.heal();
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(office.queued().len(), 1);
    assert_eq!(events(db, &shop.connection.account).await, []);
}

//= R1.3, R2.2, R4.3
async fn what_was_decided_is_recorded_with_the_policy_the_role_and_the_plan(db: &Database) {
    let (mut office, account) = (Office::open(db), an_account());
    let owner = sign_in(db, &account, Role::Owner).await;
    let version = an_account().to_string();
    let policy = PolicyVersion::parse(&version).unwrap();
    db.store.put_policy_version(&policy, Day::of(now())).await.unwrap();
    db.store.put_account_key(&account, Use::Profile, key_pair()).await.unwrap();
    let body = |body: Value| Some(body.to_string());
    let call = |parameters: Value, body| {
        let content_type = Some("application/json");
        Said { parameters, content_type, body, version: Some("*"), ..Said::default() }
    };
    let decision = json!({"decision": "objected", "policy_version": version});
    let purpose = json!({"purpose": "marketing-email"});
    let decided = office.call(&owner, DECIDE, call(purpose, body(decision))).await;
    assert_eq!(decided.status, 200, "{}", decided.text);
    let accepted = office.post(&owner, ACCEPT, &json!({"version": version})).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text);
    let name = call(json!({}), body(json!({"name": "Ana"})));
    assert_eq!(office.call(&owner, "PATCH /v1/account", name).await.status, 200);
    office.ask(pool(db, None).0);
    let added = office.post(&owner, ADD, &json!({"email": "a@b.example", "role": "agent"})).await;
    let member = code(&added, "member");
    let role = call(json!({"id": member}), body(json!({"role": "admin"})));
    assert_eq!(office.call(&owner, CHANGE, role).await.status, 200);
    let recorded: Vec<_> = events(db, &account).await.iter().map(said).collect();
    let expected = [
        format!(
            "decide-consent done: consent marketing-email, decision objected, policy {version}"
        ),
        format!("accept-policy done: policy {version}"),
        format!("correct-profile done: account {account}, profile v1"),
        format!("add-member done: member {member}, role agent"),
        format!("change-role done: member {member}, was agent, role admin"),
    ];
    assert_eq!(recorded, expected);
}

//= R1.3
async fn whoever_removes_themselves_is_in_the_chain_of_the_account_they_were_in(db: &Database) {
    let (mut office, account) = (Office::open(db), an_account());
    let officer = sign_in(db, &account, Role::Privacy).await;
    office.ask(pool(db, None).0);
    let parameters = json!({"id": officer["sub"]});
    let report = Said { parameters, ..Said::default() };
    let reported = office.call(&officer, REPORT, report).await;
    let (member, request) = (officer["sub"].as_str().unwrap(), code(&reported, "request"));
    let recorded: Vec<_> = events(db, &account).await.iter().map(said).collect();
    assert_eq!(recorded, [format!("report-minor-member done: member {member}, request {request}")]);
}

//= R1.3
async fn what_staff_do_to_an_account_is_in_its_chain_without_who_of_them(db: &Database) {
    let (mut office, shop) = (Office::open(db), Shop::open(db).await);
    super::fill(db, &shop).await;
    let (account, staff) = (&shop.connection.account, operator(db).await);
    let parameters = json!({"account_id": account.as_str()});
    let (content_type, body) = (Some("application/json"), Some(json!({"plan_days": 90})));
    let body = body.map(|body| body.to_string());
    let plan = Said { parameters, content_type, body, ..Said::default() };
    assert_eq!(office.call(&staff, PLAN, plan).await.status, 200);
    let lodged = json!({"id": "7001", "source": "minor", "reference": "T-1"});
    let lodged = code(&office.post(&staff, LODGE, &lodged).await, "request");
    let list = Some("7001\n7002\n".to_owned());
    let list = Said { content_type: Some("text/csv"), body: list, ..Said::default() };
    for _ in 0..2 {
        assert_eq!(office.call(&staff, LISTS, list.clone()).await.status, 200);
    }
    let recorded = events(db, account).await;
    let conversation = |contact: &str| shop.conversation(contact);
    assert_eq!(
        recorded.iter().map(said).collect::<Vec<_>>(),
        [
            format!("change-plan done: account {account}, plan 90-days"),
            format!("lodge-request done: conversation {}, request {lodged}", conversation("7001")),
            format!("import-list done: conversation {}", conversation("7002")),
        ]
    );
    let is_nobody = |event: &Event| event.actor == Actor::Operator && event.address.is_none();
    assert!(recorded.iter().all(is_nobody));
    office.ask(pool(db, None).0);
    let open = json!({"owner_email": "new@shop.example", "plan_days": 30});
    let opened = office.post(&staff, OPEN, &open).await;
    let (account, owner) = (code(&opened, "account"), code(&opened, "owner"));
    let recorded = events(db, &AccountId::parse(&account).unwrap()).await;
    let expected = format!("open-account done: account {account}, member {owner}, plan 30-days");
    assert_eq!(recorded.iter().map(said).collect::<Vec<_>>(), [expected]);
}

//= R1.3, R6.7
async fn an_account_is_told_of_an_erasure_that_a_hold_keeps_from_its_data(db: &Database) {
    let (office, free, kept) = (Office::open(db), Shop::open(db).await, Shop::open(db).await);
    super::fill(db, &free).await;
    super::fill(db, &kept).await;
    let hold = Hold {
        id: HoldId::parse("h1").unwrap(),
        reason: "a lawsuit".to_owned(),
        reference: "case 7".to_owned(),
        set_at: now(),
    };
    let account = kept.connection.account.clone();
    db.store.put_hold(&Held::Account(account), &hold).await.unwrap();
    let staff = operator(db).await;
    let lodged = json!({"id": "7001", "source": "operator", "reference": "T-1"});
    assert_eq!(office.post(&staff, LODGE, &lodged).await.status, 202);
    let list = Some("7002\n".to_owned());
    let list = Said { content_type: Some("text/csv"), body: list, ..Said::default() };
    assert_eq!(office.call(&staff, LISTS, list).await.status, 200);
    for shop in [&free, &kept] {
        let recorded = events(db, &shop.connection.account).await;
        let conversation = |contact: &str| shop.conversation(contact);
        let expected = [
            format!("lodge-request done: conversation {}", conversation("7001")),
            format!("import-list done: conversation {}", conversation("7002")),
        ];
        assert_eq!(recorded.iter().map(said).collect::<Vec<_>>(), expected);
    }
}
