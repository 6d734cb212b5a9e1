//! A database that throttles, fails or does not answer. Intake answers 500 in time, and Meta's next
//! try completes the delivery.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use numib::domain::key_window;
use numib::domain::time::Day;
use numib::edge::clock::Stopwatch;
use numib::store::contacts::Contact;
use serde_json::json;

use crate::database::Database;
use crate::shop::{Opened, Shop, ago, now};
use crate::webhook::Intake;
use crate::wire::{Call, Fate, Wire};

on_both_databases!(
    a_table_that_takes_nothing_fails_the_body_after_a_few_attempts,
    one_failing_row_fails_the_body_and_the_redelivery_completes_it,
    a_row_that_cannot_be_written_does_not_hold_up_the_others,
    a_stale_read_of_a_route_loses_nothing,
    wherever_a_delivery_dies_the_next_completes_it,
    a_passing_fault_is_ridden_out,
    a_body_is_not_acknowledged_before_the_look,
    what_cannot_be_removed_is_not_acknowledged,
    a_conversation_that_cannot_move_fails_the_body,
    a_lost_answer_is_no_lost_message,
);

/// How often the SDK tries one request.
const ATTEMPTS_MAX: usize = 4;

fn body(shop: &Shop, messages: i64) -> serde_json::Value {
    let item = |n: i64| shop.text(&(7000 + n % 3).to_string(), ago(n), &format!("m_{n}"), "hi");
    shop.body(&(0..messages).map(item).collect::<Vec<_>>())
}

fn is_message_put(call: &Call) -> bool {
    call.is("PutItem", "MessagesTable")
}

//= R8.1
async fn a_table_that_takes_nothing_fails_the_body_after_a_few_attempts(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    for fate in [Fate::Throttled, Fate::Failed, Fate::Lost] {
        let shown = format!("{fate:?}");
        db.wire.calls();
        let decided = fate.clone();
        db.wire.decide(
            move |call| {
                if is_message_put(call) { decided.clone() } else { Fate::Passes }
            },
        );
        let answer = intake.deliver(&body(&shop, 1)).await;
        assert_eq!(answer.status, 500, "{shown}");
        assert_eq!(answer.content_type, "application/problem+json");
        let puts = db.wire.calls().iter().filter(|call| is_message_put(call)).count();
        assert!((2..=ATTEMPTS_MAX).contains(&puts), "{shown}: {puts} attempts");
        assert!(db.dump_table(&db.tables.messages).await.is_empty());
    }
    db.wire.heal();
    assert_eq!(intake.deliver(&body(&shop, 1)).await.counts(), json!({"stored": 1}));
}

//= R8.1
async fn one_failing_row_fails_the_body_and_the_redelivery_completes_it(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    let failing = shop.key("7001", "m_7").message.to_string();
    db.wire.decide(move |call| {
        let hit = is_message_put(call) && call.body["Item"]["sk"]["S"] == failing.as_str();
        if hit { Fate::Throttled } else { Fate::Passes }
    });
    assert_eq!(intake.deliver(&body(&shop, 20)).await.status, 500);
    db.wire.heal();
    let counts = intake.deliver(&body(&shop, 20)).await.counts();
    let stored = counts["stored"].as_u64().unwrap();
    let duplicate = counts["reasons"]["duplicate"].as_u64().unwrap_or_default();
    assert_eq!(stored + duplicate, 20);
    assert!(stored >= 1);
    for n in 0..20 {
        let row = shop.row(db, &(7000 + n % 3).to_string(), &format!("m_{n}")).await;
        assert_eq!(row.unwrap().shown(), Some("hi"));
    }
    assert_eq!(db.dump_table(&db.tables.messages).await.len(), 20);
}

