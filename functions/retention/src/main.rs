//! The Lambda binary: configuration, clients, run.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use numib::archive::{attestations::Attestations, exports::Exports};
use numib::edge::queue::{ExportQueue, WorkQueue};
use numib::edge::{clients, clock::Clock, config, config::Config, telemetry};
use numib::seal::{kms::DataKeys, receipt::SigningKey};
use numib::store::Store;
use retention::{App, Event, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    telemetry::install(&config, module_path!());
    let sdk = clients::sdk_config(&config);
    let store = Store::new(aws_sdk_dynamodb::Client::new(&sdk), config::tables()?);
    let kms = aws_sdk_kms::Client::new(&sdk);
    let day_keys = DataKeys::new(kms.clone(), config::data_key_arn()?);
    let sqs = aws_sdk_sqs::Client::new(&sdk);
    let queue = WorkQueue::new(sqs.clone(), config::work_queue_url()?);
    let export_queue = ExportQueue::new(sqs, config::export_queue_url()?);
    let receipts = SigningKey::new(kms, config::receipt_key_arn()?);
    let s3 = clients::s3(&sdk);
    let attestations = Attestations::new(s3.clone(), config::attestation_bucket()?);
    let exports = Exports::new(s3, config::export_bucket()?);
    let app = App { store, day_keys, queue, receipts, attestations, exports, export_queue };
    let app = Arc::new(app);
    run(service_fn(move |event: LambdaEvent<Event>| {
        let app = Arc::clone(&app);
        let clock = Clock::start_until(event.context.deadline());
        async move { handle(&app, event.payload, clock).await }
    }))
    .await
}
