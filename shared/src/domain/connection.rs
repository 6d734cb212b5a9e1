//! A connected channel: whose it is, how long it keeps messages, which keys it seals to.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::ids::{AccountId, Channel, ConnectionId, PersonId, RouteId};
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
    /// The person whose login at Meta connected it, where that is known.
    pub authorized_by: Option<PersonId>,
    /// Whether it still takes messages.
    pub state: ConnectionState,
    /// When it was made: a callback that was issued before is not about it.
    pub connected_at: Timestamp,
    /// Public keys of the days around today (see [`super::key_window`]).
    pub day_keys: BTreeMap<Day, PublicKey>,
}

impl Connection {
    /// Whether something sent then is this connection's. What was sent before it was connected is
    /// an earlier connection's: that one is erased, and a late redelivery must not bring it back
    /// under the new one (R8.3). Some of Meta's times are in whole seconds, so these are compared.
    //= R8.3
    #[must_use]
    pub fn is_sent_to(&self, at: Timestamp) -> bool {
        at.as_second() >= self.connected_at.as_second()
    }

    /// Whether it is this account's, and not erased.
    #[must_use]
    pub fn serves(&self, account: &AccountId) -> bool {
        self.state == ConnectionState::Active && self.account == *account
    }
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
