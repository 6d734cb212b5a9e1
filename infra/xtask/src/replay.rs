//! `cargo xtask replay`: shows what the stack stores of each recorded webhook body.
//!
//! Every body meets an empty store: each account is connected anew before it, and a new connection
//! has no messages. Then the rows are read from the database and opened with the account's keys.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use numib::domain::erasure::Counts;
use numib::domain::ids::{AccountId, Channel, ConversationId, MetaId};
use numib::domain::plan::Plan;
use numib::domain::time::Day;
use numib::domain::update::{Direction, Update};
use numib::edge::clock;
use numib::meta::webhook;
use numib::seal::key_name::KeyName;
use numib::seal::key_pair::Opener;
use numib::seal::kms::DataKeys;
use numib::seal::message::{Place, open_edit, open_message};
use numib::seal::pseudonym::Pepper;
use numib::seal::random;
use numib::store::Store;
use numib::store::messages::{MessageKey, RawRow};
use serde::Serialize;
use serde_json::Value;

use crate::account::{self, Connected};
use crate::meta;
use crate::stack::Stack;
use crate::up::{APP_SECRETS, VERIFY_TOKENS};

/// The account that replayed channels belong to.
const ACCOUNT: &str = "replay";

/// What to replay.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Folder of the `*.json` bodies.
    pub dir: PathBuf,
    /// A connected channel, as `messenger:ID` or `instagram:ID`; may be given several times.
    #[arg(long = "account", required = true, value_name = "CHANNEL:ID")]
    pub accounts: Vec<Account>,
    /// Plan of the account, in days: 7, 30, 90 or 365.
    #[arg(long, default_value = "30", value_parser = plan)]
    pub plan: Plan,
    /// File to write the lines to; standard output if missing.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// A channel and the Meta id of its Page or Instagram account.
#[derive(Debug, Clone)]
pub struct Account {
    channel: Channel,
    id: MetaId,
}

impl FromStr for Account {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (channel, id) = text.split_once(':').ok_or("expected CHANNEL:ID")?;
        let channel = Channel::parse(channel).ok_or("the channel is messenger or instagram")?;
        Ok(Self { channel, id: MetaId::from(id.to_owned()) })
    }
}

fn plan(text: &str) -> Result<Plan, String> {
    let days = text.parse().ok().and_then(Plan::from_days);
    days.ok_or_else(|| "the plans are 7, 30, 90 and 365 days".to_owned())
}

/// One line of the result: what one file left in the store.
#[derive(Debug, Serialize)]
struct Line {
    file: String,
    status: u16,
    stored: Vec<Stored>,
    deleted: Vec<String>,
    edited: Vec<Edited>,
    ignored: u64,
}

#[derive(Debug, Serialize)]
struct Stored {
    channel: &'static str,
    account_id: String,
    sender_id: String,
    recipient_id: String,
    mid: String,
    timestamp_ms: i64,
    direction: &'static str,
    text: Option<String>,
    kind: &'static str,
}

#[derive(Debug, Serialize)]
struct Edited {
    mid: String,
    text: String,
}

/// The stack as one replay uses it.
struct Replay {
    stack: Stack,
    store: Store,
    pepper: Pepper,
    makes_keys: DataKeys,
    opens_keys: DataKeys,
    account: AccountId,
}

type Connections = BTreeMap<(Channel, MetaId), Connected>;

/// Replays a folder against the running stack.
///
/// # Errors
/// When the stack is not up, a file cannot be read, or a channel belongs to another account.
pub async fn run(stack: Stack, options: Options) -> anyhow::Result<()> {
    let mut out: Box<dyn Write + Send> = match &options.out {
        Some(path) => Box::new(File::create(path)?),
        None => Box::new(std::io::stdout()),
    };
    let files = bodies(&options.dir)?;
    let outputs = &stack.deployed.outputs;
    let replay = Replay {
        store: stack.store(),
        pepper: stack.put_meta_secrets(&APP_SECRETS, &VERIFY_TOKENS).await?.pepper,
        makes_keys: stack.day_keys_of(&stack.assume(&outputs.retention_role)?),
        opens_keys: stack.day_keys_of(&stack.assume(&outputs.inbox_api_role)?),
        account: AccountId::parse(ACCOUNT).context("not an id")?,
        stack,
    };
    let bar = ProgressBar::new(u64::try_from(files.len())?);
    bar.set_style(ProgressStyle::with_template("  Replay {wide_bar} {pos}/{len} {msg}")?);
    for path in &files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        bar.set_message(name.clone());
        let body = fs::read(path).with_context(|| path.display().to_string())?;
        let line = replay.file(&name, &body, &options).await;
        let line = line.with_context(|| path.display().to_string())?;
        serde_json::to_writer(&mut out, &line)?;
        out.write_all(b"\n")?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

fn bodies(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("{} has no *.json", dir.display());
    }
    files.sort();
    Ok(files)
}

