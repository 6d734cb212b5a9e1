//! What one warm container works with.

use std::time::Duration;

use numib::api::desk::Desk;
use numib::api::route::MemberRoute;
use numib::edge::queue::{ExportQueue, WorkQueue};
use numib::edge::secrets::SecretsCache;
use numib::identity::UserPool;
use numib::seal::kms::DataKeys;
use numib::store::Store;

/// What one warm container works with.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub store: Store,
    /// The secret with the pepper, under which people are found.
    pub secrets: SecretsCache,
    /// The queue on which shredded requests go on.
    pub queue: WorkQueue,
    /// The queue on which void archives are removed.
    pub export_queue: ExportQueue,
    /// The user pool, which invites owners.
    pub user_pool: UserPool,
    /// What tax records are sealed and opened with.
    pub keys: DataKeys,
    /// Where people find the service; `None` for the HTTP API's own address.
    pub public_url: Option<String>,
    /// How long the function works on a list of ids before it answers where to go on.
    pub list_time: Duration,
}

/// [`App::list_time`] under an API that waits for 29 seconds.
pub const LIST_TIME: Duration = Duration::from_secs(20);

impl App {
    /// What tax records are sealed and opened with.
    pub(crate) const fn sealed(&self) -> (&Store, &DataKeys) {
        (&self.store, &self.keys)
    }

    /// What every member's API works with.
    pub(crate) const fn desk(&self) -> Desk<'_> {
        Desk { store: &self.store, secrets: &self.secrets }
    }
}

/// A route of this function.
pub type Route = MemberRoute<App>;

/// A call of one of its routes.
pub(crate) type Call<'a> = numib::api::call::Call<'a, App>;
