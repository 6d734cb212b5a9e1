//! The Lambda binary: configuration, clients, run.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use numib::archive::exports::Exports;
use numib::edge::{
    clients, clock::Clock, config, config::Config, mail::Mailer, queue::WorkQueue, telemetry,
};
use numib::{erasure::Eraser, identity::UserPool, seal::receipt::SigningKey, store::Store};
use worker::{App, Event, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    telemetry::install(&config, module_path!());
    let sdk = clients::sdk_config(&config);
    let store = Store::new(aws_sdk_dynamodb::Client::new(&sdk), config::tables()?);
    let user_pool = UserPool::new(&sdk, config::user_pool_id()?);
    let receipts = SigningKey::new(aws_sdk_kms::Client::new(&sdk), config::receipt_key_arn()?);
    let queue = WorkQueue::new(aws_sdk_sqs::Client::new(&sdk), config::work_queue_url()?);
    let mailer = config::sender_address().map(|from| Mailer::new(&sdk, from));
    let public_url = config::public_url().unwrap_or_default();
    let exports = Exports::new(clients::s3(&sdk), config::export_bucket()?);
    let eraser = Eraser { store, user_pool, receipts, exports };
    let app = Arc::new(App { eraser, queue, mailer, public_url });
    run(service_fn(move |event: LambdaEvent<Event>| {
        let app = Arc::clone(&app);
        let clock = Clock::start_until(event.context.deadline());
        async move { Box::pin(handle(&app, event.payload, clock)).await }
    }))
    .await
}
