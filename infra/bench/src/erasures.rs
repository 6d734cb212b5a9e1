//! How long it takes until an erased connection is unreadable, whatever it holds, and what the
//! release binary of `worker` needs to sweep it and to prove that nothing is left.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use axum::body::Bytes;
use jiff::{SignedDuration, Timestamp};
use numib::concurrent::try_all;
use numib::domain::connection::Connection;
use numib::domain::data_kind::DataKind;
use numib::domain::erasure::{Source, State, Target};
use numib::domain::ids::{ContactId, ConversationId, MessageId, PersonId, RequestId};
use numib::domain::row::sweep_on;
use numib::domain::sealed::Sealed;
use numib::domain::time::Day;
use numib::domain::work::Work;
use numib::edge::clock::{self, Stopwatch};
use numib::erasure::{self, Asked};
use numib::store::contacts::Parties;
use numib::store::messages::{MessageKey, NewMessage};
use numib::store::{Store, Tables};
use serde_json::{Value, json};
use xtask::progress::Step;

use crate::calls::{Call, Service, Units, waves};
use crate::endpoint::Endpoint;
use crate::sandbox::{Program, Sandbox};
use crate::seed;

/// Messages of a contact.
const OF_A_CONTACT: usize = 100;
/// Bytes of a sealed message of a line or two.
const SEALED_LEN: usize = 225;
const AT_ONCE: usize = 64;
/// Messages, of whole contacts.
const STORED_AT_A_TIME: usize = 1000;
/// What filling leaves behind is not measured: a rest, and erasures that are not counted.
const REST: Duration = Duration::from_secs(5);
const WARM_UPS: usize = 5;
/// Each call of the one erasure that is watched takes so much longer: those made at once overlap.
const WATCHED_PAUSE_MS: u64 = 100;
/// Invocations that one erasure may take; far more than any does.
const INVOCATIONS_MAX: usize = 1000;

/// A connection with so many messages, in a database of its own.
#[derive(Debug)]
pub(crate) struct Held {
    volume: usize,
    endpoint: Endpoint,
    store: Store,
    tables: Tables,
    connection: Connection,
    /// How long the first erasure took, right after the filling.
    at_once: Duration,
}

/// What was measured of one volume.
#[derive(Debug)]
pub(crate) struct Erased {
    pub(crate) volume: usize,
    /// The first time it was erased, right after it was filled.
    pub(crate) at_once: Duration,
    /// Each time it was erased after a rest.
    pub(crate) unreadable: Vec<Duration>,
    /// Calls until then, and how many of them waited for one another.
    pub(crate) calls: usize,
    pub(crate) waves: usize,
    pub(crate) sweep: Sweep,
}

/// From the first invocation to the receipt.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    /// Each invocation.
    pub(crate) took: Vec<Duration>,
    /// All that it consumed.
    pub(crate) units: Units,
    /// What deleting the messages' rows consumed, indexes included.
    pub(crate) row_units: Units,
    pub(crate) peak_kib: u32,
}

/// Fills a database with each of the volumes, erases them in turns, `samples` times each, and
/// sweeps each once. Volumes that take turns have the same machine, whatever else runs on it.
///
/// # Errors
/// When the database or the function fails, or something is left.
pub(crate) async fn measure(
    template: &Path,
    volumes: &[usize],
    samples: usize,
    program: impl Fn(&str, Tables) -> anyhow::Result<Program>,
) -> anyhow::Result<Vec<Erased>> {
    let mut all = Vec::new();
    for volume in volumes {
        all.push(Held::fill(template, *volume).await?);
    }
    tokio::time::sleep(REST).await;
    let step = Step::start("erasures, in turns");
    let mut unreadable = vec![Vec::with_capacity(samples); all.len()];
    for round in 0..WARM_UPS.saturating_add(samples) {
        step.at(&format!("round {round}"));
        for (held, unreadable) in all.iter().zip(&mut unreadable) {
            held.connect().await?;
            let (took, _) = held.erase(&format!("round {round}"), &held.store).await?;
            if round >= WARM_UPS {
                unreadable.push(took);
            }
        }
    }
    step.done(&format!("{samples} of each volume"));
    let mut erased = Vec::new();
    for (held, unreadable) in all.into_iter().zip(unreadable) {
        let watching = Store::new(seed::client(&held.endpoint.url), held.tables.clone());
        held.connect().await?;
        held.endpoint.take();
        held.endpoint.pause(WATCHED_PAUSE_MS);
        let (_, request) = held.erase("watched", &watching).await?;
        held.endpoint.pause(0);
        let calls = held.endpoint.take();
        let program = program(&held.endpoint.url, held.tables.clone())?;
        let sweep = held.sweep(&program, &request).await?;
        let Held { volume, at_once, .. } = held;
        let (waves, calls) = (waves(&calls), calls.len());
        erased.push(Erased { volume, at_once, unreadable, calls, waves, sweep });
    }
    Ok(erased)
}

impl Held {
    async fn fill(template: &Path, volume: usize) -> anyhow::Result<Self> {
        let step = Step::start("messages");
        let endpoint = Endpoint::start(&seed::secret()).await?;
        let (store, tables) = seed::database(&endpoint.database_url, template).await?;
        let connection = seed::one()?;
        let at_once = Duration::ZERO;
        let mut held = Self { volume, endpoint, store, tables, connection, at_once };
        held.connect().await?;
        fill(&held.store, &held.connection, volume, clock::now()).await?;
        (held.at_once, _) = held.erase("at once", &held.store).await?;
        step.done(&format!("{volume} stored"));
        Ok(held)
    }

