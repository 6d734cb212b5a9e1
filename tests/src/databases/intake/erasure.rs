//! Intake while something is being erased or restricted: write, then look again.

use jiff::{SignedDuration, Timestamp};
use numib::domain::erasure::{Source, Target};
use numib::domain::key_window;
use numib::domain::time::Day;
use numib::erasure::{self, Asked};
use serde_json::{Value, json};

use crate::database::Database;
use crate::erasure::{connection, sweep, sweep_request};
use crate::shop::{Shop, ago, now};
use crate::webhook::Intake;
use crate::wire::{Call, Fate, Wire};

on_both_databases!(
    an_erased_connection_keeps_nothing_that_arrives,
    an_erasure_between_the_first_read_and_the_write_leaves_nothing,
    an_erasure_between_the_write_and_the_look_leaves_nothing,
    a_row_whose_contact_has_ended_before_the_look_is_removed_by_whoever_wrote_it,
    what_an_erasure_under_way_covers_is_left_to_its_sweep_and_counted_there,
    a_connection_replaced_in_between_gets_nothing_of_the_old_one,
    what_is_sent_to_a_connection_that_just_replaced_another_is_not_lost,
    a_redelivery_after_a_reconnect_brings_nothing_back,
    a_contact_erased_in_between_loses_the_message_and_may_write_again,
    a_redelivery_after_an_erasure_brings_nothing_back,
    a_restricted_contacts_new_messages_are_dropped,
    a_contact_restricted_in_between_keeps_its_earlier_messages,
    a_redelivery_of_a_restricted_contacts_earlier_messages_changes_nothing,
    a_restricted_contacts_unsends_and_edits_of_earlier_messages_are_honoured,
    an_edit_of_a_dropped_message_leaves_nothing,
    a_restricted_contacts_unsend_and_message_end_the_same_in_either_order,
    one_suppressed_contact_costs_its_neighbours_nothing,
    what_a_dead_delivery_left_behind_is_removed_by_the_next,
);

fn suppressed(updates: u64) -> Value {
    json!({"reasons": {"suppressed": updates}})
}

/// All that is stored of the shop's contacts and messages.
async fn kept(db: &Database) -> Vec<String> {
    let core = db.dump_table(&db.tables.core).await;
    let contacts = core.into_iter().filter(|item| item.contains("sk=CONTACT#"));
    contacts.chain(db.dump_table(&db.tables.messages).await).collect()
}

//= R8.3
async fn an_erased_connection_keeps_nothing_that_arrives(db: &Database) {
    let shop = Shop::open(db).await;
    shop.erase(db).await;
    let before = db.dump().await;
    let items = [
        shop.text("7001", ago(9), "m_1", "hi"),
        shop.edit("7001", ago(8), "m_2", (1, "x")),
        shop.unsend("7001", ago(7), "m_3"),
    ];
    let counts = Intake::start(db).deliver(&shop.body(&items)).await.counts();
    assert_eq!(counts, suppressed(3));
    assert_eq!(db.dump().await, before);
}

/// Delivers a message, an edit and an unsend while `shop` is erased just before this request.
async fn erased_before(db: &Database, which: fn(&Call) -> bool) {
    let shop = Shop::open(db).await;
    let meanwhile = (shop.clone(), db.clone());
    db.wire.before_call(which, async move { meanwhile.0.erase(&meanwhile.1).await });
    let items = [
        shop.text("7001", ago(9), "m_1", "hi"),
        shop.edit("7002", ago(8), "m_2", (1, "x")),
        shop.unsend("7003", ago(7), "m_3"),
    ];
    let counts = Intake::start(db).deliver(&shop.body(&items)).await.counts();
    assert!(db.wire.interlude_is_over());
    assert_eq!(counts, suppressed(3));
    assert_eq!(db.dump_table(&db.tables.messages).await.len(), 3, "they are left to the sweep");
    sweep(db, &connection(&shop)).await;
    assert_eq!(kept(db).await, Vec::<String>::new());
}

//= R8.3
async fn an_erasure_between_the_first_read_and_the_write_leaves_nothing(db: &Database) {
    erased_before(db, |call| call.operation == "PutItem").await;
}

//= R8.3
async fn an_erasure_between_the_write_and_the_look_leaves_nothing(db: &Database) {
    erased_before(db, Call::is_look).await;
}

