//! The recorded bodies of the fixtures, through the whole stack.

use std::collections::BTreeSet;
use std::path::Path;

use numib::domain::plan::Plan;
use serde_json::{Value, json};
use xtask::replay::{self, Options};

use crate::deployed::deployed;

const ACCOUNTS: [&str; 7] = [
    "messenger:900000000000101",
    "messenger:900000000000202",
    "messenger:900000000000303",
    "messenger:900000000000404",
    "messenger:900000000000505",
    "instagram:17841499000000001",
    "instagram:17841499000000002",
];

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// In any order.
fn set(values: &Value) -> BTreeSet<String> {
    values.as_array().unwrap().iter().map(ToString::to_string).collect()
}

//= R1.1, R8.2
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn every_recorded_body_leaves_what_is_expected_of_it() {
    let stack = deployed().await.stack;
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/webhooks");
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("replay.jsonl");
    let accounts = ACCOUNTS.map(|account| account.parse().unwrap()).to_vec();
    let options =
        Options { dir: dir.clone(), accounts, plan: Plan::Days30, out: Some(out.clone()) };
    replay::run(stack, options).await.unwrap();
    let expected = lines(&dir.join("expected.jsonl"));
    let found = lines(&out);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        let file = &expected["file"];
        let edits = expected["messages_to_edit"].as_array().unwrap().iter();
        let edits = edits.map(|edit| json!({"mid": edit["mid"], "text": edit["text"]})).collect();
        assert_eq!(&found["file"], file);
        assert_eq!(found["status"], expected["ack_status"], "{file}");
        assert_eq!(set(&found["stored"]), set(&expected["messages_to_store"]), "{file}");
        assert_eq!(set(&found["deleted"]), set(&expected["messages_to_delete"]), "{file}");
        assert_eq!(set(&found["edited"]), set(&Value::Array(edits)), "{file}");
        assert_eq!(found["ignored"], expected["ignored"]["count"], "{file}");
    }
}