    /// Connects the Page, anew where it was erased: its messages are still there.
    async fn connect(&self) -> anyhow::Result<()> {
        seed::connect(&self.store, &self.connection, Day::of(clock::now())).await
    }

    /// Returns how long it took until it was unreadable.
    async fn erase(&self, subject: &str, store: &Store) -> anyhow::Result<(Duration, RequestId)> {
        let Connection { account, route, id, .. } = self.connection.clone();
        let targets = vec![Target::Connection { account, route, connection: id }];
        let subject = subject.to_owned();
        let asked =
            Asked { source: Source::Disconnect, reference: None, subject, targets, due_at: None };
        let stopwatch = Stopwatch::start();
        let request = erasure::begin(store, asked, clock::now()).await?;
        let took = stopwatch.elapsed();
        ensure!(request.state == State::Shredded, "it is {:?}", request.state);
        Ok((took, request.id))
    }

    /// Runs the function until the receipt is signed, and plays its queue.
    async fn sweep(&self, program: &Program, request: &RequestId) -> anyhow::Result<Sweep> {
        let step = Step::start("sweep");
        let mut sandbox = Sandbox::start(program).await?;
        let mut sweep = Sweep::default();
        let mut waited = Duration::ZERO;
        let mut queued = Some(serde_json::to_string(&Work::Erase {
            request: request.clone(),
            not_before: None,
        })?);
        while let Some(body) = queued {
            ensure!(sweep.took.len() < INVOCATIONS_MAX, "it does not come to an end");
            let answer = sandbox.invoke(event(&body)).await?;
            let failures = serde_json::from_slice::<Value>(&answer.payload)?;
            let is_carried_on = failures == json!({"batchItemFailures": []});
            ensure!(is_carried_on, "not carried on: {failures}\n{}", sandbox.output());
            sweep.took.push(answer.took);
            let calls = self.endpoint.take();
            let of_rows = calls.iter().filter(|call| call.operation == "BatchWriteItem");
            sweep.row_units = sweep.row_units + of_rows.map(Call::units).sum();
            sweep.units = sweep.units + calls.iter().map(Call::units).sum();
            queued = again(&calls, &mut waited)?;
        }
        sweep.peak_kib = sandbox.peak_kib()?;
        let done = self.store.request(request).await?.context("the request is gone")?.request;
        ensure!(done.state == State::Completed, "it ended as {:?}", done.state);
        let counted = done.counts.get(&DataKind::Message).copied().unwrap_or_default();
        let volume = self.volume;
        ensure!(counted == u64::try_from(volume)?, "{counted} of {volume} messages were counted");
        step.done(&format!("{volume} messages, {} invocations", sweep.took.len()));
        Ok(sweep)
    }
}

/// Stores so many messages, a few contacts at a time: after a heap of keys was
/// given back at once, the next allocations were slow, and measured with the first erasure.
async fn fill(
    store: &Store,
    connection: &Connection,
    volume: usize,
    now: Timestamp,
) -> anyhow::Result<()> {
    let expires_at = now.saturating_add(SignedDuration::from_hours(24 * 30))?;
    let person = PersonId::parse("person").context("person id")?;
    for first in (0..volume).step_by(STORED_AT_A_TIME) {
        let last = first.saturating_add(STORED_AT_A_TIME).min(volume);
        let keys: Option<Vec<_>> = (first..last).map(|number| key(connection, number)).collect();
        let keys = keys.context("ids")?;
        for key in keys.iter().step_by(OF_A_CONTACT) {
            let (conversation, account) = (&key.conversation, &connection.account);
            let parties = Parties { conversation, account, person: &person };
            store.move_conversation(parties, now, (expires_at, sweep_on(expires_at))).await?;
        }
        let puts = keys.iter().map(async |key| {
            let sealed = Sealed { day: Day::of(now), bytes: vec![7; SEALED_LEN] };
            store.put_message(key, NewMessage { sent_at: now, sealed, expires_at }, None).await
        });
        try_all(puts, AT_ONCE).await?;
    }
    Ok(())
}

fn key(connection: &Connection, number: usize) -> Option<MessageKey> {
    let contact = ContactId::parse(&format!("contact{:0>14}", number / OF_A_CONTACT))?;
    let conversation = ConversationId { connection: connection.id.clone(), contact };
    Some(MessageKey { conversation, message: MessageId::parse(&format!("message{number:0>14}"))? })
}

/// A batch of one message, as SQS hands it to a function.
fn event(body: &str) -> Bytes {
    let record = json!({
        "messageId": "00000000-0000-0000-0000-000000000000",
        "receiptHandle": "bench",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:bench",
        "awsRegion": "us-east-1",
    });
    Bytes::from(json!({ "Records": [record] }).to_string())
}

/// What the function queued for itself, as it comes once the delays that it has asked for are over.
/// They are not waited for: the message says at which time it comes.
fn again(calls: &[Call], waited: &mut Duration) -> anyhow::Result<Option<String>> {
    let Some(call) = calls.iter().find(|call| call.service == Service::Sqs) else {
        return Ok(None);
    };
    let sent: Value = serde_json::from_slice(&call.request)?;
    let delay = sent.get("DelaySeconds").and_then(Value::as_u64).unwrap_or_default();
    *waited = waited.saturating_add(Duration::from_secs(delay));
    let body = sent.get("MessageBody").and_then(Value::as_str).context("an empty message")?;
    let Work::Erase { request, .. } = serde_json::from_str(body)? else {
        bail!("it has queued something else: {body}");
    };
    let not_before = Some(clock::now().saturating_add(*waited)?);
    Ok(Some(serde_json::to_string(&Work::Erase { request, not_before })?))
}
