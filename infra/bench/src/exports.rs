//! What it takes the release binary of `data-export` to write the archive of an account with so
//! many messages, killed on the way.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::body::Bytes;
use jiff::{SignedDuration, Timestamp};
use numib::concurrent::try_all;
use numib::domain::connection::Connection;
use numib::domain::export::{Export, LEASE, State};
use numib::domain::fold::Dated;
use numib::domain::ids::{ContactId, ConversationId, ExportId, MessageId, MetaId, Mid, PersonId};
use numib::domain::personal::Personal;
use numib::domain::row::sweep_on;
use numib::domain::sealed::{PublicKey, WrappedPair};
use numib::domain::time::Day;
use numib::domain::update::{Content, Direction, Kind};
use numib::domain::work::ExportWork;
use numib::edge::clock::{self, Stopwatch};
use numib::seal::key_pair::{Sealer, public_key_from_der};
use numib::seal::message::{Place, Recipient, seal_message};
use numib::store::contacts::Parties;
use numib::store::messages::{MessageKey, NewMessage};
use numib::store::{Store, Tables};
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
use serde_json::{Value, json};
use xtask::progress::Step;

use crate::cloud::Cloud;
use crate::sandbox::{Program, Sandbox};
use crate::seed;

/// Messages of a contact.
const OF_A_CONTACT: usize = 100;
/// Days over which they are spread.
const DAYS: usize = 26;
const AT_ONCE: usize = 64;
/// Messages, of whole contacts.
const STORED_AT_A_TIME: usize = 1000;
/// How often the worker is killed: each time when it has called the database as often as reading an
/// equal share of the contacts takes.
const KILLS: usize = 3;
/// Invocations that one export may take; far more than any does.
const INVOCATIONS_MAX: usize = 100;
const WORDS: [&str; 16] = [
    "pedido",
    "mañana",
    "please",
    "¿cuándo?",
    "the",
    "blue",
    "camisa",
    "talla",
    "L",
    "gracias",
    "order",
    "número",
    "envío",
    "today",
    "👍",
    "precio",
];

/// What was measured.
#[derive(Debug, Default)]
pub(crate) struct Exported {
    pub(crate) messages: usize,
    /// From the first invocation to the archive, starts of processes and repeated parts included.
    pub(crate) took: Duration,
    /// What its processes used of the processors, those that were killed included up to then.
    pub(crate) cpu: Duration,
    pub(crate) invocations: usize,
    pub(crate) killed: usize,
    pub(crate) peak_kib: u32,
    /// The most that any key was unwrapped in an invocation.
    pub(crate) unwrapped_max: usize,
    pub(crate) parts_put: usize,
    /// Bytes of the archive, and of what is in it.
    pub(crate) archive_len: usize,
    pub(crate) content_len: u64,
    pub(crate) files: usize,
}

/// Fills a database, and exports the account.
///
/// # Errors
/// When the database or the function fails, or the archive is not whole.
pub(crate) async fn measure(
    template: &Path,
    volume: usize,
    program: impl Fn(&str, Tables) -> anyhow::Result<Program>,
) -> anyhow::Result<Exported> {
    let cloud = Cloud::start().await?;
    let (store, tables) = seed::database(&cloud.database_url, template).await?;
    let connection = seed::one()?;
    fill(&store, &connection, volume, clock::now()).await?;
    let id = ExportId::parse("bench").context("export id")?;
    store.open_export(&Export::new(id.clone(), connection.account.clone(), clock::now())).await?;
    let program = program(&cloud.url, tables)?;
    let mut exported = run(&cloud, &program, &id, volume).await?;
    let export = store.export(&id).await?.context("the export is gone")?;
    ensure!(export.state == State::Ready, "it ended as {:?}", export.state);
    let archive = cloud.archive().context("there is no archive")?;
    check(&archive, volume, &mut exported)?;
    Ok(exported)
}

