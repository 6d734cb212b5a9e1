//! The audit chain (R4.6): `ledger`, `AUDIT#account` / day and number, beside the chain's last
//! place (`HEAD`) and the checkpoint of its last cut. `AUDITED` lists which accounts have links of
//! which day, the oldest first, so that a cut finds them without a scan.
//!
//! Links are appended, and deleted by the cut alone; nothing changes one.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};

use super::connections::put;
use super::schema::{self, Item};
use super::{Store, StoreError, classify};
use crate::concurrent::try_all;
use crate::domain::audit::{Action, Actor, Event, Hash, Link, Outcome, Point, Subject};
use crate::domain::ids::{AccountId, AddressId, EventId, UserAgentId};
use crate::domain::time::Day;

/// Tries to take the next place while others do the same.
const TRIES_MAX: u32 = 16;
/// The longest pause between two tries is about twice this.
const PAUSE_MAX: Duration = Duration::from_millis(200);
/// Links of one page.
const PAGE: i32 = 250;
/// Days of accounts in one page.
const AUDITED_PAGE: i32 = 100;
/// Links that are deleted at once.
const AT_ONCE: usize = 16;

/// A page of an account's chain, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditPage {
    /// What the last cut signed; on the first page only.
    pub checkpoint: Option<String>,
    /// The links.
    pub links: Vec<Link>,
}

/// A day of which an account has links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// The day.
    pub day: Day,
    /// The account.
    pub account: AccountId,
}

impl Store {
    /// Appends an event to the account's chain; returns its place.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when others kept taking the next place.
    //= R1.3, R4.6
    pub async fn append_audit_event(
        &self,
        account: &AccountId,
        event: Event,
    ) -> Result<Point, StoreError> {
        for tries in 0..TRIES_MAX {
            let last = self.audit_head(account).await?;
            let link = Link::after(last.as_ref(), account, event.clone());
            match self.try_append_link(&link, last.as_ref()).await {
                Err(StoreError::Conflict) => {}
                appended => return appended.map(|()| link.point()),
            }
            // It was ours, and its answer was lost on the way.
            if self.has_link(&link).await? {
                return Ok(link.point());
            }
            tokio::time::sleep(pause(tries, &link.hash)).await;
        }
        Err(StoreError::Conflict)
    }

