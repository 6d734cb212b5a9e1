//! The audit chain (R4.6): `ledger`, `AUDIT#account` / day and number, beside the chain's last
//! place (`HEAD`) and the checkpoint of its last cut. `AUDITED` lists which accounts have links of
//! which day, the oldest first, so that a cut finds them without a scan.
//!
//! Links are appended, and deleted by the cut alone; nothing changes one.

use std::time::Duration;

use super::item::{Item, binary, day, milliseconds, number, text, texts};
use super::read::Query;
use super::schema::{self, Attribute, Table};
use super::write::Write;
use super::{Store, StoreError};
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
        let day = Audited { day: link.day, account: link.account.clone() };
        let head = with_point(head_key(&link.account), &link.point());
        let is_last = match last {
            None => schema::PK.is_absent(),
            Some(last) => schema::HASH.is(binary(last.hash.as_bytes())),
        };
        self.transaction()
            .with(Write::put_new(Table::Ledger, item(link)))
            .with(Write::put(Table::Ledger, head).only_if(is_last))
            .with(Write::put(Table::Ledger, audited_key(&day)))
            .run()
            .await
    }

    /// Where the account's chain ends, read consistently; `None` when nothing was ever recorded.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_head(&self, account: &AccountId) -> Result<Option<Point>, StoreError> {
        let item = self.item(Table::Ledger, head_key(account)).await?;
        item.map(|item| point(&item)).transpose()
    }

    async fn has_link(&self, link: &Link) -> Result<bool, StoreError> {
        let Some(item) = self.item(Table::Ledger, link_key(link)).await? else {
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
        let page = links(account, from, schema::AUDIT_END.to_owned()).limit(PAGE);
        let mut page_of_chain = AuditPage::default();
        for item in self.page(page).await?.items {
            if item.text(schema::SK)? == schema::CHECKPOINT {
                let checkpoint = item.text(schema::CHECKPOINT_JWS)?.to_owned();
                page_of_chain.checkpoint = Some(checkpoint);
            } else {
                page_of_chain.links.push(link(account, &item)?);
            }
        }
        Ok(page_of_chain)
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
        let (from, to) = (schema::audit::sk(day, from), schema::audit::sk(day, u64::MAX));
        let page = self.page(links(account, from, to).limit(limit)).await?;
        let links: Result<_, _> = page.items.iter().map(|item| link(account, item)).collect();
        Ok((links?, page.next.is_some()))
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
        let until = text(schema::audit::audited_until_sk(day));
        let audited = Query::partition(Table::Ledger, schema::AUDITED)
            .within(schema::SK.is_at_most(until))
            .from(after.map(audited_key))
            .limit(AUDITED_PAGE);
        let named = |item: &Item| {
            let (day, account) = item.parsed(schema::SK, schema::audit::audited_of)?;
            Ok(Audited { day, account })
        };
        self.page(audited).await?.items.iter().map(named).collect()
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
        let item = schema::key(schema::audit::pk(account), schema::CHECKPOINT)
            .with(schema::CHECKPOINT_JWS, text(checkpoint));
        let is_as_before = match before {
            None => schema::PK.is_absent(),
            Some(before) => schema::CHECKPOINT_JWS.is(text(before)),
        };
        self.write(Write::put(Table::Ledger, item).only_if(is_as_before)).await
    }

    /// Deletes links that a checkpoint stands for.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R4.6, R6.4
    pub async fn delete_audit_links(&self, links: &[Link]) -> Result<(), StoreError> {
        let deletes = links.iter().map(|link| self.delete(Table::Ledger, link_key(link)));
        try_all(deletes, AT_ONCE).await.map(|_| ())
    }

    /// Forgets that an account has links of a day, once it has none any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_audited(&self, audited: &Audited) -> Result<(), StoreError> {
        self.delete(Table::Ledger, audited_key(audited)).await
    }
}

/// The part of a chain between these sort keys, both included.
fn links(account: &AccountId, from: String, to: String) -> Query {
    Query::partition(Table::Ledger, schema::audit::pk(account))
        .within(schema::SK.is_between(text(from), text(to)))
}

/// Grows, and is another one for each of those who try at the same time.
fn pause(tries: u32, hash: &Hash) -> Duration {
    let grown = Duration::from_millis(1).saturating_mul(2_u32.saturating_pow(tries));
    let own = hash.as_bytes().first().copied().unwrap_or_default();
    let grown = grown.min(PAUSE_MAX);
    grown.saturating_add(grown.saturating_mul(u32::from(own)) / 256)
}

fn head_key(account: &AccountId) -> Item {
    schema::key(schema::audit::pk(account), schema::HEAD)
}

fn link_key(link: &Link) -> Item {
    schema::key(schema::audit::pk(&link.account), schema::audit::sk(link.day, link.number))
}

fn audited_key(Audited { day, account }: &Audited) -> Item {
    schema::key(schema::AUDITED, schema::audit::audited_sk(*day, account))
}

fn with_point(item: Item, point: &Point) -> Item {
    item.with(schema::DAY, day(point.day))
        .with(schema::NUMBER, number(point.number))
        .with(schema::HASH, binary(point.hash.as_bytes()))
}

fn item(link: &Link) -> Item {
    let event = &link.event;
    link_key(link)
        .with(schema::HASH, binary(link.hash.as_bytes()))
        .with(schema::PREVIOUS, binary(link.previous.as_bytes()))
        .with(schema::EVENT_ID, text(event.id.as_str()))
        .with(schema::AT, milliseconds(event.at))
        .with(schema::ACTOR, text(event.actor.to_string()))
        .with(schema::ACTION, text(event.action.as_str()))
        .with(schema::OUTCOME, text(event.outcome.as_str()))
        .with(schema::SUBJECTS, texts(event.subjects.iter().map(Subject::as_str)))
        .with_some(schema::ADDRESS, event.address.as_ref().map(|id| text(id.as_str())))
        .with_some(schema::USER_AGENT, event.user_agent.as_ref().map(|id| text(id.as_str())))
}

fn hash(item: &Item, name: Attribute) -> Result<Hash, StoreError> {
    Hash::new(item.bytes(name)?).ok_or_else(|| item.corrupt(name))
}

fn point(item: &Item) -> Result<Point, StoreError> {
    Ok(Point {
        day: item.day(schema::DAY)?,
        number: item.number(schema::NUMBER)?,
        hash: hash(item, schema::HASH)?,
    })
}

fn link(account: &AccountId, item: &Item) -> Result<Link, StoreError> {
    let (day, number) = item.parsed(schema::SK, schema::audit::place_of)?;
    let event = Event {
        id: item.parsed(schema::EVENT_ID, EventId::parse)?,
        at: item.time(schema::AT)?,
        actor: item.parsed(schema::ACTOR, Actor::parse)?,
        action: item.parsed(schema::ACTION, Action::parse)?,
        outcome: item.parsed(schema::OUTCOME, Outcome::parse)?,
        subjects: item.each_parsed(schema::SUBJECTS, Subject::parse)?,
        address: item.optional_parsed(schema::ADDRESS, AddressId::parse)?,
        user_agent: item.optional_parsed(schema::USER_AGENT, UserAgentId::parse)?,
    };
    let (previous, hash) = (hash(item, schema::PREVIOUS)?, hash(item, schema::HASH)?);
    Ok(Link { account: account.clone(), day, number, previous, event, hash })
}
