//! How long until an erased connection is unreadable, whatever it holds; and how fast it is swept.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use jiff::{SignedDuration, Timestamp};
use numib::domain::connection::Connection;
use numib::domain::data_kind::DataKind;
use numib::domain::erasure::{Source, Target};
use numib::domain::ids::{ContactId, ConversationId, MessageId, PersonId, RequestId};
use numib::domain::sealed::Sealed;
use numib::domain::time::Day;
use numib::edge::clock::{self, Stopwatch};
use numib::erasure::{self, Asked, Eraser, ErasureError, Progress};
use numib::identity::UserPool;
use numib::seal::receipt::SigningKey;
use numib::store::Store;
use numib::store::concurrent::try_all;
use numib::store::contacts::Parties;
use numib::store::messages::{MessageKey, NewMessage};
use xtask::progress::{Step, say};

use crate::endpoint::Endpoint;
use crate::seed;
use crate::stats::ms;

/// Messages of a contact.
const OF_A_CONTACT: usize = 100;
/// Bytes of a sealed message of a line or two.
const SEALED_LEN: usize = 225;
const AT_ONCE: usize = 64;

/// Measures erasures of connections with so many messages each, and says what it found.
///
/// # Errors
/// When the database fails, or something is left.
pub(crate) async fn measure(template: &Path, volumes: &[usize]) -> anyhow::Result<()> {
    let mut first = None;
    say("| messages | unreadable after | of the first | swept in | a minute |");
    say("|---:|---:|---:|---:|---:|");
    for volume in volumes {
        let endpoint = Endpoint::start(&seed::secret()).await?;
        let now = clock::now();
        let (store, connection) = seed::one(&endpoint.database_url, template, now).await?;
        fill(&store, &connection, *volume, now).await?;
        let (unreadable, swept) = erase(&store, &connection, *volume, now).await?;
        let ratio = ms(unreadable) / ms(*first.get_or_insert(unreadable));
        let rate = f64::from(u32::try_from(*volume)?) * 60.0 / swept.as_secs_f64();
        say(&format!(
            "| {volume} | {:.1} ms | {ratio:.2} × | {:.2} s | {rate:.0} |",
            ms(unreadable),
            swept.as_secs_f64()
        ));
    }
    Ok(())
}

async fn fill(
    store: &Store,
    connection: &Connection,
    volume: usize,
    now: Timestamp,
) -> anyhow::Result<()> {
    let step = Step::start("messages");
    let expires_at = now.saturating_add(SignedDuration::from_hours(24 * 30))?;
    let mut keys = Vec::with_capacity(volume);
    for number in 0..volume {
        let contact = ContactId::parse(&format!("contact{:0>14}", number / OF_A_CONTACT));
        let message = MessageId::parse(&format!("message{number:0>14}"));
        let contact = contact.context("contact id")?;
        let conversation = ConversationId { connection: connection.id.clone(), contact };
        keys.push(MessageKey { conversation, message: message.context("message id")? });
    }
    let person = PersonId::parse("person").context("person id")?;
    for key in keys.iter().step_by(OF_A_CONTACT) {
        let (conversation, account) = (&key.conversation, &connection.account);
        let parties = Parties { conversation, account, person: &person };
        store.move_conversation(parties, now, expires_at).await?;
    }
    let puts = keys.iter().map(async |key| {
        let sealed = Sealed { day: Day::of(now), bytes: vec![7; SEALED_LEN] };
        store.put_message(key, NewMessage { sent_at: now, sealed, expires_at }, None).await
    });
    try_all(puts, AT_ONCE).await?;
    step.done(&format!("{volume} stored"));
    Ok(())
}

/// Returns how long the door took, and how long the sweep with its proof.
async fn erase(
    store: &Store,
    connection: &Connection,
    volume: usize,
    now: Timestamp,
) -> anyhow::Result<(Duration, Duration)> {
    let Connection { account, route, id, .. } = connection.clone();
    let targets = vec![Target::Connection { account, route, connection: id }];
    let subject = "bench".to_owned();
    let asked =
        Asked { source: Source::Disconnect, reference: None, subject, targets, due_at: None };
    let stopwatch = Stopwatch::start();
    let request = erasure::begin(store, asked, now).await?;
    let unreadable = stopwatch.elapsed();
    let stopwatch = Stopwatch::start();
    sweep(store, &request.id, now).await?;
    let swept = stopwatch.elapsed();
    let found = store.request(&request.id).await?.context("the request is gone")?.request;
    let counted = found.counts.get(&DataKind::Message).copied().unwrap_or_default();
    ensure!(counted == u64::try_from(volume)?, "{counted} of {volume} messages were counted");
    Ok((unreadable, swept))
}

/// Up to the proof. The signature that comes after it is KMS's work, and there is none here.
async fn sweep(store: &Store, id: &RequestId, now: Timestamp) -> anyhow::Result<()> {
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .endpoint_url("http://127.0.0.1:1")
        .build();
    let receipts = SigningKey::new(aws_sdk_kms::Client::new(&sdk), "none".to_owned());
    let user_pool = UserPool::new(&sdk, "none".to_owned());
    let store = store.clone();
    let eraser = Eraser { store, user_pool, receipts };
    let later = now.saturating_add(SignedDuration::from_mins(1))?;
    loop {
        match eraser.work(id, later, &|| true).await {
            Ok(Progress::More) => {}
            Err(ErasureError::Signing(_)) => return Ok(()),
            other => bail!("the proof was not given: {other:?}"),
        }
    }
}
