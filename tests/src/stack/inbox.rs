//! The inbox over HTTP, for members and for others.

use numib::domain::ids::Channel;
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use numib::domain::time::Day;
use numib::edge::clock;
use serde_json::Value;
use xtask::meta;

use crate::deployed::{deployed, digits, now_ms};

fn texts(page: &Value) -> Vec<String> {
    let messages = page["messages"].as_array().unwrap();
    messages.iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
}

//= R2.1
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn a_member_reads_the_conversations_of_every_channel_newest_first() {
    let deployed = deployed().await;
    let page = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let channel = Channel::Instagram;
    let instagram = deployed.connect(page.id.clone(), channel, Plan::Days30, &[]).await;
    let member = deployed.member(&page.id, Role::Owner).await;
    let at = now_ms() - 600_000;
    deployed.deliver(&page, &[page.text("7001", at, "m_1", "oldest")]);
    deployed.deliver(&instagram, &[instagram.text("8001", at + 120_000, "m_2", "middle")]);
    deployed.deliver(&page, &[page.text("7002", at + 240_000, "m_3", "newest")]);
    let mut seen = Vec::new();
    let mut path = "/v1/conversations?limit=2".to_owned();
    loop {
        let answer = deployed.get(&path, &member).json();
        for one in answer["conversations"].as_array().unwrap() {
            let text = one["last_message"]["text"].as_str().unwrap();
            seen.push((one["channel"].as_str().unwrap().to_owned(), text.to_owned()));
        }
        let Some(cursor) = answer["cursor"].as_str() else { break };
        path = format!("/v1/conversations?limit=2&cursor={cursor}");
    }
    let seen: Vec<_> = seen.iter().map(|(channel, text)| (&**channel, &**text)).collect();
    let expected = [("messenger", "newest"), ("instagram", "middle"), ("messenger", "oldest")];
    assert_eq!(seen, expected);
}

#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn a_conversation_is_paged_both_ways_without_gaps_or_repeats() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let member = deployed.member(&account.id, Role::Agent).await;
    let at = now_ms() - 60_000;
    let items: Vec<_> =
        (0..7).map(|n| account.text("7001", at + n, &format!("m_{n}"), &n.to_string())).collect();
    deployed.deliver(&account, &items);
    let list = deployed.get("/v1/conversations", &member).json();
    let id = list["conversations"][0]["id"].as_str().unwrap().to_owned();
    let page = |query: &str| {
        let path = format!("/v1/conversations/{id}/messages?limit=3{query}");
        deployed.get(&path, &member).json()
    };
    let newest = page("");
    assert_eq!(texts(&newest), ["6", "5", "4"]);
    let second = page(&format!("&older={}", newest["older"].as_str().unwrap()));
    assert_eq!(texts(&second), ["3", "2", "1"]);
    let last = page(&format!("&older={}", second["older"].as_str().unwrap()));
    assert_eq!(texts(&last), ["0"]);
    let forward = page(&format!("&newer={}", last["newer"].as_str().unwrap()));
    assert_eq!(texts(&forward), ["3", "2", "1"]);
    deployed.deliver(&account, &[account.text("7001", at + 10, "m_new", "new")]);
    let fresh = page(&format!("&newer={}", newest["newer"].as_str().unwrap()));
    assert_eq!(texts(&fresh), ["new"]);
}

//= R6.2
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn a_message_shows_until_the_second_it_expires() {
    let deployed = deployed().await;
    let week = 7 * 24 * 3600 * 1000;
    let sent_at = now_ms() - week + 6_000;
    let sent_on = Day::of(jiff::Timestamp::from_millisecond(sent_at).unwrap());
    let account = deployed.account(Channel::Messenger, Plan::Days7, &[sent_on]).await;
    let member = deployed.member(&account.id, Role::Agent).await;
    let items = [
        account.text("7001", sent_at, "m_ends", "about to expire"),
        account.text("7001", now_ms() - week - 1, "m_ended", "expired already"),
    ];
    let counts = deployed.deliver(&account, &items);
    assert_eq!(
        (counts["stored"].as_u64(), counts["reasons"]["expired"].as_u64()),
        (Some(1), Some(1))
    );
    let shown = || {
        let before = clock::now();
        let list = deployed.get("/v1/conversations", &member).json();
        (before, list["conversations"].as_array().unwrap().clone(), clock::now())
    };
    let expires_at = jiff::Timestamp::from_second((sent_at + week) / 1000).unwrap();
    let mut was_shown = false;
    loop {
        let (before, conversations, after) = shown();
        if before >= expires_at {
            assert_eq!(conversations, Vec::<Value>::new(), "shown after {expires_at}");
            break;
        }
        if after < expires_at {
            assert_eq!(conversations.len(), 1, "gone before {expires_at}");
            let until = conversations[0]["last_message"]["expires_at"].as_str().unwrap();
            assert_eq!(until.parse::<jiff::Timestamp>().unwrap(), expires_at);
            was_shown = true;
        }
    }
    assert!(was_shown, "the stack is too slow to see the message at all");
}

