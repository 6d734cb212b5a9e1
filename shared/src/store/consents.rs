//! Decisions about optional purposes: `core`, `CONSENTS#account` / `purpose#time`. Each stays as it
//! was written, until its account is erased.

use super::item::{Item, text};
use super::read::Query;
use super::schema::{self, Table, lists};
use super::write::Write;
use super::{Store, StoreError};
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
        let item = schema::key(lists::consents_pk(account), sk)
            .with(schema::CHOICE, text(decision.choice.as_str()))
            .with(schema::POLICY_VERSION, text(decision.policy_version.as_str()))
            .with(schema::ACTOR, text(decision.decided_by.as_str()));
        let keep = self.transaction().with(Write::put_new(Table::Core, item));
        keep.require_active(account).run().await
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
        let latest = Query::partition(Table::Core, lists::consents_pk(account))
            .under(lists::consent_prefix(purpose))
            .backwards()
            .limit(1);
        self.page(latest).await?.items.first().map(decision).transpose()
    }

    /// All decisions of an account, by purpose and then time, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn decisions(&self, account: &AccountId) -> Result<Vec<Decision>, StoreError> {
        let all = Query::partition(Table::Core, lists::consents_pk(account));
        self.all(all).await?.iter().map(decision).collect()
    }

    /// Deletes all decisions of an account.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.1
    pub async fn delete_decisions(&self, account: &AccountId) -> Result<(), StoreError> {
        self.delete_all(Query::partition(Table::Core, lists::consents_pk(account))).await
    }
}

fn decision(item: &Item) -> Result<Decision, StoreError> {
    let (purpose, decided_at) = item.parsed(schema::SK, lists::consent_of)?;
    Ok(Decision {
        purpose,
        choice: item.parsed(schema::CHOICE, Choice::parse)?,
        policy_version: item.parsed(schema::POLICY_VERSION, PolicyVersion::parse)?,
        decided_by: item.parsed(schema::ACTOR, MemberId::parse)?,
        decided_at,
    })
}
