//! The floor under meta-webhook: a minimal function that makes the same DynamoDB calls as its hot
//! path, through the same clients, and does nothing else. No signature, no parsing, no sealing, no
//! logs, no metrics.
//!
//! `bench` watches meta-webhook take one message in and hands what it saw over as the only
//! argument. A package of its own, so that nothing `bench` needs changes how either is built.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use numib::edge::clients;
use numib::edge::config::Config;
use serde_json::{Value, json};

#[expect(clippy::disallowed_types, reason = "the SDK's own type")]
type Item = std::collections::HashMap<String, AttributeValue>;

/// Characters of a request id that make a sort key of the length meta-webhook's have.
const SORT_KEY_LEN: usize = 22;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    let client = Client::new(&clients::sdk_config(&config));
    let calls = std::env::args().nth(1).and_then(|seen| Calls::read(&seen));
    let calls = Arc::new(calls.ok_or("the argument is not what bench saw")?);
    run(service_fn(move |event: LambdaEvent<Value>| {
        let (client, calls) = (client.clone(), Arc::clone(&calls));
        async move { calls.make(&client, &event.context.request_id).await }
    }))
    .await
}

/// What meta-webhook was seen to call for one message.
struct Calls {
    find: Batch,
    put: Put,
    look: Batch,
}

struct Put {
    table: String,
    item: Item,
    /// The attribute that differs from message to message.
    sort_key: String,
}

/// Reads of several tables in one request.
struct Batch(Vec<(String, KeysAndAttributes)>);

impl Calls {
    async fn make(&self, client: &Client, request_id: &str) -> Result<Value, Error> {
        self.find.send(client).await?;
        self.put.send(client, request_id).await?;
        self.look.send(client).await?;
        Ok(json!({"statusCode": 200, "body": "{}"}))
    }

    fn read(seen: &str) -> Option<Self> {
        let seen: Value = serde_json::from_str(seen).ok()?;
        let put = seen.get("put")?;
        Some(Self {
            find: Batch::read(seen.get("find")?)?,
            put: Put {
                table: text(put.get("TableName")?)?,
                item: item(put.get("Item")?)?,
                sort_key: text(put.get("sort_key")?)?,
            },
            look: Batch::read(seen.get("look")?)?,
        })
    }
}

impl Put {
    async fn send(&self, client: &Client, request_id: &str) -> Result<(), Error> {
        let sort_key: String = request_id.chars().take(SORT_KEY_LEN).collect();
        let mut item = self.item.clone();
        item.insert(self.sort_key.clone(), AttributeValue::S(sort_key));
        client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(format!("attribute_not_exists({})", self.sort_key))
            .send()
            .await?;
        Ok(())
    }
}

impl Batch {
    fn read(seen: &Value) -> Option<Self> {
        let table = |(name, asked): (&String, &Value)| {
            let keys = asked.get("Keys")?.as_array()?.iter().map(item).collect::<Option<_>>()?;
            let read = KeysAndAttributes::builder()
                .set_keys(Some(keys))
                .set_projection_expression(asked.get("ProjectionExpression").and_then(text))
                .set_consistent_read(asked.get("ConsistentRead").and_then(Value::as_bool));
            Some((name.clone(), read.build().ok()?))
        };
        seen.as_object()?.iter().map(table).collect::<Option<_>>().map(Self)
    }

    async fn send(&self, client: &Client) -> Result<(), Error> {
        let asked = self.0.iter().cloned().collect();
        client.batch_get_item().set_request_items(Some(asked)).send().await?;
        Ok(())
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// An item in DynamoDB's own JSON, of the three kinds that the hot path writes.
fn item(value: &Value) -> Option<Item> {
    value.as_object()?.iter().map(|(name, value)| Some((name.clone(), attribute(value)?))).collect()
}

fn attribute(value: &Value) -> Option<AttributeValue> {
    let (kind, value) = value.as_object()?.iter().next()?;
    let value = value.as_str()?;
    match kind.as_str() {
        "S" => Some(AttributeValue::S(value.to_owned())),
        "N" => Some(AttributeValue::N(value.to_owned())),
        "B" => Some(AttributeValue::B(Blob::new(STANDARD.decode(value).ok()?))),
        _ => None,
    }
}
