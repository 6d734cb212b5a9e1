//! A connection: its account, how long it keeps messages, and the keys that seal them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::ids::{AccountId, Channel, ConnectionId, PersonId, RouteId};
use super::plan::Plan;
use super::sealed::PublicKey;
use super::time::Day;

/// One channel, connected by one account. Connecting the same channel again makes another
/// connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Where webhooks for the channel lead to.
    pub route: RouteId,
    /// The connection's own id.
    pub id: ConnectionId,
    /// The account that the connection belongs to.
    pub account: AccountId,
    /// The Meta product.
    pub channel: Channel,
    /// The account's plan.
    pub plan: Plan,
    /// The person who connected the channel by their login at Meta; `None` if unknown.
    pub authorized_by: Option<PersonId>,
    /// Whether the connection still takes messages.
    pub state: ConnectionState,
    /// When the connection was made. A callback that was issued earlier is not about it.
    pub connected_at: Timestamp,
    /// Public keys of the days around today (see [`super::key_window`]).
    pub day_keys: BTreeMap<Day, PublicKey>,
}

impl Connection {
    /// Whether a message sent at that time belongs to this connection. An older message belongs to
    /// an earlier connection of the channel. That connection is erased, and a late redelivery must
    /// not bring its messages back under this one (R8.3). Some of Meta's times are in whole
    /// seconds, so this compares whole seconds.
    //= R8.3
    #[must_use]
    pub fn is_sent_to(&self, at: Timestamp) -> bool {
        at.as_second() >= self.connected_at.as_second()
    }

    /// Whether the connection belongs to this account and is not erased.
    #[must_use]
    pub fn serves(&self, account: &AccountId) -> bool {
        self.state == ConnectionState::Active && self.account == *account
    }
}

/// Whether a connection takes messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// The connection takes messages.
    Active,
    /// The connection was disconnected or erased. Intake drops what arrives for it (R8.3).
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
