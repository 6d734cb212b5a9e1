//! A channel is disconnected while webhooks for it keep coming.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use numib::edge::clock::Stopwatch;
use serde_json::{Value, json};

use super::rows::Held;
use super::scene::{Dice, Scene};
use crate::deployed::now_ms;

const SENDERS: u64 = 3;
const CONTACTS: u64 = 10;
/// The senders end by themselves after this long, in case nobody else ends them.
const SENDING_MAX: Duration = Duration::from_secs(30);

/// A sender, which sends one body at a time.
struct Sender<'a> {
    scene: &'a Scene,
    name: u64,
    dice: Dice,
    /// The acknowledged messages: contact and id.
    known: Vec<(String, String)>,
    sent: u64,
    stored: u64,
}

impl Sender<'_> {
    /// Sends until the round is over. Some updates change acknowledged messages, which adds no row.
    fn run(mut self, is_over: &AtomicBool) -> Self {
        let stopwatch = Stopwatch::start();
        while !is_over.load(Ordering::Relaxed) && stopwatch.elapsed() < SENDING_MAX {
            let (mut body, mut new) = (Vec::new(), Vec::new());
            for _ in 0..self.dice.within(1..=20) {
                let known = usize::try_from(self.dice.within(0..=100)).unwrap();
                if let Some((contact, mid)) = self.known.get(known).cloned() {
                    body.push(self.change(&contact, &mid));
                    continue;
                }
                self.sent += 1;
                let contact = (7000 + self.dice.within(1..=CONTACTS)).to_string();
                let mid = format!("m_{}_{}", self.name, self.sent);
                body.push(self.scene.account.text(&contact, now_ms() - 60_000, &mid, "hello"));
                new.push((contact, mid));
            }
            let answer = self.scene.deployed.try_deliver(&self.scene.account, &body);
            if answer.status == 200 {
                self.stored += answer.json()["stored"].as_u64().unwrap();
                self.known.extend(new);
            }
        }
        self
    }

    fn change(&mut self, contact: &str, mid: &str) -> Value {
        let (field, change) = if self.dice.heads() {
            ("message", json!({"mid": mid, "is_deleted": true}))
        } else {
            ("message_edit", json!({"mid": mid, "text": "hi", "num_edit": 1}))
        };
        self.scene.account.from(contact, now_ms() - 30_000, field, &change)
    }
}

//= R8.3
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn a_busy_channel_leaves_nothing_and_its_receipt_counts_all_that_was_acknowledged() {
    let mut scene = Scene::set("a busy channel").await;
    let mut dice: Vec<_> = (0..SENDERS).map(|_| scene.dice.another()).collect();
    let mut own = scene.dice.another();
    let is_over = AtomicBool::new(false);
    let (code, senders) = std::thread::scope(|scope| {
        let start = |name| {
            let dice = dice.pop().unwrap();
            let (scene, is_over) = (&scene, &is_over);
            let known = Vec::new();
            let sender = Sender { scene, name, dice, known, sent: 0, stored: 0 };
            scope.spawn(move || sender.run(is_over))
        };
        let senders: Vec<_> = (0..SENDERS).map(start).collect();
        own.pause(1500..=2500);
        let code = scene.disconnect();
        own.pause(200..=1500);
        is_over.store(true, Ordering::Relaxed);
        let ended = senders.into_iter().map(|sender| sender.join().unwrap());
        (code, ended.collect::<Vec<_>>())
    });
    let (sent, stored) = senders
        .iter()
        .fold((0, 0), |(sent, stored), sender| (sent + sender.sent, stored + sender.stored));
    let counted = scene.counted(&code).await;
    let left = scene.held().await;
    scene.judge(
        left == Held::default() && (stored..=sent).contains(&counted),
        &format!(
            "of {sent} sent {stored} were acknowledged; the worker counted {counted} and left \
             {left}"
        ),
    );
}
