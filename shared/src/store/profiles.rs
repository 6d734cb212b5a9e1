//! What changes in an account's own item: its sealed profile, the policy that it accepted, and how
//! many people it invited today.

use jiff::Timestamp;

use super::accounts::account_key;
use super::schema;
use super::{Store, StoreError, classify};
use crate::domain::account::AccountState;
use crate::domain::ids::{AccountId, PolicyVersion};
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
    /// keeps its time.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the account is not active.
    //= R10.1
    pub async fn accept_policy(
        &self,
        account: &AccountId,
        version: &PolicyVersion,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let accepted = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(account_key(account)))
            .update_expression("SET policy_version = :version, policy_accepted_at = :now")
            .condition_expression(
                "#state = :active AND (attribute_not_exists(policy_version) \
                 OR policy_version <> :version)",
            )
            .expression_attribute_names("#state", schema::STATE)
            .expression_attribute_values(":active", schema::text(AccountState::Active.as_str()))
            .expression_attribute_values(":version", schema::text(version.as_str()))
            .expression_attribute_values(":now", schema::milliseconds(now))
            .send()
            .await;
        match accepted.map_err(|error| classify(&error)) {
            Err(StoreError::Conflict) => {}
            accepted => return accepted.map(|_| ()),
        }
        let account = self.account(account).await?;
        let has = account.filter(|one| one.state == AccountState::Active);
        let has = has.and_then(|one| one.accepted).is_some_and(|one| one.version == *version);
        if has { Ok(()) } else { Err(StoreError::Conflict) }
    }
}
