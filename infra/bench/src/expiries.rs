//! What it costs to have messages expire, beside so many that live on.

use std::path::Path;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use numib::concurrent::try_all;
use numib::domain::connection::Connection;
use numib::domain::ids::{ContactId, ConversationId, MessageId, PersonId};
use numib::domain::row::sweep_on;
use numib::domain::sealed::Sealed;
use numib::domain::time::Day;
use numib::edge::clock;
use numib::retention::{Expired, destroy_expired_keys, sweep_expired_rows};
use numib::store::Store;
use numib::store::contacts::Parties;
use numib::store::messages::{MessageKey, NewMessage};
use serde_json::{Value, json};
use xtask::progress::Step;

use crate::calls::{Call, Units};
use crate::endpoint::Endpoint;
use crate::seed;
use crate::table::{self, Bar, Row, Section, Table, count};

/// Messages of each connection that expire.
const EXPIRING_OF_EACH: usize = 10;
/// Days, today included, of which messages live.
const LIVE_DAYS: i32 = 30;
/// Days of which messages are: none of them expires before the sweep of those that have.
const MESSAGE_DAYS: usize = 27;
/// Bytes of a sealed message of a line or two.
const SEALED_LEN: usize = 225;
const AT_ONCE: usize = 64;
const STORED_AT_A_TIME: usize = 1000;
const OF_KEYS: [&str; 3] = ["keys: write units", "keys: read units", "keys: calls"];
const OF_ROWS: [&str; 3] = ["rows: write units", "rows: read units", "rows: calls"];
/// The bar: what lives on makes no difference.
const VOLUME_RATIO_MAX: f64 = 1.1;

/// What was measured beside one volume.
#[derive(Debug)]
pub(crate) struct Measured {
    live: usize,
    connections: usize,
    /// What the run did: keys of the days that expire.
    expired: Expired,
    of_keys: Cost,
    /// Rows that the sweep deleted, none of which time to live had removed.
    rows: u64,
    of_rows: Cost,
}

/// What the database bills for a run.
#[derive(Debug)]
struct Cost {
    calls: usize,
    units: Units,
}

impl Cost {
    /// Of all that went through the endpoint since it was last asked.
    fn take(endpoint: &Endpoint) -> Self {
        let calls = endpoint.take();
        Self { calls: calls.len(), units: calls.iter().map(Call::units).sum() }
    }
}

/// Fills a database with each of the volumes, and lets the same expire in each.
///
/// # Errors
/// When the database fails, or another number of keys is destroyed.
pub(crate) async fn measure(
    template: &Path,
    volumes: &[usize],
    connections: usize,
) -> anyhow::Result<Vec<Measured>> {
    let mut all = Vec::new();
    for live in volumes {
        let step = Step::start("messages");
        let endpoint = Endpoint::start(&seed::secret()).await?;
        let (store, tables) = seed::database(&endpoint.database_url, template).await?;
        let now = clock::now();
        let connections: Vec<Connection> =
            (0..connections).map(seed::numbered).collect::<Result<_, _>>()?;
        let today = Day::of(now);
        // The day whose last message expired as today began.
        let over = today.plus(-LIVE_DAYS - 1);
        for connection in &connections {
            seed::connect(&store, connection, today).await?;
            seed::make_keys(&store, connection, (0..LIVE_DAYS).map(|back| today.plus(-back)))
                .await?;
            seed::make_keys(&store, connection, [over].into_iter()).await?;
        }
        let expiring = EXPIRING_OF_EACH.saturating_mul(connections.len());
        fill(&store, &connections, ("expired", expiring), |_| over).await?;
        let day =
            |number: usize| today.plus(-i32::try_from(number % MESSAGE_DAYS).unwrap_or_default());
        fill(&store, &connections, ("live", *live), day).await?;
        step.done(&format!("{live} live, {expiring} expired"));

        let watched = Store::new(seed::client(&endpoint.url), tables);
        endpoint.take();
        let expired = destroy_expired_keys(&watched, now, &|| true).await?;
        let of_keys = Cost::take(&endpoint);
        ensure!(expired.destroyed == u64::try_from(connections.len())?, "{expired:?}");
        // When time to live has had its two days.
        let swept = sweep_expired_rows(&watched, today.plus(1).start(), &|| true).await?;
        let of_rows = Cost::take(&endpoint);
        ensure!(swept.complete && swept.rows == u64::try_from(expiring)?, "{swept:?}");
        let (live, connections) = (*live, connections.len());
        all.push(Measured { live, connections, expired, of_keys, rows: swept.rows, of_rows });
    }
    Ok(all)
}

