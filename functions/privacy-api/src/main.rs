//! The Lambda binary: configuration, clients, run.

use aws_sdk_secretsmanager::Client as Secrets;
use lambda_http::{Error, Request, run, service_fn};
use numib::edge::queue::{ExportQueue, WorkQueue};
use numib::edge::{clients, clock::Clock, config, secrets::SecretsCache, telemetry};
use numib::{archive::exports::Exports, identity::UserPool, seal::kms::DataKeys, store::Store};
use privacy_api::{App, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = config::Config::from_env()?;
    telemetry::install(&config, module_path!());
    let sdk = clients::sdk_config(&config);
    let sqs = aws_sdk_sqs::Client::new(&sdk);
    let app = std::sync::Arc::new(App {
        store: Store::new(aws_sdk_dynamodb::Client::new(&sdk), config::tables()?),
        secrets: SecretsCache::new(Secrets::new(&sdk), config::meta_secret_arn()?),
        queue: WorkQueue::new(sqs.clone(), config::work_queue_url()?),
        exports: Exports::new(clients::s3(&sdk), config::export_bucket()?),
        export_queue: ExportQueue::new(sqs, config::export_queue_url()?),
        user_pool: UserPool::new(&sdk, config::user_pool_id()?),
        keys: DataKeys::new(aws_sdk_kms::Client::new(&sdk), config::data_key_arn()?),
        grace_days: config::account_grace_days()?,
        public_url: config::public_url(),
    });
    run(service_fn(move |request: Request| {
        let app = std::sync::Arc::clone(&app);
        async move { Ok::<_, Error>(handle(&app, &request, Clock::start()).await) }
    }))
    .await
}
