//! What every member's API works with.

use crate::edge::secrets::SecretsCache;
use crate::store::Store;

/// The store, and the secret under whose pepper callers are told apart in what is kept of them.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    /// The database.
    pub store: &'a Store,
    /// The secret with the pepper.
    pub secrets: &'a SecretsCache,
}
