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
use futures_util::try_join;
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
    gets: [Get; 2],
    put: Put,
    look: Look,
}

struct Get {
    table: String,
    key: Item,
    projection: Option<String>,
}

struct Put {
    table: String,
    item: Item,
    /// The attribute that differs from message to message.
    sort_key: String,
}

struct Look {
    table: String,
    keys: Vec<Item>,
}

impl Calls {
    async fn make(&self, client: &Client, request_id: &str) -> Result<Value, Error> {
        let [first, second] = &self.gets;
        try_join!(first.send(client), second.send(client))?;
        self.put.send(client, request_id).await?;
        self.look.send(client).await?;
        Ok(json!({"statusCode": 200, "body": "{}"}))
    }

    fn read(seen: &str) -> Option<Self> {
        let seen: Value = serde_json::from_str(seen).ok()?;
        let get = |at: usize| {
            let get = seen.get("gets")?.get(at)?;
            let projection = get.get("ProjectionExpression").and_then(Value::as_str);
            Some(Get {
                table: text(get.get("TableName")?)?,
                key: item(get.get("Key")?)?,
                projection: projection.map(str::to_owned),
            })
        };
        let put = seen.get("put")?;
        let look = seen.get("look")?;
        Some(Self {
            gets: [get(0)?, get(1)?],
            put: Put {
                table: text(put.get("TableName")?)?,
                item: item(put.get("Item")?)?,
                sort_key: text(put.get("sort_key")?)?,
            },
            look: Look {
                table: text(look.get("TableName")?)?,
                keys: look.get("Keys")?.as_array()?.iter().map(item).collect::<Option<_>>()?,
            },
        })
    }
}

impl Get {
    async fn send(&self, client: &Client) -> Result<(), Error> {
        client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(self.key.clone()))
            .set_projection_expression(self.projection.clone())
            .send()
            .await?;
        Ok(())
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

impl Look {
    async fn send(&self, client: &Client) -> Result<(), Error> {
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(self.keys.clone()))
            .consistent_read(true)
            .build()?;
        client.batch_get_item().request_items(&self.table, keys).send().await?;
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
