//! `GET /v1/conversations/{id}/messages`

use serde_json::{Value, json};

use super::{Desk, texts};
use crate::database::Database;
use crate::shop::ago;

on_ministack!(
    a_conversation_is_paged_back_to_its_beginning,
    a_conversation_goes_on_from_the_latest_message_seen,
    paging_forward_and_back_meets_the_same_messages,
    a_message_without_text_shows_its_kind,
);

/// A conversation of messages `0` to `count - 1`, a minute apart.
async fn conversation(desk: &Desk<'_>, count: i64) {
    let shop = &desk.shop;
    let item =
        |n: i64| shop.text("7001", ago((count - n) * 60_000), &format!("m_{n}"), &n.to_string());
    desk.receive(shop, &(0..count).map(item).collect::<Vec<_>>()).await;
}

fn cursor<'a>(page: &'a Value, way: &str) -> &'a str {
    page[way].as_str().unwrap_or_else(|| panic!("no {way} cursor: {page}"))
}

async fn a_conversation_is_paged_back_to_its_beginning(db: &Database) {
    let desk = Desk::open(db).await;
    conversation(&desk, 5).await;
    let all = desk.messages("7001", "").await;
    assert_eq!(texts(&all), ["4", "3", "2", "1", "0"]);
    assert_eq!(all["older"], Value::Null);
    let first = desk.messages("7001", "limit=2").await;
    assert_eq!(texts(&first), ["4", "3"]);
    let second = desk.messages("7001", &format!("limit=2&older={}", cursor(&first, "older"))).await;
    assert_eq!(texts(&second), ["2", "1"]);
    let third = desk.messages("7001", &format!("limit=2&older={}", cursor(&second, "older"))).await;
    assert_eq!((texts(&third), &third["older"]), (vec!["0"], &Value::Null));
}

async fn a_conversation_goes_on_from_the_latest_message_seen(db: &Database) {
    let desk = Desk::open(db).await;
    conversation(&desk, 3).await;
    let page = desk.messages("7001", "limit=2").await;
    let query = format!("newer={}", cursor(&page, "newer"));
    let nothing_new = desk.messages("7001", &query).await;
    assert_eq!(texts(&nothing_new), Vec::<&str>::new());
    let again = format!("newer={}", cursor(&nothing_new, "newer"));
    let shop = &desk.shop;
    let items = ["a", "b"].map(|text| (text, if text == "a" { 20 } else { 10 }));
    let items = items.map(|(text, when)| shop.text("7001", ago(when), text, text));
    desk.receive(shop, &items).await;
    // Always the latest first, whichever way it was read.
    assert_eq!(texts(&desk.messages("7001", &again).await), ["b", "a"]);
    let one = desk.messages("7001", &format!("limit=1&{again}")).await;
    assert_eq!(texts(&one), ["a"]);
    let next = desk.messages("7001", &format!("limit=1&newer={}", cursor(&one, "newer"))).await;
    assert_eq!(texts(&next), ["b"]);
}

async fn paging_forward_and_back_meets_the_same_messages(db: &Database) {
    let desk = Desk::open(db).await;
    conversation(&desk, 9).await;
    let mut page = desk.messages("7001", "limit=9").await;
    let mut query = format!("limit=3&older={}", cursor(&page, "newer"));
    let mut back = Vec::new();
    while page["messages"] != json!([]) {
        page = desk.messages("7001", &query).await;
        back.extend(texts(&page).into_iter().map(str::to_owned));
        let Some(older) = page["older"].as_str() else { break };
        query = format!("limit=3&older={older}");
    }
    assert_eq!(back, ["7", "6", "5", "4", "3", "2", "1", "0"]);
    let mut query = format!("limit=3&newer={}", cursor(&page, "newer"));
    let mut forward = Vec::new();
    loop {
        let page = desk.messages("7001", &query).await;
        if page["messages"] == json!([]) {
            break;
        }
        forward.extend(texts(&page).into_iter().rev().map(str::to_owned));
        query = format!("limit=3&newer={}", cursor(&page, "newer"));
    }
    let seen_last: usize = texts(&page)[0].parse().unwrap();
    let rest: Vec<String> = (seen_last + 1..9).map(|n| n.to_string()).collect();
    assert_eq!(forward, rest);
}

//= R1.1
async fn a_message_without_text_shows_its_kind(db: &Database) {
    let desk = Desk::open(db).await;
    let shop = &desk.shop;
    let image = json!({"mid": "m_1", "attachments": [
        {"type": "image", "payload": {"url": "https://canary.example"}}]});
    let echo = json!({
        "sender": {"id": shop.meta_id}, "recipient": {"id": "7001"},
        "timestamp": ago(5).as_millisecond(),
        "message": {"mid": "m_2", "text": "nice", "is_echo": true},
    });
    desk.receive(shop, &[shop.item("7001", ago(9), "message", &image), echo]).await;
    let page = desk.messages("7001", "").await;
    let shown = |n: usize, field: &str| page["messages"][n][field].clone();
    assert_eq!([shown(0, "direction"), shown(0, "text")], [json!("out"), json!("nice")]);
    assert_eq!([shown(1, "kind"), shown(1, "text")], [json!("image"), Value::Null]);
}