/// Stores so many messages, dealt out among the connections, each of the day that `day` says.
async fn fill(
    store: &Store,
    connections: &[Connection],
    (word, number): (&str, usize),
    day: impl Fn(usize) -> Day,
) -> anyhow::Result<()> {
    let person = PersonId::parse("person").context("person id")?;
    // The same for all: what lives on is in the same conversations as what expires.
    let contact = ContactId::parse("contact").context("contact id")?;
    for Connection { id, account, plan, .. } in connections {
        let conversation = &ConversationId { connection: id.clone(), contact: contact.clone() };
        let parties = Parties { conversation, account, person: &person };
        let (at, oldest) = (clock::now(), day(0).start());
        let expires_at = plan.expires_at(oldest, oldest);
        store.move_conversation(parties, at, (expires_at, sweep_on(expires_at))).await?;
    }
    for first in (0..number).step_by(STORED_AT_A_TIME) {
        let last = first.saturating_add(STORED_AT_A_TIME).min(number);
        let of_all = connections.iter().cycle().skip(first % connections.len());
        let messages: Option<Vec<(MessageKey, NewMessage)>> = (first..last)
            .zip(of_all)
            .map(|(number, connection)| {
                let conversation =
                    ConversationId { connection: connection.id.clone(), contact: contact.clone() };
                let message = MessageId::parse(&format!("{word}{number:0>14}"))?;
                let day = day(number);
                Some((MessageKey { conversation, message }, message_of(connection, day)))
            })
            .collect();
        let messages = messages.context("ids")?;
        let puts = messages
            .into_iter()
            .map(async |(key, message)| store.put_message(&key, message, None).await);
        try_all(puts, AT_ONCE).await?;
    }
    Ok(())
}

fn message_of(connection: &Connection, day: Day) -> NewMessage {
    let sent_at: Timestamp = day.start();
    let sealed = Sealed { day, bytes: vec![7; SEALED_LEN] };
    NewMessage { sent_at, sealed, expires_at: connection.plan.expires_at(sent_at, sent_at) }
}

pub(crate) fn table(all: &[Measured]) -> Table {
    let sections = all.iter().filter_map(|measured| Some(section(measured, all.first()?)));
    table::render(["retention", "the first"], sections.collect())
}

fn section(measured: &Measured, first: &Measured) -> Section {
    let bar = Bar::MaxRatio(VOLUME_RATIO_MAX);
    let of = |what: &'static [&'static str; 3], cost: &Cost, floor: &Cost| {
        let [writes, reads, calls] = *what;
        [
            Row::cost(writes, "WRU", cost.units.write).beside(floor.units.write).bar(bar),
            Row::cost(reads, "RRU", cost.units.read).beside(floor.units.read).bar(bar),
            Row::cost(calls, "", count(cost.calls)).beside(count(floor.calls)).decimals(0).bar(bar),
        ]
    };
    let keys = of(&OF_KEYS, &measured.of_keys, &first.of_keys);
    let rows = of(&OF_ROWS, &measured.of_rows, &first.of_rows);
    let rows: Vec<Row> = keys.into_iter().chain(rows).collect();
    let Measured { live, connections, rows: expired, .. } = measured;
    (format!("{expired} messages of {connections} channels expire, {live} live on"), rows)
}

/// Every number behind the table.
pub(crate) fn raw(all: &[Measured]) -> Value {
    let cost = |cost: &Cost| {
        let Units { write, read } = cost.units;
        json!({ "calls": cost.calls, "write_units": write, "read_units": read })
    };
    let one = |measured: &Measured| {
        json!({
            "live": measured.live,
            "expired": measured.expired,
            "keys": cost(&measured.of_keys),
            "rows": measured.rows,
            "sweep": cost(&measured.of_rows),
        })
    };
    all.iter().map(one).collect()
}