//= R4.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn only_agents_admins_and_owners_of_the_account_read_its_messages() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let other = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    deployed.deliver(&account, &[account.text("7001", now_ms(), "m_1", "private")]);
    let owner = deployed.member(&account.id, Role::Owner).await;
    let list = deployed.get("/v1/conversations", &owner).json();
    let id = list["conversations"][0]["id"].as_str().unwrap().to_owned();
    let messages = format!("/v1/conversations/{id}/messages");
    for (role, status) in [
        (Role::Owner, 200),
        (Role::Admin, 200),
        (Role::Agent, 200),
        (Role::Privacy, 403),
        (Role::Operator, 403),
    ] {
        let member = deployed.member(&account.id, role).await;
        for path in ["/v1/conversations", &messages] {
            let answer = deployed.get(path, &member);
            assert_eq!(answer.status, status, "{role:?} {path}: {}", answer.body);
        }
    }
    let stranger = deployed.member(&other.id, Role::Owner).await;
    let answer = deployed.get(&messages, &stranger);
    assert_eq!((answer.status, answer.content_type.as_str()), (404, "application/problem+json"));
    let never = format!("/v1/conversations/{}.nobody/messages", account.connection.id);
    assert_eq!(deployed.get(&never, &owner).body, answer.body, "404 tells existing from absent");
    let list = deployed.get("/v1/conversations", &stranger).json();
    assert_eq!(list["conversations"].as_array().unwrap().len(), 0);
}

//= R4.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn without_an_access_token_of_this_pool_nothing_is_answered() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let member = deployed.member(&account.id, Role::Owner).await;
    let ask = |token: Option<&str>| {
        meta::get(&deployed.stack.deployed, "/v1/conversations", token).unwrap().status
    };
    let mut altered = member.access_token.clone();
    altered.replace_range(altered.len() - 8.., "AAAAAAAA");
    assert_eq!(ask(None), 401);
    assert_eq!(ask(Some("not.a.token")), 401);
    assert_eq!(ask(Some(&altered)), 401);
    assert!([401, 403].contains(&ask(Some(&member.id_token))));
    assert_eq!(ask(Some(&member.access_token)), 200);
}

#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn what_cannot_be_read_is_a_problem_that_names_its_parameter() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let member = deployed.member(&account.id, Role::Agent).await;
    let conversation = format!("/v1/conversations/{}.{}/messages", account.connection.id, digits());
    for (path, kind) in [
        ("/v1/conversations?limit=0".to_owned(), "limit"),
        ("/v1/conversations?limit=101".to_owned(), "limit"),
        ("/v1/conversations?cursor=%00%ff".to_owned(), "cursor"),
        (format!("{conversation}?older=x&newer=y"), "cursor"),
        (format!("{conversation}?older={}", "A".repeat(4000)), "cursor"),
    ] {
        let answer = deployed.get(&path, &member);
        assert_eq!(answer.status, 400, "{path}: {}", answer.body);
        assert_eq!(answer.content_type, "application/problem+json");
        let kind = format!("problem/{kind}");
        assert!(answer.json()["type"].as_str().unwrap().ends_with(&kind), "{}", answer.body);
    }
    for path in ["/v1/conversations/no-such/messages", "/v1/nothing"] {
        assert_eq!(deployed.get(path, &member).status, 404, "{path}");
    }
}
