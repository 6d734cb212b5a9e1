//! Pages that are kept as files, made by the running stack: the attestation of a day, and the
//! archive of an account with many sorts of texts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use jiff::SignedDuration;
use numib::archive::attestations::Form;
use numib::domain::ids::{AccountId, Channel, MetaId};
use numib::domain::plan::Plan;
use numib::domain::time::Day;
use numib::edge::clock;
use numib::seal::pseudonym::Pepper;
use serde_json::{Value, json};

use crate::stack::Stack;
use crate::up::{APP_SECRETS, VERIFY_TOKENS};
use crate::{account, export, meta};

/// Texts that can go wrong on a page: markup, formulas, both directions, emoji, endless words.
const TEXTS: [&str; 6] = [
    "<script>alert('1')</script><img src=x onerror=alert(2)>\"'&amp;",
    "=HYPERLINK(\"https://numib.example\")",
    "مرحبا، هل الطاولة متوفرة؟ 12 קוד",
    "¡Sí! 👩🏽‍💻🪑 quedan 3\ny una mesa\u{202e}txet desrever",
    "",
    "https://numib.example/a/long/address/without/any/space/in/it/that/goes/on/and/on/and/on",
];
/// More messages than one page of the archive has.
const MANY: usize = 520;

/// The attestation of today, as the schedule would file it tomorrow; its page, as a file.
///
/// # Errors
/// When it is not filed.
pub(crate) async fn attestation(stack: &Stack, folder: &Path) -> anyhow::Result<PathBuf> {
    let today = Day::of(clock::now());
    let tomorrow = today.plus(1).start().saturating_add(SignedDuration::from_mins(30))?;
    stack.run_task("attest", &tomorrow.to_string())?;
    let page = stack.attestations().filed(today, Form::Page).await?;
    let file = folder.join("attestation.html");
    fs::write(&file, page)?;
    Ok(file)
}

/// An account's archive, unpacked; the page that people begin with.
///
/// # Errors
/// When it is not made.
pub(crate) async fn archive(stack: &Stack, folder: &Path) -> anyhow::Result<PathBuf> {
    let secrets = stack.put_meta_secrets(&APP_SECRETS, &VERIFY_TOKENS).await?;
    let id = AccountId::parse(&account::random_id()?).context("not an id")?;
    let page = page(stack, &secrets.pepper, &id).await?;
    let contact = account::random_id()?;
    let now = clock::now().as_millisecond();
    let mut items: Vec<Value> = Vec::new();
    let ages = (1_i64..).map(|seconds| now.saturating_sub(seconds.saturating_mul(1000)));
    let mids = (0..).map(|number| format!("m_{id}_{number}"));
    let texts = TEXTS.into_iter().chain(std::iter::repeat("Hola, ¿a qué hora abren?"));
    for ((at, mid), text) in ages.zip(mids).zip(texts).take(MANY) {
        let image = json!([{"type": "image", "payload": {"url": "https://numib.example/1"}}]);
        let message = match text {
            "" => json!({"mid": mid, "attachments": image}),
            text => json!({"mid": mid, "text": text}),
        };
        items.push(item((&contact, &page), at, "message", &message));
    }
    let edit = json!({"mid": format!("m_{id}_3"), "text": "Quedan <b>dos</b>", "num_edit": 1});
    items.push(item((&contact, &page), now, "message_edit", &edit));
    let other = account::random_id()?;
    let last = json!({"mid": format!("m_{id}_other"), "text": "Gracias"});
    items.push(item((&other, &page), now, "message", &last));
    for items in items.chunks(200) {
        let entry = json!({"id": page, "time": now, "messaging": items});
        let body = json!({"object": "page", "entry": [entry]}).to_string();
        let [secret, _] = APP_SECRETS;
        let answer = meta::deliver(&stack.deployed, secret, body.as_bytes())?;
        ensure!(answer.status == 200, "messages were answered {}", answer.status);
    }
    let password = account::random_password()?;
    let owner = export::owner(stack, &id, &password).await?;
    let folder = folder.join("archive");
    export::export(stack, &owner)?.unpack(&folder)?;
    Ok(folder.join("index.html"))
}

/// A Page of the account, with keys; its id.
async fn page(stack: &Stack, pepper: &Pepper, id: &AccountId) -> anyhow::Result<String> {
    let page = account::random_id()?;
    let name = MetaId::from(page.clone());
    account::connect(&stack.store(), pepper, id, (Channel::Messenger, &name), Plan::Days30).await?;
    stack.run_task("provision-day-keys", &clock::now().to_string())?;
    Ok(page)
}

fn item((from, to): (&str, &str), at: i64, field: &str, value: &Value) -> Value {
    json!({"sender": {"id": from}, "recipient": {"id": to}, "timestamp": at, field: value})
}
