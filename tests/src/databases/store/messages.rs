//! Messages, edits, tombstones, and pages of them.

use jiff::{SignedDuration, Timestamp};
use numib::domain::ids::{ConversationId, MessageId};
use numib::domain::plan::Plan;
use numib::domain::row::Row;
use numib::store::StoreError;
use numib::store::messages::{
    MessageKey, MessagePage, NewEdit, NewMessage, Order, Position, Written,
};

use super::sealed;
use crate::database::Database;
use crate::shop::now;

const DAY: SignedDuration = SignedDuration::from_hours(24);

on_both_databases!(
    a_message_is_written_once_and_what_it_meets_is_told,
    a_message_can_bring_its_edit,
    an_edit_waits_for_its_message,
    only_a_higher_edit_replaces_another,
    a_waiting_edit_expires_by_the_highest_whichever_came_first,
    a_tombstone_replaces_everything_and_gives_way_to_nothing,
    an_edit_that_is_overtaken_between_its_two_tries_is_told,
    a_message_joins_only_an_edit_that_waits,
    a_deleted_row_leaves_nothing_and_can_be_deleted_again,
    only_an_edit_that_waits_is_deleted_as_one,
    a_conversation_is_read_both_ways_page_by_page,
    messages_of_the_same_instant_are_all_on_some_page,
    a_message_shows_until_the_second_it_expires,
    expired_rows_between_live_ones_are_passed_over,
    a_heap_of_expired_rows_ends_a_page_early_with_a_place_to_go_on,
    a_row_without_a_message_is_on_no_page,
    a_row_that_is_not_as_written_is_reported_and_not_guessed,
);

fn key(message: &str) -> MessageKey {
    let conversation = ConversationId::parse("connection.contact").unwrap();
    MessageKey { conversation, message: MessageId::parse(message).unwrap() }
}

fn message(sent_at: Timestamp) -> NewMessage {
    NewMessage { sent_at, sealed: sealed("message"), expires_at: sent_at + 30 * DAY }
}

fn edit(num_edit: u32) -> NewEdit {
    let sealed = sealed(&format!("edit {num_edit}"));
    NewEdit { at: now(), num_edit, sealed, expires_at: now() + 31 * DAY }
}

fn seconds(n: i64) -> Timestamp {
    now() + SignedDuration::from_secs(n)
}

async fn put(db: &Database, name: &str, sent_at: Timestamp, expires_at: Timestamp) {
    let message = NewMessage { sent_at, sealed: sealed("message"), expires_at };
    let written = db.store.put_message(&key(name), message, None).await.unwrap();
    assert_eq!(written, Written::Done);
}

async fn page(
    db: &Database,
    from: (Order, Option<Position>),
    limit: usize,
    now: Timestamp,
) -> MessagePage {
    db.store
        .message_page(&key("any").conversation, from, limit, (Plan::Days365, now))
        .await
        .unwrap()
}

fn ids(page: &MessagePage) -> Vec<&str> {
    page.messages.iter().map(|message| message.id.as_str()).collect()
}

//= R8.1
async fn a_message_is_written_once_and_what_it_meets_is_told(db: &Database) {
    let first = db.store.put_message(&key("m"), message(now()), None).await.unwrap();
    assert_eq!(first, Written::Done);
    let before = db.dump().await;
    let other = NewMessage { sealed: sealed("other"), ..message(seconds(5)) };
    let again = db.store.put_message(&key("m"), other, None).await.unwrap();
    assert_eq!(again, Written::Met(Row { unsent: false, has_message: true, num_edit: None }));
    assert_eq!(db.dump().await, before);
    let row = db.store.message_row(&key("m")).await.unwrap().unwrap();
    assert_eq!(row.message, Some(sealed("message")));
    assert_eq!(row.expires_at, now() + 30 * DAY);
}

async fn a_message_can_bring_its_edit(db: &Database) {
    db.store.put_message(&key("m"), message(now()), Some(edit(2))).await.unwrap();
    let row = db.store.message_row(&key("m")).await.unwrap().unwrap();
    assert_eq!(row.row, Row { unsent: false, has_message: true, num_edit: Some(2) });
    assert_eq!((row.message, row.edit), (Some(sealed("message")), Some(sealed("edit 2"))));
    assert_eq!(row.expires_at, now() + 30 * DAY, "the message's own time counts");
}

