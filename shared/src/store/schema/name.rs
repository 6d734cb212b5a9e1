//! Names of tables, indexes and attributes.

use std::borrow::Cow;

/// Partition key of every table.
pub(in crate::store) const PK: Attribute = Attribute::new("pk");
/// Sort key of every table.
pub(in crate::store) const SK: Attribute = Attribute::new("sk");

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Table {
    /// Accounts, members, connections, contacts.
    Core,
    /// Sealed messages.
    Messages,
    /// Day keys and index keys.
    Keys,
    /// The erasure ledger and the audit chain.
    Ledger,
}

impl Table {
    /// What the table is called in logs.
    pub(in crate::store) const fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Messages => "messages",
            Self::Keys => "keys",
            Self::Ledger => "ledger",
        }
    }
}

/// The name of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Attribute {
    name: &'static str,
    is_reserved: bool,
}

impl Attribute {
    pub(in crate::store) const fn new(name: &'static str) -> Self {
        Self { name, is_reserved: false }
    }

    /// A name that an expression cannot spell: a word of DynamoDB's own, or no word at all.
    pub(in crate::store) const fn reserved(name: &'static str) -> Self {
        Self { name, is_reserved: true }
    }

    pub(in crate::store) const fn as_str(self) -> &'static str {
        self.name
    }

    pub(in crate::store) const fn is_reserved(self) -> bool {
        self.is_reserved
    }

    /// What an expression can spell of it.
    pub(in crate::store) fn word(self) -> Cow<'static, str> {
        let word = self.name.trim_end_matches('#');
        if word.contains('-') { word.replace('-', "_").into() } else { word.into() }
    }
}

/// An index, and by what it is asked.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Index {
    pub(in crate::store) table: Table,
    pub(in crate::store) name: &'static str,
    pub(in crate::store) partition: Attribute,
    /// Of a table's own partitions: read as consistently as these.
    pub(in crate::store) is_local: bool,
}

impl Index {
    /// An index over a whole table, which may be a moment behind it.
    pub(in crate::store) const fn of(
        table: Table,
        name: &'static str,
        partition: Attribute,
    ) -> Self {
        Self { table, name, partition, is_local: false }
    }

    /// An index of each partition.
    pub(in crate::store) const fn beside(table: Table, name: &'static str) -> Self {
        Self { table, name, partition: PK, is_local: true }
    }
}
