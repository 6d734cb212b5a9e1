//! `cargo xtask up`: the whole service on this machine. It shows its main job while you watch.

#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what it does not have")]

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use numib::domain::ids::{AccountId, Channel, ConversationId, MetaId};
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use numib::edge::clock;
use numib::seal::pseudonym::Pepper;
use numib::store::messages::Order;
use serde_json::{Value, json};

use crate::account;
use crate::emulator::Emulator;
use crate::meta::{self, Answer};
use crate::progress::{Step, note, say};
use crate::python::{self, Venv};
use crate::stack::{Login, Stack};
use crate::{aging, erasing, export, functions, project};

/// App secrets of the local stack: the Facebook app's and the Instagram app's.
pub const APP_SECRETS: [&str; 2] =
    ["demo-app-secret-0001-not-real", "demo-ig-secret-0002-not-real"];
/// Verify tokens of the local stack.
pub const VERIFY_TOKENS: [&str; 1] = ["demo-verify-token"];

const EMAIL: &str = "ana@demo.example";
const ACCOUNT: &str = "demo";
const PAGE: &str = "100000000000901";
const INSTAGRAM: &str = "17841400000000901";
/// Two people who write to the demo account.
const MARTA: &str = "7000000000000911";
const LUIS: &str = "17840000000000912";
/// Characters of a message or a ciphertext that a line shows.
const SHOWN: usize = 44;

/// Where the local stack listens.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Port of the emulated AWS, the HTTP API included.
    #[arg(long, default_value_t = 4566)]
    port: u16,
}

/// Folder of the local stack's state.
#[must_use]
pub fn folder() -> PathBuf {
    project::local().join("up")
}

/// The running local stack.
///
/// # Errors
/// When it is not up.
pub fn running() -> anyhow::Result<Stack> {
    let venv = python::emulator_venv()?;
    Stack::read(&venv, &folder().join("stack.json"))
        .context("There is no local stack. Start it with `cargo xtask up` in another terminal")
}

/// Starts everything, shows the main job, and stays until Ctrl-C.
///
/// # Errors
/// What kept a part from starting.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    note("NUMIB on this machine: emulated AWS, real template, real functions.\n");
    let venv = python::emulator_venv()?;
    fs::create_dir_all(folder())?;
    let mut emulator = Emulator::start(&venv, &folder(), options.port)?;
    if emulator.is_ours() {
        // The state file of an emulator that is gone.
        let _ = fs::remove_file(folder().join("stack.json"));
    }
    let shown = deploy(&venv, &emulator).await;
    if shown.is_err() {
        // If the emulator is gone, this says so more clearly than the parts that need the emulator.
        emulator.check()?;
    }
    shown?;
    if !emulator.is_ours() {
        note(&format!(
            "\nThe emulator belongs to another `cargo xtask up`, and stops with that, or with \
             `kill {}`.",
            emulator.pid
        ));
        return Ok(());
    }
    note("\nRunning. Ctrl-C stops it.");
    stay(&mut emulator).await
}

async fn stay(emulator: &mut Emulator) -> anyhow::Result<()> {
    let mut every_second = tokio::time::interval(std::time::Duration::from_secs(1));
    loop {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                note("\nStopping.");
                return Ok(());
            }
            _ = every_second.tick() => emulator.check()?,
        }
    }
}

async fn deploy(venv: &Venv, emulator: &Emulator) -> anyhow::Result<()> {
    let artifacts = functions::pack()?;
    show(&Stack::deploy(venv, &emulator.endpoint, &artifacts, &folder())?).await
}

/// Shows the main job on a stack.
pub(crate) async fn show(stack: &Stack) -> anyhow::Result<()> {
    let demo = seed(stack).await?;
    webhooks(stack)?;
    let conversation = inbox(stack, &demo.login)?;
    rows(stack, &conversation).await?;
    let [_, instagram] = APP_SECRETS;
    erasing::show(stack, instagram, LUIS)?;
    aging::show(stack, instagram, &demo.pepper).await?;
    say("\n6. The account takes its data away: POST /v1/exports, and a link to the archive\n");
    export::show(stack, ACCOUNT, &demo.password).await?;
    addresses(stack, &demo);
    Ok(())
}

/// The demo account.
pub(crate) fn demo_account() -> anyhow::Result<AccountId> {
    AccountId::parse(ACCOUNT).context("not an id")
}

/// The demo account, seeded.
struct Demo {
    login: Login,
    password: String,
    pepper: Pepper,
}