//= R8.2
async fn an_edit_waits_for_its_message(db: &Database) {
    assert_eq!(db.store.put_edit(&key("m"), edit(1)).await.unwrap(), Written::Done);
    let waiting = Row { unsent: false, has_message: false, num_edit: Some(1) };
    let met = db.store.put_message(&key("m"), message(now()), None).await.unwrap();
    assert_eq!(met, Written::Met(waiting));
    let row = db.store.message_row(&key("m")).await.unwrap().unwrap();
    assert_eq!((row.row, row.message, row.expires_at), (waiting, None, now() + 31 * DAY));
    let joined = db.store.join_message(&key("m"), message(now())).await.unwrap();
    assert_eq!(joined, Written::Done);
    let row = db.store.message_row(&key("m")).await.unwrap().unwrap();
    assert_eq!((row.message, row.edit), (Some(sealed("message")), Some(sealed("edit 1"))));
    assert_eq!(row.expires_at, now() + 30 * DAY, "from then on the message's own time counts");
}

//= R8.2
async fn only_a_higher_edit_replaces_another(db: &Database) {
    db.store.put_message(&key("m"), message(now()), None).await.unwrap();
    assert_eq!(db.store.put_edit(&key("m"), edit(2)).await.unwrap(), Written::Done);
    let known = Row { unsent: false, has_message: true, num_edit: Some(2) };
    for stale in [1, 2] {
        let met = db.store.put_edit(&key("m"), edit(stale)).await.unwrap();
        assert_eq!(met, Written::Met(known));
    }
    // As numbers, not as text.
    assert_eq!(db.store.put_edit(&key("m"), edit(10)).await.unwrap(), Written::Done);
    let row = db.store.message_row(&key("m")).await.unwrap().unwrap();
    assert_eq!(row.edit, Some(sealed("edit 10")));
    assert_eq!(row.expires_at, now() + 30 * DAY, "an edit prolongs nothing");
}

//= R8.2
async fn a_waiting_edit_expires_by_the_highest_whichever_came_first(db: &Database) {
    for (name, order) in [("up", [1_i32, 2, 3]), ("down", [3, 2, 1]), ("mixed", [2, 3, 1])] {
        for n in order {
            let expires_at = now() + n * DAY;
            let edit = NewEdit { expires_at, ..edit(n.unsigned_abs()) };
            db.store.put_edit(&key(name), edit).await.unwrap();
        }
        let row = db.store.message_row(&key(name)).await.unwrap().unwrap();
        assert_eq!((row.edit, row.expires_at), (Some(sealed("edit 3")), now() + 3 * DAY));
    }
}

//= R8.2
async fn a_tombstone_replaces_everything_and_gives_way_to_nothing(db: &Database) {
    let unsent = Row { unsent: true, has_message: false, num_edit: None };
    let until = now() + 40 * DAY;
    db.store.put_message(&key("m"), message(now()), Some(edit(1))).await.unwrap();
    db.store.put_edit(&key("waiting"), edit(1)).await.unwrap();
    for name in ["m", "waiting", "new"] {
        assert_eq!(db.store.put_tombstone(&key(name), until).await.unwrap(), Written::Done);
        let before = db.dump().await;
        let met = Written::Met(unsent);
        let later = until + DAY;
        assert_eq!(db.store.put_tombstone(&key(name), later).await.unwrap(), met);
        let put = db.store.put_message(&key(name), message(now()), None).await.unwrap();
        assert_eq!(put, met);
        assert_eq!(db.store.put_edit(&key(name), edit(9)).await.unwrap(), met);
        assert_eq!(db.store.join_message(&key(name), message(now())).await.unwrap(), met);
        assert_eq!(db.dump().await, before);
        let row = db.store.message_row(&key(name)).await.unwrap().unwrap();
        assert_eq!((row.row, row.expires_at), (unsent, until));
        assert_eq!((row.message, row.edit), (None, None));
    }
}

