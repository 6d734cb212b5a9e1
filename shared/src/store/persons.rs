//! What is held of a person that Meta names: found by pseudonym, in the index `by_person` of
//! `core`.

use super::contacts::contact_id;
use super::item::Item;
use super::read::Query;
use super::schema;
use super::{Store, StoreError};
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
        let mut pages = self.pages(Query::index(&schema::BY_PERSON, person.as_str()));
        while found.contacts.len() < ITEMS_MAX
            && let Some(items) = pages.next().await?
        {
            for item in items {
                add(&mut found, &item)?;
            }
        }
        Ok(found)
    }
}

fn add(found: &mut Person, item: &Item) -> Result<(), StoreError> {
    if let Some(route) = schema::route_of(item.text(schema::PK)?) {
        found.connections.push(route);
        return Ok(());
    }
    let connection = item.parsed(schema::PK, schema::connection_of)?;
    let account = item.parsed(schema::ACCOUNT_ID, AccountId::parse)?;
    found.contacts.push((account, ConversationId { connection, contact: contact_id(item)? }));
    Ok(())
}
