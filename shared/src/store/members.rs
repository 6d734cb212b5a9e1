//! Who belongs to an account: `core`, `MEMBER#member` / `MEMBER`, by which they get in, and
//! `ACCOUNT#account` / `MEMBER#member`, by which their account knows them.
//!
//! An account is never left without an owner: whatever takes the role from one checks in the same
//! transaction that another still has it, so that of two at the same moment one fails.

use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem, Update};

use super::accounts::{Member, account_key};
use super::schema::{self, Item};
use super::{Store, StoreError, classify, unless_refused};
use crate::domain::account::AccountState;
use crate::domain::ids::{AccountId, MemberId};
use crate::domain::plan::Plan;
use crate::domain::role::Role;

impl Store {
    /// Opens an account with its first owner, in one step.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is such an account, or the person is a member of one.
    pub async fn open_account(
        &self,
        id: &AccountId,
        plan: Plan,
        owner: &MemberId,
    ) -> Result<(), StoreError> {
        let mut account = account_key(id);
        account.extend([
            (schema::STATE.to_owned(), schema::text(AccountState::Active.as_str())),
            (schema::PLAN_DAYS.to_owned(), schema::number(plan.days())),
        ]);
        let member = Member { account: id.clone(), role: Role::Owner };
        self.transact(vec![
            self.put_new(account)?,
            self.put_new(member_item(owner, &member))?,
            self.put_place(id, owner)?,
        ])
        .await
    }

    /// Makes someone a member who is nobody's.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the person is a member of an account, or this one is not
    /// active.
    //= R4.3
    pub async fn add_member(&self, id: &MemberId, member: &Member) -> Result<(), StoreError> {
        self.transact(vec![
            self.put_new(member_item(id, member))?,
            // Who has a place, and is no member, is being erased.
            self.put_new(place_key(&member.account, id))?,
            self.is_active(&member.account)?,
        ])
        .await
    }

    /// Makes someone a member of an account, or changes the role, whatever was before: their place
    /// in an account that they leave is gone.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when their membership changes at the same moment.
    pub async fn put_member(&self, id: &MemberId, member: &Member) -> Result<(), StoreError> {
        let before = self.member(id).await?;
        let mut put =
            Put::builder().table_name(&self.tables.core).set_item(Some(member_item(id, member)));
        put = match &before {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(before) => put
                .condition_expression("account_id = :account")
                .expression_attribute_values(":account", schema::text(before.account.as_str())),
        };
        let put = put.build().map_err(refused)?;
        let mut writes = vec![
            TransactWriteItem::builder().put(put).build(),
            self.put_place(&member.account, id)?,
        ];
        if let Some(before) = before.filter(|before| before.account != member.account) {
            writes.push(self.delete_place_of(&before.account, id)?);
        }
        self.transact(writes).await
    }

    /// Changes the role of a member from what it was. An owner's is taken while this other one is
    /// an owner of the account.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the role is another one by now, or the other owner's is, or
    /// the account is not active.
    //= R4.3
    pub async fn change_role(
        &self,
        (account, id): (&AccountId, &MemberId),
        (from, to): (Role, Role),
        other_owner: Option<&MemberId>,
    ) -> Result<(), StoreError> {
        let change = Update::builder()
            .table_name(&self.tables.core)
            .set_key(Some(member_key(id)))
            .update_expression("SET #role = :to")
            .condition_expression("account_id = :account AND #role = :from")
            .expression_attribute_names("#role", schema::ROLE)
            .expression_attribute_values(":account", schema::text(account.as_str()))
            .expression_attribute_values(":from", schema::text(from.as_str()))
            .expression_attribute_values(":to", schema::text(to.as_str()))
            .build()
            .map_err(refused)?;
        let change = TransactWriteItem::builder().update(change).build();
        let mut writes = vec![change, self.is_active(account)?];
        writes.extend(other_owner.map(|other| self.still_owns(account, other)).transpose()?);
        self.transact(writes).await
    }

    /// Shuts a member out, whose role is this: from now on nothing serves them. Their place in the
    /// account stays until their identity is erased. An owner goes while this other one is an
    /// owner of the account.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the role is another one by now, or the other owner's is.
    //= R4.3
    pub async fn shut_out(
        &self,
        (account, id): (&AccountId, &MemberId),
        role: Role,
        other_owner: Option<&MemberId>,
    ) -> Result<(), StoreError> {
        let delete = Delete::builder()
            .table_name(&self.tables.core)
            .set_key(Some(member_key(id)))
            .condition_expression("account_id = :account AND #role = :role")
            .expression_attribute_names("#role", schema::ROLE)
            .expression_attribute_values(":account", schema::text(account.as_str()))
            .expression_attribute_values(":role", schema::text(role.as_str()))
            .build()
            .map_err(refused)?;
        let mut writes = vec![TransactWriteItem::builder().delete(delete).build()];
        writes.extend(other_owner.map(|other| self.still_owns(account, other)).transpose()?);
        self.transact(writes).await
    }