//= R8.2
async fn an_edit_that_is_overtaken_between_its_two_tries_is_told(db: &Database) {
    // First it looks for its message, then it waits for it: something comes just before the second.
    let overtake = |name: &'static str, unsent: bool| {
        let (wire, store) = (db.wire.clone(), db.store.clone());
        db.wire.before("UpdateItem", async move {
            wire.before("UpdateItem", async move {
                if unsent {
                    store.put_tombstone(&key(name), now() + DAY).await.unwrap();
                } else {
                    store.put_message(&key(name), message(now()), None).await.unwrap();
                }
            });
        });
    };
    for (name, unsent) in [("unsent", true), ("came", false)] {
        overtake(name, unsent);
        let met = db.store.put_edit(&key(name), edit(1)).await.unwrap();
        assert!(db.wire.interlude_is_over());
        let row = Row { unsent, has_message: !unsent, num_edit: None };
        assert_eq!(met, Written::Met(row));
        let row_now = db.store.message_row(&key(name)).await.unwrap().unwrap();
        assert_eq!((row_now.row, row_now.edit), (row, None));
    }
}

async fn a_message_joins_only_an_edit_that_waits(db: &Database) {
    let nothing = db.store.join_message(&key("m"), message(now())).await;
    assert_eq!(nothing, Err(StoreError::Conflict));
    assert!(db.dump().await.is_empty());
    db.store.put_message(&key("m"), message(now()), Some(edit(1))).await.unwrap();
    let met = db.store.join_message(&key("m"), message(seconds(9))).await.unwrap();
    assert_eq!(met, Written::Met(Row { unsent: false, has_message: true, num_edit: Some(1) }));
}

async fn a_deleted_row_leaves_nothing_and_can_be_deleted_again(db: &Database) {
    db.store.put_message(&key("m"), message(now()), None).await.unwrap();
    for _ in 0..2 {
        db.store.delete_message(&key("m")).await.unwrap();
        assert!(db.dump().await.is_empty());
    }
    assert!(page(db, (Order::NewestFirst, None), 10, now()).await.messages.is_empty());
}

//= R2.3, R8.2
async fn only_an_edit_that_waits_is_deleted_as_one(db: &Database) {
    db.store.put_edit(&key("waiting"), edit(1)).await.unwrap();
    for _ in 0..2 {
        assert!(db.store.delete_waiting_edit(&key("waiting")).await.unwrap());
        assert!(db.dump().await.is_empty());
    }
    db.store.put_message(&key("edited"), message(now()), Some(edit(1))).await.unwrap();
    db.store.put_edit(&key("unsent"), edit(1)).await.unwrap();
    db.store.put_tombstone(&key("unsent"), now() + DAY).await.unwrap();
    let before = db.dump().await;
    for name in ["edited", "unsent"] {
        assert!(!db.store.delete_waiting_edit(&key(name)).await.unwrap(), "{name}");
    }
    assert_eq!(db.dump().await, before);
}

