//! The Lambda binary: configuration, clients, run.

use std::sync::Arc;

use inbox_api::{App, handle};
use lambda_http::{Error, Request, run, service_fn};
use numib::edge::{clients, clock::Clock, config, config::Config, telemetry};
use numib::seal::kms::DataKeys;
use numib::store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    telemetry::install(&config, module_path!());
    let sdk = clients::sdk_config(&config);
    let store = Store::new(aws_sdk_dynamodb::Client::new(&sdk), config::tables()?);
    let day_keys = DataKeys::new(aws_sdk_kms::Client::new(&sdk), config::data_key_arn()?);
    let app = Arc::new(App { store, day_keys });
    run(service_fn(move |request: Request| {
        let app = Arc::clone(&app);
        async move { Ok::<_, Error>(handle(&app, &request, Clock::start()).await) }
    }))
    .await
}