/// Runs the function until there is an archive, plays its queue, and kills it on the way.
async fn run(
    cloud: &Cloud,
    program: &Program,
    id: &ExportId,
    volume: usize,
) -> anyhow::Result<Exported> {
    let step = Step::start("export");
    let mut exported = Exported { messages: volume, ..Exported::default() };
    let mut queued = Some(brought_again(id, 0)?);
    let share = volume / OF_A_CONTACT / KILLS.saturating_add(1);
    let stopwatch = Stopwatch::start();
    while let Some(body) = queued.take() {
        ensure!(exported.invocations < INVOCATIONS_MAX, "it does not come to an end");
        exported.invocations = exported.invocations.saturating_add(1);
        let mut sandbox = Sandbox::start(program).await?;
        let answered = tokio::select! {
            answer = sandbox.invoke(event(&body)) => Some(answer?),
            () = cloud.falls_silent(share), if exported.killed < KILLS => None,
        };
        exported.peak_kib = exported.peak_kib.max(sandbox.peak_kib()?);
        exported.cpu = exported.cpu.saturating_add(sandbox.cpu_so_far()?);
        exported.unwrapped_max = exported.unwrapped_max.max(cloud.take_unwrapped());
        match answered {
            None => {
                // Dropped, it is killed; the queue brings its message again.
                exported.killed = exported.killed.saturating_add(1);
                queued = Some(brought_again(id, exported.killed)?);
            }
            Some(answer) => {
                let failures = serde_json::from_slice::<Value>(&answer.payload)?;
                let is_carried_on = failures == json!({"batchItemFailures": []});
                ensure!(is_carried_on, "not carried on: {failures}\n{}", sandbox.output());
                queued = cloud.take_queued();
            }
        }
    }
    ensure!(exported.killed == KILLS, "it was killed {} times only", exported.killed);
    exported.took = stopwatch.elapsed();
    exported.parts_put = cloud.parts_put();
    step.done(&format!("{volume} messages, {} invocations", exported.invocations));
    Ok(exported)
}

/// The message of an export after so many workers have died: it comes again once nobody has the
/// export any more, which is not waited for.
fn brought_again(id: &ExportId, killed: usize) -> anyhow::Result<String> {
    let later = LEASE.saturating_mul(i32::try_from(killed)?.saturating_mul(2));
    let at = clock::now().saturating_add(later)?;
    Ok(serde_json::to_string(&ExportWork { export: id.clone(), not_before: Some(at) })?)
}

/// Reads every file of the archive, and counts the messages in them.
fn check(archive: &[u8], volume: usize, exported: &mut Exported) -> anyhow::Result<()> {
    let step = Step::start("archive");
    exported.archive_len = archive.len();
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(archive))?;
    exported.files = zip.len();
    let mut messages = 0_usize;
    for index in 0..zip.len() {
        let mut file = zip.by_index(index)?;
        let is_native = file.name()?.starts_with("data/messages");
        let mut text = Vec::new();
        let len = std::io::Read::read_to_end(&mut file, &mut text)?;
        exported.content_len = exported.content_len.saturating_add(u64::try_from(len)?);
        if is_native {
            let lines = std::io::BufRead::lines(text.as_slice());
            messages = messages.saturating_add(lines.count());
        }
    }
    ensure!(messages == volume, "{messages} of {volume} messages are in it");
    let folder = xtask::project::local().join("bench");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("export.zip");
    std::fs::write(&path, archive)?;
    step.done(&format!("{} files, at {}", exported.files, path.display()));
    Ok(())
}

