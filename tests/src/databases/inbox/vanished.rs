//! What no answer contains any more: messages that are expired, unsent, erased or shredded.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use numib::domain::ids::Channel;
use numib::domain::plan::Plan;
use numib::domain::time::Day;

use super::{Desk, days, texts};
use crate::database::Database;
use crate::shop::{Shop, ago, now};

on_ministack!(
    a_message_shows_to_the_second_it_expires,
    an_unsent_message_and_a_waiting_edit_never_show,
    what_a_contact_sent_before_its_erasure_never_shows,
    a_restricted_contacts_earlier_messages_still_show,
    an_erased_connection_shows_nothing,
    conversations_whose_messages_expired_are_passed_over,
    a_shredded_day_does_not_show_and_costs_its_neighbours_nothing,
    a_day_key_does_not_open_another_connections_messages,
);

const DAY: SignedDuration = SignedDuration::from_hours(24);
const MOMENT: SignedDuration = SignedDuration::from_millis(1);

//= R6.2
async fn a_message_shows_to_the_second_it_expires(db: &Database) {
    let desk = Desk::open(db).await;
    let shop = &desk.shop;
    let items = [
        shop.text("7001", ago(60_000), "m_1", "first"),
        shop.text("7001", ago(30_000), "m_2", "second"),
    ];
    desk.receive(shop, &items).await;
    let id = shop.conversation("7001").to_string();
    let seen_at = async |at: Timestamp| {
        let page = desk.get(at, &desk.agent, Some(&id), "").await;
        let list = desk.get(at, &desk.agent, None, "").await;
        assert_eq!((page.status, list.status), (200, 200));
        let (page, list) = (page.json(), list.json());
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<_>>();
        (owned(texts(&page)), owned(texts(&list)))
    };
    let both = ["second", "first"].map(str::to_owned).to_vec();
    let second = vec!["second".to_owned()];
    let ends = [ago(60_000) + 30 * DAY, ago(30_000) + 30 * DAY];
    assert_eq!(seen_at(ends[0] - MOMENT).await, (both, second.clone()));
    assert_eq!(seen_at(ends[0]).await, (second.clone(), second.clone()));
    assert_eq!(seen_at(ends[1] - MOMENT).await, (second.clone(), second));
    assert_eq!(seen_at(ends[1]).await, (vec![], vec![]));
    assert!(shop.connection.plan == Plan::Days30);
    assert_eq!(db.dump_table(&db.tables.messages).await.len(), 2, "the rows are still there");
}

//= R8.2
async fn an_unsent_message_and_a_waiting_edit_never_show(db: &Database) {
    let desk = Desk::open(db).await;
    let shop = &desk.shop;
    let items = [
        shop.text("7001", ago(60_000), "m_1", "stays"),
        shop.text("7001", ago(30_000), "m_2", "regretted"),
        shop.text("7002", ago(30_000), "m_3", "regretted"),
    ];
    desk.receive(shop, &items).await;
    let items = [
        shop.unsend("7001", ago(9), "m_2"),
        shop.unsend("7002", ago(9), "m_3"),
        shop.edit("7001", ago(9), "m_4", (1, "of what never came")),
    ];
    desk.receive(shop, &items).await;
    assert_eq!(texts(&desk.messages("7001", "").await), ["stays"]);
    assert_eq!(texts(&desk.conversations("").await), ["stays"]);
    assert_eq!(texts(&desk.messages("7002", "").await), Vec::<&str>::new());
}

//= R8.3
async fn what_a_contact_sent_before_its_erasure_never_shows(db: &Database) {
    let desk = Desk::open(db).await;
    let shop = &desk.shop;
    for contact in ["7001", "7002"] {
        let items = [
            shop.text(contact, ago(60_000), &format!("a_{contact}"), "before"),
            shop.text(contact, ago(30_000), &format!("b_{contact}"), "at the moment"),
        ];
        desk.receive(shop, &items).await;
        shop.erase_contact(db, contact, ago(30_000)).await;
    }
    desk.receive(shop, &[shop.text("7002", ago(29_999), "c", "writes again")]).await;
    assert_eq!(texts(&desk.conversations("").await), ["writes again"]);
    assert_eq!(texts(&desk.messages("7001", "").await), Vec::<&str>::new());
    assert_eq!(texts(&desk.messages("7002", "").await), ["writes again"]);
    assert_eq!(db.dump_table(&db.tables.messages).await.len(), 5, "the sweep is still to come");
}

