//! What one warm container works with.

use numib::api::desk::Desk;
use numib::api::route::MemberRoute;
use numib::archive::exports::Exports;
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
    /// The pepper, under which people are found.
    pub secrets: SecretsCache,
    /// Where shredded requests go on.
    pub queue: WorkQueue,
    /// Where archives of exports are.
    pub exports: Exports,
    /// Where exports are written.
    pub export_queue: ExportQueue,
    /// The members' identities.
    pub user_pool: UserPool,
    /// What an account's own keys are made and opened with.
    pub keys: DataKeys,
    /// How many days the deletion of an account can be taken back.
    pub grace_days: u8,
    /// Where people find the service, when not at the HTTP API's own address.
    pub public_url: Option<String>,
}

impl App {
    /// What an account's own data is sealed and opened with.
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