//= R8.3
async fn a_row_whose_contact_has_ended_before_the_look_is_removed_by_whoever_wrote_it(
    db: &Database,
) {
    let shop = Shop::open(db).await;
    let meanwhile = (shop.clone(), db.through(&Wire::default()));
    db.wire.before_call(Call::is_look, async move {
        let (shop, db) = meanwhile;
        shop.erase(&db).await;
        db.store.delete_contacts(&[shop.conversation("7001")]).await.unwrap();
    });
    let body = shop.body(&[shop.text("7001", ago(9), "m_1", "hi")]);
    assert_eq!(Intake::start(db).deliver(&body).await.counts(), suppressed(1));
    assert!(db.wire.interlude_is_over());
    assert_eq!(kept(db).await, Vec::<String>::new());
}

//= R8.3, R8.5
async fn what_an_erasure_under_way_covers_is_left_to_its_sweep_and_counted_there(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    let texts: Vec<_> =
        (0..30).map(|n| shop.text("7001", ago(9000 - n), &format!("m_{n}"), "hi")).collect();
    let body = shop.body(&texts);
    assert_eq!(intake.deliver(&body).await.counts(), json!({"stored": 30}));
    let conversation = shop.conversation("7001");
    let account = shop.connection.account.clone();
    let target = Target::Contact { account, conversation, until: now() };
    let asked = Asked {
        source: Source::Account,
        reference: None,
        subject: target.subject(),
        targets: vec![target],
        due_at: None,
    };
    let request = erasure::begin(&db.store, asked, now()).await.unwrap();
    assert_eq!(intake.deliver(&body).await.counts(), suppressed(30));
    assert_eq!(db.dump_table(&db.tables.messages).await.len(), 30, "nobody else deletes them");
    sweep_request(db, &request, now()).await;
    assert_eq!(db.dump_table(&db.tables.messages).await.len(), 0);
    let request = db.store.request(&request.id).await.unwrap().unwrap().request;
    assert_eq!(request.counts.values().sum::<u64>(), 30, "{:?}", request.counts);
    // The erasure is over. A delivery now removes what it stores itself.
    assert_eq!(intake.deliver(&body).await.counts(), suppressed(30));
    assert_eq!(db.dump_table(&db.tables.messages).await.len(), 0);
}

//= R8.3
async fn a_connection_replaced_in_between_gets_nothing_of_the_old_one(db: &Database) {
    let old = Shop::open(db).await;
    replaced_meanwhile(db, &old, ago(0));
    let body = old.body(&[old.text("7001", ago(5000), "m_1", "hi")]);
    let counts = Intake::start(db).deliver(&body).await.counts();
    assert_eq!(counts, suppressed(1));
    sweep(db, &connection(&old)).await;
    assert_eq!(kept(db).await, Vec::<String>::new());
}

/// Another account connects the channel between the next write and its look.
fn replaced_meanwhile(db: &Database, old: &Shop, connected_at: Timestamp) {
    let (old, other) = (old.clone(), db.clone());
    db.wire.before_call(Call::is_look, async move {
        old.erase(&other).await;
        let new = old.successor(&other, connected_at).await;
        new.make_keys(&other, key_window::days(Day::of(now()))).await;
    });
}

//= R8.1
async fn what_is_sent_to_a_connection_that_just_replaced_another_is_not_lost(db: &Database) {
    let old = Shop::open(db).await;
    replaced_meanwhile(db, &old, ago(5000));
    let intake = Intake::start(db);
    let body = old.body(&[old.text("7001", ago(9), "m_1", "hi")]);
    assert_eq!(intake.deliver(&body).await.status, 500);
    sweep(db, &connection(&old)).await;
    assert_eq!(kept(db).await, Vec::<String>::new());
    assert_eq!(intake.deliver(&body).await.counts(), json!({"stored": 1}));
    assert_eq!(old.row(db, "7001", "m_1").await, None, "it is not the old one's");
}

//= R8.3
async fn a_redelivery_after_a_reconnect_brings_nothing_back(db: &Database) {
    let old = Shop::open(db).await;
    let intake = Intake::start(db);
    let earlier = old.body(&[
        old.text("7001", ago(9000), "m_1", "earlier"),
        old.edit("7001", ago(8000), "m_1", (1, "edited")),
        old.unsend("7001", ago(7000), "m_2"),
    ]);
    intake.deliver(&earlier).await.counts();
    old.erase(db).await;
    let new = old.successor(db, ago(5000)).await;
    new.make_keys(db, key_window::days(Day::of(now()))).await;
    let before = db.dump().await;
    for container in [&intake, &Intake::start(db)] {
        assert_eq!(container.deliver(&earlier).await.counts(), suppressed(3));
        assert_eq!(db.dump().await, before);
    }
    // A time in whole seconds: the second in which the channel was connected.
    let second = Timestamp::from_second(ago(5000).as_second()).unwrap();
    let later = new.body(&[
        new.text("7001", second, "m_3", "in the same second"),
        new.text("7001", ago(4000), "m_4", "later"),
    ]);
    assert_eq!(intake.deliver(&later).await.counts(), json!({"stored": 2}));
}

