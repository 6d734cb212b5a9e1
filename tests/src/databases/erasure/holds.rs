//! Legal holds: what is held is not erased, says so, and goes on when the hold is lifted (R6.7).

use jiff::Timestamp;
use numib::domain::data_kind::DataKind;
use numib::domain::erasure::{State, Target};
use numib::domain::hold::{Held, Hold};
use numib::domain::ids::HoldId;
use numib::erasure::{self, Asked};
use numib::store::requests::Told;

use super::{
    ask, asked, connection, contact, counts, fill, held, is_over, message, open, resume,
    signing_key, stored, work,
};
use crate::database::Database;
use crate::shop::{Shop, now};
use crate::wire::{Call, Wire};

on_ministack!(
    what_is_held_is_not_erased_until_the_last_hold_is_lifted,
    a_hold_on_a_contact_keeps_its_connection_but_no_other_contact,
    a_hold_on_one_part_keeps_no_other,
    a_hold_that_is_lifted_while_a_request_is_held_back_does_not_strand_it,
);

on_both_databases!(
    a_hold_that_is_set_while_a_request_is_counted_keeps_what_it_is_on,
    a_hold_that_is_set_before_a_request_is_shredded_keeps_only_what_it_is_on,
    what_no_hold_keeps_does_not_join_a_request_that_waits,
    what_is_asked_after_a_request_has_counted_is_counted_by_the_next,
    owners_are_told_once_though_their_request_takes_in_more,
);

fn hold(id: &str) -> Hold {
    Hold {
        id: HoldId::parse(id).unwrap(),
        reason: "a lawsuit".to_owned(),
        reference: "case 7".to_owned(),
        set_at: now(),
    }
}

/// The same question, whatever is stored.
fn asked_again(targets: &[Target]) -> Asked {
    Asked { subject: "person p".to_owned(), ..asked(targets) }
}

//= R6.7
async fn what_is_held_is_not_erased_until_the_last_hold_is_lifted(db: &Database) {
    let key = signing_key(db).await;
    for number in 0..3 {
        let shop = Shop::open(db).await;
        fill(db, &shop).await;
        let record = match number {
            0 => Held::Account(shop.connection.account.clone()),
            1 => Held::Connection(shop.connection.id.clone()),
            _ => Held::Contact(shop.conversation("7001")),
        };
        let target = match number {
            2 => contact(&shop, "7001", now()),
            _ => connection(&shop),
        };
        db.store.put_hold(&record, &hold("h1")).await.unwrap();
        db.store.put_hold(&record, &hold("h2")).await.unwrap();
        let before = held(db, &shop).await;
        let request = ask(db, std::slice::from_ref(&target)).await.unwrap();
        assert_eq!(request.state, State::Held);
        for lifted in ["h1", "h2"] {
            assert!(is_over(&work(db, &key, &request).await.unwrap()));
            assert_eq!(stored(db, &request).await.state, State::Held);
            assert_eq!(held(db, &shop).await, before, "nothing is touched");
            let waiting = db.store.holds(&record).await.unwrap().waiting;
            assert_eq!(waiting, std::slice::from_ref(&request.id));
            assert!(db.store.lift_hold(&record, &HoldId::parse(lifted).unwrap()).await.unwrap());
        }
        let done = resume(db, &key, &request).await;
        assert_eq!(done.state, State::Completed);
        assert_eq!(done.deadline, request.deadline, "no clock starts again");
        assert_eq!(done.requested_at, request.requested_at);
        assert!(counts(&done)["message"] > 1);
        assert!(db.store.holds(&record).await.unwrap().waiting.is_empty());
    }
}

//= R6.7
async fn a_hold_on_a_contact_keeps_its_connection_but_no_other_contact(db: &Database) {
    let key = signing_key(db).await;
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let record = Held::Contact(shop.conversation("7001"));
    db.store.put_hold(&record, &hold("h1")).await.unwrap();
    let request = ask(db, &[connection(&shop)]).await.unwrap();
    assert_eq!(request.state, State::Held, "its keys open what is held");
    let other = ask(db, &[contact(&shop, "7002", now())]).await.unwrap();
    assert_eq!(other.state, State::Shredded);
    assert!(is_over(&work(db, &key, &other).await.unwrap()));
    assert_eq!(shop.row(db, "7001", "m_1").await.unwrap().shown(), Some("one"));
    assert!(db.store.lift_hold(&record, &HoldId::parse("h1").unwrap()).await.unwrap());
    assert_eq!(db.store.holds(&record).await.unwrap().waiting, std::slice::from_ref(&request.id));
    resume(db, &key, &request).await;
    assert!(db.store.holds(&record).await.unwrap().waiting.is_empty());
}

