//! Bodies as large as Meta makes them.

use numib::domain::key_window;
use numib::domain::time::Day;
use serde_json::{Value, json};

use crate::database::Database;
use crate::shop::{Shop, ago, now};
use crate::webhook::Intake;

on_both_databases!(
    a_text_of_any_length_fits_and_its_neighbours_with_it,
    a_thousand_updates_over_several_accounts_are_all_stored,
    a_body_that_names_a_thousand_unknown_accounts_is_taken_in_with_few_requests,
);

const MESSAGES: i64 = 180;
const CONTACTS: i64 = 30;

fn contact(n: i64) -> String {
    (7000 + n % CONTACTS).to_string()
}

/// 190 items: messages, the first five edited, the next five unsent.
fn items(shop: &Shop) -> Vec<Value> {
    let (at, mid) = (|n: i64| ago(n * 1000), |n: i64| format!("m_{n}"));
    let text = |n: i64| shop.text(&contact(n), at(n), &mid(n), &format!("text {n}"));
    let edit = |n: i64| shop.edit(&contact(n), at(n), &mid(n), (1, &format!("edited {n}")));
    let unsend = |n: i64| shop.unsend(&contact(n), at(n), &mid(n));
    (0..MESSAGES).map(text).chain((0..5).map(edit)).chain((5..10).map(unsend)).collect()
}

//= R8.1
async fn a_thousand_updates_over_several_accounts_are_all_stored(db: &Database) {
    let mut shops = Vec::new();
    for _ in 0..5 {
        shops.push(Shop::open(db).await);
    }
    let gone = Shop::open(db).await;
    gone.erase(db).await;
    let late: Vec<_> =
        (0..50).map(|n| gone.text("7001", ago(n), &format!("m_{n}"), "late")).collect();
    let mut entries: Vec<_> = shops.iter().map(|shop| shop.entry(&items(shop))).collect();
    entries.push(gone.entry(&late));
    let body = json!({"object": "page", "entry": entries});
    let answer = taken_in_the_end(db, &Intake::start(db), &body).await;
    assert_eq!(answer["received"], 1000);
    assert_eq!(answer["reasons"]["suppressed"], 50);

    for shop in &shops {
        for n in 0..MESSAGES {
            let row = shop.row(db, &contact(n), &format!("m_{n}")).await.unwrap();
            match n {
                0..5 => assert_eq!(row.shown(), Some(format!("edited {n}").as_str())),
                5..10 => assert!(row.row.unsent),
                _ => assert_eq!(row.shown(), Some(format!("text {n}").as_str())),
            }
        }
        let inbox = db.store.inbox(&shop.connection.id, None, 100).await.unwrap();
        assert_eq!(inbox.len(), usize::try_from(CONTACTS).unwrap());
    }
    let rows = db.dump_table(&db.tables.messages).await.len();
    assert_eq!(rows, shops.len() * usize::try_from(MESSAGES).unwrap());
}

/// Delivers as Meta does: again and again, until the body is taken in. An emulator can be slower
/// than Meta waits. The wire has the requests of the last delivery.
async fn taken_in_the_end(db: &Database, intake: &Intake, body: &Value) -> Value {
    for _ in 0..10 {
        db.wire.calls();
        let answer = intake.deliver(body).await;
        if answer.status == 200 {
            answer.counts();
            return answer.json();
        }
    }
    panic!("not taken in after ten deliveries");
}

//= R8.1
async fn a_text_of_any_length_fits_and_its_neighbours_with_it(db: &Database) {
    let shop = Shop::open(db).await;
    let huge = "ñ".repeat(500_000);
    let body = shop.body(&[
        shop.text("7001", ago(9), "m_huge", &huge),
        shop.edit("7001", ago(8), "m_huge", (1, &huge)),
        shop.text("7001", ago(7), "m_small", "hi"),
    ]);
    let counts = Intake::start(db).deliver(&body).await.counts();
    assert_eq!(counts, json!({"stored": 2, "edited": 1}));
    let row = shop.row(db, "7001", "m_huge").await.unwrap();
    let (message, edit) = (row.message.unwrap().text.unwrap(), row.edit.unwrap());
    assert_eq!(message, edit);
    assert!(message.len() > 60_000 && huge.starts_with(&message));
    assert_eq!(shop.row(db, "7001", "m_small").await.unwrap().shown(), Some("hi"));
}

//= R8.1
async fn a_body_that_names_a_thousand_unknown_accounts_is_taken_in_with_few_requests(
    db: &Database,
) {
    let shop = Shop::open(db).await;
    let stranger = |n: i64| Shop { meta_id: format!("8{n:015}"), ..shop.clone() };
    let hi = |shop: &Shop| shop.entry(&[shop.text("7001", ago(9), "m_1", "hi")]);
    let mut entries: Vec<_> = (0..1000).map(|n| hi(&stranger(n))).collect();
    entries.insert(500, hi(&shop));
    let body = json!({"object": "page", "entry": entries});
    let intake = Intake::start(db);
    let answer = taken_in_the_end(db, &intake, &body).await;
    let calls = db.wire.calls();
    assert_eq!(answer["reasons"]["unknown_account"], 1000);
    assert_eq!(shop.row(db, "7001", "m_1").await.unwrap().shown(), Some("hi"));
    // 50 accounts in a request: all accounts, and once more those without a connection. Then the
    // conversation moves, the message is put, and intake looks again.
    let found = calls.iter().filter(|call| call.finds_routes()).count();
    assert!(found == 21 + 20 && calls.len() <= 21 + 20 + 3, "{found} of {}", calls.len());

    // Intake remembers nothing of unknown accounts: one of them is connected a moment later.
    let channel = (shop.connection.channel, stranger(700).meta_id);
    let new = Shop::connect(db, channel, shop.connection.plan).await;
    new.make_keys(db, key_window::days(Day::of(now()))).await;
    let answer = taken_in_the_end(db, &intake, &body).await;
    assert_eq!(answer["reasons"]["unknown_account"], 999);
    assert_eq!(new.row(db, "7001", "m_1").await.unwrap().shown(), Some("hi"));
}
