//! The Lambda binary: configuration, clients, run.

use std::sync::Arc;

use erasure::{App, Event, handle};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use numib::edge::queue::ErasureQueue;
use numib::edge::{clients, config, config::Config, telemetry};
use numib::seal::receipt::SigningKey;
use numib::store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    telemetry::install(&config);
    let sdk = clients::sdk_config(&config);
    let store = Store::new(aws_sdk_dynamodb::Client::new(&sdk), config::tables()?);
    let receipts = SigningKey::new(aws_sdk_kms::Client::new(&sdk), config::receipt_key_arn()?);
    let queue = ErasureQueue::new(aws_sdk_sqs::Client::new(&sdk), config::erasure_queue_url()?);
    let app = Arc::new(App { store, receipts, queue });
    run(service_fn(move |event: LambdaEvent<Event>| {
        let app = Arc::clone(&app);
        async move { handle(&app, event.payload, event.context.deadline()).await }
    }))
    .await
}