//= R2.3
async fn a_restricted_contacts_earlier_messages_still_show(db: &Database) {
    let desk = Desk::open(db).await;
    let shop = &desk.shop;
    desk.receive(shop, &[shop.text("7001", ago(60_000), "m_1", "earlier")]).await;
    shop.restrict_contact(db, "7001").await;
    desk.receive(shop, &[shop.text("7001", now() + DAY, "m_2", "new")]).await;
    assert_eq!(texts(&desk.messages("7001", "").await), ["earlier"]);
    assert_eq!(texts(&desk.conversations("").await), ["earlier"]);
}

//= R8.3
async fn an_erased_connection_shows_nothing(db: &Database) {
    let desk = Desk::open(db).await;
    let other = desk.connect_also(Channel::Instagram).await;
    let shop = &desk.shop;
    desk.receive(shop, &[shop.text("7001", ago(9), "m_1", "erased")]).await;
    desk.receive(&other, &[other.text("7001", ago(9), "m_1", "stays")]).await;
    shop.erase(db).await;
    let id = shop.conversation("7001").to_string();
    let gone = async || {
        assert_eq!(desk.get(now(), &desk.agent, Some(&id), "").await.status, 404);
        assert_eq!(texts(&desk.conversations("").await), ["stays"]);
    };
    gone().await;
    // Connecting the same Page again does not bring the messages back.
    Shop::connect(db, (Channel::Messenger, shop.meta_id.clone()), Plan::Days30).await;
    gone().await;
}

//= R6.2
async fn conversations_whose_messages_expired_are_passed_over(db: &Database) {
    let desk = Desk::open(db).await;
    let shop = &desk.shop;
    // The index still lists all of them, the latest first. Only the oldest has a message left.
    let item =
        |n: i64| shop.text(&n.to_string(), ago(n * 100_000), &format!("m_{n}"), &n.to_string());
    desk.receive(shop, &(1..=6).map(item).collect::<Vec<_>>()).await;
    for n in 1..=5_i64 {
        db.store.delete_message(&shop.key(&n.to_string(), &format!("m_{n}"))).await.unwrap();
    }
    let page = desk.conversations("limit=2").await;
    assert_eq!(texts(&page), ["6"]);
}

//= R6.2
async fn a_shredded_day_does_not_show_and_costs_its_neighbours_nothing(db: &Database) {
    let desk = Desk::open(db).await;
    let shop = &desk.shop;
    let items = [
        shop.text("7001", now() - DAY, "m_1", "of a shredded day"),
        shop.text("7001", ago(9), "m_2", "stays"),
        shop.text("7002", now() - DAY, "m_3", "of a shredded day"),
    ];
    desk.receive(shop, &items).await;
    shred(db, shop, Day::of(now()).plus(-1)).await;
    assert_eq!(texts(&desk.messages("7001", "").await), ["stays"]);
    assert_eq!(texts(&desk.conversations("").await), ["stays"]);
}

//= R4.1
async fn a_day_key_does_not_open_another_connections_messages(db: &Database) {
    let desk = Desk::open(db).await;
    let other = Shop::without_keys(db, Channel::Messenger, Plan::Days30).await;
    other.make_wrapped_keys(db, &desk.day_keys, days()).await;
    let shop = &desk.shop;
    desk.receive(shop, &[shop.text("7001", ago(9), "m_1", "secret")]).await;
    // Someone replaces the connection's key by another connection's.
    let today = Day::of(now());
    shred(db, shop, today).await;
    let theirs = db.store.wrapped_day_key(&other.connection.id, today).await.unwrap().unwrap();
    let pair = numib::domain::sealed::WrappedPair {
        public_key: crate::shop::key_pair().public_key,
        wrapped_key: theirs.wrapped_key,
    };
    let owner = (&shop.connection.account, &shop.connection.id);
    db.store.put_day_key(owner, (today, today.plus(31)), pair).await.unwrap();
    let answer = desk.get(now(), &desk.agent, None, "").await;
    assert_eq!(answer.status, 500, "{}", answer.text);
    assert!(!answer.text.contains("secret"));
}

/// Destroys a day key, as expiry does.
async fn shred(db: &Database, shop: &Shop, day: Day) {
    db.raw
        .delete_item()
        .table_name(&db.tables.keys)
        .key("pk", AttributeValue::S(format!("CONNECTION#{}", shop.connection.id)))
        .key("sk", AttributeValue::S(format!("DAY#{day}")))
        .send()
        .await
        .unwrap();
}
