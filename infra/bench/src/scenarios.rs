//! What is done to the function and to the floor, in turns, so that whatever else the machine does
//! falls on both.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use axum::body::Bytes;
use jiff::{SignedDuration, Timestamp};
use numib::edge::clock;
use serde_json::Value;
use xtask::progress::Step;

use crate::calls::{Call, Service, Units, by_operation, hot_path, waves};
use crate::endpoint::Endpoint;
use crate::sandbox::{Program, Sandbox};
use crate::seed::{APP_SECRET, PAGES};
use crate::webhooks::{self, Message};

/// Rounds of the steady state; each gives one figure of CPU per webhook.
const ROUNDS: usize = 10;
/// Webhooks that are only watched, and how much slower each of their calls is made. Calls made at
/// once then overlap; calls that wait for one another cannot.
const WATCHED: usize = 10;
const WATCHED_PAUSE_MS: u64 = 100;
/// Calls of the hot path, and so of the floor, per webhook.
const HOT_PATH_CALLS: usize = 3;
/// Webhooks sent once more.
const REDELIVERED_MAX: usize = 200;
/// Longer than a conversation stands still in the inbox index after it has moved.
const LAST_MOVE: SignedDuration = SignedDuration::from_secs(120);

/// The makers of messages, and where the functions' calls go.
pub(crate) struct Scene<'a> {
    endpoint: &'a Endpoint,
    messages: usize,
    contacts: usize,
}

/// The calls of some webhooks.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) messages: usize,
    pub(crate) operations: BTreeMap<String, usize>,
    pub(crate) kms_calls: usize,
    /// All but what moved conversations in the inbox index.
    pub(crate) units: Units,
    pub(crate) moves: usize,
    pub(crate) move_units: Units,
}

/// What the function was seen to do for one message.
#[derive(Debug)]
pub(crate) struct Watched {
    /// The hot path, as the floor repeats it.
    pub(crate) hot_path: Value,
    pub(crate) waves: usize,
}

/// One start.
#[derive(Debug)]
pub(crate) struct ColdStart {
    pub(crate) to_first_response: Duration,
    pub(crate) cpu: Duration,
}

/// One message per webhook.
#[derive(Debug, Default)]
pub(crate) struct Steady {
    pub(crate) latencies: Vec<Duration>,
    /// One figure for each round.
    pub(crate) cpu_per_webhook: Vec<Duration>,
}

/// A thousand messages per webhook.
#[derive(Debug, Default)]
pub(crate) struct Bulk {
    pub(crate) latencies: Vec<Duration>,
    pub(crate) cpu: Vec<Duration>,
    pub(crate) account: Account,
}

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Amounts {
    pub(crate) webhooks: usize,
    pub(crate) contacts: usize,
    pub(crate) bodies: usize,
    pub(crate) body_messages: usize,
    pub(crate) body_contacts: usize,
}

impl Account {
    fn add(&mut self, messages: usize, calls: &[Call]) {
        self.messages = self.messages.saturating_add(messages);
        for (operation, count) in by_operation(calls) {
            let sum = self.operations.entry(operation.to_owned()).or_default();
            *sum = sum.saturating_add(count);
        }
        for call in calls {
            self.kms_calls = self.kms_calls.saturating_add((call.service == Service::Kms).into());
            // The only update on this path.
            if call.operation == "UpdateItem" {
                self.moves = self.moves.saturating_add(1);
                self.move_units = self.move_units + call.units();
            } else {
                self.units = self.units + call.units();
            }
        }
    }
}

impl<'a> Scene<'a> {
    pub(crate) const fn new(endpoint: &'a Endpoint) -> Self {
        Self { endpoint, messages: 0, contacts: 0 }
    }

    /// Contacts nobody has heard of; the number of the first.
    fn new_contacts(&mut self, contacts: usize) -> usize {
        let first = self.contacts;
        self.contacts = self.contacts.saturating_add(contacts);
        first
    }

    fn message(&mut self, contact: usize, sent_at: Timestamp) -> Message {
        self.messages = self.messages.saturating_add(1);
        // A contact writes to the same Page every time.
        let page = PAGES.iter().cycle().nth(contact % PAGES.len()).copied().unwrap_or_default();
        Message {
            page: page.to_owned(),
            contact: format!("7{contact:0>15}"),
            number: self.messages,
            sent_at,
        }
    }