impl Replay {
    async fn file(&self, name: &str, body: &[u8], options: &Options) -> anyhow::Result<Line> {
        let updates = webhook::parse(body).updates;
        let connections = self.connect(&updates, options).await?;
        let [secret, ..] = APP_SECRETS;
        let answer = meta::deliver(&self.stack.deployed, secret, body)?;
        let mut line = Line {
            file: name.to_owned(),
            status: answer.status,
            stored: Vec::new(),
            deleted: Vec::new(),
            edited: Vec::new(),
            ignored: answer.json().get("ignored").and_then(Value::as_u64).unwrap_or_default(),
        };
        let mut seen = BTreeSet::new();
        for update in &updates {
            let name = (update.channel, update.account.clone());
            let Some(connected) = connections.get(&name) else { continue };
            let key = row_key(connected, update);
            if seen.insert(key.clone()) {
                self.read_back(connected, update, &key, &mut line).await?;
            }
        }
        Ok(line)
    }

    /// Connects every account anew, with a key for each day the body speaks of.
    async fn connect(&self, updates: &[Update], options: &Options) -> anyhow::Result<Connections> {
        let mut connections = Connections::new();
        for Account { channel, id } in &options.accounts {
            let route = self.pepper.route(*channel, id);
            if let Some(Connected { connection, .. }) = account::active(&self.store, &route).await?
            {
                if connection.account != self.account {
                    bail!("an account of this stack has one of these channels connected already");
                }
                let by = (&random::request_id()?, Counts::new());
                let end = clock::now();
                self.store.mark_connection_erased(&route, &connection.id, by, end).await?;
            }
            let channel_id = (*channel, id);
            let plan = options.plan;
            let connected =
                account::connect(&self.store, &self.pepper, &self.account, channel_id, plan)
                    .await?;
            let of_this = |update: &&Update| (update.channel, &update.account) == channel_id;
            let sent = updates.iter().filter(of_this).filter_map(|update| update.at);
            let now = clock::now();
            let days = sent.map(|at| Day::of(at.min(now)));
            let connection = &connected.connection;
            account::make_keys(&self.store, &self.makes_keys, connection, days).await?;
            connections.insert((*channel, id.clone()), connected);
        }
        Ok(connections)
    }

    /// Adds what the store has of one message.
    async fn read_back(
        &self,
        connected: &Connected,
        update: &Update,
        key: &MessageKey,
        line: &mut Line,
    ) -> anyhow::Result<()> {
        let Some(found) = self.store.message_row(key).await? else { return Ok(()) };
        let RawRow { row, message, edit, .. } = found;
        let mid = update.mid.expose();
        if row.unsent {
            line.deleted.push(mid.clone());
        }
        let place = Place { conversation: &key.conversation, message: &key.message };
        if let Some(sealed) = &message {
            let mut opener = self.opener(connected, sealed.day).await?;
            let plain = open_message(&mut opener, place, sealed)?;
            let (business, contact) = (update.account.expose(), plain.contact.expose());
            let (sender, recipient) = match plain.content.direction {
                Direction::In => (contact, business),
                Direction::Out => (business, contact),
            };
            line.stored.push(Stored {
                channel: update.channel.as_str(),
                account_id: business.clone(),
                sender_id: sender.clone(),
                recipient_id: recipient.clone(),
                mid: plain.mid.expose().clone(),
                timestamp_ms: plain.sent_at.as_millisecond(),
                direction: plain.content.direction.as_str(),
                text: plain.content.text.map(|text| text.expose().clone()),
                kind: plain.content.kind.as_str(),
            });
        }
        if let Some(sealed) = &edit {
            let mut opener = self.opener(connected, sealed.day).await?;
            let text = open_edit(&mut opener, place, sealed)?.expose().clone();
            line.edited.push(Edited { mid: mid.clone(), text });
        }
        Ok(())
    }

    async fn opener(
        &self,
        Connected { connection, .. }: &Connected,
        day: Day,
    ) -> anyhow::Result<Opener> {
        let wrapped = self.store.wrapped_day_key(&connection.id, day).await?;
        let wrapped = wrapped.context("a row is sealed to a day without a key")?;
        let name = KeyName::Day { account: &wrapped.account, connection: &connection.id, day };
        let key = self.opens_keys.unwrap(name, &wrapped.wrapped_key).await?;
        Ok(Opener::new(name, key))
    }
}

fn row_key(Connected { connection, index_key }: &Connected, update: &Update) -> MessageKey {
    let contact = index_key.contact(&update.contact);
    let conversation = ConversationId { connection: connection.id.clone(), contact };
    MessageKey { conversation, message: index_key.message(&update.mid) }
}
