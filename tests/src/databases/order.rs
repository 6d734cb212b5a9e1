//! Whatever the order and number of deliveries, the stored state is the same.
//!
//! Random sequences of message, edits and unsend, with repetitions, are cut into bodies at random.
//! Different containers deliver some of them at the same time, and each body is delivered until it
//! is acknowledged. A few pure lines say what must be stored in the end.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use numib::domain::ids::Channel;
use numib::domain::plan::Plan;
use numib::domain::row::{Row, SUPPRESSION};
use numib::domain::time::Day;
use numib::domain::update::{Direction, Kind};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::Value;

use crate::database::Database;
use crate::shop::{Message, Opened, Shop, ago, now};
use crate::webhook::Intake;
use crate::wire::Fate;

const CONTACT: &str = "7001";
const MIDS: [&str; 2] = ["m_1", "m_2"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Message,
    Edit(u32),
    Unsend,
}

impl Event {
    fn at(self) -> Timestamp {
        match self {
            Self::Message => ago(60_000),
            Self::Edit(n) => ago(60_000 - i64::from(n) * 1500),
            Self::Unsend => ago(100),
        }
    }
}

/// Something that is sent. It says whether the body ends after it, and whether the wave of bodies
/// does.
#[derive(Debug, Clone, Copy)]
struct Sent {
    mid: &'static str,
    event: Event,
    ends_body: bool,
    ends_wave: bool,
}

fn sequences() -> impl Strategy<Value = Vec<Sent>> {
    let event = prop_oneof![
        4 => Just(Event::Message),
        5 => (1..=4_u32).prop_map(Event::Edit),
        1 => Just(Event::Unsend),
    ];
    let sent = (prop::sample::select(&MIDS[..]), event, any::<bool>(), any::<bool>());
    let sent = sent.prop_map(|(mid, event, ends_body, ends_wave)| Sent {
        mid,
        event,
        ends_body,
        ends_wave: ends_body && ends_wave,
    });
    prop::collection::vec(sent, 1..14)
}

/// What is stored of a message in the end, given the set of what was sent about it.
fn expected(events: &BTreeSet<Event>) -> Option<Opened> {
    let num_edit = events.iter().filter_map(|event| match event {
        Event::Edit(n) => Some(*n),
        Event::Message | Event::Unsend => None,
    });
    let num_edit = num_edit.max();
    let kept = SignedDuration::from_hours(30 * 24);
    let row = |unsent, has_message, num_edit| Row { unsent, has_message, num_edit };
    let edit = num_edit.map(|n| format!("edit {n}"));
    let (row, message, edit, expires_at) = if events.contains(&Event::Unsend) {
        (row(true, false, None), None, None, now() + SUPPRESSION)
    } else if events.contains(&Event::Message) {
        let message = Message {
            text: Some("original".to_owned()),
            kind: Kind::Text,
            direction: Direction::In,
            sent_at: Event::Message.at(),
        };
        (row(false, true, num_edit), Some(message), edit, Event::Message.at() + kept)
    } else {
        let waits_until = Event::Edit(num_edit?).at() + kept;
        (row(false, false, num_edit), None, edit, waits_until)
    };
    let expires_at = Timestamp::from_second(expires_at.as_second()).unwrap();
    Some(Opened { row, message, edit, expires_at })
}

fn item(shop: &Shop, Sent { mid, event, .. }: Sent) -> Value {
    match event {
        Event::Message => shop.text(CONTACT, event.at(), mid, "original"),
        Event::Edit(n) => shop.edit(CONTACT, event.at(), mid, (n, &format!("edit {n}"))),
        Event::Unsend => shop.unsend(CONTACT, event.at(), mid),
    }
}

/// The bodies of a sequence, in waves. The bodies of one wave travel at the same time.
fn waves(shop: &Shop, sequence: &[Sent]) -> Vec<Vec<Value>> {
    let waves = sequence.split_inclusive(|sent| sent.ends_wave);
    let bodies = |wave: &[Sent]| {
        let bodies = wave.split_inclusive(|sent| sent.ends_body);
        let body =
            |sent: &[Sent]| shop.body(&sent.iter().map(|one| item(shop, *one)).collect::<Vec<_>>());
        bodies.map(body).collect()
    };
    waves.map(bodies).collect()
}

/// Delivers as Meta does: again and again, until the body is acknowledged.
async fn deliver(intake: &Intake, body: &Value) {
    for _ in 0..20 {
        let answer = intake.deliver(body).await;
        if answer.status == 200 {
            answer.counts();
            return;
        }
        assert_eq!(answer.status, 500);
    }
    panic!("not acknowledged after twenty deliveries");
}

async fn check(db: &Database, sequence: &[Sent]) -> Result<(), TestCaseError> {
    let shop = Shop::without_keys(db, Channel::Messenger, Plan::Days30).await;
    shop.make_keys(db, std::iter::once(Day::of(now()))).await;
    let containers = [Intake::start(db), Intake::start(db)];
    for wave in waves(&shop, sequence) {
        let deliveries = wave
            .iter()
            .zip(containers.iter().cycle())
            .map(|(body, container)| Box::pin(deliver(container, body)));
        join_all(deliveries).await;
    }
    for mid in MIDS {
        let of_mid = sequence.iter().filter(|sent| sent.mid == mid).map(|sent| sent.event);
        let stored = shop.row(db, CONTACT, mid).await;
        prop_assert_eq!(stored, expected(&of_mid.collect()));
    }
    Ok(())
}

fn any_order_ends_the_same(database: impl Future<Output = Database>, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let db = runtime.block_on(database);
    // Answers take uneven times, so that deliveries of one wave overtake each other.
    let mut calls = 0_u64;
    db.wire.decide(move |_| {
        calls = calls.wrapping_add(1);
        Fate::Late(Duration::from_millis(calls.wrapping_mul(0x9E37_79B9) >> 7 & 3))
    });
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome =
        runner.run(&sequences(), |sequence| runtime.block_on(Box::pin(check(&db, &sequence))));
    outcome.unwrap_or_else(|error| panic!("{error}"));
    runtime.block_on(db.drop_tables());
}

//= R8.1, R8.2
#[test]
fn any_order_ends_the_same_on_dynoxide() {
    any_order_ends_the_same(Database::on_dynoxide(), 100);
}

//= R8.1, R8.2
#[ignore = "needs MiniStack: cargo xtask test"]
#[test]
fn any_order_ends_the_same_on_ministack() {
    any_order_ends_the_same(Database::on_ministack(), 20);
}