    /// Some owner of an account other than this one; `None` when that is the last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn another_owner(
        &self,
        account: &AccountId,
        than: &MemberId,
    ) -> Result<Option<MemberId>, StoreError> {
        for id in self.account_members(account).await?.into_iter().filter(|id| id != than) {
            let member = self.member(&id).await?;
            if member.is_some_and(|one| one.account == *account && one.role == Role::Owner) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Whether someone has a place in an account, read consistently: as a member, or as one who is
    /// being erased.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_member(&self, account: &AccountId, id: &MemberId) -> Result<bool, StoreError> {
        Ok(self.item(&self.tables.core, place_key(account, id)).await?.is_some())
    }

    /// Takes away what lets a member in, unless they are another account's by now.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R9.1
    pub async fn revoke_member(
        &self,
        account: &AccountId,
        id: &MemberId,
    ) -> Result<(), StoreError> {
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.tables.core)
            .set_key(Some(member_key(id)))
            .condition_expression("account_id = :account")
            .expression_attribute_values(":account", schema::text(account.as_str()))
            .send()
            .await;
        unless_refused(deleted.map(|_| ()).map_err(|error| classify(&error)))
    }

    /// Deletes a member: first what lets them in, unless that is another account's by now, then
    /// what they were answered, and their place in the account.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete_member(
        &self,
        account: &AccountId,
        id: &MemberId,
    ) -> Result<(), StoreError> {
        self.revoke_member(account, id).await?;
        self.delete_answers(id).await?;
        self.delete_core(place_key(account, id)).await
    }

    pub(super) fn put_new(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.tables.core)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(refused)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn put_place(
        &self,
        account: &AccountId,
        id: &MemberId,
    ) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.tables.core);
        let put = put.set_item(Some(place_key(account, id))).build().map_err(refused)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn delete_place_of(
        &self,
        account: &AccountId,
        id: &MemberId,
    ) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder().table_name(&self.tables.core);
        let delete = delete.set_key(Some(place_key(account, id))).build().map_err(refused)?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// That an account is active, checked with what is written.
    pub(super) fn is_active(&self, account: &AccountId) -> Result<TransactWriteItem, StoreError> {
        let active = ConditionCheck::builder()
            .table_name(&self.tables.core)
            .set_key(Some(account_key(account)))
            .condition_expression("#state = :active")
            .expression_attribute_names("#state", schema::STATE)
            .expression_attribute_values(":active", schema::text(AccountState::Active.as_str()))
            .build()
            .map_err(refused)?;
        Ok(TransactWriteItem::builder().condition_check(active).build())
    }

    fn still_owns(
        &self,
        account: &AccountId,
        id: &MemberId,
    ) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.tables.core)
            .set_key(Some(member_key(id)))
            .condition_expression("account_id = :account AND #role = :owner")
            .expression_attribute_names("#role", schema::ROLE)
            .expression_attribute_values(":account", schema::text(account.as_str()))
            .expression_attribute_values(":owner", schema::text(Role::Owner.as_str()))
            .build()
            .map_err(refused)?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    pub(super) async fn transact(&self, writes: Vec<TransactWriteItem>) -> Result<(), StoreError> {
        let transaction = self.client.transact_write_items().set_transact_items(Some(writes));
        transaction.send().await.map(|_| ()).map_err(|error| classify(&error))
    }
}

fn refused(_: aws_sdk_dynamodb::error::BuildError) -> StoreError {
    StoreError::Refused("write".to_owned())
}

fn member_key(id: &MemberId) -> Item {
    schema::key(schema::member_pk(id), schema::MEMBER.to_owned())
}

fn place_key(account: &AccountId, id: &MemberId) -> Item {
    schema::key(schema::account_pk(account), schema::member_pk(id))
}

fn member_item(id: &MemberId, member: &Member) -> Item {
    let mut item = member_key(id);
    item.extend([
        (schema::ACCOUNT_ID.to_owned(), schema::text(member.account.as_str())),
        (schema::ROLE.to_owned(), schema::text(member.role.as_str())),
    ]);
    item
}
