//! Who belongs to an account: `core`, `MEMBER#member` / `MEMBER`, by which they get in, and
//! `ACCOUNT#account` / `MEMBER#member`, by which their account knows them.
//!
//! An account is never left without an owner: whatever takes the role from one checks in the same
//! transaction that another still has it, so that of two at the same moment one fails.

use super::accounts::{Member, new_account};
use super::expression::{Changes, Condition};
use super::item::{Item, text};
use super::schema::{self, Table};
use super::transaction::Transaction;
use super::write::Write;
use super::{Store, StoreError};
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
        let member = Member { account: id.clone(), role: Role::Owner };
        self.transaction()
            .with(Write::put_new(Table::Core, new_account(id, plan)))
            .with(Write::put_new(Table::Core, member_item(owner, &member)))
            .with(Write::put(Table::Core, place_key(id, owner)))
            .run()
            .await
    }

    /// Makes someone a member who is nobody's.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the person is a member of an account, or this one is not
    /// active.
    //= R4.3
    pub async fn add_member(&self, id: &MemberId, member: &Member) -> Result<(), StoreError> {
        self.transaction()
            .with(Write::put_new(Table::Core, member_item(id, member)))
            // Who has a place, and is no member, is being erased.
            .with(Write::put_new(Table::Core, place_key(&member.account, id)))
            .require_active(&member.account)
            .run()
            .await
    }

    /// Makes someone a member of an account, or changes the role, whatever was before: their place
    /// in an account that they leave is gone.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when their membership changes at the same moment.
    pub async fn put_member(&self, id: &MemberId, member: &Member) -> Result<(), StoreError> {
        let before = self.member(id).await?;
        let is_as_before = match &before {
            None => schema::PK.is_absent(),
            Some(before) => is_in(&before.account),
        };
        let left = before.filter(|before| before.account != member.account);
        let left = left.map(|left| Write::delete(Table::Core, place_key(&left.account, id)));
        self.transaction()
            .with(Write::put(Table::Core, member_item(id, member)).only_if(is_as_before))
            .with(Write::put(Table::Core, place_key(&member.account, id)))
            .with_all(left)
            .run()
            .await
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
        let change = Changes::new().set(schema::ROLE, text(to.as_str()));
        let change =
            Write::update(Table::Core, member_key(id), change).only_if(is_as(account, from));
        let change = self.transaction().with(change).require_active(account);
        still_owned(change, account, other_owner).run().await
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
        let delete = Write::delete(Table::Core, member_key(id)).only_if(is_as(account, role));
        let shut_out = self.transaction().with(delete);
        still_owned(shut_out, account, other_owner).run().await
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

    /// Whether a member has a place in an account, read consistently. Members keep their place
    /// until their erasure removes it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_member_place(
        &self,
        account: &AccountId,
        id: &MemberId,
    ) -> Result<bool, StoreError> {
        Ok(self.item(Table::Core, place_key(account, id)).await?.is_some())
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
        let revoke = Write::delete(Table::Core, member_key(id)).only_if(is_in(account));
        self.write_unless_refused(revoke).await
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
        self.delete(Table::Core, place_key(account, id)).await
    }
}

/// Only while this other one, where one is named, is an owner of the account.
fn still_owned<'a>(
    transaction: Transaction<'a>,
    account: &AccountId,
    other_owner: Option<&MemberId>,
) -> Transaction<'a> {
    match other_owner {
        Some(other) => {
            transaction.require(Table::Core, member_key(other), is_as(account, Role::Owner))
        }
        None => transaction,
    }
}

/// That someone is a member of an account.
fn is_in(account: &AccountId) -> Condition {
    schema::ACCOUNT_ID.is(text(account.as_str()))
}

/// That someone is a member of an account in this role.
fn is_as(account: &AccountId, role: Role) -> Condition {
    is_in(account).and(schema::ROLE.is(text(role.as_str())))
}

fn member_key(id: &MemberId) -> Item {
    schema::key(schema::member_pk(id), schema::MEMBER)
}

fn place_key(account: &AccountId, id: &MemberId) -> Item {
    schema::key(schema::account_pk(account), schema::member_pk(id))
}

fn member_item(id: &MemberId, member: &Member) -> Item {
    member_key(id)
        .with(schema::ACCOUNT_ID, text(member.account.as_str()))
        .with(schema::ROLE, text(member.role.as_str()))
}