//= R8.1
async fn a_row_that_cannot_be_written_does_not_hold_up_the_others(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    let key = shop.key("7000", "m_0");
    // The attribute is no number, so the row cannot be read.
    let damaged = db.raw.put_item().table_name(&db.tables.messages);
    damaged
        .item("pk", AttributeValue::S(key.conversation.to_string()))
        .item("sk", AttributeValue::S(key.message.to_string()))
        .item("num_edit", AttributeValue::S("damaged".to_owned()))
        .send()
        .await
        .unwrap();
    assert_eq!(intake.deliver(&body(&shop, 40)).await.status, 500);
    for n in 1..40 {
        let row = shop.row(db, &(7000 + n % 3).to_string(), &format!("m_{n}")).await;
        assert_eq!(row.unwrap().shown(), Some("hi"), "{n}");
    }
    db.store.delete_message(&key).await.unwrap();
    let counts = intake.deliver(&body(&shop, 40)).await.counts();
    assert_eq!(counts, json!({"stored": 1, "reasons": {"duplicate": 39}}));
}

//= R8.1
async fn a_stale_read_of_a_route_loses_nothing(db: &Database) {
    // A replica that does not know the connection yet, its index key, or both.
    for (number, stale) in
        [&["CoreTable"][..], &["KeysTable"], &["CoreTable", "KeysTable"]].into_iter().enumerate()
    {
        let shop = Shop::open(db).await;
        let mut replica = stored_at_the_route(db, &shop).await;
        replica.retain(|table, _| !stale.iter().any(|stale| table.ends_with(stale)));
        read_the_routes_of(db, replica);
        let text = shop.text("7000", ago(9), &format!("m_{number}"), "hi");
        let counts = Intake::start(db).deliver(&shop.body(&[text])).await.counts();
        assert_eq!(counts, json!({"stored": 1}), "{stale:?}");
        db.wire.heal();
    }
    // Or a replica that still has the erased connection from before this one, alone or with the
    // index key of either.
    for key_of in [None, Some(true), Some(false)] {
        let old = Shop::open(db).await;
        let (before, keys) = (stored_at_the_route(db, &old).await, &db.tables.keys);
        old.erase(db).await;
        let mut replica = stored_at_the_route(db, &old).await;
        let new = old.successor(db, ago(5000)).await;
        new.make_keys(db, key_window::days(Day::of(now()))).await;
        let after = stored_at_the_route(db, &new).await;
        match key_of {
            None => drop(replica.remove(keys)),
            Some(true) => drop(replica.insert(keys.clone(), before[keys].clone())),
            Some(false) => drop(replica.insert(keys.clone(), after[keys].clone())),
        }
        read_the_routes_of(db, replica);
        let body = new.body(&[new.text("7000", ago(9), "m_new", "hi")]);
        assert_eq!(Intake::start(db).deliver(&body).await.counts(), json!({"stored": 1}));
        db.wire.heal();
    }
}

/// The first look at routes is answered by this replica.
fn read_the_routes_of(db: &Database, replica: Responses) {
    let core = db.tables.core.clone();
    db.wire.decide(move |call| {
        let read = &call.body["RequestItems"][&core];
        let eventual = read["ConsistentRead"] != true;
        let stale = call.finds_routes() && eventual;
        let answer = || json!({"Responses": replica, "UnprocessedKeys": {}});
        if stale { Fate::Answered(answer()) } else { Fate::Passes }
    });
}

type Responses = serde_json::Map<String, serde_json::Value>;

/// What the tables have at a shop's route, as it goes over the wire.
async fn stored_at_the_route(db: &Database, shop: &Shop) -> Responses {
    let pk = format!("ROUTE#{}", shop.connection.route);
    let mut responses = Responses::new();
    for (table, sk) in [(&db.tables.core, "CONNECTION"), (&db.tables.keys, "INDEX")] {
        let get = db.raw.get_item().table_name(table).consistent_read(true);
        let get = get.key("pk", AttributeValue::S(pk.clone()));
        let item = get.key("sk", AttributeValue::S(sk.to_owned())).send().await.unwrap().item;
        let item: Responses =
            item.unwrap().iter().map(|(name, value)| (name.clone(), on_the_wire(value))).collect();
        responses.insert(table.clone(), json!([item]));
    }
    responses
}

fn on_the_wire(value: &AttributeValue) -> serde_json::Value {
    if let Ok(text) = value.as_s() {
        return json!({"S": text});
    }
    if let Ok(number) = value.as_n() {
        return json!({"N": number});
    }
    if let Ok(bytes) = value.as_b() {
        return json!({"B": STANDARD.encode(bytes)});
    }
    let entries = value.as_m().unwrap().iter();
    let entries = entries.map(|(name, value)| (name.clone(), on_the_wire(value)));
    json!({"M": entries.collect::<Responses>()})
}

