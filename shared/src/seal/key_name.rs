//! The name of a key pair: what the pair is for, and whose it is.

use crate::domain::account::Use;
use crate::domain::ids::{AccountId, ConnectionId};
use crate::domain::time::Day;

/// The name of a key pair. The name is the encryption context in KMS, so a wrapped key cannot be
/// unwrapped under another name. It is also part of whatever is sealed to the key (HPKE `info`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyName<'a> {
    /// A day key: it opens what a connection received on that day.
    Day {
        /// The account.
        account: &'a AccountId,
        /// The connection.
        connection: &'a ConnectionId,
        /// The day.
        day: Day,
    },
    /// An account's own key: it opens the profile, and goes with the account (R6.1).
    Account(&'a AccountId),
    /// An account's tax key: it opens the tax records, and goes with the last of them (R6.3).
    Tax(&'a AccountId),
}

impl<'a> KeyName<'a> {
    /// The name of an account's key for this use.
    #[must_use]
    pub const fn of_account(account: &'a AccountId, of: Use) -> Self {
        match of {
            Use::Profile => Self::Account(account),
            Use::TaxRecords => Self::Tax(account),
        }
    }

    /// The encryption context in KMS. The policy of the KMS key grants each role the purposes that
    /// it needs.
    pub(super) fn encryption_context(self) -> Vec<(&'static str, String)> {
        match self {
            Self::Day { account, connection, day } => vec![
                ("purpose", "day-key".to_owned()),
                ("account", account.to_string()),
                ("connection", connection.to_string()),
                ("day", day.to_string()),
            ],
            Self::Account(account) => {
                vec![("purpose", "account-key".to_owned()), ("account", account.to_string())]
            }
            Self::Tax(account) => {
                vec![("purpose", "tax-key".to_owned()), ("account", account.to_string())]
            }
        }
    }

    /// HPKE `info`. An encapsulation that was made for one name is useless under another.
    pub(super) fn info(self) -> Vec<u8> {
        match self {
            Self::Day { connection, day, .. } => format!("numib day key v1\0{connection}\0{day}"),
            Self::Account(account) => format!("numib account key v1\0{account}"),
            Self::Tax(account) => format!("numib tax key v1\0{account}"),
        }
        .into_bytes()
    }
}