    /// Webhooks with one message each, from these contacts in turn.
    fn singles(&mut self, first: usize, contacts: usize, webhooks: usize) -> Vec<Bytes> {
        let now = clock::now();
        let numbers = (0..contacts).cycle().take(webhooks);
        numbers
            .map(|n| {
                let message = self.message(first.saturating_add(n), now);
                webhooks::event(APP_SECRET, &[message])
            })
            .collect()
    }

    /// One message from each of these contacts, sent that long ago.
    async fn introduce(
        &mut self,
        function: &mut Sandbox,
        (first, contacts): (usize, usize),
        ago: SignedDuration,
    ) -> anyhow::Result<Account> {
        let sent_at = clock::now().saturating_sub(ago)?;
        self.endpoint.take();
        for n in 0..contacts {
            let message = self.message(first.saturating_add(n), sent_at);
            stored(function, webhooks::event(APP_SECRET, &[message]), 1).await?;
        }
        let mut account = Account::default();
        account.add(contacts, &self.endpoint.take());
        Ok(account)
    }

    /// Watches a warm function take single messages in, each call slowed down.
    pub(crate) async fn watch(&mut self, function: &mut Sandbox) -> anyhow::Result<Watched> {
        let step = Step::start("watching the hot path");
        let contact = self.new_contacts(1);
        self.introduce(function, (contact, 1), SignedDuration::ZERO).await?;
        self.endpoint.pause(WATCHED_PAUSE_MS);
        let mut watched = Watched { hot_path: Value::Null, waves: 0 };
        for event in self.singles(contact, 1, WATCHED) {
            stored(function, event, 1).await?;
            let calls = self.endpoint.take();
            watched.waves = watched.waves.max(waves(&calls));
            watched.hot_path = hot_path(&calls).with_context(|| {
                format!("one message took {:?}, which is not the hot path", by_operation(&calls))
            })?;
        }
        self.endpoint.pause(0);
        step.done(&format!("{} round trips one after the other", watched.waves));
        Ok(watched)
    }

    /// Starts both, over and over, each with a webhook waiting for it.
    pub(crate) async fn cold_starts(
        &mut self,
        programs: [&Program; 2],
        starts: usize,
    ) -> anyhow::Result<[Vec<ColdStart>; 2]> {
        let step = Step::start("cold starts");
        let contacts = self.new_contacts(starts);
        let [mut of_function, mut of_floor] = [Vec::new(), Vec::new()];
        for (n, event) in self.singles(contacts, starts, starts).into_iter().enumerate() {
            step.at(&format!("{n} of {starts}"));
            of_function.push(cold_start(programs[0], &event).await?);
            of_floor.push(cold_start(programs[1], &event).await?);
        }
        self.endpoint.take();
        step.done(&format!("{starts} of each"));
        Ok([of_function, of_floor])
    }

    /// One message per webhook, for both in turns.
    pub(crate) async fn steady(
        &mut self,
        [function, floor]: [&mut Sandbox; 2],
        amounts: Amounts,
    ) -> anyhow::Result<SteadyRun> {
        let step = Step::start("one message per webhook");
        let contacts = amounts.contacts;
        let first = self.new_contacts(contacts);
        let new_contacts = self.introduce(function, (first, contacts), LAST_MOVE).await?;
        let moves = self.introduce(function, (first, contacts), SignedDuration::ZERO).await?;
        let per_round = amounts.webhooks.div_ceil(ROUNDS);
        for event in self.singles(first, contacts, per_round) {
            floor.invoke(event).await?;
        }
        let mut run = SteadyRun { new_contacts, moves, ..SteadyRun::default() };
        let mut sent = Vec::new();
        for n in 0..ROUNDS {
            step.at(&format!("round {n} of {ROUNDS}"));
            let events = self.singles(first, contacts, per_round);
            self.endpoint.take();
            round(function, &events, &mut run.function, true).await?;
            run.account.add(events.len(), &self.endpoint.take());
            round(floor, &events, &mut run.floor, false).await?;
            let floor_calls = self.endpoint.take().len();
            ensure!(floor_calls == events.len().saturating_mul(HOT_PATH_CALLS), "not the floor");
            sent.extend(events);
        }
        step.done(&format!("{} webhooks for each", sent.len()));
        sent.truncate(REDELIVERED_MAX);
        self.endpoint.take();
        for event in sent {
            let answer = function.invoke(event).await?;
            run.redelivered.push(answer.took);
            expect(&answer.payload, "ignored", 1)?;
            run.redelivery.add(1, &self.endpoint.take());
        }
        Ok(run)
    }

