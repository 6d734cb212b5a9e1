//! `GET /v1/conversations`

use numib::domain::ids::Channel;
use serde_json::{Value, json};

use super::{Desk, texts};
use crate::database::Database;
use crate::shop::ago;

on_ministack!(
    an_empty_inbox_is_an_empty_list,
    conversations_of_all_channels_are_listed_newest_first_with_their_last_message,
    pages_of_conversations_join_to_the_whole_list,
    a_preview_shows_the_edited_text_and_not_all_of_it,
);

async fn an_empty_inbox_is_an_empty_list(db: &Database) {
    let desk = Desk::open(db).await;
    assert_eq!(desk.conversations("").await, json!({"conversations": []}));
}

async fn conversations_of_all_channels_are_listed_newest_first_with_their_last_message(
    db: &Database,
) {
    let desk = Desk::open(db).await;
    let instagram = desk.connect_also(Channel::Instagram).await;
    let page = &desk.shop;
    desk.receive(page, &[page.text("7001", ago(400_000), "m_1", "first")]).await;
    desk.receive(page, &[page.text("7001", ago(100_000), "m_2", "last of 7001")]).await;
    desk.receive(page, &[page.text("7002", ago(300_000), "m_3", "last of 7002")]).await;
    desk.receive(&instagram, &[instagram.text("8001", ago(200_000), "m_4", "last of 8001")]).await;
    let list = desk.conversations("").await;
    assert_eq!(texts(&list), ["last of 7001", "last of 8001", "last of 7002"]);
    assert_eq!(list["cursor"], Value::Null);
    let second = &list["conversations"][1];
    let expected = json!({
        "id": instagram.conversation("8001").to_string(),
        "connection_id": instagram.connection.id.as_str(),
        "channel": "instagram",
        "last_message": {
            "id": instagram.key("8001", "m_4").message.as_str(),
            "direction": "in", "kind": "text", "text": "last of 8001", "edited": false,
            "sent_at": "2026-12-01T04:37:40Z", "expires_at": "2026-12-31T04:37:40Z",
        },
    });
    assert_eq!(*second, expected);
    for raw_id in ["7001", "8001", desk.shop.meta_id.as_str(), "m_4"] {
        let text = list.to_string().replace("last of 7001", "").replace("last of 8001", "");
        assert!(!text.contains(raw_id), "{raw_id} is Meta's, not ours to show");
    }
}

async fn pages_of_conversations_join_to_the_whole_list(db: &Database) {
    let desk = Desk::open(db).await;
    let instagram = desk.connect_also(Channel::Instagram).await;
    // On both channels, and at the same instants.
    for shop in [&desk.shop, &instagram] {
        let item = |n: i64| {
            let contact = n.to_string();
            shop.text(&contact, ago(n / 2 * 100_000), &format!("m_{n}"), &contact)
        };
        desk.receive(shop, &(0..7).map(item).collect::<Vec<_>>()).await;
    }
    let whole = desk.conversations("limit=100").await;
    let whole = whole["conversations"].as_array().unwrap().clone();
    assert_eq!(whole.len(), 14);
    for limit in [1, 2, 3, 5, 14] {
        let mut joined = Vec::new();
        let mut query = format!("limit={limit}");
        loop {
            let page = desk.conversations(&query).await;
            let conversations = page["conversations"].as_array().unwrap();
            assert!(conversations.len() <= limit);
            joined.extend(conversations.iter().cloned());
            let Some(cursor) = page["cursor"].as_str() else { break };
            query = format!("limit={limit}&cursor={cursor}");
        }
        assert_eq!(joined, whole, "limit {limit}");
    }
}

async fn a_preview_shows_the_edited_text_and_not_all_of_it(db: &Database) {
    let desk = Desk::open(db).await;
    let shop = &desk.shop;
    let long = "å".repeat(500);
    let items = [
        shop.text("7001", ago(9), "m_1", "original"),
        shop.edit("7001", ago(8), "m_1", (1, &long)),
    ];
    desk.receive(shop, &items).await;
    let list = desk.conversations("").await;
    let preview = &list["conversations"][0]["last_message"];
    assert_eq!(preview["text"], format!("{}…", "å".repeat(140)));
    assert_eq!(preview["edited"], true);
    assert_eq!(texts(&desk.messages("7001", "").await), [long]);
}
