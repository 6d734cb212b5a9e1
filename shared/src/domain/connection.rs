//! A connected channel: whose it is, how long it keeps messages, which keys it seals to.

use std::collections::BTreeMap;

use super::ids::{AccountId, Channel, ConnectionId, RouteId};
use super::plan::Plan;
use super::sealed::PublicKey;
use super::time::Day;

/// One connecting of one channel by one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Where its webhooks are routed.
    pub route: RouteId,
    /// Its own id; connecting the same Page again makes a new one.
    pub id: ConnectionId,
    /// The account it belongs to.
    pub account: AccountId,
    /// The Meta product.
    pub channel: Channel,
    /// The account's retention tier.
    pub plan: Plan,
    /// Whether it still takes messages.
    pub state: ConnectionState,
    /// Public keys of the days around today (see [`super::key_window`]).
    pub day_keys: BTreeMap<Day, PublicKey>,
}

/// Whether a connection takes messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// It does.
    Active,
    /// It was disconnected or erased; what arrives for it is dropped (R8.3).
    Erased,
}

impl ConnectionState {
    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Erased => "erased",
        }
    }

    /// Reads the word back; `None` for any other.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "active" => Some(Self::Active),
            "erased" => Some(Self::Erased),
            _ => None,
        }
    }
}