    /// Many messages per webhook, then the same webhooks again.
    pub(crate) async fn bodies(
        &mut self,
        function: &mut Sandbox,
        amounts: Amounts,
    ) -> anyhow::Result<[Bulk; 2]> {
        let step = Step::start("many messages per webhook");
        let [mut new, mut again] = [Bulk::default(), Bulk::default()];
        for n in 0..amounts.bodies {
            step.at(&format!("body {n} of {}", amounts.bodies));
            let first = self.new_contacts(amounts.body_contacts);
            let now = clock::now();
            let numbers = (0..amounts.body_contacts).cycle().take(amounts.body_messages);
            let messages: Vec<_> =
                numbers.map(|n| self.message(first.saturating_add(n), now)).collect();
            let event = webhooks::event(APP_SECRET, &messages);
            for (bulk, outcome) in [(&mut new, "stored"), (&mut again, "ignored")] {
                self.endpoint.take();
                let before = function.cpu().await?;
                let answer = function.invoke(event.clone()).await?;
                bulk.latencies.push(answer.took);
                bulk.cpu.push(function.cpu().await?.saturating_sub(before));
                expect(&answer.payload, outcome, messages.len())?;
                bulk.account.add(messages.len(), &self.endpoint.take());
            }
        }
        step.done(&format!("{} bodies of {}", amounts.bodies, amounts.body_messages));
        Ok([new, again])
    }
}

/// The steady state, and what came before and after it.
#[derive(Debug, Default)]
pub(crate) struct SteadyRun {
    pub(crate) function: Steady,
    pub(crate) floor: Steady,
    pub(crate) account: Account,
    /// The first message of each contact.
    pub(crate) new_contacts: Account,
    /// The first message of each contact for more than a minute.
    pub(crate) moves: Account,
    pub(crate) redelivered: Vec<Duration>,
    pub(crate) redelivery: Account,
}

async fn cold_start(program: &Program, event: &Bytes) -> anyhow::Result<ColdStart> {
    let mut sandbox = Sandbox::start(program).await?;
    let answer = sandbox.invoke(event.clone()).await?;
    ensure!(webhooks::tally(&answer.payload).is_some(), "the first webhook was not answered 200");
    Ok(ColdStart { to_first_response: answer.since_start, cpu: sandbox.cpu().await? })
}

async fn round(
    sandbox: &mut Sandbox,
    events: &[Bytes],
    steady: &mut Steady,
    is_function: bool,
) -> anyhow::Result<()> {
    let before = sandbox.cpu().await?;
    for event in events {
        let answer = sandbox.invoke(event.clone()).await?;
        steady.latencies.push(answer.took);
        if is_function {
            expect(&answer.payload, "stored", 1)?;
        }
    }
    let used = sandbox.cpu().await?.saturating_sub(before);
    let webhooks = u32::try_from(events.len())?;
    steady.cpu_per_webhook.push(used.checked_div(webhooks).unwrap_or_default());
    Ok(())
}

async fn stored(function: &mut Sandbox, event: Bytes, messages: usize) -> anyhow::Result<()> {
    expect(&function.invoke(event).await?.payload, "stored", messages)
}

/// Holds the function to what it was sent: a benchmark of failures would look fast.
fn expect(answer: &[u8], outcome: &str, messages: usize) -> anyhow::Result<()> {
    let Some(tally) = webhooks::tally(answer) else {
        bail!("the answer is no 200: {}", String::from_utf8_lossy(answer));
    };
    let counted = tally.get(outcome).and_then(Value::as_u64);
    ensure!(counted == u64::try_from(messages).ok(), "not {messages} {outcome}: {tally}");
    Ok(())
}
