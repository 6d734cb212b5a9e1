//! How late time to live is, by the deployed function. The emulator removes what has expired
//! without a record in the stream, so the record here is made as DynamoDB makes it. The emulator's
//! own records show that the mapping leaves out what others delete.

use std::time::Duration;

use numib::domain::ids::{Channel, ConversationId, MessageId};
use numib::domain::plan::Plan;
use numib::store::messages::MessageKey;
use numib::store::pace::Pace;
use serde_json::{Value, json};

use crate::deployed::{Deployed, deployed, digits, now_ms};

/// The lines of the function's log that have this text.
fn logged(deployed: &Deployed, text: &str) -> Vec<Value> {
    let dump = deployed.stack.dump().unwrap();
    let entries = dump.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let log = entries.filter(|entry| {
        let source = entry["source"].as_str().unwrap();
        source.starts_with("log:") && source.ends_with("-retention")
    });
    let lines = log.flat_map(|log| log["content"].as_array().unwrap().clone());
    let lines = lines.map(|line| line["message"].as_str().unwrap().to_owned());
    let lines = lines.filter(|line| line.contains(text));
    lines.map(|line| serde_json::from_str(&line).unwrap()).collect()
}

/// The record that DynamoDB writes of a row that expired an hour before.
fn removal() -> Value {
    json!({
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": "REMOVE",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_796_103_661,
            "Keys": {"pk": {"S": "canary-conversation"}, "sk": {"S": "canary-message"}},
            "OldImage": {
                "pk": {"S": "canary-conversation"}, "sk": {"S": "canary-message"},
                "sealed": {"B": "Y2FuYXJ5LXNlYWxlZA=="}, "sent_at": {"N": "1793508061000"},
                "expires_at": {"N": "1796100061"},
            },
            "SequenceNumber": "4421584500000000017450439091",
            "SizeBytes": 26,
            "StreamViewType": "OLD_IMAGE",
        },
        "userIdentity": {"principalId": "dynamodb.amazonaws.com", "type": "Service"},
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:111122223333:table/m/stream/2026",
    })
}

//= R6.2
#[ignore = "needs a stack: cargo xtask test"]
#[tokio::test]
async fn what_time_to_live_removes_is_measured_and_what_we_delete_is_not_even_delivered() {
    let deployed = deployed().await;
    let account = deployed.account(Channel::Messenger, Plan::Days30, &[]).await;
    let person = digits();
    let runs = || logged(&deployed, "expired rows removed").len();
    let runs_before = runs();
    deployed.deliver(&account, &[account.text(&person, now_ms(), "m_1", "to be deleted")]);
    let id = &account.connection.id;
    let contacts = deployed.store.contacts_after(id, None).await.unwrap();
    let conversation = ConversationId::parse(&format!("{id}.{}", contacts[0].as_str())).unwrap();
    let (rows, _) = deployed.store.rows_after(&conversation, None, 10).await.unwrap();
    assert_eq!(rows.len(), 1);
    let message: MessageId = rows[0].message.clone();
    deployed
        .store
        .delete_rows(&[MessageKey { conversation, message }], &mut Pace::default())
        .await
        .unwrap();
    // The emulator hands records over at once.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(runs(), runs_before, "the function was invoked for a row that we deleted");

    let event = json!({"Records": [removal(), {"eventName": "REMOVE"}, null]});
    let done = deployed.stack.invoke_retention(&event).unwrap();
    let expected = json!({"task": "time-to-live", "removed": 1,
                          "seconds_late_max": 3600, "unreadable": 1});
    assert_eq!(done, expected);
    let metrics = logged(&deployed, "\"TtlLatenessSeconds\"");
    let metric = metrics.last().expect("the function wrote no metric");
    assert_eq!(metric["TtlLatenessSeconds"], json!([3600]));
    assert_eq!((&metric["TtlRemoved"], &metric["TtlUnreadable"]), (&json!(1), &json!(1)));
    assert_eq!(metric["Function"], json!(deployed.stack.deployed.outputs.retention_function));
    let of_the_row = logged(&deployed, "canary");
    assert!(of_the_row.is_empty(), "something of the row itself is in the log: {of_the_row:?}");
}
