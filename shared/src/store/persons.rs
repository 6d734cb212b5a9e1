//! What is held of a person that Meta names: found by pseudonym, in the index `by_person` of
//! `core`.

use super::contacts::contact_id;
use super::schema::{self, Item};
use super::{Store, StoreError, classify};
use crate::domain::ids::{AccountId, ConversationId, PersonId, RouteId};

/// Items read of one person; far above what a person is to all accounts together.
const ITEMS_MAX: usize = 1000;

/// What is held of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// Conversations in which the person is the contact, and whose they are.
    pub contacts: Vec<(AccountId, ConversationId)>,
    /// Channels that the person connected.
    pub connections: Vec<RouteId>,
}

impl Store {
    /// What is held of a person. From an index, which may be a moment old: a contact that became
    /// known within the last second may be missed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn person(&self, person: &PersonId) -> Result<Person, StoreError> {
        let mut found = Person::default();
        let mut start = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.tables.core)
                .index_name(schema::BY_PERSON)
                .key_condition_expression("person_id = :person")
                .expression_attribute_values(":person", schema::text(person.as_str()))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| classify(&error))?;
            for item in answer.items.unwrap_or_default() {
                add(&mut found, &item)?;
            }
            start = answer.last_evaluated_key;
            if start.is_none() || found.contacts.len() >= ITEMS_MAX {
                return Ok(found);
            }
        }
    }
}

fn add(found: &mut Person, item: &Item) -> Result<(), StoreError> {
    let pk = schema::get_text(item, schema::PK)?;
    if let Some(route) = schema::route_of(pk) {
        found.connections.push(route);
        return Ok(());
    }
    let connection = schema::connection_of(pk).ok_or(StoreError::Corrupt(schema::PK))?;
    let account = AccountId::parse(schema::get_text(item, schema::ACCOUNT_ID)?)
        .ok_or(StoreError::Corrupt(schema::ACCOUNT_ID))?;
    found.contacts.push((account, ConversationId { connection, contact: contact_id(item)? }));
    Ok(())
}
