//! The part of `up` that shows an erasure: Meta's signed callback, the page before and after, and
//! the receipt.

#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what it does not have")]

use std::time::Duration;

use anyhow::{Context as _, ensure};
use numib::edge::clock;
use numib::edge::clock::Stopwatch;
use serde_json::{Value, json};

use crate::meta::{self, Answer};
use crate::progress::{Step, say};
use crate::receipt;
use crate::stack::Stack;

/// The sweep begins after ten seconds, and then the worker needs a moment.
const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(500);

/// Plays a person who asks Meta for the deletion of their data, and follows the request to its
/// receipt.
///
/// # Errors
/// When an answer is not what it should be.
pub(crate) fn show(stack: &Stack, secret: &str, person: &str) -> anyhow::Result<()> {
    say("\n4. A person asks Meta to have their data deleted: POST /meta/data-deletion\n");
    let issued_at = clock::now().as_second();
    let payload = json!({"user_id": person, "algorithm": "HMAC-SHA256", "issued_at": issued_at});
    let signed = meta::signed_request(secret, &payload);
    let answer = meta::call_back(&stack.deployed, "/meta/data-deletion", &signed)?;
    ensure!(answer.status == 200, "the callback was answered {}: {}", answer.status, answer.body);
    say(&format!("   200  {}", answer.body));
    let forged = meta::signed_request("not the secret", &payload);
    let forged = meta::call_back(&stack.deployed, "/meta/data-deletion", &forged)?;
    ensure!(forged.status == 401, "a forged callback was answered {}", forged.status);
    say("   401  a forged one: nothing is done\n");
    let code = answer.json()["confirmation_code"].as_str().context("no code")?.to_owned();
    let page = format!("/data-deletion/{code}");
    say(&format!("   The page, {page}, at once and when it is done:\n"));
    say(&format!("   {}", line(&status(stack, &page)?)));
    let step = Step::start("Erasure");
    let done = wait(stack, &page)?;
    step.done("swept and proven");
    say(&format!("   {}\n", line(&done)));
    let receipt = get(stack, &format!("{page}/receipt"))?;
    let keys = get(stack, "/.well-known/jwks.json")?;
    let claims = receipt::verify(&receipt.body, &keys.body)?;
    say("   and its receipt, checked with the published key (ES256):\n");
    for name in ["source", "removed", "keys_destroyed", "ledger_position"] {
        say(&format!("   {name:<16} {}", claims[name]));
    }
    Ok(())
}

fn wait(stack: &Stack, page: &str) -> anyhow::Result<Value> {
    let stopwatch = Stopwatch::start();
    loop {
        let found = status(stack, page)?;
        if found["state"] == "completed" {
            return Ok(found);
        }
        ensure!(stopwatch.elapsed() < PATIENCE, "the erasure is not done: {found}");
        std::thread::sleep(POLL);
    }
}

fn status(stack: &Stack, page: &str) -> anyhow::Result<Value> {
    Ok(get(stack, page)?.json())
}

fn get(stack: &Stack, path: &str) -> anyhow::Result<Answer> {
    let answer = meta::get_json(&stack.deployed, path)?;
    ensure!(answer.status == 200, "{path} was answered {}: {}", answer.status, answer.body);
    Ok(answer)
}

fn line(status: &Value) -> String {
    let word = |name: &str| status[name].as_str().unwrap_or("-").to_owned();
    let (state, since) = (word("state"), word("unreadable_since"));
    format!("{state:<10} unreadable since {since}  removed {}", status["removed"])
}
