//! One delivery after the other: messages, edits, unsends, and all of them again.

use jiff::SignedDuration;
use numib::domain::ids::Channel;
use numib::domain::plan::Plan;
use numib::domain::row::{Row, SUPPRESSION};
use numib::domain::time::Day;
use numib::domain::update::{Direction, Kind};
use numib::store::messages::Order;
use serde_json::json;

use crate::database::Database;
use crate::shop::{Message, Opened, Shop, ago, now};
use crate::webhook::Intake;

on_both_databases!(
    a_message_is_stored_sealed_until_its_plan_ends_it,
    nothing_of_a_message_but_text_and_kind_is_kept,
    an_echo_is_the_businesss_own_message,
    a_redelivery_changes_nothing_whichever_container_it_meets,
    an_unsend_takes_a_message_back_for_good,
    an_unsend_that_comes_first_keeps_its_message_out,
    an_edit_shows_and_a_late_lower_one_does_not,
    edits_that_come_first_wait_for_their_message,
    the_higher_of_a_waiting_edit_and_one_in_the_body_shows,
    one_body_may_say_everything_at_once,
    the_same_mid_on_two_channels_is_two_messages,
    what_is_authentic_but_of_no_use_is_acknowledged_and_counted,
    what_has_expired_on_arrival_is_not_stored,
    a_message_from_the_future_expires_as_if_sent_now,
    a_conversation_moves_up_the_inbox_with_its_messages,
);

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn text(text: &str, sent_at: jiff::Timestamp) -> Opened {
    let message = Message {
        text: Some(text.to_owned()),
        kind: Kind::Text,
        direction: Direction::In,
        sent_at,
    };
    Opened {
        row: Row { unsent: false, has_message: true, num_edit: None },
        message: Some(message),
        edit: None,
        expires_at: whole_seconds(sent_at + 30 * DAY),
    }
}

fn whole_seconds(at: jiff::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_second(at.as_second()).unwrap()
}

fn tombstone() -> Opened {
    Opened {
        row: Row { unsent: true, has_message: false, num_edit: None },
        message: None,
        edit: None,
        expires_at: now() + SUPPRESSION,
    }
}

//= R4.1, R6.2, R8.1
async fn a_message_is_stored_sealed_until_its_plan_ends_it(db: &Database) {
    for (plan, days) in
        [(Plan::Days7, 7), (Plan::Days30, 30), (Plan::Days90, 90), (Plan::Days365, 365)]
    {
        let shop = Shop::open_with(db, Channel::Messenger, plan).await;
        let body = shop.body(&[shop.text("700142", ago(1500), "m_canary", "canary \u{1f4e6}")]);
        let answer = Intake::start(db).deliver(&body).await;
        assert_eq!(answer.counts(), json!({"stored": 1}));
        let row = shop.row(db, "700142", "m_canary").await.unwrap();
        let expires_at = whole_seconds(ago(1500) + days * DAY);
        assert_eq!(row, Opened { expires_at, ..text("canary \u{1f4e6}", ago(1500)) });
        let dump = db.dump().await;
        for canary in ["canary", "700142", shop.meta_id.as_str()] {
            assert!(!dump.iter().any(|item| item.contains(canary)), "{canary} is in clear");
            assert!(!answer.text.contains(canary));
        }
    }
}

//= R1.1
async fn nothing_of_a_message_but_text_and_kind_is_kept(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    let message = json!({
        "mid": "m_1", "text": "look", "nlp": {"x": "canary"}, "metadata": "canary",
        "attachments": [{"type": "image", "payload": {"url": "https://canary.example"}}],
        "referral": {"ref": "canary"}, "quick_reply": {"payload": "canary"},
    });
    let bare = json!({"mid": "m_2", "attachments": [{"type": "audio", "payload": {"url": "u"}}]});
    let items = [&message, &bare].map(|one| shop.item("7001", ago(9), "message", one));
    assert_eq!(intake.deliver(&shop.body(&items)).await.counts(), json!({"stored": 2}));
    let image = shop.row(db, "7001", "m_1").await.unwrap().message.unwrap();
    assert_eq!((image.text.as_deref(), image.kind), (Some("look"), Kind::Image));
    let audio = shop.row(db, "7001", "m_2").await.unwrap().message.unwrap();
    assert_eq!((audio.text, audio.kind), (None, Kind::Audio));
    let others = [
        shop.item("7001", ago(5), "reaction", &json!({"mid": "m_1", "emoji": "x"})),
        shop.item("7001", ago(5), "read", &json!({"watermark": 1})),
        shop.item("7001", ago(5), "optin", &json!({"payload": "canary"})),
    ];
    let before = db.dump().await;
    let reasons = json!({"reaction": 1, "read": 1, "unknown_event": 1});
    let counts = intake.deliver(&shop.body(&others)).await.counts();
    assert_eq!(counts, json!({"reasons": reasons}));
    assert_eq!(db.dump().await, before);
}

