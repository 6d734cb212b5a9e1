//! Versions of the privacy policy: `core`, `POLICY#version` / `POLICY`, with one item per owner who
//! was told of it under `MEMBER#member`, for as long as security records are kept. `POLICIES` lists
//! them.

use jiff::Timestamp;

use super::schema::{self, Item};
use super::{Store, StoreError, classify};
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
        let mut item = version_key(version);
        let day = schema::text(effective_on.to_string());
        item.insert(schema::account::EFFECTIVE_ON.to_owned(), day);
        let place = schema::account::policy_place(version, effective_on);
        let place = schema::key(schema::account::POLICIES.to_owned(), place);
        let put = self.transact(vec![self.put_new(item)?, self.put_new(place)?]).await;
        match put {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict) => match self.policy_version(version).await? {
                Some(day) if day == effective_on => Ok(false),
                _ => Err(StoreError::Conflict),
            },
            Err(error) => Err(error),
        }
    }

    /// From when on a version is in force; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn policy_version(&self, version: &PolicyVersion) -> Result<Option<Day>, StoreError> {
        let item = self.item(&self.tables.core, version_key(version)).await?;
        item.map(|item| schema::get_day(&item, schema::account::EFFECTIVE_ON)).transpose()
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
        let answer = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", schema::text(schema::account::POLICIES))
            .scan_index_forward(false)
            .limit(limit)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let version = |item: &Item| {
            schema::account::policy_of(schema::get_text(item, schema::SK)?)
                .ok_or(StoreError::Corrupt(schema::SK))
        };
        answer.items.unwrap_or_default().iter().map(version).collect()
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
        Ok(self.item(&self.tables.core, told_key(member, version)).await?.is_some())
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
        self.client
            .put_item()
            .table_name(&self.tables.core)
            .set_item(Some(told_key(member, version)))
            .item(schema::EXPIRES_AT, schema::seconds(until))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| classify(&error))
    }
}

fn version_key(version: &PolicyVersion) -> Item {
    schema::key(schema::account::policy_pk(version), schema::account::POLICY.to_owned())
}

fn told_key(member: &MemberId, version: &PolicyVersion) -> Item {
    schema::key(schema::account::policy_pk(version), schema::member_pk(member))
}