    /// The chain, its head and its index change together or not at all, and only while the head is
    /// where the link says: so a chain never forks.
    //= R4.6
    async fn try_append_link(&self, link: &Link, last: Option<&Point>) -> Result<(), StoreError> {
        let table = &self.tables.ledger;
        let day = Audited { day: link.day, account: link.account.clone() };
        let head = Put::builder()
            .table_name(table)
            .set_item(Some(with_point(head_key(&link.account), &link.point())));
        let head = match last {
            None => head.condition_expression(NEW),
            Some(last) => head
                .condition_expression("#hash = :last")
                .expression_attribute_names("#hash", schema::HASH)
                .expression_attribute_values(":last", schema::binary(last.hash.as_bytes())),
        };
        let item = Put::builder().table_name(table).set_item(Some(item(link)));
        let built = |put: Put| TransactWriteItem::builder().put(put).build();
        let refused = |_| StoreError::Refused("put".to_owned());
        self.client
            .transact_write_items()
            .transact_items(built(item.condition_expression(NEW).build().map_err(refused)?))
            .transact_items(built(head.build().map_err(refused)?))
            .transact_items(built(put(table, audited_key(&day))?))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| classify(&error))
    }

    /// Where the account's chain ends, read consistently; `None` when nothing was ever recorded.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_head(&self, account: &AccountId) -> Result<Option<Point>, StoreError> {
        let item = self.item(&self.tables.ledger, head_key(account)).await?;
        item.map(|item| point(&item)).transpose()
    }

    async fn has_link(&self, link: &Link) -> Result<bool, StoreError> {
        let Some(item) = self.item(&self.tables.ledger, link_key(link)).await? else {
            return Ok(false);
        };
        Ok(hash(&item, schema::HASH)? == link.hash)
    }

    /// A page of the account's chain after a place (`None`: from its checkpoint on), read
    /// consistently; no links at the end.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] at a link that is not as this code writes it.
    pub async fn audit_page(
        &self,
        account: &AccountId,
        after: Option<&Point>,
    ) -> Result<AuditPage, StoreError> {
        // The checkpoint sorts before every day.
        let from = after.map_or_else(
            || schema::CHECKPOINT.to_owned(),
            |after| schema::audit::sk(after.day, after.number.saturating_add(1)),
        );
        let answer = self
            .client
            .query()
            .table_name(&self.tables.ledger)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", schema::text(schema::audit::pk(account)))
            .expression_attribute_values(":from", schema::text(from))
            .expression_attribute_values(":to", schema::text(schema::AUDIT_END))
            .limit(PAGE)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let mut page = AuditPage::default();
        for item in answer.items.unwrap_or_default() {
            if schema::get_text(&item, schema::SK)? == schema::CHECKPOINT {
                page.checkpoint = Some(schema::get_text(&item, schema::CHECKPOINT_JWS)?.to_owned());
            } else {
                page.links.push(link(account, &item)?);
            }
        }
        Ok(page)
    }

    /// A page of the account's links of one day from the one of that number on, and whether there
    /// are more. Read consistently.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] at a link that is not as this code writes it.
    pub async fn audit_day(
        &self,
        account: &AccountId,
        (day, from): (Day, u64),
        limit: i32,
    ) -> Result<(Vec<Link>, bool), StoreError> {
        let from = schema::audit::sk(day, from);
        let to = schema::audit::sk(day, u64::MAX);
        let answer = self
            .client
            .query()
            .table_name(&self.tables.ledger)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", schema::text(schema::audit::pk(account)))
            .expression_attribute_values(":from", schema::text(from))
            .expression_attribute_values(":to", schema::text(to))
            .limit(limit)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let items = answer.items.unwrap_or_default();
        let links: Result<_, _> = items.iter().map(|item| link(account, item)).collect();
        Ok((links?, answer.last_evaluated_key.is_some()))
    }

    /// A page of the accounts that have links of this day or an earlier one, the oldest day first,
    /// after one of them; empty at the end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audited_until(
        &self,
        day: Day,
        after: Option<&Audited>,
    ) -> Result<Vec<Audited>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.ledger)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk <= :until")
            .expression_attribute_values(":pk", schema::text(schema::AUDITED))
            .expression_attribute_values(
                ":until",
                schema::text(schema::audit::audited_until_sk(day)),
            )
            .set_exclusive_start_key(after.map(audited_key))
            .limit(AUDITED_PAGE)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let audited = |item: &Item| {
            let named = schema::audit::audited_of(schema::get_text(item, schema::SK)?);
            let (day, account) = named.ok_or(StoreError::Corrupt(schema::SK))?;
            Ok(Audited { day, account })
        };
        answer.items.unwrap_or_default().iter().map(audited).collect()
    }

    /// Puts the checkpoint of a cut in place of the one before it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another cut came first.
    //= R4.6
    pub async fn put_audit_checkpoint(
        &self,
        account: &AccountId,
        before: Option<&str>,
        checkpoint: &str,
    ) -> Result<(), StoreError> {
        let key = schema::key(schema::audit::pk(account), schema::CHECKPOINT.to_owned());
        let put = self
            .client
            .put_item()
            .table_name(&self.tables.ledger)
            .set_item(Some(key))
            .item(schema::CHECKPOINT_JWS, schema::text(checkpoint));
        let put = match before {
            None => put.condition_expression(NEW),
            Some(before) => put
                .condition_expression("#checkpoint = :before")
                .expression_attribute_names("#checkpoint", schema::CHECKPOINT_JWS)
                .expression_attribute_values(":before", schema::text(before)),
        };
        put.send().await.map(|_| ()).map_err(|error| classify(&error))
    }

    /// Deletes links that a checkpoint stands for.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R4.6, R6.4
    pub async fn delete_audit_links(&self, links: &[Link]) -> Result<(), StoreError> {
        let deletes = links.iter().map(|link| self.delete_from_ledger(link_key(link)));
        try_all(deletes, AT_ONCE).await.map(|_| ())
    }

    /// Forgets that an account has links of a day, once it has none any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_audited(&self, audited: &Audited) -> Result<(), StoreError> {
        self.delete_from_ledger(audited_key(audited)).await
    }

    async fn delete_from_ledger(&self, key: Item) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.tables.ledger).set_key(Some(key));
        delete.send().await.map(|_| ()).map_err(|error| classify(&error))
    }
}

const NEW: &str = "attribute_not_exists(pk)";

/// Grows, and is another one for each of those who try at the same time.
fn pause(tries: u32, hash: &Hash) -> Duration {
    let grown = Duration::from_millis(1).saturating_mul(2_u32.saturating_pow(tries));
    let own = hash.as_bytes().first().copied().unwrap_or_default();
    let grown = grown.min(PAUSE_MAX);
    grown.saturating_add(grown.saturating_mul(u32::from(own)) / 256)
}

