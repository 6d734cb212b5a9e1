//! What one warm container works with.

use numib::api::route::PublicRoute;
use numib::edge::queue::WorkQueue;
use numib::edge::secrets::SecretsCache;
use numib::seal::receipt::SigningKey;
use numib::store::Store;

/// What one warm container works with.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub store: Store,
    /// Meta's app secrets and the pepper.
    pub secrets: SecretsCache,
    /// Where shredded requests go on.
    pub queue: WorkQueue,
    /// The key that signs receipts: only its public half is asked for.
    pub receipts: SigningKey,
    /// Where people find the service, when not at the HTTP API's own address.
    pub public_url: Option<String>,
}

impl App {
    /// Fetches the secret during init, which has burst CPU; a failure shows at the first request.
    pub async fn warm(&self) {
        if let Err(error) = self.secrets.get().await {
            tracing::warn!(error = %error, "the secret was not there at init");
        }
    }
}

/// A route of this function.
pub type Route = PublicRoute<App>;
