//! Decisions about optional purposes: `core`, `CONSENTS#account` / `purpose#time`. Each stays as it
//! was written, until its account is erased.

use super::schema::{self, Item, lists};
use super::{Store, StoreError, classify};
use crate::domain::consent::{Choice, Decision, Purpose};
use crate::domain::ids::{AccountId, MemberId, PolicyVersion};

impl Store {
    /// Keeps a decision.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is one about that purpose in the same millisecond, or
    /// the account is not active: what is written at its very end would stay for ever.
    //= R2.2, R5.5, R5.6, R6.1
    pub async fn keep_decision(
        &self,
        account: &AccountId,
        decision: &Decision,
    ) -> Result<(), StoreError> {
        let sk = lists::consent_sk(decision.purpose, decision.decided_at);
        let mut item = schema::key(lists::consents_pk(account), sk);
        item.extend([
            (schema::CHOICE.to_owned(), schema::text(decision.choice.as_str())),
            (schema::POLICY_VERSION.to_owned(), schema::text(decision.policy_version.as_str())),
            (schema::ACTOR.to_owned(), schema::text(decision.decided_by.as_str())),
        ]);
        self.transact(vec![self.put_new(item)?, self.is_active(account)?]).await
    }

    /// The latest decision about a purpose, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R2.2, R5.5, R5.6
    pub async fn latest_decision(
        &self,
        account: &AccountId,
        purpose: Purpose,
    ) -> Result<Option<Decision>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :purpose)")
            .expression_attribute_values(":pk", schema::text(lists::consents_pk(account)))
            .expression_attribute_values(":purpose", schema::text(lists::consent_prefix(purpose)))
            .scan_index_forward(false)
            .limit(1)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        answer.items.unwrap_or_default().first().map(decision).transpose()
    }

    /// All decisions of an account, by purpose and then time, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn decisions(&self, account: &AccountId) -> Result<Vec<Decision>, StoreError> {
        self.items(lists::consents_pk(account), None).await?.iter().map(decision).collect()
    }

    /// Deletes all decisions of an account.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.1
    pub async fn delete_decisions(&self, account: &AccountId) -> Result<(), StoreError> {
        for key in self.keys(lists::consents_pk(account), None).await? {
            self.delete_core(key).await?;
        }
        Ok(())
    }
}

fn decision(item: &Item) -> Result<Decision, StoreError> {
    let named = lists::consent_of(schema::get_text(item, schema::SK)?);
    let (purpose, decided_at) = named.ok_or(StoreError::Corrupt(schema::SK))?;
    let choice = Choice::parse(schema::get_text(item, schema::CHOICE)?);
    let version = PolicyVersion::parse(schema::get_text(item, schema::POLICY_VERSION)?);
    let actor = MemberId::parse(schema::get_text(item, schema::ACTOR)?);
    Ok(Decision {
        purpose,
        choice: choice.ok_or(StoreError::Corrupt(schema::CHOICE))?,
        policy_version: version.ok_or(StoreError::Corrupt(schema::POLICY_VERSION))?,
        decided_by: actor.ok_or(StoreError::Corrupt(schema::ACTOR))?,
        decided_at,
    })
}
