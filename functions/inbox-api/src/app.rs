//! What one warm container works with.

use numib::api::route::MemberRoute;
use numib::seal::kms::DataKeys;
use numib::store::Store;

/// What one warm container works with.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub store: Store,
    /// The keys that open messages.
    pub day_keys: DataKeys,
}

/// A route of this function.
pub type Route = MemberRoute<App>;

/// A call of one of its routes.
pub(crate) type Call<'a> = numib::api::call::Call<'a, App>;