async fn an_echo_is_the_businesss_own_message(db: &Database) {
    let shop = Shop::open(db).await;
    let echo = json!({
        "sender": {"id": shop.meta_id}, "recipient": {"id": "7001"},
        "timestamp": ago(9).as_millisecond(),
        "message": {"mid": "m_1", "text": "how can we help?", "is_echo": true, "app_id": 1},
    });
    let counts = Intake::start(db).deliver(&shop.body(&[echo])).await.counts();
    assert_eq!(counts, json!({"stored": 1}));
    let message = shop.row(db, "7001", "m_1").await.unwrap().message.unwrap();
    assert_eq!(message.direction, Direction::Out);
}

//= R8.1
async fn a_redelivery_changes_nothing_whichever_container_it_meets(db: &Database) {
    let shop = Shop::open(db).await;
    let warm = Intake::start(db);
    let items = [
        shop.text("7001", ago(9), "m_1", "one"),
        shop.text("7002", ago(8), "m_2", "two"),
        shop.edit("7001", ago(7), "m_1", (1, "uno")),
        shop.unsend("7002", ago(6), "m_3"),
    ];
    let first = warm.deliver(&shop.body(&items)).await.counts();
    assert_eq!(first, json!({"stored": 2, "edited": 1, "unsent": 1}));
    let before = db.dump().await;
    let cold = Intake::start(db);
    let reversed: Vec<_> = items.iter().rev().cloned().collect();
    for (intake, items) in [(&warm, &items[..]), (&cold, &items[..]), (&cold, &reversed)] {
        let again = intake.deliver(&shop.body(items)).await.counts();
        let reasons = json!({"duplicate": 2, "stale_edit": 1, "duplicate_unsend": 1});
        assert_eq!(again, json!({"reasons": reasons}));
        assert_eq!(db.dump().await, before);
    }
    // Meta was seen to post the same message again with only the entry's time changed.
    let mut retimed = shop.body(&items);
    retimed["entry"][0]["time"] = json!(now().as_millisecond() + 77);
    warm.deliver(&retimed).await;
    assert_eq!(db.dump().await, before);
}

//= R8.2
async fn an_unsend_takes_a_message_back_for_good(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    let message = shop.text("7001", ago(9), "m_1", "regretted");
    let edit = shop.edit("7001", ago(8), "m_1", (1, "regretted, too"));
    intake.deliver(&shop.body(&[message.clone(), edit.clone()])).await.counts();
    let unsend = shop.unsend("7001", ago(7), "m_1");
    assert_eq!(intake.deliver(&shop.body(&[unsend])).await.counts(), json!({"unsent": 1}));
    assert_eq!(shop.row(db, "7001", "m_1").await, Some(tombstone()));
    let late = intake.deliver(&shop.body(&[edit, message])).await.counts();
    assert_eq!(late["reasons"], json!({"unsent": 2}));
    assert_eq!(shop.row(db, "7001", "m_1").await, Some(tombstone()));
    let conversation = shop.conversation("7001");
    let newest = (Order::NewestFirst, None);
    let page =
        db.store.message_page(&conversation, newest, 10, (Plan::Days365, now())).await.unwrap();
    assert!(page.messages.is_empty());
}

//= R8.2
async fn an_unsend_that_comes_first_keeps_its_message_out(db: &Database) {
    let shop = Shop::open_with(db, Channel::Instagram, Plan::Days30).await;
    let intake = Intake::start(db);
    let unsend = shop.unsend("8001", ago(7), "m_1");
    assert_eq!(intake.deliver(&shop.body(&[unsend])).await.counts(), json!({"unsent": 1}));
    let message = shop.text("8001", ago(9), "m_1", "regretted");
    let late = intake.deliver(&shop.body(&[message])).await.counts();
    assert_eq!(late, json!({"reasons": {"unsent": 1}}));
    assert_eq!(shop.row(db, "8001", "m_1").await, Some(tombstone()));
}