/// Delivers a body that writes in every way there is, to a database that fails from this request
/// on. If the body was not acknowledged, delivers it once more to a sound database. Returns the
/// status and what is stored in the end.
async fn dies_at(
    db: &Database,
    shop: &Shop,
    contact: &str,
    request: usize,
) -> (u16, [Option<Opened>; 3], Option<Contact>) {
    let earlier = [
        shop.edit(contact, ago(8), "m_joined", (1, "edited")),
        shop.text(contact, ago(9), "m_unsent", "regretted"),
    ];
    Intake::start(db).deliver(&shop.body(&earlier)).await.counts();
    let body = shop.body(&[
        shop.text(contact, ago(9), "m_new", "new"),
        shop.edit(contact, ago(8), "m_new", (1, "edited")),
        shop.text(contact, ago(9), "m_joined", "joined"),
        shop.unsend(contact, ago(7), "m_unsent"),
    ]);
    let mut requests = 0;
    db.wire.decide(move |_| {
        requests += 1;
        if requests > request { Fate::Failed } else { Fate::Passes }
    });
    let answer = Intake::start(db).deliver(&body).await;
    db.wire.heal();
    if answer.status != 200 {
        Intake::start(db).deliver(&body).await.counts();
    }
    let row = async |mid| shop.row(db, contact, mid).await;
    let rows = [row("m_new").await, row("m_joined").await, row("m_unsent").await];
    let conversation = shop.conversation(contact);
    let asked = BTreeSet::from([conversation.clone()]);
    let sight = db.store.look_again(&BTreeSet::new(), &asked).await.unwrap();
    (answer.status, rows, sight.contacts.get(&conversation).copied())
}

//= R8.1, R8.2
async fn wherever_a_delivery_dies_the_next_completes_it(db: &Database) {
    let shop = Shop::open(db).await;
    let (status, rows, contact) = dies_at(db, &shop, "7000", usize::MAX).await;
    assert_eq!(status, 200);
    let shown = rows.each_ref().map(|row| row.as_ref().and_then(Opened::shown));
    assert_eq!(shown, [Some("edited"), Some("edited"), None]);
    assert!(contact.is_some() && rows.iter().all(Option::is_some));
    for request in 0..100 {
        let died = dies_at(db, &shop, &(7001 + request).to_string(), request).await;
        assert_eq!(died.1, rows, "died at request {request}");
        assert_eq!(died.2, contact, "died at request {request}");
        if died.0 == 200 {
            // The read of the connection, three puts, a join, and the look.
            assert!(request >= 6, "{request}");
            return;
        }
        assert_eq!(died.0, 500);
    }
    panic!("never acknowledged");
}

async fn a_passing_fault_is_ridden_out(db: &Database) {
    let shop = Shop::open(db).await;
    for fate in [Fate::Throttled, Fate::Failed, Fate::Lost] {
        let mut faults = 0;
        let shown = format!("{fate:?}");
        db.wire.decide(move |_| {
            faults += 1;
            if faults <= 2 { fate.clone() } else { Fate::Passes }
        });
        let answer = Intake::start(db).deliver(&body(&shop, 1)).await;
        assert_eq!(answer.status, 200, "{shown}: {}", answer.text);
    }
    assert_eq!(shop.row(db, "7000", "m_0").await.unwrap().shown(), Some("hi"));
}

//= R8.1, R8.3
async fn a_body_is_not_acknowledged_before_the_look(db: &Database) {
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    db.wire.decide(|call| if call.is_look() { Fate::Throttled } else { Fate::Passes });
    assert_eq!(intake.deliver(&body(&shop, 1)).await.status, 500);
    db.wire.heal();
    let counts = intake.deliver(&body(&shop, 1)).await.counts();
    assert_eq!(counts, json!({"reasons": {"duplicate": 1}}));
    assert_eq!(shop.row(db, "7000", "m_0").await.unwrap().shown(), Some("hi"));
}

