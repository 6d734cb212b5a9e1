//! A channel that is to be erased, and what happens to it.

use std::ops::RangeInclusive;
use std::thread::JoinHandle;
use std::time::Duration;

use numib::domain::ids::Channel;
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use serde_json::{Value, json};
use xtask::meta::{self, Answer};
use xtask::progress::note;
use xtask::receipt;
use xtask::stack::Login;
use xtask::up::APP_SECRETS;

use super::processes::{Processes, Standing};
use super::rows::Held;
use crate::deployed::{Account, Deployed, deployed, now_ms};

const NOTHING: (&str, &str) = ("", "");
/// How often a body is delivered before it is given up, as Meta does.
const DELIVERIES_MAX: u32 = 10;
const LOOKS_MAX: u32 = 20;
const REST: Duration = Duration::from_millis(300);

/// A channel, its owner, and the dice of this round.
pub(super) struct Scene {
    pub(super) deployed: Deployed,
    pub(super) account: Account,
    pub(super) owner: Login,
    pub(super) dice: Dice,
    recipe: &'static str,
    seed: u64,
}

impl Scene {
    /// A new channel, for a round of this recipe.
    pub(super) async fn set(recipe: &'static str) -> Self {
        let deployed = deployed().await;
        let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
        let owner = deployed.member(&account.id, Role::Owner).await;
        let seed = seed();
        Self { deployed, account, owner, dice: Dice(seed), recipe, seed }
    }

    /// So many messages of a contact, numbered from `first` on.
    pub(super) fn texts(&self, contact: &str, first: u64, count: u64) -> Vec<Value> {
        let at = now_ms() - 60_000;
        let text = |n: u64| self.account.text(contact, at, &format!("m_{contact}_{n}"), "hello");
        (first..first + count).map(text).collect()
    }

    /// Unsends of some of these messages, and edits of others, as the dice say.
    pub(super) fn changes(&mut self, contact: &str, first: u64, count: u64) -> Vec<Value> {
        let mut changes = Vec::new();
        for n in first..first + count {
            let mid = format!("m_{contact}_{n}");
            let (field, change) = match self.dice.within(1..=8) {
                1 => ("message", json!({"mid": mid, "is_deleted": true})),
                2 => ("message_edit", json!({"mid": mid, "text": "hi", "num_edit": 1})),
                _ => continue,
            };
            changes.push(self.account.from(contact, now_ms() - 30_000, field, &change));
        }
        changes
    }

    /// Delivers as Meta does, until the body is taken in. Returns the counts of that delivery.
    pub(super) fn store(&self, items: &[Value]) -> Value {
        let mut answers =
            (0..DELIVERIES_MAX).map(|_| self.deployed.try_deliver(&self.account, items));
        let taken = answers.find(|answer| answer.status == 200);
        taken.expect("a body is taken in, sooner or later").json()
    }

    /// Delivers without waiting for the answer.
    pub(super) fn send(&self, items: &[Value]) -> JoinHandle<Answer> {
        let (to, body) = (self.deployed.stack.deployed.clone(), self.account.body(items));
        std::thread::spawn(move || meta::deliver(&to, APP_SECRETS[0], body.as_bytes()).unwrap())
    }

    /// The processes of intake.
    pub(super) fn intake(&self) -> Processes {
        let stack = &self.deployed.stack;
        Processes::of(stack, &stack.deployed.outputs.meta_webhook_function)
    }

    /// The processes of the worker.
    pub(super) fn worker(&self) -> Processes {
        let stack = &self.deployed.stack;
        Processes::of(stack, &stack.deployed.outputs.worker_function)
    }

    /// Stops the worker: what is queued now waits.
    pub(super) fn stop_worker(&self) -> Standing {
        let stack = &self.deployed.stack;
        // Without a stopped process, the queue would start a new one.
        let nothing = json!({ "Records": [] });
        stack.invoke(&stack.deployed.outputs.worker_function, &nothing).unwrap();
        self.worker().stop()
    }

    /// Asks for an erasure; returns its code.
    pub(super) fn erase(&self, path: &str) -> String {
        let answer = self.deployed.send(("DELETE", path), &self.owner, NOTHING);
        assert_eq!(answer.status, 202, "seed {}: {}", self.seed, answer.body);
        answer.json()["request"].as_str().unwrap().to_owned()
    }

    /// Disconnects the channel; returns the code of the erasure.
    pub(super) fn disconnect(&self) -> String {
        self.erase(&format!("/v1/connections/{}", self.account.connection.id))
    }

    /// The paths of the conversations.
    pub(super) fn conversations(&self) -> Vec<String> {
        let shown = self.deployed.get("/v1/conversations", &self.owner).json();
        let shown = shown["conversations"].as_array().unwrap().iter();
        shown.map(|one| format!("/v1/conversations/{}", one["id"].as_str().unwrap())).collect()
    }

    pub(super) async fn held(&self) -> Held {
        self.deployed.held(&self.account).await
    }

    /// The rows once they no longer change: a body that was given up can have writes under way.
    pub(super) async fn held_at_rest(&self) -> Held {
        let mut held = self.held().await;
        for _ in 0..LOOKS_MAX {
            tokio::time::sleep(REST).await;
            let now = self.held().await;
            if now == held {
                return held;
            }
            held = now;
        }
        panic!("seed {}: it does not come to rest: {held:?}", self.seed)
    }

    /// Follows the erasure to its end; returns how many messages its receipt counts.
    pub(super) async fn counted(&self, code: &str) -> u64 {
        let page = self.deployed.followed(&self.owner, code).await;
        let get = |path: &str| meta::get_json(&self.deployed.stack.deployed, path).unwrap().body;
        let signed = get(&format!("/data-deletion/{code}/receipt"));
        let receipt = receipt::verify(&signed, &get("/.well-known/jwks.json")).unwrap();
        assert_eq!(receipt["removed"], page["removed"], "the page says what was signed");
        receipt["removed"]["message"].as_u64().unwrap_or_default()
    }

    /// Prints what was seen, for whoever follows many rounds. The round fails unless it is right.
    pub(super) fn judge(&self, is_right: bool, seen: &str) {
        let Self { recipe, seed, .. } = self;
        note(&format!("     {recipe}, seed {seed}: {seen}"));
        assert!(is_right, "{recipe}, seed {seed}: it must not be so");
    }
}

fn seed() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "set by the chaos command")]
    let given = std::env::var("NUMIB_CHAOS_SEED");
    given.map_or(1, |seed| seed.parse().expect("a seed is a number"))
}

/// Dice with a seed (`SplitMix64`).
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// A number of the range, its ends included.
    pub(super) fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (first, last) = range.into_inner();
        first + self.roll() % (last - first + 1)
    }

    /// Waits for a time within the range.
    pub(super) fn pause(&mut self, millis: RangeInclusive<u64>) {
        std::thread::sleep(Duration::from_millis(self.within(millis)));
    }

    /// True or false, with equal chances.
    pub(super) fn heads(&mut self) -> bool {
        self.within(0..=1) == 0
    }

    /// Other dice, for someone who throws at the same time.
    pub(super) const fn another(&mut self) -> Self {
        Self(self.roll())
    }

    const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
