//! The part of `up` that shows what time does: it plays eight days that pass.

#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what it does not have")]

use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::SignedDuration;
use numib::domain::ids::{AccountId, Channel, ConnectionId, ConversationId, MetaId};
use numib::domain::plan::Plan;
use numib::domain::role::Role;
use numib::domain::time::Day;
use numib::edge::clock::{self, Stopwatch};
use numib::seal::pseudonym::Pepper;
use numib::store::Store;
use serde_json::json;

use crate::account;
use crate::meta;
use crate::progress::say;
use crate::stack::{Login, Stack};

/// A worker is started by its queue, and needs a moment.
const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(500);

/// Gives an account of seven days a message, and lets eight days pass.
///
/// # Errors
/// When something is wrong after the eight days.
pub(crate) async fn show(stack: &Stack, secret: &str, pepper: &Pepper) -> anyhow::Result<()> {
    say("\n5. Eight days later: an account keeps its messages for seven\n");
    let store = stack.store();
    // A new account each time, since its messages expire here.
    let name = account::random_id()?;
    let account = AccountId::parse(&name).context("not an id")?;
    let page = u64::from_str_radix(&name, 16)?.to_string();
    let channel = (Channel::Messenger, &MetaId::from(page.clone()));
    let connected = account::connect(&store, pepper, &account, channel, Plan::Days7).await?;
    let (email, password) = (format!("{name}@numib.example"), account::random_password()?);
    let login = account::member(stack, (&account, Role::Agent), (&email, &password)).await?;
    stack.run_task("provision-day-keys", &clock::now().to_string())?;
    let now = clock::now().as_millisecond();
    let message = json!({"sender": {"id": "7007"}, "recipient": {"id": page},
        "timestamp": now - 1000, "message": {"mid": format!("m_{name}"), "text": "¿Abren hoy?"}});
    let entry = json!({"id": page, "time": now, "messaging": [message]});
    let body = json!({"object": "page", "entry": [entry]}).to_string();
    let answer = meta::deliver(&stack.deployed, secret, body.as_bytes())?;
    ensure!(answer.status == 200, "the message was answered {}", answer.status);

    let connection = &connected.connection.id;
    let keys = store.day_key_days(connection).await?.len();
    say(&format!("   today               {} shown, {keys} day keys", shown(stack, &login)?));
    let expired = Plan::Days7.shred_on(Day::of(clock::now()));
    let one_o_clock = |day: Day| day.start().saturating_add(SignedDuration::from_hours(1));
    // One run for each day. A key that waited for a later run would be a violation.
    for back in (1..=8).rev() {
        let day = one_o_clock(expired.plus(-back))?.to_string();
        stack.run_task("destroy-expired-keys", &day)?;
    }
    let then = one_o_clock(expired)?.to_string();
    let ran = stack.run_task("destroy-expired-keys", &then)?;
    let keys = store.day_key_days(connection).await?.len();
    let shown = shown(stack, &login)?;
    say(&format!("   {then}  {shown} shown, {keys} day keys"));
    ensure!(shown == 0, "a message outlived its key");
    say(&format!("   the schedule said   due {}, destroyed {}", ran["due"], ran["destroyed"]));
    let rows = rows(&store, connection).await?;
    say(&format!("   in the table        {rows} row that nobody can open"));
    let next = expired.plus(1).start().saturating_add(SignedDuration::from_mins(30))?;
    let report = stack.run_task("attest", &next.to_string())?;
    say(&format!(
        "   attested            violations {}, filed in S3 as JSON, JWS and a page",
        report["violations"]
    ));
    sweep(stack, connection, expired.plus(2)).await
}

/// Shows what happens to a row that time to live has left for two days.
async fn sweep(stack: &Stack, connection: &ConnectionId, on: Day) -> anyhow::Result<()> {
    let store = stack.store();
    let at = on.start().saturating_add(SignedDuration::from_hours(1))?.to_string();
    stack.run_task("sweep-expired-rows", &at)?;
    let stopwatch = Stopwatch::start();
    while rows(&store, connection).await? > 0 {
        ensure!(stopwatch.elapsed() < PATIENCE, "the row is not swept");
        tokio::time::sleep(POLL).await;
    }
    say(&format!("   {at}  0 rows in the table: what time to live leaves is swept"));
    Ok(())
}

/// How many rows there are of the connection's one contact.
async fn rows(store: &Store, connection: &ConnectionId) -> anyhow::Result<usize> {
    let contacts = store.contacts_after(connection, None).await?;
    let contact = contacts.into_iter().next().context("no contact")?;
    let conversation = ConversationId { connection: connection.clone(), contact };
    Ok(store.rows_after(&conversation, None, 10).await?.0.len())
}

fn shown(stack: &Stack, login: &Login) -> anyhow::Result<usize> {
    let answer = meta::get(&stack.deployed, "/v1/conversations", Some(&login.access_token))?;
    ensure!(answer.status == 200, "the inbox was answered {}: {}", answer.status, answer.body);
    Ok(answer.json()["conversations"].as_array().map_or(0, Vec::len))
}