/// Fails this operation on this table, and lets everything else pass.
fn fail(db: &Database, operation: &'static str, table: &'static str) {
    db.wire.decide(move |call| if call.is(operation, table) { Fate::Failed } else { Fate::Passes });
}

//= R8.3
async fn what_cannot_be_removed_is_not_acknowledged(db: &Database) {
    // The contact is erased: the redelivery removes what this delivery could not.
    let shop = Shop::open(db).await;
    let intake = Intake::start(db);
    shop.erase_contact(db, "7000", ago(0)).await;
    fail(db, "DeleteItem", "MessagesTable");
    assert_eq!(intake.deliver(&body(&shop, 1)).await.status, 500);
    assert!(shop.row(db, "7000", "m_0").await.is_some());
    db.wire.heal();
    let counts = intake.deliver(&body(&shop, 1)).await.counts();
    assert_eq!(counts, json!({"reasons": {"suppressed": 1}}));
    assert_eq!(shop.row(db, "7000", "m_0").await, None);
    // The connection is erased and swept before intake looks again, and no sweep comes any more.
    let shop = Shop::open(db).await;
    let meanwhile = (shop.clone(), db.through(&Wire::default()));
    db.wire.before_call(Call::is_look, async move {
        let (shop, db) = meanwhile;
        shop.erase(&db).await;
        db.store.delete_contacts(&[shop.conversation("7000")]).await.unwrap();
    });
    fail(db, "DeleteItem", "MessagesTable");
    assert_eq!(intake.deliver(&body(&shop, 1)).await.status, 500);
    db.wire.heal();
}

//= R8.1
async fn a_conversation_that_cannot_move_fails_the_body(db: &Database) {
    let shop = Shop::open(db).await;
    let warm = Intake::start(db);
    warm.deliver(&body(&shop, 1)).await.counts();
    // One container remembers that it moved the conversation, and finds out when it looks again.
    // The other moves the conversation at once.
    for intake in [&warm, &Intake::start(db)] {
        db.store.delete_contacts(&[shop.conversation("7000")]).await.unwrap();
        fail(db, "UpdateItem", "CoreTable");
        assert_eq!(intake.deliver(&body(&shop, 1)).await.status, 500);
        db.wire.heal();
        intake.deliver(&body(&shop, 1)).await.counts();
        let inbox = db.store.inbox(&shop.connection.id, None, 10).await.unwrap();
        assert_eq!(inbox.len(), 1);
    }
}

//= R8.1
async fn a_lost_answer_is_no_lost_message(db: &Database) {
    let shop = Shop::open(db).await;
    let mut lost = false;
    db.wire.decide(move |call| {
        let first = is_message_put(call) && !std::mem::replace(&mut lost, true);
        if first { Fate::Unheard } else { Fate::Passes }
    });
    // The SDK tries again, and meets the row that it wrote itself.
    let counts = Intake::start(db).deliver(&body(&shop, 1)).await.counts();
    assert_eq!(counts, json!({"reasons": {"duplicate": 1}}));
    assert_eq!(shop.row(db, "7000", "m_0").await.unwrap().shown(), Some("hi"));
}

//= R8.1
#[tokio::test]
async fn a_database_that_is_too_slow_is_given_up_before_meta_gives_up() {
    let db = Database::on_dynoxide().await;
    let shop = Shop::open(&db).await;
    let intake = Intake::start(&db);
    let edit = shop.edit("7001", ago(8), "m_1", (1, "x"));
    intake.deliver(&shop.body(&[edit])).await.counts();
    // Each request is answered within its own limit, but together they take longer than Meta waits:
    // find the connection, meet the edit, join it, look again.
    db.wire.decide(|_| Fate::Late(Duration::from_millis(1400)));
    let message = shop.body(&[shop.text("7001", ago(9), "m_1", "hi")]);
    let watch = Stopwatch::start();
    assert_eq!(intake.deliver(&message).await.status, 500);
    let elapsed = watch.elapsed();
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    db.wire.heal();
    intake.deliver(&message).await.counts();
    assert_eq!(shop.row(&db, "7001", "m_1").await.unwrap().shown(), Some("x"));
}
