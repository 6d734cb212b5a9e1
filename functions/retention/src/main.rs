//! The Lambda binary: configuration, clients, run.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use numib::archive::attestations::Attestations;
use numib::edge::{clients, config, config::Config, queue::ErasureQueue, telemetry};
use numib::seal::{kms::DataKeys, receipt::SigningKey};
use numib::store::Store;
use retention::{App, Event, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    telemetry::install(&config);
    let sdk = clients::sdk_config(&config);
    let store = Store::new(aws_sdk_dynamodb::Client::new(&sdk), config::tables()?);
    let kms = aws_sdk_kms::Client::new(&sdk);
    let day_keys = DataKeys::new(kms.clone(), config::data_key_arn()?);
    let queue = aws_sdk_sqs::Client::new(&sdk);
    let queue = ErasureQueue::new(queue, config::erasure_queue_url()?);
    let receipts = SigningKey::new(kms, config::receipt_key_arn()?);
    let attestations = Attestations::new(clients::s3(&sdk), config::attestation_bucket()?);
    let app = Arc::new(App { store, day_keys, queue, receipts, attestations });
    run(service_fn(move |event: LambdaEvent<Event>| {
        let app = Arc::clone(&app);
        async move { handle(&app, event.payload, event.context.deadline()).await }
    }))
    .await
}