//= R6.7
async fn a_hold_on_one_part_keeps_no_other(db: &Database) {
    let key = signing_key(db).await;
    let (shop, kept) = (Shop::open(db).await, Shop::open(db).await);
    fill(db, &shop).await;
    fill(db, &kept).await;
    let record = Held::Account(kept.connection.account.clone());
    db.store.put_hold(&record, &hold("h1")).await.unwrap();
    let before = held(db, &kept).await;
    let until: Timestamp = now();
    let targets = [contact(&shop, "7001", until), contact(&kept, "7001", until)];
    let request = ask(db, &targets).await.unwrap();
    assert_eq!(request.state, State::Shredded);
    assert!(is_over(&work(db, &key, &request).await.unwrap()));
    assert_eq!(shop.row(db, "7001", "m_1").await, None);
    assert_eq!(held(db, &kept).await, before);
    // The other part has a code of its own, and goes on by itself.
    let part = db.store.request(request.held_part.as_ref().unwrap()).await.unwrap().unwrap();
    assert_eq!(part.request.state, State::Held);
    db.store.lift_hold(&record, &HoldId::parse("h1").unwrap()).await.unwrap();
    resume(db, &key, &part.request).await;
    assert_eq!(kept.row(db, "7001", "m_1").await, None);
    assert_eq!(kept.row(db, "7002", "m_4").await.unwrap().shown(), Some("four"));
}

//= R6.7
async fn a_hold_that_is_lifted_while_a_request_is_held_back_does_not_strand_it(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let record = Held::Connection(shop.connection.id.clone());
    db.store.put_hold(&record, &hold("h1")).await.unwrap();
    // The hold is lifted just before the request is noted as waiting. Whoever lifts the hold finds
    // no request to wake.
    let meanwhile = (db.clone(), record.clone());
    let id = HoldId::parse("h1").unwrap();
    let is_note =
        |call: &Call| call.operation == "PutItem" && call.body["Item"]["request_id"].is_object();
    db.wire.before_call(is_note, async move {
        let (db, record) = meanwhile;
        db.store.lift_hold(&record, &id).await.unwrap();
        assert!(db.store.holds(&record).await.unwrap().waiting.is_empty());
    });
    let request = ask(db, &[connection(&shop)]).await.unwrap();
    assert!(db.wire.interlude_is_over());
    assert_eq!(request.state, State::Shredded, "it sees by itself that the hold is gone");
    assert!(db.store.holds(&record).await.unwrap().waiting.is_empty());
}

//= R6.7
async fn a_hold_that_is_set_while_a_request_is_counted_keeps_what_it_is_on(db: &Database) {
    let (kept, free) = (Shop::open(db).await, Shop::open(db).await);
    let third = Shop::open(db).await;
    fill(db, &third).await;
    let record = Held::Connection(kept.connection.id.clone());
    let (other, on) = (db.through(&Wire::default()), record.clone());
    // The worker counts what it is about to destroy, and saves the counts first.
    let is_count = |call: &Call| call.is("PutItem", "CoreTable");
    db.wire.before_call(is_count, async move {
        assert!(other.store.put_hold(&on, &hold("h1")).await.unwrap());
    });
    let before = db.store.day_key_days(&kept.connection.id).await.unwrap();
    let targets = [message(&third, "7001", "m_1"), connection(&kept), connection(&free)];
    let request = ask(db, &targets).await.unwrap();
    assert!(db.wire.interlude_is_over());
    assert_eq!(request.state, State::Held);
    assert_eq!(db.store.day_key_days(&kept.connection.id).await.unwrap(), before);
    let waiting = db.store.holds(&record).await.unwrap().waiting;
    assert_eq!(waiting, std::slice::from_ref(&request.id));
    assert!(db.store.lift_hold(&record, &HoldId::parse("h1").unwrap()).await.unwrap());
    let request = erasure::shred(&db.store, request, now()).await.unwrap();
    assert_eq!(request.state, State::Shredded);
    for shop in [&kept, &free] {
        assert_eq!(db.store.day_key_days(&shop.connection.id).await.unwrap(), []);
    }
    let keys = u64::try_from(before.len()).unwrap() * 2;
    assert_eq!((counts(&request)["day-key"], counts(&request)["message"]), (keys, 1), "once");
}