//= R8.3
async fn a_contact_erased_in_between_loses_the_message_and_may_write_again(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    let meanwhile = (shop.clone(), db.clone());
    db.wire.before_call(Call::is_look, async move {
        meanwhile.0.erase_contact(&meanwhile.1, "7001", ago(5)).await;
    });
    let items = [
        shop.text("7001", ago(9), "m_before", "before"),
        shop.text("7001", ago(5), "m_at", "at the very moment"),
        shop.text("7001", ago(4), "m_after", "after"),
    ];
    let counts = intake.deliver(&shop.body(&items)).await.counts();
    assert_eq!(counts, json!({"stored": 1, "reasons": {"suppressed": 2}}));
    for gone in ["m_before", "m_at"] {
        assert_eq!(shop.row(db, "7001", gone).await, None, "{gone}");
    }
    assert_eq!(shop.row(db, "7001", "m_after").await.unwrap().shown(), Some("after"));
}

//= R8.3
async fn a_redelivery_after_an_erasure_brings_nothing_back(db: &Database) {
    let shop = Shop::open(db).await;
    let warm = Intake::start(db);
    let body = shop.body(&[
        shop.text("7001", ago(9), "m_1", "hi"),
        shop.edit("7001", ago(8), "m_1", (1, "x")),
    ]);
    warm.deliver(&body).await.counts();
    shop.erase_contact(db, "7001", now()).await;
    db.store.delete_message(&shop.key("7001", "m_1")).await.unwrap();
    let much_later = now() + SignedDuration::from_hours(36);
    for (intake, at) in [(&warm, now()), (&warm, much_later), (&Intake::start(db), much_later)] {
        assert_eq!(intake.deliver_at(at, &body).await.counts(), suppressed(2));
        assert_eq!(shop.row(db, "7001", "m_1").await, None);
    }
}

//= R2.3
async fn a_restricted_contacts_new_messages_are_dropped(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    shop.restrict_contact(db, "7001").await;
    let before = db.dump().await;
    let later = now() + SignedDuration::from_mins(1);
    let items = [shop.text("7001", later, "m_1", "hi"), shop.text("7001", later, "m_2", "hi")];
    for _ in 0..2 {
        let counts = intake.deliver_at(later, &shop.body(&items)).await.counts();
        assert_eq!(counts, suppressed(2));
        assert_eq!(db.dump().await, before);
    }
}

//= R2.3
async fn a_contact_restricted_in_between_keeps_its_earlier_messages(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    intake.deliver(&shop.body(&[shop.text("7001", ago(9), "m_1", "earlier")])).await.counts();
    let later = now() + SignedDuration::from_mins(1);
    let meanwhile = (shop.clone(), db.clone());
    db.wire.before_call(Call::is_look, async move {
        meanwhile.0.restrict_contact(&meanwhile.1, "7001").await;
    });
    let body = shop.body(&[shop.text("7001", later, "m_2", "new")]);
    assert_eq!(intake.deliver_at(later, &body).await.counts(), suppressed(1));
    assert_eq!(shop.row(db, "7001", "m_2").await, None);
    let earlier = shop.row(db, "7001", "m_1").await.unwrap();
    assert_eq!(earlier.shown(), Some("earlier"));
}

//= R2.3, R8.1
async fn a_redelivery_of_a_restricted_contacts_earlier_messages_changes_nothing(db: &Database) {
    let shop = Shop::open(db).await;
    let warm = Intake::start(db);
    let body = shop.body(&[
        shop.text("7001", ago(9), "m_1", "earlier"),
        shop.edit("7001", ago(8), "m_1", (1, "edited")),
        shop.unsend("7001", ago(7), "m_2"),
    ]);
    warm.deliver(&body).await.counts();
    shop.restrict_contact(db, "7001").await;
    let before = db.dump().await;
    for intake in [&warm, &Intake::start(db)] {
        intake.deliver(&body).await.counts();
        assert_eq!(db.dump().await, before);
    }
}

