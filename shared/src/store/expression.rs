//! Expressions of DynamoDB, made of the names in [`super::schema`]: what must be true of an item,
//! and what changes in it.
//!
//! A value stands in an expression as a placeholder that has the name of its attribute. A name that
//! DynamoDB reserves stands there as a placeholder, too.

use std::fmt::Write as _;

use aws_sdk_dynamodb::types::AttributeValue;

use super::item::Attributes;
use super::schema::Attribute;

/// Placeholders and the names they stand for, as the SDK has them.
#[expect(clippy::disallowed_types, reason = "the SDK's own type")]
pub(super) type Names = std::collections::HashMap<String, String>;

/// What must be true of an item.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    /// A function of one attribute.
    Holds(&'static str, Attribute),
    /// A comparison.
    Compares(Attribute, &'static str, Operand),
    /// Both ends are included.
    Between(Attribute, AttributeValue, AttributeValue),
    /// How a text begins.
    BeginsWith(Attribute, AttributeValue),
    /// Two conditions, joined by a word.
    Joined(Box<Self>, &'static str, Box<Self>),
}

/// What an attribute is compared with, or set to.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    /// A value.
    Value(AttributeValue),
    /// What another attribute of the item says.
    Attribute(Attribute),
}

impl From<AttributeValue> for Operand {
    fn from(value: AttributeValue) -> Self {
        Self::Value(value)
    }
}

impl From<Attribute> for Operand {
    fn from(attribute: Attribute) -> Self {
        Self::Attribute(attribute)
    }
}

impl Attribute {
    pub(super) const fn exists(self) -> Condition {
        Condition::Holds("attribute_exists", self)
    }

    pub(super) const fn is_absent(self) -> Condition {
        Condition::Holds("attribute_not_exists", self)
    }

    pub(super) fn is(self, other: impl Into<Operand>) -> Condition {
        Condition::Compares(self, "=", other.into())
    }

    pub(super) fn is_not(self, other: impl Into<Operand>) -> Condition {
        Condition::Compares(self, "<>", other.into())
    }

    pub(super) fn is_below(self, other: impl Into<Operand>) -> Condition {
        Condition::Compares(self, "<", other.into())
    }

    pub(super) fn is_at_most(self, other: impl Into<Operand>) -> Condition {
        Condition::Compares(self, "<=", other.into())
    }

    pub(super) fn is_above(self, other: impl Into<Operand>) -> Condition {
        Condition::Compares(self, ">", other.into())
    }

    pub(super) const fn is_between(self, from: AttributeValue, to: AttributeValue) -> Condition {
        Condition::Between(self, from, to)
    }

    pub(super) const fn begins_with(self, prefix: AttributeValue) -> Condition {
        Condition::BeginsWith(self, prefix)
    }
}

impl Condition {
    pub(super) fn and(self, other: Self) -> Self {
        Self::Joined(Box::new(self), "AND", Box::new(other))
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self::Joined(Box::new(self), "OR", Box::new(other))
    }

    /// The expression, inside of one that is joined by that word.
    fn write(self, inside: &str, placeholders: &mut Placeholders) -> String {
        match self {
            Self::Holds(function, name) => format!("{function}({})", placeholders.name(name)),
            Self::Compares(name, operator, other) => {
                let other = placeholders.operand(name, other);
                format!("{} {operator} {other}", placeholders.name(name))
            }
            Self::Between(name, from, to) => {
                let (from, to) = (placeholders.value(name, from), placeholders.value(name, to));
                format!("{} BETWEEN {from} AND {to}", placeholders.name(name))
            }
            Self::BeginsWith(name, prefix) => {
                let prefix = placeholders.value(name, prefix);
                format!("begins_with({}, {prefix})", placeholders.name(name))
            }
            Self::Joined(one, word, other) => {
                let one = one.write(word, placeholders);
                let joined = format!("{one} {word} {}", other.write(word, placeholders));
                if inside == word || inside.is_empty() { joined } else { format!("({joined})") }
            }
        }
    }
}

/// What changes in an item.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    set: Vec<Setting>,
    remove: Vec<Attribute>,
    add: Vec<(Attribute, AttributeValue)>,
}

#[derive(Debug, Clone)]
struct Setting {
    name: Attribute,
    /// What the name ends with, where one attribute stands for many.
    suffix: String,
    to: Operand,
    /// Only where the item has no such attribute.
    is_once: bool,
}

impl Changes {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn set(self, name: Attribute, to: AttributeValue) -> Self {
        self.setting(Setting { name, suffix: String::new(), to: to.into(), is_once: false })
    }

    pub(super) fn set_some(self, name: Attribute, to: Option<AttributeValue>) -> Self {
        match to {
            Some(to) => self.set(name, to),
            None => self,
        }
    }

    /// Sets an attribute that the item does not have yet.
    pub(super) fn set_once(self, name: Attribute, to: impl Into<Operand>) -> Self {
        self.setting(Setting { name, suffix: String::new(), to: to.into(), is_once: true })
    }

    /// Sets the attribute whose name ends so, and which the item does not have yet.
    pub(super) fn set_once_under(
        self,
        name: Attribute,
        suffix: String,
        to: AttributeValue,
    ) -> Self {
        self.setting(Setting { name, suffix, to: to.into(), is_once: true })
    }

    pub(super) fn remove(mut self, name: Attribute) -> Self {
        self.remove.push(name);
        self
    }

    /// Adds to a number.
    pub(super) fn add(mut self, name: Attribute, value: AttributeValue) -> Self {
        self.add.push((name, value));
        self
    }

    fn setting(mut self, setting: Setting) -> Self {
        self.set.push(setting);
        self
    }