//= R6.7
async fn a_hold_that_is_set_before_a_request_is_shredded_keeps_only_what_it_is_on(db: &Database) {
    let (free, kept) = (Shop::open(db).await, Shop::open(db).await);
    fill(db, &free).await;
    fill(db, &kept).await;
    let targets = [contact(&free, "7001", now()), contact(&kept, "7001", now())];
    let request = open(db, asked(&targets), now()).await;
    let record = Held::Account(kept.connection.account.clone());
    db.store.put_hold(&record, &hold("h1")).await.unwrap();
    let before = held(db, &kept).await;
    let [of_free, of_kept] = targets.map(|target| vec![target]);
    let request = erasure::resume(&db.store, &request.id, now()).await.unwrap();
    assert_eq!((request.state, &request.targets), (State::Shredded, &of_free));
    assert_eq!(held(db, &kept).await, before);
    let part = db.store.request(request.held_part.as_ref().unwrap()).await.unwrap().unwrap();
    let part = part.request;
    assert_eq!((part.state, &part.targets), (State::Held, &of_kept));
    assert_eq!((part.deadline, part.requested_at), (request.deadline, request.requested_at));
    assert_eq!(db.store.holds(&record).await.unwrap().waiting, std::slice::from_ref(&part.id));
    assert!(db.store.lift_hold(&record, &HoldId::parse("h1").unwrap()).await.unwrap());
    let part = erasure::resume(&db.store, &part.id, now()).await.unwrap();
    assert_eq!(part.state, State::Shredded);
    assert_ne!(held(db, &kept).await, before);
}

//= R6.7
async fn what_no_hold_keeps_does_not_join_a_request_that_waits(db: &Database) {
    let (kept, free) = (Shop::open(db).await, Shop::open(db).await);
    fill(db, &free).await;
    let mut waits = open(db, asked_again(&[connection(&kept)]), now()).await;
    waits.state = State::Held;
    let waits = db.store.save_progress(waits).await.unwrap();
    let targets = [contact(&free, "7001", now())];
    let next = erasure::begin(&db.store, asked_again(&targets), now()).await.unwrap();
    assert_ne!(next.id, waits.id);
    assert_eq!((next.state, next.targets), (State::Shredded, targets.to_vec()));
    assert_eq!(stored(db, &waits).await.targets, [connection(&kept)]);
}

//= R6.7
async fn what_is_asked_after_a_request_has_counted_is_counted_by_the_next(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let record = Held::Account(shop.connection.account.clone());
    db.store.put_hold(&record, &hold("h1")).await.unwrap();
    let [one, two] = ["m_1", "m_2"].map(|mid| message(&shop, "7001", mid));
    let asked = async |targets: &[Target]| {
        erasure::begin(&db.store, asked_again(targets), now()).await.unwrap()
    };
    let mut first = asked(std::slice::from_ref(&one)).await;
    // The hold was lifted, and set again once the request had counted.
    DataKind::Message.count(&mut first.counts, 1);
    let first = db.store.save_progress(first).await.unwrap();
    let second = asked(&[one, two]).await;
    assert_eq!((first.state, second.state), (State::Held, State::Held));
    assert!(db.store.lift_hold(&record, &HoldId::parse("h1").unwrap()).await.unwrap());
    let mut messages = 0;
    for request in [first, second] {
        let shredded = erasure::resume(&db.store, &request.id, now()).await.unwrap();
        assert_eq!(shredded.state, State::Shredded);
        messages += counts(&shredded).get("message").copied().unwrap_or_default();
    }
    assert_eq!(messages, 2, "each once");
}

//= R5.8
async fn owners_are_told_once_though_their_request_takes_in_more(db: &Database) {
    let shop = Shop::open(db).await;
    fill(db, &shop).await;
    let record = Held::Account(shop.connection.account.clone());
    db.store.put_hold(&record, &hold("h1")).await.unwrap();
    let asked = async |until: Timestamp| {
        let targets = [contact(&shop, "7001", until)];
        erasure::begin(&db.store, asked_again(&targets), now()).await.unwrap()
    };
    let first = asked(now()).await;
    assert!(db.store.note_told(&first.id, Told::AtRisk, now()).await.unwrap());
    let until = now() + super::LATER;
    let extended = asked(until).await;
    assert_eq!((&extended.id, extended.targets), (&first.id, vec![contact(&shop, "7001", until)]));
    assert!(!db.store.note_told(&first.id, Told::AtRisk, now()).await.unwrap());
}