/// Stores so many messages, a few contacts at a time, with keys whose private halves lie bare.
async fn fill(
    store: &Store,
    connection: &Connection,
    volume: usize,
    now: Timestamp,
) -> anyhow::Result<()> {
    let step = Step::start("messages");
    seed::connect(store, connection, Day::of(now)).await?;
    let keys = keys(store, connection, Day::of(now)).await?;
    let mut sealer = Sealer::default();
    let person = PersonId::parse("person").context("person id")?;
    for first in (0..volume).step_by(STORED_AT_A_TIME) {
        let last = first.saturating_add(STORED_AT_A_TIME).min(volume);
        let mut messages = Vec::new();
        for number in first..last {
            messages.push(message(&mut sealer, connection, &keys, (number, now))?);
        }
        for (key, message) in messages.iter().step_by(OF_A_CONTACT) {
            let (conversation, account) = (&key.conversation, &connection.account);
            let parties = Parties { conversation, account, person: &person };
            let until = (message.expires_at, sweep_on(message.expires_at));
            store.move_conversation(parties, now, until).await?;
        }
        let puts = messages
            .into_iter()
            .map(async |(key, message)| store.put_message(&key, message, None).await);
        try_all(puts, AT_ONCE).await?;
        step.at(&format!("{last} stored"));
    }
    step.done(&format!("{volume} stored"));
    Ok(())
}

async fn keys(
    store: &Store,
    connection: &Connection,
    today: Day,
) -> anyhow::Result<BTreeMap<Day, PublicKey>> {
    let mut keys = BTreeMap::new();
    for back in 3..=i32::try_from(DAYS)?.saturating_add(3) {
        let day = today.plus(back.saturating_neg());
        let secret = p256::SecretKey::generate();
        let public = secret.public_key().to_public_key_der().ok().context("encoding a key")?;
        let wrapped_key = secret.to_pkcs8_der().ok().context("encoding a key")?;
        let public_key = public_key_from_der(public.as_bytes())?;
        let pair = WrappedPair { public_key, wrapped_key: wrapped_key.as_bytes().to_vec() };
        let owner = (&connection.account, &connection.id);
        let until = (day, connection.plan.shred_on(day));
        keys.insert(day, store.put_day_key(owner, until, pair).await?);
    }
    Ok(keys)
}

fn message(
    sealer: &mut Sealer,
    connection: &Connection,
    keys: &BTreeMap<Day, PublicKey>,
    (number, now): (usize, Timestamp),
) -> anyhow::Result<(MessageKey, NewMessage)> {
    let contact_number = number / OF_A_CONTACT;
    let contact = ContactId::parse(&format!("contact{contact_number:0>15}")).context("contact")?;
    let conversation = ConversationId { connection: connection.id.clone(), contact };
    let id = MessageId::parse(&format!("message{number:0>15}")).context("message id")?;
    let back = i64::try_from(number % DAYS)?.saturating_add(3);
    let sent_at = now.saturating_sub(SignedDuration::from_hours(back.saturating_mul(24)))?;
    let sent_at =
        sent_at.saturating_add(SignedDuration::from_secs(i64::try_from(number % 500)?))?;
    let words = (0..20).filter_map(|place: usize| {
        WORDS.get(number.wrapping_mul(31).wrapping_add(place.wrapping_mul(place)) % WORDS.len())
    });
    let text = words.copied().collect::<Vec<_>>().join(" ");
    let direction = if number % 3 == 0 { Direction::Out } else { Direction::In };
    let content = Content {
        direction,
        kind: Kind::Text,
        text: Some(Personal::new(format!("{number} {text}"))),
    };
    let dated = Dated { at: sent_at, what: content };
    let day = Day::of(sent_at);
    let key = keys.get(&day).context("no key of that day")?;
    let place = Place { conversation: &conversation, message: &id };
    let mid = Mid::new(format!("m_{number:0>60}"));
    let meta = MetaId::new(format!("70{contact_number:0>15}"));
    let to = Recipient { account: &connection.account, day, key };
    let sealed = seal_message(sealer, to, place, (&mid, &meta), &dated)?;
    let expires_at = connection.plan.expires_at(sent_at, now);
    Ok((MessageKey { conversation, message: id }, NewMessage { sent_at, sealed, expires_at }))
}

/// A batch of one message, as SQS hands it to a function.
fn event(body: &str) -> Bytes {
    let record = json!({ "messageId": "1", "body": body });
    Bytes::from(json!({ "Records": [record] }).to_string())
}
