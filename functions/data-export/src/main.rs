//! The Lambda binary: configuration, clients, run.

use std::sync::Arc;

use data_export::{App, Event, PART_LEN, handle};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use numib::archive::exports::Exports;
use numib::edge::{clients, clock::Clock, config, config::Config, queue::ExportQueue, telemetry};
use numib::seal::{kms::DataKeys, receipt::SigningKey};
use numib::{identity::UserPool, store::Store};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    telemetry::install(&config, module_path!());
    let sdk = clients::sdk_config(&config);
    let kms = aws_sdk_kms::Client::new(&sdk);
    let app = Arc::new(App {
        store: Store::new(aws_sdk_dynamodb::Client::new(&sdk), config::tables()?),
        keys: DataKeys::new(kms.clone(), config::data_key_arn()?),
        receipts: SigningKey::new(kms, config::receipt_key_arn()?),
        exports: Exports::new(clients::s3(&sdk), config::export_bucket()?),
        user_pool: UserPool::new(&sdk, config::user_pool_id()?),
        part_len: PART_LEN,
        queue: ExportQueue::new(aws_sdk_sqs::Client::new(&sdk), config::export_queue_url()?),
    });
    run(service_fn(move |event: LambdaEvent<Event>| {
        let app = Arc::clone(&app);
        let clock = Clock::start_until(event.context.deadline());
        async move { handle(&app, event.payload, clock).await }
    }))
    .await
}
