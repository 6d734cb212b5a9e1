//! What a key pair is called: what it is for, and whose it is.

use crate::domain::account::Use;
use crate::domain::ids::{AccountId, ConnectionId};
use crate::domain::time::Day;

/// A key pair by its name. It is the encryption context in KMS, so that a wrapped key cannot be
/// unwrapped as another, and part of whatever is sealed to it (HPKE `info`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyName<'a> {
    /// Opens what a connection received on a day.
    Day {
        /// The account.
        account: &'a AccountId,
        /// The connection.
        connection: &'a ConnectionId,
        /// The day.
        day: Day,
    },
    /// Opens an account's profile, and goes with the account (R6.1).
    Account(&'a AccountId),
    /// Opens an account's tax records, and goes with the last of them (R6.3).
    Tax(&'a AccountId),
}

impl<'a> KeyName<'a> {
    /// An account's own, for this use.
    #[must_use]
    pub const fn of_account(account: &'a AccountId, of: Use) -> Self {
        match of {
            Use::Profile => Self::Account(account),
            Use::TaxRecords => Self::Tax(account),
        }
    }

    /// The encryption context in KMS. Its `purpose` is what the key's policy tells roles apart by.
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

    /// HPKE `info`: an encapsulation made for one name is useless under another.
    pub(super) fn info(self) -> Vec<u8> {
        match self {
            Self::Day { connection, day, .. } => format!("numib day key v1\0{connection}\0{day}"),
            Self::Account(account) => format!("numib account key v1\0{account}"),
            Self::Tax(account) => format!("numib tax key v1\0{account}"),
        }
        .into_bytes()
    }
}