async fn seed(stack: &Stack) -> anyhow::Result<Demo> {
    let step = Step::start("Demo account");
    let secrets = stack.put_meta_secrets(&APP_SECRETS, &VERIFY_TOKENS).await?;
    let store = stack.store();
    let demo = demo_account()?;
    for (channel, id) in [(Channel::Messenger, PAGE), (Channel::Instagram, INSTAGRAM)] {
        let id = MetaId::from(id.to_owned());
        let pepper = &secrets.pepper;
        account::connected(&store, pepper, &demo, (channel, &id), Plan::Days30).await?;
    }
    let password = password()?;
    let login = account::member(stack, (&demo, Role::Agent), (EMAIL, &password)).await?;
    let keys = stack.run_task("provision-day-keys", &clock::now().to_string())?;
    ensure!(keys["connections_failed"] == 0, "day keys could not be made: {keys}");
    let made = keys["keys_made"].as_u64().unwrap_or_default();
    step.done(&format!("Messenger and Instagram connected, {made} day keys made"));
    Ok(Demo { login, password, pepper: secrets.pepper })
}

/// The demo members' password. It is made once, so that a browser can remember it.
///
/// # Errors
/// When it cannot be read, or made.
pub fn password() -> anyhow::Result<String> {
    let file = project::local().join("demo-password");
    if let Ok(password) = fs::read_to_string(&file) {
        return Ok(password);
    }
    let password = account::random_password()?;
    fs::write(&file, &password)?;
    Ok(password)
}

/// Logs the demo member in again: the access token of `up` is good for 15 minutes.
///
/// # Errors
/// When the stack is not up.
pub fn token(stack: &Stack) -> anyhow::Result<String> {
    Ok(stack.login(EMAIL, Role::Agent.as_str(), &password()?)?.access_token)
}

/// Delivers webhooks as Meta would: a batch, an echo, an edit, an unsend, and the batch again.
fn webhooks(stack: &Stack) -> anyhow::Result<()> {
    say("\n1. Meta delivers signed webhooks to POST /meta/webhook\n");
    let run = account::random_id()?;
    let now = clock::now().as_millisecond();
    let mid = |name: &str| format!("m_{run}_{name}");
    let page = |from: &str, to: &str, at: i64, what: (&str, Value)| {
        let (field, value) = what;
        json!({"sender": {"id": from}, "recipient": {"id": to},
               "timestamp": now + at, field: value})
    };
    let (marta, luis) = (MARTA, LUIS);
    let text = |name: &str, text: &str| ("message", json!({"mid": mid(name), "text": text}));
    let batch = body(
        "page",
        PAGE,
        now,
        &[
            page(marta, PAGE, -3000, text("1", "Hola, ¿tienen el escritorio de nogal?")),
            page(marta, PAGE, -2000, text("2", "Necesito dos para el viernes")),
        ],
    );
    let echoed =
        json!({"mid": mid("3"), "text": "Sí, quedan tres. ¿Se los aparto?", "is_echo": true});
    let echo = body("page", PAGE, now, &[page(PAGE, marta, -1000, ("message", echoed))]);
    let edited = json!({"mid": mid("2"), "text": "Necesito tres para el viernes", "num_edit": 1});
    let edit = body("page", PAGE, now, &[page(marta, PAGE, -500, ("message_edit", edited))]);
    let direct = body(
        "instagram",
        INSTAGRAM,
        now,
        &[
            page(luis, INSTAGRAM, -2500, text("4", "Is the blue one waterproof?")),
            page(luis, INSTAGRAM, -2400, text("5", "Sorry, wrong number")),
        ],
    );
    let deleted = json!({"mid": mid("5"), "is_deleted": true});
    let unsend =
        body("instagram", INSTAGRAM, now, &[page(luis, INSTAGRAM, -2300, ("message", deleted))]);
    let [facebook, instagram] = APP_SECRETS;
    let deliveries = [
        ("a batch of two messages", facebook, &batch),
        ("the business's own answer", facebook, &echo),
        ("an edit of the second message", facebook, &edit),
        ("two messages on Instagram", instagram, &direct),
        ("an unsend of the second", instagram, &unsend),
        ("the first batch once more", facebook, &batch),
        ("the unsent message once more", instagram, &direct),
    ];
    for (what, secret, body) in deliveries {
        let answer = meta::deliver(&stack.deployed, secret, body.as_bytes())?;
        ensure!(answer.status == 200, "{what} was answered {}: {}", answer.status, answer.body);
        say(&format!("   {what:<32} 200  {}", counts(&answer)));
    }
    let forged = meta::deliver(&stack.deployed, "not the secret", batch.as_bytes())?;
    ensure!(forged.status == 401, "a forged body was answered {}", forged.status);
    say(&format!("   {:<32} 401  nothing is read", "a forged signature"));
    Ok(())
}

fn body(object: &str, account: &str, time: i64, messaging: &[Value]) -> String {
    let entry = json!({"id": account, "time": time, "messaging": messaging});
    json!({"object": object, "entry": [entry]}).to_string()
}

fn counts(answer: &Answer) -> String {
    let answer = answer.json();
    let counts = ["stored", "edited", "unsent"].map(|name| (name, answer[name].as_u64()));
    let counts = counts.into_iter().filter(|(_, count)| count.is_some_and(|count| count > 0));
    let mut words: Vec<String> =
        counts.map(|(name, count)| format!("{name} {}", count.unwrap_or_default())).collect();
    let reasons = answer["reasons"].as_object().into_iter().flatten();
    words.extend(reasons.map(|(reason, count)| format!("ignored {count} ({reason})")));
    words.join(", ")
}

