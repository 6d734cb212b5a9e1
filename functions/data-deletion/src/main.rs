//! The Lambda binary: configuration, clients, run.

use data_deletion::{App, handle};
use lambda_http::{Error, Request, run, service_fn};
use numib::edge::queue::WorkQueue;
use numib::edge::secrets::SecretsCache;
use numib::edge::{clients, clock::Clock, config, config::Config, telemetry};
use numib::seal::receipt::SigningKey;
use numib::store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    telemetry::install(&config, module_path!());
    let sdk = clients::sdk_config(&config);
    let secrets = aws_sdk_secretsmanager::Client::new(&sdk);
    let app = App {
        store: Store::new(aws_sdk_dynamodb::Client::new(&sdk), config::tables()?),
        secrets: SecretsCache::new(secrets, config::meta_secret_arn()?),
        queue: WorkQueue::new(aws_sdk_sqs::Client::new(&sdk), config::work_queue_url()?),
        receipts: SigningKey::new(aws_sdk_kms::Client::new(&sdk), config::receipt_key_arn()?),
        public_url: config::public_url(),
    };
    app.warm().await;
    let app = &app;
    run(service_fn(move |request: Request| async move {
        Ok::<_, std::convert::Infallible>(handle(app, &request, Clock::start()).await)
    }))
    .await
}