fn head_key(account: &AccountId) -> Item {
    schema::key(schema::audit::pk(account), schema::HEAD.to_owned())
}

fn link_key(link: &Link) -> Item {
    schema::key(schema::audit::pk(&link.account), schema::audit::sk(link.day, link.number))
}

fn audited_key(Audited { day, account }: &Audited) -> Item {
    schema::key(schema::AUDITED.to_owned(), schema::audit::audited_sk(*day, account))
}

fn with_point(mut item: Item, point: &Point) -> Item {
    item.extend([
        (schema::DAY.to_owned(), schema::text(point.day.to_string())),
        (schema::NUMBER.to_owned(), schema::number(point.number)),
        (schema::HASH.to_owned(), schema::binary(point.hash.as_bytes())),
    ]);
    item
}

fn item(link: &Link) -> Item {
    let mut item = link_key(link);
    let event = &link.event;
    let subjects = event.subjects.iter().map(|subject| schema::text(subject.as_str()));
    item.extend([
        (schema::HASH.to_owned(), schema::binary(link.hash.as_bytes())),
        (schema::PREVIOUS.to_owned(), schema::binary(link.previous.as_bytes())),
        (schema::EVENT_ID.to_owned(), schema::text(event.id.as_str())),
        (schema::AT.to_owned(), schema::milliseconds(event.at)),
        (schema::ACTOR.to_owned(), schema::text(event.actor.to_string())),
        (schema::ACTION.to_owned(), schema::text(event.action.as_str())),
        (schema::OUTCOME.to_owned(), schema::text(event.outcome.as_str())),
        (schema::SUBJECTS.to_owned(), AttributeValue::L(subjects.collect())),
    ]);
    if let Some(address) = &event.address {
        item.insert(schema::ADDRESS.to_owned(), schema::text(address.as_str()));
    }
    if let Some(user_agent) = &event.user_agent {
        item.insert(schema::USER_AGENT.to_owned(), schema::text(user_agent.as_str()));
    }
    item
}

fn hash(item: &Item, name: &'static str) -> Result<Hash, StoreError> {
    Hash::new(schema::get_bytes(item, name)?).ok_or(StoreError::Corrupt(name))
}

fn point(item: &Item) -> Result<Point, StoreError> {
    Ok(Point {
        day: schema::get_day(item, schema::DAY)?,
        number: schema::get_number(item, schema::NUMBER)?
            .ok_or(StoreError::Corrupt(schema::NUMBER))?,
        hash: hash(item, schema::HASH)?,
    })
}

/// A value read by its `parse`; absent, or of no such kind, it is corrupt.
fn read<T>(
    item: &Item,
    name: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, StoreError> {
    parse(schema::get_text(item, name)?).ok_or(StoreError::Corrupt(name))
}

fn link(account: &AccountId, item: &Item) -> Result<Link, StoreError> {
    let place = schema::audit::place_of(schema::get_text(item, schema::SK)?);
    let (day, number) = place.ok_or(StoreError::Corrupt(schema::SK))?;
    let optional = |name| schema::get_optional(item, name);
    let address = optional(schema::ADDRESS)?
        .map(|text| AddressId::parse(text).ok_or(StoreError::Corrupt(schema::ADDRESS)));
    let user_agent = optional(schema::USER_AGENT)?
        .map(|text| UserAgentId::parse(text).ok_or(StoreError::Corrupt(schema::USER_AGENT)));
    let subjects = schema::get_texts(item, schema::SUBJECTS)?.into_iter().map(Subject::parse);
    let event = Event {
        id: read(item, schema::EVENT_ID, EventId::parse)?,
        at: schema::get_milliseconds(item, schema::AT)?.ok_or(StoreError::Corrupt(schema::AT))?,
        actor: read(item, schema::ACTOR, Actor::parse)?,
        action: read(item, schema::ACTION, Action::parse)?,
        outcome: read(item, schema::OUTCOME, Outcome::parse)?,
        subjects: subjects.collect::<Option<_>>().ok_or(StoreError::Corrupt(schema::SUBJECTS))?,
        address: address.transpose()?,
        user_agent: user_agent.transpose()?,
    };
    let (previous, hash) = (hash(item, schema::PREVIOUS)?, hash(item, schema::HASH)?);
    Ok(Link { account: account.clone(), day, number, previous, event, hash })
}