//= R8.2
async fn an_edit_shows_and_a_late_lower_one_does_not(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    let edit = |n: u32| shop.edit("7001", ago(5), "m_1", (n, &format!("edit {n}")));
    intake.deliver(&shop.body(&[shop.text("7001", ago(60_000), "m_1", "first")])).await.counts();
    for (n, shown) in [(2, "edit 2"), (1, "edit 2"), (2, "edit 2"), (3, "edit 3")] {
        intake.deliver(&shop.body(&[edit(n)])).await.counts();
        let row = shop.row(db, "7001", "m_1").await.unwrap();
        assert_eq!(row.shown(), Some(shown));
        assert_eq!(row.message, text("first", ago(60_000)).message, "the original stays as it was");
        assert_eq!(row.expires_at, text("first", ago(60_000)).expires_at);
    }
}

//= R8.2
async fn edits_that_come_first_wait_for_their_message(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    for n in [1, 3, 2] {
        let edit = shop.edit("7001", ago(5), "m_1", (n, &format!("edit {n}")));
        intake.deliver(&shop.body(&[edit])).await.counts();
    }
    let waiting = shop.row(db, "7001", "m_1").await.unwrap();
    assert_eq!((waiting.row.num_edit, waiting.shown()), (Some(3), None));
    let message = shop.text("7001", ago(60_000), "m_1", "first");
    let counts = intake.deliver(&shop.body(&[message])).await.counts();
    assert_eq!(counts, json!({"stored": 1}));
    let row = shop.row(db, "7001", "m_1").await.unwrap();
    assert_eq!((row.shown(), row.row.has_message), (Some("edit 3"), true));
    assert_eq!(row.expires_at, text("first", ago(60_000)).expires_at);
}

//= R8.2
async fn the_higher_of_a_waiting_edit_and_one_in_the_body_shows(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    let joined = json!({"stored": 1, "edited": 1});
    let stale = json!({"stored": 1, "reasons": {"stale_edit": 1}});
    for (mid, waits, comes, shown, counts) in
        [("m_1", 1, 2, "edit 2", &joined), ("m_2", 2, 1, "edit 2", &stale)]
    {
        let edit = |n: u32| shop.edit("7001", ago(5), mid, (n, &format!("edit {n}")));
        intake.deliver(&shop.body(&[edit(waits)])).await.counts();
        let body = shop.body(&[shop.text("7001", ago(60_000), mid, "first"), edit(comes)]);
        assert_eq!(intake.deliver(&body).await.counts(), *counts);
        assert_eq!(shop.row(db, "7001", mid).await.unwrap().shown(), Some(shown));
    }
}

//= R8.2
async fn one_body_may_say_everything_at_once(db: &Database) {
    let shop = Shop::open(db).await;
    let items = [
        shop.edit("7001", ago(5), "m_1", (1, "edited")),
        shop.text("7001", ago(9), "m_1", "first"),
        shop.unsend("7001", ago(4), "m_2"),
        shop.text("7001", ago(9), "m_2", "regretted"),
        shop.text("7001", ago(9), "m_1", "first"),
    ];
    let counts = Intake::start(db).deliver(&shop.body(&items)).await.counts();
    let reasons = json!({"unsent": 1, "duplicate": 1});
    assert_eq!(counts, json!({"stored": 1, "edited": 1, "unsent": 1, "reasons": reasons}));
    assert_eq!(shop.row(db, "7001", "m_1").await.unwrap().shown(), Some("edited"));
    assert_eq!(shop.row(db, "7001", "m_2").await, Some(tombstone()));
}

async fn the_same_mid_on_two_channels_is_two_messages(db: &Database) {
    let page = Shop::open(db).await;
    let instagram = Shop::open_with(db, Channel::Instagram, Plan::Days30).await;
    let intake = Intake::start(db);
    for shop in [&page, &instagram] {
        let body = shop.body(&[shop.text("7001", ago(9), "m_1", &shop.meta_id)]);
        assert_eq!(intake.deliver(&body).await.counts(), json!({"stored": 1}));
    }
    let unsend = page.body(&[page.unsend("7001", ago(5), "m_1")]);
    intake.deliver(&unsend).await.counts();
    assert_eq!(page.row(db, "7001", "m_1").await, Some(tombstone()));
    let other = instagram.row(db, "7001", "m_1").await.unwrap();
    assert_eq!(other.shown(), Some(instagram.meta_id.as_str()));
}

