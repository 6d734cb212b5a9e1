//! Legal holds: `core`, `HOLD#record` with one item per hold, and `WAIT#record` with one per
//! request that waits for them: whoever may note the latter may not touch the former.

use super::item::{Item, milliseconds, text};
use super::read::Query;
use super::schema::{self, Table};
use super::write::Write;
use super::{Store, StoreError};
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
        let item = hold_key(held, &hold.id)
            .with(schema::REASON, text(&hold.reason))
            .with(schema::REFERENCE, text(&hold.reference))
            .with(schema::SET_AT, milliseconds(hold.set_at));
        let places = [place(held, &hold.id)].into_iter().chain(within(held, &hold.id));
        self.transaction()
            .with_all(places.map(|place| Write::put(Table::Core, place)))
            .with(Write::put_new(Table::Core, item))
            .run_if_met()
            .await
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
        let after = after.map_or("!", |place| place.place.as_str());
        let listed = Query::partition(Table::Core, schema::HOLDS).past(after).a_moment_behind();
        self.page(listed.limit(LISTED)).await?.items.iter().map(held_place).collect()
    }

    /// Whether a record has a hold, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.7
    pub async fn is_held(&self, held: &Held) -> Result<bool, StoreError> {
        self.has_any(Query::partition(Table::Core, schema::hold_pk(held))).await
    }

    /// The holds on a record and all that waits for them, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn holds(&self, held: &Held) -> Result<Holds, StoreError> {
        let items = async |pk| self.all(Query::partition(Table::Core, pk)).await;
        let holds = items(schema::hold_pk(held)).await?;
        let mut waiting = items(schema::wait_pk(held)).await?;
        if let Held::Contact(conversation) = held {
            let within = Held::Within(conversation.connection.clone());
            waiting.extend(items(schema::wait_pk(&within)).await?);
        }
        let request = |item: &Item| item.parsed(schema::REQUEST_ID, RequestId::parse);
        Ok(Holds {
            holds: holds.iter().map(hold).collect::<Result<_, _>>()?,
            waiting: waiting.iter().map(request).collect::<Result<_, _>>()?,
        })
    }

    /// Lifts a hold; true when it was there. It stays in the list of all holds, until what is
    /// stored has followed ([`Self::forget_lifted`]).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lift_hold(&self, held: &Held, id: &HoldId) -> Result<bool, StoreError> {
        let hold = Write::delete(Table::Core, hold_key(held, id)).only_if(schema::PK.exists());
        let within = within(held, id).map(|within| Write::delete(Table::Core, within));
        self.transaction().with(hold).with_all(within).run_if_met().await
    }

    /// Takes the holds on a record out of the list of all holds that were lifted, once what is
    /// stored has followed. One that was set again stays in it.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.7
    pub async fn forget_lifted(&self, held: &Held) -> Result<(), StoreError> {
        let listed = format!("{held}#");
        let all = Query::partition(Table::Core, schema::HOLDS).under(listed.as_str());
        for item in self.all(all).await? {
            let id = item.parsed(schema::SK, |sk| HoldId::parse(sk.strip_prefix(&listed)?))?;
            self.transaction()
                .require(Table::Core, hold_key(held, &id), schema::PK.is_absent())
                .with(Write::delete(Table::Core, place(held, &id)))
                .run_if_met()
                .await?;
        }
        Ok(())
    }

    /// Notes that a request waits for the holds on a record.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_waiting(&self, held: &Held, request: &RequestId) -> Result<(), StoreError> {
        let waiting = waiting_key(held, request).with(schema::REQUEST_ID, text(request.as_str()));
        self.write(Write::put(Table::Core, waiting)).await
    }

    /// Forgets that a request waited.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete_waiting(&self, held: &Held, request: &RequestId) -> Result<(), StoreError> {
        self.delete(Table::Core, waiting_key(held, request)).await
    }
}

fn hold_key(held: &Held, hold: &HoldId) -> Item {
    schema::key(schema::hold_pk(held), schema::hold_sk(hold))
}

/// Where a hold is in the list of all holds.
fn place(held: &Held, hold: &HoldId) -> Item {
    schema::key(schema::HOLDS, format!("{held}#{hold}"))
}

/// Where a contact's hold is noted for its connection.
fn within(held: &Held, hold: &HoldId) -> Option<Item> {
    let Held::Contact(ConversationId { connection, contact }) = held else { return None };
    let pk = schema::hold_pk(&Held::Within(connection.clone()));
    Some(schema::key(pk, format!("{}.{contact}", schema::hold_sk(hold))))
}

fn held_place(item: &Item) -> Result<HeldPlace, StoreError> {
    let held = |sk: &str| Held::parse(sk.split_once('#')?.0);
    let held = item.parsed(schema::SK, held)?;
    Ok(HeldPlace { held, place: item.text(schema::SK)?.to_owned() })
}

fn waiting_key(held: &Held, request: &RequestId) -> Item {
    schema::key(schema::wait_pk(held), schema::request_pk(request))
}

fn hold(item: &Item) -> Result<Hold, StoreError> {
    Ok(Hold {
        id: item.parsed(schema::SK, schema::hold_of)?,
        reason: item.text(schema::REASON)?.to_owned(),
        reference: item.text(schema::REFERENCE)?.to_owned(),
        set_at: item.time(schema::SET_AT)?,
    })
}
