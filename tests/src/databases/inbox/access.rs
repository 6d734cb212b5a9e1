//! Who may read: members of the account, by role, and nobody else.

use numib::domain::ids::MemberId;
use numib::domain::role::Role;
use numib::store::accounts::Member;
use serde_json::{Value, json};

use super::{Desk, sign_in};
use crate::database::Database;
use crate::shop::{ago, now};
use crate::webhook::Answer;

on_ministack!(
    agents_admins_and_owners_read_and_nobody_else,
    a_change_of_role_counts_at_once,
    only_an_access_token_of_a_member_is_taken,
    another_accounts_conversations_are_not_found,
    what_cannot_be_read_is_a_bad_request_by_name,
);

const EVERYONE: [Role; 5] = [Role::Owner, Role::Admin, Role::Agent, Role::Privacy, Role::Operator];

async fn desk_with_a_message(db: &Database) -> Desk<'_> {
    let desk = Desk::open(db).await;
    desk.receive(&desk.shop, &[desk.shop.text("7001", ago(9), "m_1", "secret")]).await;
    desk
}

fn assert_refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.content_type, "application/problem+json");
    assert!(!answer.text.contains("secret"));
}

//= R2.1, R4.3
async fn agents_admins_and_owners_read_and_nobody_else(db: &Database) {
    let desk = desk_with_a_message(db).await;
    let id = desk.shop.conversation("7001").to_string();
    for role in EVERYONE {
        let member = sign_in(db, &desk.shop.connection.account, role).await;
        for conversation in [None, Some(id.as_str())] {
            let answer = desk.get(now(), &member, conversation, "").await;
            if matches!(role, Role::Owner | Role::Admin | Role::Agent) {
                assert_eq!(answer.status, 200, "{role:?}: {}", answer.text);
                assert!(answer.text.contains("secret"));
            } else {
                assert_refused(&answer, 403);
            }
        }
    }
}

//= R4.3
async fn a_change_of_role_counts_at_once(db: &Database) {
    let desk = desk_with_a_message(db).await;
    let id = MemberId::parse(desk.agent["sub"].as_str().unwrap()).unwrap();
    // The token still says agent, and the database does not.
    let account = desk.shop.connection.account.clone();
    let member = Member { account, role: Role::Privacy };
    db.store.put_member(&id, &member).await.unwrap();
    assert_refused(&desk.get(now(), &desk.agent, None, "").await, 403);
    // The database says owner, and the token does not yet.
    db.store.put_member(&id, &Member { role: Role::Owner, ..member }).await.unwrap();
    assert_refused(&desk.get(now(), &desk.agent, None, "").await, 403);
}

//= R2.1
async fn only_an_access_token_of_a_member_is_taken(db: &Database) {
    let desk = desk_with_a_message(db).await;
    let with = |name: &str, value: Value| {
        let mut claims = desk.agent.clone();
        claims[name] = value;
        claims
    };
    let bad = [
        Value::Null,
        json!({}),
        with("token_use", json!("id")),
        with("sub", json!("nobody")),
        with("sub", json!("a#b")),
        with("cognito:groups", json!("")),
        with("cognito:groups", json!("[agents co-agent]")),
    ];
    for claims in bad {
        assert_refused(&desk.get(now(), &claims, None, "").await, 403);
    }
}

//= R2.1, R4.3
async fn another_accounts_conversations_are_not_found(db: &Database) {
    let desk = desk_with_a_message(db).await;
    let other = desk_with_a_message(db).await;
    let theirs = other.shop.conversation("7001");
    let mine = desk.shop.conversation("7001");
    let ids = [
        theirs.to_string(),
        // My connection, their contact; their connection, my contact; nobody's; not even an id.
        format!("{}.{}", mine.connection, theirs.contact),
        format!("{}.{}", theirs.connection, mine.contact),
        desk.shop.conversation("7002").to_string(),
        "no.one".to_owned(),
        "7001".to_owned(),
        "a.b.c".to_owned(),
        String::new(),
    ];
    let mut answers = std::collections::BTreeSet::new();
    for id in ids {
        let answer = desk.get(now(), &desk.agent, Some(&id), "").await;
        assert_refused(&answer, 404);
        answers.insert(answer.text);
    }
    assert_eq!(answers.len(), 1, "none of them tells from the others");
    assert_eq!(desk.conversations("").await["conversations"].as_array().unwrap().len(), 1);
}

async fn what_cannot_be_read_is_a_bad_request_by_name(db: &Database) {
    let desk = desk_with_a_message(db).await;
    let id = desk.shop.conversation("7001").to_string();
    let page = desk.messages("7001", "").await;
    let message_cursor = page["newer"].as_str().unwrap();
    let both = format!("older={message_cursor}&newer={message_cursor}");
    let long = format!("older={}", "a".repeat(5000));
    let cases = [
        (None, "cursor=%00", "cursor"),
        (None, "cursor=", "cursor"),
        (None, "cursor=bm90IGEgY3Vyc29y", "cursor"),
        (None, &format!("cursor={message_cursor}"), "cursor"),
        (None, "limit=0", "limit"),
        (None, "limit=101", "limit"),
        (Some(&id), "older=bTEgeCB5", "cursor"),
        (Some(&id), "newer=!", "cursor"),
        (Some(&id), long.as_str(), "cursor"),
        (Some(&id), both.as_str(), "cursor"),
        (Some(&id), "limit=1e1", "limit"),
    ];
    for (conversation, query, kind) in cases {
        let answer = desk.get(now(), &desk.agent, conversation.map(String::as_str), query).await;
        assert_refused(&answer, 400);
        let expected = format!("tag:numib.app,2026:problem/{kind}");
        assert_eq!(answer.json()["type"], expected.as_str(), "{query}");
    }
}
