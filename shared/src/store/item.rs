//! Items: how values are written, and how they are read back.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::error::StoreError;
use super::schema::name::{Attribute, PK, SK};
use crate::domain::time::Day;

/// Attributes by their names, as the SDK has them.
#[expect(clippy::disallowed_types, reason = "the SDK's own type")]
pub(super) type Attributes = std::collections::HashMap<String, AttributeValue>;

/// An item, or its key.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Item(pub(super) Attributes);

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn day(value: Day) -> AttributeValue {
    text(value.to_string())
}

pub(super) fn texts(values: impl IntoIterator<Item = impl Into<String>>) -> AttributeValue {
    AttributeValue::L(values.into_iter().map(text).collect())
}

#[expect(clippy::needless_pass_by_value, reason = "numbers, and names of numbers: small")]
pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) const fn flag(value: bool) -> AttributeValue {
    AttributeValue::Bool(value)
}

pub(super) fn binary(value: impl Into<Vec<u8>>) -> AttributeValue {
    AttributeValue::B(Blob::new(value))
}

/// Epoch seconds, rounded down: time to live never keeps an item longer than promised.
pub(super) fn seconds(at: Timestamp) -> AttributeValue {
    number(at.as_second())
}

pub(super) fn milliseconds(at: Timestamp) -> AttributeValue {
    number(at.as_millisecond())
}

impl Item {
    /// The item with another attribute.
    pub(super) fn with(mut self, name: Attribute, value: AttributeValue) -> Self {
        self.0.insert(name.as_str().to_owned(), value);
        self
    }

    /// The item with another attribute, where that has a value.
    pub(super) fn with_some(self, name: Attribute, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// That the item is not as this code writes it: the attribute is missing, or something else.
    pub(super) fn corrupt(&self, name: Attribute) -> StoreError {
        let key = [PK, SK].into_iter().filter_map(|part| self.get(part)?.as_s().ok());
        let row = key.map(String::as_str).collect::<Vec<_>>().join(" / ");
        StoreError::Corrupt { row, attribute: name.as_str() }
    }

    pub(super) fn get(&self, name: Attribute) -> Option<&AttributeValue> {
        self.0.get(name.as_str())
    }

    pub(super) fn has(&self, name: Attribute) -> bool {
        self.0.contains_key(name.as_str())
    }

    pub(super) fn is_set(&self, name: Attribute) -> bool {
        self.get(name) == Some(&AttributeValue::Bool(true))
    }

    pub(super) fn text(&self, name: Attribute) -> Result<&str, StoreError> {
        match self.get(name) {
            Some(AttributeValue::S(value)) => Ok(value),
            _ => Err(self.corrupt(name)),
        }
    }

    pub(super) fn optional_text(&self, name: Attribute) -> Result<Option<&str>, StoreError> {
        self.has(name).then(|| self.text(name)).transpose()
    }

    /// What a text says.
    pub(super) fn parsed<T>(
        &self,
        name: Attribute,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        parse(self.text(name)?).ok_or_else(|| self.corrupt(name))
    }

    pub(super) fn optional_parsed<T>(
        &self,
        name: Attribute,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        self.has(name).then(|| self.parsed(name, parse)).transpose()
    }

    /// What each text of a list says.
    pub(super) fn each_parsed<T>(
        &self,
        name: Attribute,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, StoreError> {
        let Some(AttributeValue::L(values)) = self.get(name) else {
            return Err(self.corrupt(name));
        };
        let each = values.iter().map(|value| parse(value.as_s().ok()?));
        each.collect::<Option<_>>().ok_or_else(|| self.corrupt(name))
    }

    pub(super) fn day(&self, name: Attribute) -> Result<Day, StoreError> {
        self.parsed(name, Day::parse)
    }

    pub(super) fn bytes(&self, name: Attribute) -> Result<&[u8], StoreError> {
        match self.get(name) {
            Some(AttributeValue::B(value)) => Ok(value.as_ref()),
            _ => Err(self.corrupt(name)),
        }
    }

    pub(super) fn optional_bytes(&self, name: Attribute) -> Result<Option<&[u8]>, StoreError> {
        self.has(name).then(|| self.bytes(name)).transpose()
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: Attribute) -> Result<T, StoreError> {
        let number = self.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
        number.ok_or_else(|| self.corrupt(name))
    }

    pub(super) fn optional_number<T>(&self, name: Attribute) -> Result<Option<T>, StoreError>
    where
        T: std::str::FromStr,
    {
        self.has(name).then(|| self.number(name)).transpose()
    }

    /// An instant that is stored in epoch milliseconds.
    pub(super) fn time(&self, name: Attribute) -> Result<Timestamp, StoreError> {
        Timestamp::from_millisecond(self.number(name)?).map_err(|_| self.corrupt(name))
    }

    pub(super) fn optional_time(&self, name: Attribute) -> Result<Option<Timestamp>, StoreError> {
        self.has(name).then(|| self.time(name)).transpose()
    }

    pub(super) fn map(&self, name: Attribute) -> Result<&Attributes, StoreError> {
        match self.get(name) {
            Some(AttributeValue::M(values)) => Ok(values),
            _ => Err(self.corrupt(name)),
        }
    }
}
