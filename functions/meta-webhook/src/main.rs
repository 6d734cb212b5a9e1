//! The Lambda binary: configuration, clients, run.

use std::sync::Arc;

use lambda_http::{Error, Request, run, service_fn};
use meta_webhook::{App, handle};
use numib::edge::{
    clients, clock::Clock, config, config::Config, fence, secrets::SecretsCache, telemetry,
};
use numib::store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    telemetry::install(&config, module_path!());
    let sdk = clients::sdk_config(&config);
    let database = aws_sdk_dynamodb::Client::new(&fence::fenced(&sdk));
    let store = Store::new(database, config::tables()?);
    let secrets = aws_sdk_secretsmanager::Client::new(&sdk);
    let secrets = SecretsCache::new(secrets, config::meta_secret_arn()?);
    let app = Arc::new(App::new(store, secrets));
    app.warm().await;
    run(service_fn(move |request: Request| {
        let app = Arc::clone(&app);
        async move { Ok::<_, Error>(handle(&app, &request, Clock::start()).await) }
    }))
    .await
}
