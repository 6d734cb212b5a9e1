//! Legal holds: `core`, `HOLD#record` with one item per hold, and `WAIT#record` with one per
//! request that waits for them: whoever may note the latter may not touch the former.

use super::requests::request_id;
use super::schema::{self, Item};
use super::{Store, StoreError, classify};
use crate::domain::erasure::Hold;
use crate::domain::ids::{AccountId, ConnectionId, ConversationId, HoldId, RequestId};

/// What a hold is on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// An account with all its connections.
    Account(AccountId),
    /// A connection with all its contacts.
    Connection(ConnectionId),
    /// A contact with its conversation.
    Contact(ConversationId),
    /// Some contact of a connection: what keeps the connection as a whole from being erased. Set
    /// and lifted with the contact's own hold.
    Within(ConnectionId),
}

/// The holds on one record, and the requests that wait for the last of them to be lifted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holds {
    /// The holds.
    pub holds: Vec<Hold>,
    /// The requests.
    pub waiting: Vec<RequestId>,
}

impl Held {
    /// The records whose holds keep a connection as a whole: its account, itself, and anyone in it.
    #[must_use]
    pub fn of_connection(account: &AccountId, connection: &ConnectionId) -> [Self; 3] {
        [
            Self::Account(account.clone()),
            Self::Connection(connection.clone()),
            Self::Within(connection.clone()),
        ]
    }

    /// Reads what [`std::fmt::Display`] wrote; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("account", id) => AccountId::parse(id).map(Self::Account),
            ("connection", id) => ConnectionId::parse(id).map(Self::Connection),
            ("contact", id) => ConversationId::parse(id).map(Self::Contact),
            _ => None,
        }
    }
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account:{id}"),
            Self::Connection(id) => write!(f, "connection:{id}"),
            Self::Contact(id) => write!(f, "contact:{id}"),
            Self::Within(id) => write!(f, "within:{id}"),
        }
    }
}

impl Store {
    /// Sets a hold; true when it was not there. One that is there stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_hold(&self, held: &Held, hold: &Hold) -> Result<bool, StoreError> {
        if let Some(key) = within_key(held, &hold.id) {
            let put = self.client.put_item().table_name(&self.tables.core).set_item(Some(key));
            put.send().await.map_err(|error| classify(&error))?;
        }
        let set = self
            .client
            .put_item()
            .table_name(&self.tables.core)
            .set_item(Some(schema::key(schema::hold_pk(held), schema::hold_sk(&hold.id))))
            .item(schema::REASON, schema::text(&hold.reason))
            .item(schema::REFERENCE, schema::text(&hold.reference))
            .item(schema::SET_AT, schema::milliseconds(hold.set_at))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        met(set.map_err(|error| classify(&error)))
    }

    /// Whether a record has a hold, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.7
    pub async fn is_held(&self, held: &Held) -> Result<bool, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", schema::text(schema::hold_pk(held)))
            .limit(1)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        Ok(answer.items.is_some_and(|items| !items.is_empty()))
    }

    /// The holds on a record and all that waits for them, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn holds(&self, held: &Held) -> Result<Holds, StoreError> {
        let holds = self.partition(schema::hold_pk(held)).await?;
        let mut waiting = self.partition(schema::wait_pk(held)).await?;
        if let Held::Contact(conversation) = held {
            let within = Held::Within(conversation.connection.clone());
            waiting.extend(self.partition(schema::wait_pk(&within)).await?);
        }
        Ok(Holds {
            holds: holds.iter().map(hold).collect::<Result<_, _>>()?,
            waiting: waiting.iter().map(request_id).collect::<Result<_, _>>()?,
        })
    }

    async fn partition(&self, pk: String) -> Result<Vec<Item>, StoreError> {
        let items: Result<Vec<_>, _> = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", schema::text(pk))
            .into_paginator()
            .items()
            .send()
            .collect()
            .await;
        items.map_err(|error| classify(&error))
    }

    /// Lifts a hold; true when it was there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lift_hold(&self, held: &Held, id: &HoldId) -> Result<bool, StoreError> {
        let key = schema::key(schema::hold_pk(held), schema::hold_sk(id));
        let lifted = self
            .client
            .delete_item()
            .table_name(&self.tables.core)
            .set_key(Some(key))
            .condition_expression("attribute_exists(pk)")
            .send()
            .await;
        let was_there = met(lifted.map_err(|error| classify(&error)))?;
        if let Some(key) = within_key(held, id) {
            let delete = self.client.delete_item().table_name(&self.tables.core);
            delete.set_key(Some(key)).send().await.map_err(|error| classify(&error))?;
        }
        Ok(was_there)
    }

    /// Notes that a request waits for the holds on a record.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_waiting(&self, held: &Held, request: &RequestId) -> Result<(), StoreError> {
        self.client
            .put_item()
            .table_name(&self.tables.core)
            .set_item(Some(waiting_key(held, request)))
            .item(schema::REQUEST_ID, schema::text(request.as_str()))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| classify(&error))
    }

    /// Forgets that a request waited.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete_waiting(&self, held: &Held, request: &RequestId) -> Result<(), StoreError> {
        self.client
            .delete_item()
            .table_name(&self.tables.core)
            .set_key(Some(waiting_key(held, request)))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| classify(&error))
    }
}

/// Whether the condition of a write was met.
fn met<T>(written: Result<T, StoreError>) -> Result<bool, StoreError> {
    match written {
        Ok(_) => Ok(true),
        Err(StoreError::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Where a contact's hold is noted for its connection.
fn within_key(held: &Held, hold: &HoldId) -> Option<Item> {
    let Held::Contact(ConversationId { connection, contact }) = held else { return None };
    let pk = schema::hold_pk(&Held::Within(connection.clone()));
    Some(schema::key(pk, format!("{}.{contact}", schema::hold_sk(hold))))
}

fn waiting_key(held: &Held, request: &RequestId) -> Item {
    schema::key(schema::wait_pk(held), schema::request_pk(request))
}

fn hold(item: &Item) -> Result<Hold, StoreError> {
    let id = schema::hold_of(schema::get_text(item, schema::SK)?);
    Ok(Hold {
        id: id.ok_or(StoreError::Corrupt(schema::SK))?,
        reason: schema::get_text(item, schema::REASON)?.to_owned(),
        reference: schema::get_text(item, schema::REFERENCE)?.to_owned(),
        set_at: schema::get_milliseconds(item, schema::SET_AT)?
            .ok_or(StoreError::Corrupt(schema::SET_AT))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_record_reads_back_what_it_wrote() {
        for text in ["account:a1", "connection:c1", "contact:c1.p1"] {
            assert_eq!(Held::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "account", "message:m", "contact:c1", "account:a b"] {
            assert_eq!(Held::parse(bad), None, "{bad:?}");
        }
    }
}
