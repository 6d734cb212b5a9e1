//! Legal holds: `core`, `HOLD#record` with one item per hold, and `WAIT#record` with one per
//! request that waits for them: whoever may note the latter may not touch the former.

use aws_sdk_dynamodb::types::builders::DeleteBuilder;
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem};

use super::connections::put;
use super::requests::request_id;
use super::schema::{self, Item};
use super::{Store, StoreError, classify, met, unless_refused};
use crate::domain::hold::{Held, Hold};
use crate::domain::ids::{ConversationId, HoldId, RequestId};

/// Holds of one page of the list.
const LISTED: i32 = 100;

/// The holds on one record, and the requests that wait for the last of them to be lifted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holds {
    /// The holds.
    pub holds: Vec<Hold>,
    /// The requests.
    pub waiting: Vec<RequestId>,
}

/// A record in the list of all that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldPlace {
    /// The record.
    pub held: Held,
    place: String,
}

impl Store {
    /// Sets a hold; true when it was not there. One that is there stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.7
    pub async fn put_hold(&self, held: &Held, hold: &Hold) -> Result<bool, StoreError> {
        let mut item = schema::key(schema::hold_pk(held), schema::hold_sk(&hold.id));
        item.extend([
            (schema::REASON.to_owned(), schema::text(&hold.reason)),
            (schema::REFERENCE.to_owned(), schema::text(&hold.reference)),
            (schema::SET_AT.to_owned(), schema::milliseconds(hold.set_at)),
        ]);
        let mut transaction = self.client.transact_write_items();
        for place in [place(held, &hold.id)].into_iter().chain(within(held, &hold.id)) {
            let put = put(&self.tables.core, place)?;
            transaction = transaction.transact_items(TransactWriteItem::builder().put(put).build());
        }
        let put = Put::builder()
            .table_name(&self.tables.core)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(|_| StoreError::Refused("hold".to_owned()))?;
        let set = transaction.transact_items(TransactWriteItem::builder().put(put).build());
        met(set.send().await.map_err(|error| classify(&error)))
    }

    /// A page of the records that have holds, or had until lately, past one of them; empty at the
    /// end. One with several comes several times, one after the other.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn held_after(
        &self,
        after: Option<&HeldPlace>,
    ) -> Result<Vec<HeldPlace>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.core)
            .key_condition_expression("pk = :pk AND sk > :after")
            .expression_attribute_values(":pk", schema::text(schema::HOLDS))
            .expression_attribute_values(
                ":after",
                schema::text(after.map_or("!", |place| place.place.as_str())),
            )
            .limit(LISTED)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        answer.items.unwrap_or_default().iter().map(held_place).collect()
    }

    /// Whether a record has a hold, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.7
    pub async fn is_held(&self, held: &Held) -> Result<bool, StoreError> {
        self.has_items(schema::hold_pk(held)).await
    }

    /// The holds on a record and all that waits for them, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn holds(&self, held: &Held) -> Result<Holds, StoreError> {
        let holds = self.items(schema::hold_pk(held), None).await?;
        let mut waiting = self.items(schema::wait_pk(held), None).await?;
        if let Held::Contact(conversation) = held {
            let within = Held::Within(conversation.connection.clone());
            waiting.extend(self.items(schema::wait_pk(&within), None).await?);
        }
        Ok(Holds {
            holds: holds.iter().map(hold).collect::<Result<_, _>>()?,
            waiting: waiting.iter().map(request_id).collect::<Result<_, _>>()?,
        })
    }

    /// Lifts a hold; true when it was there. It stays in the list of all holds, until what is
    /// stored has followed ([`Self::forget_lifted`]).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lift_hold(&self, held: &Held, id: &HoldId) -> Result<bool, StoreError> {
        let key = schema::key(schema::hold_pk(held), schema::hold_sk(id));
        let hold = self.deletion(key).condition_expression("attribute_exists(pk)");
        let mut transaction = self.client.transact_write_items().transact_items(built(hold)?);
        if let Some(within) = within(held, id) {
            transaction = transaction.transact_items(built(self.deletion(within))?);
        }
        met(transaction.send().await.map_err(|error| classify(&error)))
    }

    /// Takes the holds on a record out of the list of all holds that were lifted, once what is
    /// stored has followed. One that was set again stays in it.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.7
    pub async fn forget_lifted(&self, held: &Held) -> Result<(), StoreError> {
        let listed = format!("{held}#");
        for item in self.items(schema::HOLDS.to_owned(), Some(&listed)).await? {
            let id = schema::get_text(&item, schema::SK)?.strip_prefix(&listed);
            let id = id.and_then(HoldId::parse).ok_or(StoreError::Corrupt(schema::SK))?;
            let hold = schema::key(schema::hold_pk(held), schema::hold_sk(&id));
            let is_lifted = ConditionCheck::builder()
                .table_name(&self.tables.core)
                .set_key(Some(hold))
                .condition_expression("attribute_not_exists(pk)")
                .build()
                .map_err(|_| StoreError::Refused("check".to_owned()))?;
            let forgotten = self
                .client
                .transact_write_items()
                .transact_items(TransactWriteItem::builder().condition_check(is_lifted).build())
                .transact_items(built(self.deletion(place(held, &id)))?)
                .send()
                .await;
            unless_refused(forgotten.map(|_| ()).map_err(|error| classify(&error)))?;
        }
        Ok(())
    }

    fn deletion(&self, key: Item) -> DeleteBuilder {
        Delete::builder().table_name(&self.tables.core).set_key(Some(key))
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
        self.delete_core(waiting_key(held, request)).await
    }
}

fn built(delete: DeleteBuilder) -> Result<TransactWriteItem, StoreError> {
    let delete = delete.build().map_err(|_| StoreError::Refused("delete".to_owned()))?;
    Ok(TransactWriteItem::builder().delete(delete).build())
}

/// Where a hold is in the list of all holds.
fn place(held: &Held, hold: &HoldId) -> Item {
    schema::key(schema::HOLDS.to_owned(), format!("{held}#{hold}"))
}

/// Where a contact's hold is noted for its connection.
fn within(held: &Held, hold: &HoldId) -> Option<Item> {
    let Held::Contact(ConversationId { connection, contact }) = held else { return None };
    let pk = schema::hold_pk(&Held::Within(connection.clone()));
    Some(schema::key(pk, format!("{}.{contact}", schema::hold_sk(hold))))
}

fn held_place(item: &Item) -> Result<HeldPlace, StoreError> {
    let place = schema::get_text(item, schema::SK)?.to_owned();
    let held = place.split_once('#').and_then(|(held, _)| Held::parse(held));
    Ok(HeldPlace { held: held.ok_or(StoreError::Corrupt(schema::SK))?, place })
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