/// Reads the inbox as its member; returns the id of one conversation.
fn inbox(stack: &Stack, login: &Login) -> anyhow::Result<String> {
    say("\n2. The account's member reads them: GET /v1/conversations\n");
    let list = read(stack, "/v1/conversations", login)?;
    let conversations = list["conversations"].as_array().cloned().unwrap_or_default();
    for one in &conversations {
        let (channel, last) = (one["channel"].as_str().unwrap_or_default(), &one["last_message"]);
        say(&format!("   {channel:<10} {}", line(last)));
    }
    let messenger = conversations.iter().find(|one| one["channel"] == "messenger");
    let id = messenger.and_then(|one| one["id"].as_str()).context("no conversation is listed")?;
    say("\n   and one of them: GET /v1/conversations/{id}/messages\n");
    let page = read(stack, &format!("/v1/conversations/{id}/messages?limit=5"), login)?;
    for message in page["messages"].as_array().into_iter().flatten() {
        say(&format!("   {}", line(message)));
    }
    Ok(id.to_owned())
}

fn read(stack: &Stack, path: &str, login: &Login) -> anyhow::Result<Value> {
    let answer = meta::get(&stack.deployed, path, Some(&login.access_token))?;
    ensure!(answer.status == 200, "{path} was answered {}: {}", answer.status, answer.body);
    Ok(answer.json())
}

fn line(message: &Value) -> String {
    let word = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
    let edited = if message["edited"] == true { " (edited)" } else { "" };
    let text: String = word("text").chars().take(SHOWN).collect();
    let (sent, until) = (word("sent_at"), word("expires_at"));
    let day = |time: &str| time.get(..10).unwrap_or_default().to_owned();
    format!("{:<3} {} until {}  {text}{edited}", word("direction"), day(&sent), day(&until))
}

/// Shows the same conversation as it is in the table.
async fn rows(stack: &Stack, conversation: &str) -> anyhow::Result<()> {
    say("\n3. The same messages as the database holds them: pseudonyms and ciphertext\n");
    let conversation = ConversationId::parse(conversation).context("not a conversation's id")?;
    let newest = (Order::NewestFirst, None);
    let page =
        stack.store().message_page(&conversation, newest, 5, (Plan::Days365, clock::now())).await?;
    say(&format!("   pk {conversation}"));
    for row in page.messages {
        let hex: Vec<String> =
            row.sealed.bytes.iter().skip(66).take(12).map(|byte| format!("{byte:02x}")).collect();
        let bytes = row.sealed.bytes.len();
        say(&format!(
            "   sk {}  sealed …{}… ({bytes} bytes)  expires_at {}",
            row.id,
            hex.concat(),
            row.expires_at
        ));
    }
    Ok(())
}

fn addresses(stack: &Stack, demo: &Demo) {
    let deployed = &stack.deployed;
    let (url, host) = (&deployed.api_url, &deployed.api_host);
    let [secret, _] = APP_SECRETS;
    let [token, ..] = VERIFY_TOKENS;
    say("\n7. Try it\n");
    say(&format!("   HTTP API      {url}   with the header  Host: {host}"));
    say(&format!("   Member        {EMAIL}   password  {}", demo.password));
    say(&format!("   AWS APIs      {url}   credentials  test / test"));
    say(&format!("   App secret    {secret}   verify token  {token}"));
    let state = stack.file().parent().unwrap_or_else(|| stack.file());
    say(&format!("   State, logs   {}\n", state.display()));
    say(&format!("   export API={url} HOST={host} TOKEN=$(cargo xtask token)\n"));
    say(
        "   curl -s -H \"Host: $HOST\" -H \"Authorization: Bearer $TOKEN\" $API/v1/conversations\n",
    );
    say(&format!(
        "   curl -s -H \"Host: $HOST\" \"$API/meta/webhook?hub.mode=subscribe\
         &hub.verify_token={token}&hub.challenge=42\"\n"
    ));
    say(&format!(
        "   BODY='{{\"object\":\"page\",\"entry\":[{{\"id\":\"{PAGE}\",\"messaging\":[{{\"sender\":\
         {{\"id\":\"7001\"}},\"recipient\":{{\"id\":\"{PAGE}\"}},\"message\":{{\"mid\":\"m_1\",\
         \"text\":\"hi\"}}}}]}}]}}'"
    ));
    say(&format!(
        "   SIGNATURE=$(printf %s \"$BODY\" | openssl dgst -sha256 -hmac {secret} | sed 's/.* //')"
    ));
    say(
        "   curl -s -H \"Host: $HOST\" -H \"X-Hub-Signature-256: sha256=$SIGNATURE\" -d \"$BODY\" \
         $API/meta/webhook",
    );
}
