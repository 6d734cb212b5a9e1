//! What changes in an account's own item: its sealed profile, the policies that it accepted, and
//! how many people it invited today.

use aws_sdk_dynamodb::types::AttributeValue;

use super::accounts::account_key;
use super::schema::{self, Item};
use super::{Store, StoreError, classify};
use crate::domain::account::{Acceptance, AccountState};
use crate::domain::ids::{AccountId, MemberId, PolicyVersion};
use crate::domain::time::Day;

impl Store {
    /// Puts a sealed profile in the place of the one of this version; returns the new version. The
    /// old value is not kept.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the profile has another version by now, or the account is not
    /// active.
    //= R5.2
    pub async fn put_profile(
        &self,
        account: &AccountId,
        version: u64,
        sealed: Vec<u8>,
    ) -> Result<u64, StoreError> {
        let next = version.saturating_add(1);
        let is_met = match version {
            0 => "#state = :active AND attribute_not_exists(profile_version)",
            _ => "#state = :active AND profile_version = :version",
        };
        let mut update = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(account_key(account)))
            .update_expression("SET profile = :profile, profile_version = :next")
            .condition_expression(is_met)
            .expression_attribute_names("#state", schema::STATE)
            .expression_attribute_values(":active", schema::text(AccountState::Active.as_str()))
            .expression_attribute_values(":profile", schema::binary(sealed))
            .expression_attribute_values(":next", schema::number(next));
        if version > 0 {
            update = update.expression_attribute_values(":version", schema::number(version));
        }
        update.send().await.map_err(|error| classify(&error))?;
        Ok(next)
    }

    /// Counts an invitation that an account is about to send, if it has sent fewer than `max` on
    /// this day.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it has sent so many, or is not active.
    //= R4.3
    pub async fn count_invitation(
        &self,
        account: &AccountId,
        today: Day,
        max: u32,
    ) -> Result<(), StoreError> {
        let count = |update: &str, condition: &str| {
            self.client
                .update_item()
                .table_name(&self.tables.core)
                .set_key(Some(account_key(account)))
                .update_expression(update)
                .condition_expression(format!("#state = :active AND {condition}"))
                .expression_attribute_names("#state", schema::STATE)
                .expression_attribute_values(":active", schema::text(AccountState::Active.as_str()))
                .expression_attribute_values(":today", schema::text(today.to_string()))
                .expression_attribute_values(":one", schema::number(1))
        };
        let again = "invited_on = :today AND invitations < :max";
        let again = count("ADD invitations :one", again);
        let again = again.expression_attribute_values(":max", schema::number(max)).send().await;
        match again.map_err(|error| classify(&error)) {
            Err(StoreError::Conflict) => {}
            counted => return counted.map(|_| ()),
        }
        let first = "(attribute_not_exists(invited_on) OR invited_on <> :today)";
        let first = count("SET invited_on = :today, invitations = :one", first).send().await;
        first.map(|_| ()).map_err(|error| classify(&error))
    }

    /// Notes that an account accepted a version of the privacy policy; one that it accepted before
    /// stays as it was. Each is kept, as long as the account.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the account is not active.
    //= R10.1
    pub async fn accept_policy(
        &self,
        account: &AccountId,
        Acceptance { version, effective_on, at, by }: &Acceptance,
    ) -> Result<(), StoreError> {
        let acceptance = Item::from([
            (schema::account::EFFECTIVE_ON.to_owned(), schema::text(effective_on.to_string())),
            (schema::AT.to_owned(), schema::milliseconds(*at)),
            (schema::ACTOR.to_owned(), schema::text(by.as_str())),
        ]);
        let name = format!("{}{version}", schema::account::ACCEPTED_PREFIX);
        self.client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(account_key(account)))
            .update_expression("SET #accepted = if_not_exists(#accepted, :acceptance)")
            .condition_expression("#state = :active")
            .expression_attribute_names("#accepted", name)
            .expression_attribute_names("#state", schema::STATE)
            .expression_attribute_values(":active", schema::text(AccountState::Active.as_str()))
            .expression_attribute_values(":acceptance", AttributeValue::M(acceptance))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| classify(&error))
    }

    /// The versions of the privacy policy that an account accepted, the latest first, read
    /// consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R10.1
    pub async fn acceptances(&self, account: &AccountId) -> Result<Vec<Acceptance>, StoreError> {
        let item = self.item(&self.tables.core, account_key(account)).await?;
        acceptances(&item.unwrap_or_default())
    }
}

/// What an account's own item says that it accepted, the latest version first.
pub(super) fn acceptances(item: &Item) -> Result<Vec<Acceptance>, StoreError> {
    let mut all = Vec::new();
    for (name, value) in item {
        let Some(version) = name.strip_prefix(schema::account::ACCEPTED_PREFIX) else { continue };
        let corrupt = || StoreError::Corrupt(schema::account::ACCEPTED_PREFIX);
        let said = value.as_m().map_err(|_| corrupt())?;
        all.push(Acceptance {
            version: PolicyVersion::parse(version).ok_or_else(corrupt)?,
            effective_on: schema::get_day(said, schema::account::EFFECTIVE_ON)?,
            at: schema::get_milliseconds(said, schema::AT)?.ok_or_else(corrupt)?,
            by: MemberId::parse(schema::get_text(said, schema::ACTOR)?).ok_or_else(corrupt)?,
        });
    }
    let place = |one: &Acceptance| (one.effective_on, one.at, one.version.clone());
    all.sort_by_key(|one| std::cmp::Reverse(place(one)));
    Ok(all)
}