//= R2.3, R8.2
async fn a_restricted_contacts_unsends_and_edits_of_earlier_messages_are_honoured(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    let earlier = ["m_1", "m_2"].map(|mid| shop.text("7001", ago(9), mid, "earlier"));
    intake.deliver(&shop.body(&earlier)).await.counts();
    shop.restrict_contact(db, "7001").await;
    let later = now() + SignedDuration::from_mins(1);
    let items = [shop.unsend("7001", later, "m_1"), shop.edit("7001", later, "m_2", (1, "edited"))];
    let counts = intake.deliver_at(later, &shop.body(&items)).await.counts();
    assert_eq!(counts, json!({"unsent": 1, "edited": 1}));
    assert!(shop.row(db, "7001", "m_1").await.unwrap().row.unsent);
    assert_eq!(shop.row(db, "7001", "m_2").await.unwrap().shown(), Some("edited"));
}

//= R2.3
async fn an_edit_of_a_dropped_message_leaves_nothing(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    shop.restrict_contact(db, "7001").await;
    let later = now() + SignedDuration::from_mins(1);
    let before = db.dump().await;
    let items =
        [shop.text("7001", later, "m_1", "new"), shop.edit("7001", later, "m_1", (1, "edited"))];
    for items in [&items[..], &items[1..], &items[..1]] {
        let counts = intake.deliver_at(later, &shop.body(items)).await.counts();
        assert_eq!(counts, suppressed(u64::try_from(items.len()).unwrap()));
        assert_eq!(db.dump().await, before);
    }
}

//= R2.3, R8.2
async fn a_restricted_contacts_unsend_and_message_end_the_same_in_either_order(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    shop.restrict_contact(db, "7001").await;
    let later = now() + SignedDuration::from_mins(1);
    let pair = |mid: &str| [shop.text("7001", later, mid, "new"), shop.unsend("7001", later, mid)];
    let ([message, unsend], [late_message, early_unsend]) = (pair("m_1"), pair("m_2"));
    for item in [message, unsend, early_unsend, late_message] {
        intake.deliver_at(later, &shop.body(&[item])).await.counts();
    }
    let row = shop.row(db, "7001", "m_1").await.unwrap();
    assert!(row.row.unsent);
    assert_eq!(shop.row(db, "7001", "m_2").await, Some(row));
}

//= R2.3, R8.3
async fn one_suppressed_contact_costs_its_neighbours_nothing(db: &Database) {
    let (shop, erased) = (Shop::open(db).await, Shop::open(db).await);
    erased.erase(db).await;
    shop.restrict_contact(db, "7001").await;
    let later = now() + SignedDuration::from_mins(1);
    let entries = [
        shop.entry(&[
            shop.text("7001", later, "m_1", "dropped"),
            shop.text("7002", later, "m_2", "kept"),
        ]),
        erased.entry(&[erased.text("7002", later, "m_3", "dropped")]),
    ];
    let body = json!({"object": "page", "entry": entries});
    let counts = Intake::start(db).deliver_at(later, &body).await.counts();
    assert_eq!(counts, json!({"stored": 1, "reasons": {"suppressed": 2}}));
    assert_eq!(shop.row(db, "7002", "m_2").await.unwrap().shown(), Some("kept"));
    assert_eq!(shop.row(db, "7001", "m_1").await, None);
}

//= R2.3, R8.3
async fn what_a_dead_delivery_left_behind_is_removed_by_the_next(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    let later = now() + SignedDuration::from_mins(1);
    let body = shop.body(&[
        shop.text("7001", later, "m_1", "restricted"),
        shop.text("7002", ago(9), "m_2", "erased"),
    ]);
    shop.restrict_contact(db, "7001").await;
    shop.erase_contact(db, "7002", now()).await;
    // The delivery wrote, and died before it looked again.
    db.wire.decide(|call| if call.is_look() { Fate::Failed } else { Fate::Passes });
    assert_eq!(intake.deliver_at(later, &body).await.status, 500);
    assert!(shop.row(db, "7001", "m_1").await.is_some());
    db.wire.heal();
    assert_eq!(intake.deliver_at(later, &body).await.counts(), suppressed(2));
    for (contact, mid) in [("7001", "m_1"), ("7002", "m_2")] {
        assert_eq!(shop.row(db, contact, mid).await, None);
    }
}
