//! Versions of the privacy policy: `core`, `POLICY#version` / `POLICY`, with one item per owner who
//! was told of it under `MEMBER#member`, for as long as security records are kept. `POLICIES` lists
//! them.

use jiff::Timestamp;

use super::item::{Item, day, seconds};
use super::read::Query;
use super::schema::{self, Table};
use super::write::Write;
use super::{Store, StoreError};
use crate::domain::audit::KEPT;
use crate::domain::ids::{MemberId, PolicyVersion};
use crate::domain::time::Day;

impl Store {
    /// Stores a version of the privacy policy with the day from which it is in force; true when it
    /// is new.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is there with another day.
    //= R10.1
    pub async fn put_policy_version(
        &self,
        version: &PolicyVersion,
        effective_on: Day,
    ) -> Result<bool, StoreError> {
        let item = version_key(version).with(schema::account::EFFECTIVE_ON, day(effective_on));
        let place = schema::account::policy_place(version, effective_on);
        let place = schema::key(schema::account::POLICIES, place);
        let put = self
            .transaction()
            .with(Write::put_new(Table::Core, item))
            .with(Write::put_new(Table::Core, place));
        if put.run_if_met().await? {
            return Ok(true);
        }
        match self.policy_version(version).await? {
            Some(day) if day == effective_on => Ok(false),
            _ => Err(StoreError::Conflict),
        }
    }

    /// From when on a version is in force; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn policy_version(&self, version: &PolicyVersion) -> Result<Option<Day>, StoreError> {
        let item = self.item(Table::Core, version_key(version)).await?;
        item.map(|item| item.day(schema::account::EFFECTIVE_ON)).transpose()
    }

    /// So many versions, those first that are in force from the latest day on.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R10.1
    pub async fn policy_versions(
        &self,
        limit: i32,
    ) -> Result<Vec<(PolicyVersion, Day)>, StoreError> {
        let latest = Query::partition(Table::Core, schema::account::POLICIES).backwards();
        let page = self.page(latest.limit(limit)).await?;
        let version = |item: &Item| item.parsed(schema::SK, schema::account::policy_of);
        page.items.iter().map(version).collect()
    }

    /// Whether an owner was told of a version.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn was_told(
        &self,
        member: &MemberId,
        version: &PolicyVersion,
    ) -> Result<bool, StoreError> {
        Ok(self.item(Table::Core, told_key(member, version)).await?.is_some())
    }

    /// Notes that an owner was told of a version.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R10.1
    pub async fn put_told(
        &self,
        member: &MemberId,
        version: &PolicyVersion,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let until = now.saturating_add(KEPT).unwrap_or(Timestamp::MAX);
        let told = told_key(member, version).with(schema::EXPIRES_AT, seconds(until));
        self.write(Write::put(Table::Core, told)).await
    }
}

fn version_key(version: &PolicyVersion) -> Item {
    schema::key(schema::account::policy_pk(version), schema::account::POLICY)
}

fn told_key(member: &MemberId, version: &PolicyVersion) -> Item {
    schema::key(schema::account::policy_pk(version), schema::member_pk(member))
}
