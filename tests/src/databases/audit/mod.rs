//! The audit chain on real databases: appended by many at once, read back, and tampered with.

mod cut;

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use numib::domain::audit::{
    self, Action, Actor, Broken, Event, Fault, Link, Outcome, Point, Subject,
};
use numib::domain::ids::{AccountId, AddressId, EventId, MemberId};
use numib::domain::time::Day;
use numib::store::StoreError;
use numib::store::audit::Audited;
use serde_json::json;
use xtask::account::random_id;

use crate::database::Database;
use crate::shop::now;
use crate::wire::{Fate, Wire};

on_both_databases!(
    appends_at_the_same_time_make_one_chain,
    an_append_whose_answer_is_lost_is_one_link,
    an_append_that_always_comes_second_gives_up_and_leaves_the_chain_whole,
    a_chain_is_read_in_pages_and_goes_on_over_days,
    accounts_are_found_by_their_oldest_day,
    what_someone_changes_in_the_table_is_found,
    a_link_that_cannot_be_read_is_an_error,
);

fn account(id: &str) -> AccountId {
    AccountId::parse(id).unwrap()
}

/// An event at that time.
fn event(at: Timestamp) -> Event {
    Event {
        id: EventId::parse(&random_id().unwrap()).unwrap(),
        at,
        actor: Actor::Member(MemberId::parse("member").unwrap()),
        action: Action::EraseContact,
        outcome: Outcome::Done,
        subjects: vec![Subject::parse("conversation c.p").unwrap()],
        address: Some(AddressId::parse("address").unwrap()),
        user_agent: None,
    }
}

/// Appends an event for each of these times.
async fn record(db: &Database, id: &AccountId, times: impl IntoIterator<Item = Timestamp>) {
    for at in times {
        db.store.append_audit_event(id, event(at)).await.unwrap();
    }
}

/// The whole chain, page by page.
async fn links(db: &Database, id: &AccountId) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    loop {
        let after = links.last().map(Link::point);
        let page = db.store.audit_page(id, after.as_ref()).await.unwrap();
        if page.links.is_empty() {
            return links;
        }
        links.extend(page.links);
    }
}

/// The chain from its beginning, which must be whole and end where its head says.
async fn whole(db: &Database, id: &AccountId) -> Vec<Link> {
    let links = links(db, id).await;
    let end: Option<Point> = audit::verify(id, None, &links).unwrap();
    assert_eq!(end, db.store.audit_head(id).await.unwrap());
    links
}

//= R4.6
async fn appends_at_the_same_time_make_one_chain(db: &Database) {
    let id = account("a");
    let append = async |number: i64| {
        let at = now() + SignedDuration::from_millis(number);
        db.store.append_audit_event(&id, event(at)).await.unwrap()
    };
    let mut points = join_all((0..12).map(append)).await;
    points.sort_unstable();
    let links = whole(db, &id).await;
    assert_eq!(links.iter().map(Link::point).collect::<Vec<_>>(), points);
    assert!(points.iter().map(|point| point.number).eq(1..=12), "each is there once");
}

//= R4.6
async fn an_append_whose_answer_is_lost_is_one_link(db: &Database) {
    let id = account("a");
    let mut lost = false;
    db.wire.decide(move |call| {
        let is_lost = call.operation == "TransactWriteItems" && !std::mem::replace(&mut lost, true);
        if is_lost { Fate::Unheard } else { Fate::Passes }
    });
    record(db, &id, [now()]).await;
    record(db, &id, [now()]).await;
    assert_eq!(whole(db, &id).await.len(), 2);
}

//= R4.6
async fn an_append_that_always_comes_second_gives_up_and_leaves_the_chain_whole(db: &Database) {
    let id = account("a");
    record(db, &id, [now()]).await;
    // Somebody is a moment faster every time.
    let stale = db.through(&Wire::default());
    let key = |text: &str| json!({ "S": text });
    let hash = json!({ "B": format!("{}=", "A".repeat(43)) });
    let (pk, sk, day) = (key("AUDIT#a"), key("HEAD"), key(&Day::of(now()).to_string()));
    let number = json!({ "N": "1" });
    let head = json!({ "pk": pk, "sk": sk, "day": day, "number": number, "hash": hash });
    let head = json!({ "Item": head });
    stale.wire.decide(move |call| match &call.body["Key"]["sk"]["S"] {
        sk if call.operation == "GetItem" && sk == "HEAD" => Fate::Answered(head.clone()),
        _ => Fate::Passes,
    });
    let refused = stale.store.append_audit_event(&id, event(now())).await;
    assert_eq!(refused, Err(StoreError::Conflict));
    assert_eq!(whole(db, &id).await.len(), 1);
}