    fn write(self, placeholders: &mut Placeholders) -> String {
        let set = self.set.into_iter().map(|Setting { name, suffix, to, is_once }| {
            let to = placeholders.operand(name, to);
            let name = placeholders.name_with(name, &suffix);
            if is_once {
                format!("{name} = if_not_exists({name}, {to})")
            } else {
                format!("{name} = {to}")
            }
        });
        let set: Vec<String> = set.collect();
        let remove: Vec<String> =
            self.remove.into_iter().map(|name| placeholders.name(name)).collect();
        let add = self.add.into_iter().map(|(name, value)| {
            let value = placeholders.value(name, value);
            format!("{} {value}", placeholders.name(name))
        });
        let add: Vec<String> = add.collect();
        let mut text = String::new();
        for (word, clauses) in [("SET", set), ("REMOVE", remove), ("ADD", add)] {
            if !clauses.is_empty() {
                let space = if text.is_empty() { "" } else { " " };
                // Writing to a text does not fail.
                let _ = write!(text, "{space}{word} {}", clauses.join(", "));
            }
        }
        text
    }
}

/// What stands for names and values in the expressions of one request.
#[derive(Debug, Default)]
pub(super) struct Placeholders {
    names: Names,
    values: Attributes,
}

impl Placeholders {
    pub(super) fn condition(&mut self, condition: Condition) -> String {
        condition.write("", self)
    }

    pub(super) fn changes(&mut self, changes: Changes) -> String {
        changes.write(self)
    }

    /// The only attributes to read; `None` where none is named, which reads all.
    pub(super) fn projection(&mut self, attributes: &[Attribute]) -> Option<String> {
        let names: Vec<String> = attributes.iter().map(|name| self.name(*name)).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// The names, as a request takes them: an empty map is refused.
    pub(super) fn take_names(&mut self) -> Option<Names> {
        Some(std::mem::take(&mut self.names)).filter(|names| !names.is_empty())
    }

    /// The values, as a request takes them.
    pub(super) fn take_values(&mut self) -> Option<Attributes> {
        Some(std::mem::take(&mut self.values)).filter(|values| !values.is_empty())
    }

    fn name(&mut self, attribute: Attribute) -> String {
        self.name_with(attribute, "")
    }

    fn name_with(&mut self, attribute: Attribute, suffix: &str) -> String {
        if !attribute.is_reserved() {
            return format!("{}{suffix}", attribute.as_str());
        }
        let placeholder = format!("#{}", attribute.word());
        self.names.insert(placeholder.clone(), format!("{}{suffix}", attribute.as_str()));
        placeholder
    }

    fn operand(&mut self, of: Attribute, operand: Operand) -> String {
        match operand {
            Operand::Value(value) => self.value(of, value),
            Operand::Attribute(attribute) => self.name(attribute),
        }
    }

    /// A placeholder with the name of the attribute, and a number where that stands for another
    /// value already.
    fn value(&mut self, of: Attribute, value: AttributeValue) -> String {
        let word = of.word();
        let mut placeholder = format!(":{word}");
        let mut nth: u32 = 1;
        while self.values.get(&placeholder).is_some_and(|known| *known != value) {
            nth = nth.saturating_add(1);
            placeholder = format!(":{word}{nth}");
        }
        self.values.insert(placeholder.clone(), value);
        placeholder
    }
}

#[cfg(test)]
mod tests {
    use super::super::item::{number, text};
    use super::super::schema::{ERASED_AT, EXPIRES_AT, PLAN_DAYS, STATE, account::ACCEPTED};
    use super::*;

    #[test]
    fn conditions_are_grouped_as_they_were_put_together() {
        let mut placeholders = Placeholders::default();
        let either = ERASED_AT.is_absent().or(ERASED_AT.is_below(number(7)));
        let both = STATE.is(text("active")).and(either.clone());
        assert_eq!(
            placeholders.condition(both.clone().and(EXPIRES_AT.exists())),
            "#state = :state AND (attribute_not_exists(erased_at) OR erased_at < :erased_at) \
             AND attribute_exists(expires_at)"
        );
        assert_eq!(placeholders.take_names().unwrap()["#state"], "state");
        assert_eq!(placeholders.take_values().unwrap().len(), 2);
        assert_eq!(placeholders.take_names(), None);
        assert_eq!(
            placeholders.condition(both.or(either)),
            "(#state = :state AND (attribute_not_exists(erased_at) OR erased_at < :erased_at)) \
             OR attribute_not_exists(erased_at) OR erased_at < :erased_at"
        );
    }

    #[test]
    fn each_value_has_its_own_placeholder() {
        let mut placeholders = Placeholders::default();
        let change =
            Changes::new().set(PLAN_DAYS, number(30)).remove(STATE).add(ERASED_AT, number(1));
        assert_eq!(
            placeholders.changes(change),
            "SET plan_days = :plan_days REMOVE #state ADD erased_at :erased_at"
        );
        let same = PLAN_DAYS.is(number(30)).and(PLAN_DAYS.is_not(number(90)));
        assert_eq!(
            placeholders.condition(same),
            "plan_days = :plan_days AND plan_days <> :plan_days2"
        );
        let values = placeholders.take_values().unwrap();
        assert_eq!((&values[":plan_days"], &values[":plan_days2"]), (&number(30), &number(90)));
    }

    #[test]
    fn one_attribute_can_stand_for_many() {
        let mut placeholders = Placeholders::default();
        let change = Changes::new().set_once_under(ACCEPTED, "2026-1".to_owned(), number(1));
        assert_eq!(
            placeholders.changes(change),
            "SET #accepted = if_not_exists(#accepted, :accepted)"
        );
        assert_eq!(placeholders.take_names().unwrap()["#accepted"], "accepted#2026-1");
    }
}
