//! DynamoDB: one file per entity, and `schema` alone knows how keys and attributes are spelled.
//!
//! An entity's file says what is read and written. How is said once: `read`, `write`,
//! `transaction` and `batch` send the requests, `expression` spells their conditions and
//! changes, `item` their values, and `call` and `error` tell what became of them.
//!
//! Nothing here opens what it stores, decides what to store, or retries beyond what the SDK does.
//! "Not found" is `Ok(None)`.

pub mod account_keys;
pub mod accounts;
pub mod answers;
pub mod audit;
mod batch;
mod call;
pub mod connections;
pub mod consents;
pub mod contacts;
pub mod day_keys;
mod error;
pub mod every_row;
pub mod expiries;
pub mod exports;
mod expression;
pub mod holds;
pub mod invoices;
mod item;
pub mod ledger;
pub mod look_again;
pub mod members;
pub mod messages;
pub mod pace;
pub mod persons;
pub mod plans;
pub mod policies;
pub mod profiles;
mod read;
pub mod removals;
pub mod requests;
pub mod restriction;
mod retime;
pub mod routes;
pub mod schema;
pub mod sweep;
pub mod tallies;
mod transaction;
mod write;

pub use error::StoreError;
use schema::Table;

/// The tables of one deployment.
#[derive(Debug, Clone)]
pub struct Tables {
    /// Accounts, members, connections, contacts.
    pub core: String,
    /// Sealed messages.
    pub messages: String,
    /// Day keys and index keys: no point-in-time recovery, on purpose.
    pub keys: String,
    /// The erasure ledger and the audit chain.
    pub ledger: String,
}

impl Tables {
    fn name(&self, table: Table) -> &str {
        match table {
            Table::Core => &self.core,
            Table::Messages => &self.messages,
            Table::Keys => &self.keys,
            Table::Ledger => &self.ledger,
        }
    }
}

/// The database of one deployment.
#[derive(Debug, Clone)]
pub struct Store {
    client: aws_sdk_dynamodb::Client,
    tables: Tables,
}

impl Store {
    /// A store over these tables.
    #[must_use]
    pub const fn new(client: aws_sdk_dynamodb::Client, tables: Tables) -> Self {
        Self { client, tables }
    }
}