//= R4.6
async fn a_chain_is_read_in_pages_and_goes_on_over_days(db: &Database) {
    let id = account("a");
    record(db, &account("b"), [now()]).await;
    // Every fifth hour, for ten days; more often than a page has links.
    let hours = |n: i64| now() + SignedDuration::from_hours(5 * (n / 6));
    record(db, &id, (0..260).map(hours)).await;
    // Overtaken by the next day's first event.
    record(db, &id, [hours(0)]).await;
    let links = whole(db, &id).await;
    assert_eq!(links.len(), 261);
    let last_two: Vec<_> = links[259..].iter().map(|link| (link.day, link.number)).collect();
    assert_eq!(last_two[0].0, last_two[1].0, "it is in the day's chain that was open then");
    assert_eq!(last_two[0].1 + 1, last_two[1].1);
    assert_eq!(db.store.audit_page(&account("c"), None).await.unwrap().links, []);
}

async fn accounts_are_found_by_their_oldest_day(db: &Database) {
    let day = SignedDuration::from_hours(24);
    record(db, &account("a"), [now(), now(), now() + day]).await;
    record(db, &account("b"), [now() - day]).await;
    let today = Day::of(now());
    let found = async |day, after: Option<&Audited>| {
        let found = db.store.audited_until(day, after).await.unwrap();
        found
            .into_iter()
            .map(|one| (one.day.days_since(today), one.account.to_string()))
            .collect::<Vec<_>>()
    };
    let (a, b) = ("a".to_owned(), "b".to_owned());
    assert_eq!(found(today, None).await, [(-1, b.clone()), (0, a.clone())]);
    assert_eq!(found(today.plus(9), None).await, [(-1, b), (0, a.clone()), (1, a.clone())]);
    let first = Audited { day: today.plus(-1), account: account("b") };
    assert_eq!(found(today, Some(&first)).await, [(0, a)]);
    db.store.forget_audited(&first).await.unwrap();
    assert_eq!(found(today.plus(-1), None).await, []);
}

/// Changes an attribute of the link in that place of today's chain, past the product.
async fn tamper(db: &Database, number: u64, attribute: &str, value: AttributeValue) {
    let sk = format!("DAY#{}#{number:020}", Day::of(now()));
    db.raw
        .update_item()
        .table_name(&db.tables.ledger)
        .key("pk", AttributeValue::S("AUDIT#a".to_owned()))
        .key("sk", AttributeValue::S(sk))
        .update_expression("SET #name = :value")
        .expression_attribute_names("#name", attribute)
        .expression_attribute_values(":value", value)
        .send()
        .await
        .unwrap();
}

//= R4.6
async fn what_someone_changes_in_the_table_is_found(db: &Database) {
    let id = account("a");
    record(db, &id, (0..5).map(|_| now())).await;
    let untouched = whole(db, &id).await;
    tamper(db, 3, "outcome", AttributeValue::S("refused".to_owned())).await;
    let changed = links(db, &id).await;
    let broken = audit::verify(&id, None, &changed).unwrap_err();
    assert_eq!(broken, Broken { position: 2, fault: Fault::Altered });
    tamper(db, 3, "outcome", AttributeValue::S("done".to_owned())).await;
    assert_eq!(whole(db, &id).await, untouched);
    db.store.delete_audit_links(&untouched[1..3]).await.unwrap();
    let gap = links(db, &id).await;
    let broken = audit::verify(&id, None, &gap).unwrap_err();
    assert_eq!(broken, Broken { position: 1, fault: Fault::OutOfPlace });
    // And the end, by the head.
    db.store.delete_audit_links(&untouched[1..]).await.unwrap();
    let end = audit::verify(&id, None, &links(db, &id).await).unwrap();
    assert_ne!(end, db.store.audit_head(&id).await.unwrap());
}

async fn a_link_that_cannot_be_read_is_an_error(db: &Database) {
    let id = account("a");
    record(db, &id, [now()]).await;
    tamper(db, 1, "action", AttributeValue::S("set-fire".to_owned())).await;
    let read = db.store.audit_page(&id, None).await;
    let Err(StoreError::Corrupt { row, attribute: "action" }) = read else { panic!("{read:?}") };
    assert!(row.starts_with(&format!("AUDIT#{id} / DAY#")), "{row}");
}