//= R8.1
async fn what_is_authentic_but_of_no_use_is_acknowledged_and_counted(db: &Database) {
    let shop = Shop::open(db).await;
    let stranger = Shop { meta_id: "1000000000000001".to_owned(), ..shop.clone() };
    let mut elsewhere = shop.text("7001", ago(9), "m_1", "hi");
    elsewhere["recipient"]["id"] = json!("1000000000000001");
    let hi = shop.text("7001", ago(9), "m_1", "hi");
    let mut on_instagram = shop.body(std::slice::from_ref(&hi));
    on_instagram["object"] = json!("instagram");
    let cases = [
        (stranger.body(&[stranger.text("7001", ago(9), "m_1", "hi")]), "unknown_account"),
        (on_instagram, "unknown_account"),
        (shop.body(&[elsewhere]), "account_mismatch"),
        (json!({"object": "user", "entry": [{"id": "1", "changes": [{}]}]}), "unknown_object"),
        (json!({"object": "page", "entry": [{"id": "0", "messaging": [hi]}]}), "test_event"),
        (json!([]), "malformed_body"),
        (json!("x"), "malformed_body"),
        (json!({}), "malformed_body"),
        (shop.body(&[json!(7)]), "malformed_item"),
    ];
    let before = db.dump().await;
    for (body, reason) in cases {
        let counts = Intake::start(db).deliver(&body).await.counts();
        assert_eq!(counts, json!({"reasons": {reason: 1}}), "{body}");
    }
    assert_eq!(db.dump().await, before);
}

//= R6.2
async fn what_has_expired_on_arrival_is_not_stored(db: &Database) {
    let shop = Shop::open_with(db, Channel::Messenger, Plan::Days7).await;
    shop.store_key(db, Day::of(now()).plus(-7)).await;
    let intake = Intake::start(db);
    let kept_ms = 7 * 24 * 60 * 60 * 1000;
    let items = [
        shop.text("7001", ago(kept_ms), "m_expired", "late"),
        shop.edit("7001", ago(kept_ms + 1), "m_other", (1, "late")),
        shop.text("7001", ago(kept_ms - 1000), "m_just_alive", "in time"),
    ];
    let counts = intake.deliver(&shop.body(&items)).await.counts();
    assert_eq!(counts, json!({"stored": 1, "reasons": {"expired": 2}}));
    assert_eq!(shop.row(db, "7001", "m_expired").await, None);
    let alive = shop.row(db, "7001", "m_just_alive").await.unwrap();
    assert_eq!(alive.expires_at, ago(-1000));
}

async fn a_message_from_the_future_expires_as_if_sent_now(db: &Database) {
    let shop = Shop::open(db).await;
    let body = shop.body(&[shop.text("7001", now() + 400 * DAY, "m_1", "hello from 2028")]);
    let counts = Intake::start(db).deliver(&body).await.counts();
    assert_eq!(counts, json!({"stored": 1}));
    let row = shop.row(db, "7001", "m_1").await.unwrap();
    assert_eq!(row.expires_at, now() + 30 * DAY);
    assert_eq!(row.message.unwrap().sent_at, now() + 400 * DAY);
}

async fn a_conversation_moves_up_the_inbox_with_its_messages(db: &Database) {
    let shop = Shop::open(db).await;
    let warm = Intake::start(db);
    let last_message_at = async || {
        let inbox = db.store.inbox(&shop.connection.id, None, 10).await.unwrap();
        inbox.into_iter().map(|entry| entry.last_message_at).collect::<Vec<_>>()
    };
    let deliver = async |intake: &Intake, at, mid: &str| {
        let counts = intake.deliver(&shop.body(&[shop.text("7001", at, mid, "hi")])).await;
        assert_eq!(counts.counts(), json!({"stored": 1}));
    };
    deliver(&warm, ago(100_000), "m_1").await;
    assert_eq!(last_message_at().await, [ago(100_000)]);
    // Within the minute: neither the container that moved it nor another one moves it again.
    deliver(&warm, ago(90_000), "m_2").await;
    deliver(&Intake::start(db), ago(45_000), "m_3").await;
    assert_eq!(last_message_at().await, [ago(100_000)]);
    deliver(&warm, ago(30_000), "m_4").await;
    assert_eq!(last_message_at().await, [ago(30_000)]);
    deliver(&warm, ago(200_000), "m_5").await;
    assert_eq!(last_message_at().await, [ago(30_000)], "an older message moves nothing back");
    // A container remembers that it moved the conversation, and sees that the contact is gone.
    db.store.delete_contacts(&[shop.conversation("7001")]).await.unwrap();
    deliver(&warm, ago(29_000), "m_6").await;
    assert_eq!(last_message_at().await, [ago(29_000)]);
    // An update that changes no conversation moves none.
    let unsend = shop.body(&[shop.unsend("7002", ago(5), "m_9")]);
    warm.deliver(&unsend).await.counts();
    assert_eq!(last_message_at().await, [ago(29_000)]);
}
