//! What the tables hold of a channel, read row by row, past every index and every mark.

use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::deployed::{Account, Deployed};

/// How many rows of a channel there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Sealed messages, and edits that wait for theirs.
    pub(super) rows: u64,
    /// Tombstones.
    pub(super) tombstones: u64,
    pub(super) contacts: u64,
}

impl Held {
    /// What the receipt of a whole channel counts as messages.
    pub(super) const fn all_rows(self) -> u64 {
        self.rows.saturating_add(self.tombstones)
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, tombstones, contacts } = self;
        write!(f, "{rows} rows, {tombstones} tombstones, {contacts} contacts")
    }
}

impl Deployed {
    /// Reads both tables whole.
    pub(super) async fn held(&self, account: &Account) -> Held {
        let connection = &account.connection.id;
        let tables = self.stack.tables();
        let rows = self.scan(&tables.messages, &format!("{connection}.")).await;
        let tombstones = rows.iter().filter(|row| row.contains_key("unsent")).count();
        let contacts = self.scan(&tables.core, &format!("CONNECTION#{connection}")).await;
        let number = |count: usize| u64::try_from(count).unwrap();
        Held {
            rows: number(rows.len() - tombstones),
            tombstones: number(tombstones),
            contacts: number(contacts.len()),
        }
    }

    async fn scan(&self, table: &str, prefix: &str) -> Vec<BTreeMap<String, AttributeValue>> {
        let database = aws_sdk_dynamodb::Client::new(&self.stack.sdk());
        let scan = database.scan().table_name(table).consistent_read(true);
        let scan = scan.filter_expression("begins_with(pk, :prefix)");
        let scan =
            scan.expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()));
        let items = scan.into_paginator().items().send();
        let items = items.collect::<Result<Vec<_>, _>>().await.unwrap();
        items.into_iter().map(BTreeMap::from_iter).collect()
    }
}