async fn a_conversation_is_read_both_ways_page_by_page(db: &Database) {
    // Written out of order, and next to another conversation.
    for n in [3, 1, 5, 2, 4] {
        put(db, &format!("m{n}"), seconds(n), seconds(n) + DAY).await;
    }
    let neighbour = MessageKey {
        conversation: ConversationId::parse("connection.contact2").unwrap(),
        message: MessageId::parse("m6").unwrap(),
    };
    db.store.put_message(&neighbour, message(now()), None).await.unwrap();

    let mut newest_first = Vec::new();
    let mut next = None;
    loop {
        let page = page(db, (Order::NewestFirst, next), 2, now()).await;
        newest_first.extend(ids(&page).into_iter().map(str::to_owned));
        assert!(page.messages.len() <= 2);
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(newest_first, ["m5", "m4", "m3", "m2", "m1"]);

    let from = Position { sent_at: seconds(2), message: MessageId::parse("m2").unwrap() };
    let newer = page(db, (Order::OldestFirst, Some(from.clone())), 2, now()).await;
    assert_eq!(ids(&newer), ["m3", "m4"]);
    let newer = page(db, (Order::OldestFirst, newer.next), 2, now()).await;
    assert_eq!((ids(&newer), &newer.next), (vec!["m5"], &None));
    let older = page(db, (Order::NewestFirst, Some(from)), 2, now()).await;
    assert_eq!(ids(&older), ["m1"]);
}

async fn messages_of_the_same_instant_are_all_on_some_page(db: &Database) {
    for n in 0..7 {
        put(db, &format!("m{n}"), now(), now() + DAY).await;
    }
    for order in [Order::NewestFirst, Order::OldestFirst] {
        let mut seen = Vec::new();
        let mut next = None;
        for _ in 0..7 {
            let page = page(db, (order, next), 2, now()).await;
            seen.extend(ids(&page).into_iter().map(str::to_owned));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        seen.sort();
        assert_eq!(seen, ["m0", "m1", "m2", "m3", "m4", "m5", "m6"], "{order:?}");
    }
}

//= R6.2
async fn a_message_shows_until_the_second_it_expires(db: &Database) {
    let expires_at = now() + DAY;
    // Half a second of grace would be half a second too long.
    put(db, "m", now(), expires_at + SignedDuration::from_millis(500)).await;
    let shown_at =
        async |at: Timestamp| page(db, (Order::NewestFirst, None), 10, at).await.messages.len();
    assert_eq!(shown_at(expires_at - SignedDuration::from_millis(1)).await, 1);
    assert_eq!(shown_at(expires_at).await, 0);
    assert_eq!(shown_at(expires_at + DAY).await, 0);
    let row = db.store.message_row(&key("m")).await.unwrap();
    assert_eq!(row.unwrap().expires_at, expires_at, "the row is still there");
}

//= R6.2
async fn expired_rows_between_live_ones_are_passed_over(db: &Database) {
    // As after a change of plan: what was sent earlier may live longer.
    for n in 0..9 {
        let lives = n % 3 == 0;
        put(db, &format!("m{n}"), seconds(n), if lives { now() + DAY } else { now() }).await;
    }
    let newest = page(db, (Order::NewestFirst, None), 2, now()).await;
    assert_eq!(ids(&newest), ["m6", "m3"]);
    let rest = page(db, (Order::NewestFirst, newest.next), 2, now()).await;
    assert_eq!(ids(&rest), ["m0"]);
}

async fn a_heap_of_expired_rows_ends_a_page_early_with_a_place_to_go_on(db: &Database) {
    put(db, "oldest", seconds(0), now() + DAY).await;
    for n in 1..=12 {
        put(db, &format!("m{n}"), seconds(n), now()).await;
    }
    let first = page(db, (Order::NewestFirst, None), 1, now()).await;
    assert!(first.messages.is_empty());
    let second = page(db, (Order::NewestFirst, first.next), 1, now()).await;
    assert_eq!(ids(&second), ["oldest"]);
}

//= R8.2
async fn a_row_without_a_message_is_on_no_page(db: &Database) {
    put(db, "m", now(), now() + DAY).await;
    put(db, "taken-back", now(), now() + DAY).await;
    db.store.put_tombstone(&key("taken-back"), now() + DAY).await.unwrap();
    db.store.put_tombstone(&key("never-came"), now() + DAY).await.unwrap();
    db.store.put_edit(&key("waiting"), edit(1)).await.unwrap();
    let page = page(db, (Order::NewestFirst, None), 10, now()).await;
    assert_eq!((ids(&page), &page.next), (vec!["m"], &None));
}

async fn a_row_that_is_not_as_written_is_reported_and_not_guessed(db: &Database) {
    use aws_sdk_dynamodb::types::AttributeValue;
    let put = |name: &str, value: AttributeValue| {
        let item = db.raw.put_item().table_name(&db.tables.messages);
        item.item("pk", AttributeValue::S("connection.contact".to_owned()))
            .item("sk", AttributeValue::S("m".to_owned()))
            .item("expires_at", AttributeValue::N("1".to_owned()))
            .item("sent_at", AttributeValue::N("1".to_owned()))
            .item("day", AttributeValue::S("2026-12-01".to_owned()))
            .item("sealed", AttributeValue::B(b"x".to_vec().into()))
            .item(name, value)
            .send()
    };
    let number = |digits: &str| AttributeValue::N(digits.to_owned());
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let cases = [
        ("sealed", text("x")),
        ("day", text("yesterday")),
        ("expires_at", number("99999999999999999999")),
        ("num_edit", number("-1")),
        ("edit", text("x")),
    ];
    for (name, value) in cases {
        put(name, value).await.unwrap();
        let error = db.store.message_row(&key("m")).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{name}: {error:?}");
    }
}
