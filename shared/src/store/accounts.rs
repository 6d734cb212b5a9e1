//! Accounts: `core`, `ACCOUNT#account`, with the account itself under `ACCOUNT` and one item per
//! connection and member it has; a member is found under `MEMBER#member`.

use std::collections::BTreeSet;

use super::contacts::Contact;
use super::expression::{Changes, Condition};
use super::item::{Item, number, text};
use super::read::Query;
use super::schema::{self, Attribute, Table};
use super::transaction::Transaction;
use super::write::Write;
use super::{Store, StoreError};
use crate::domain::account::{Acceptance, Account, AccountState};
use crate::domain::connection::Connection;
use crate::domain::ids::{
    AccountId, ConnectionId, ConversationId, MemberId, PolicyVersion, RequestId, RouteId,
};
use crate::domain::plan::Plan;
use crate::domain::role::Role;
use crate::domain::sealed::PublicKey;

/// A member of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The account.
    pub account: AccountId,
    /// What the member may do there.
    pub role: Role,
}

impl Store {
    /// Opens an account; one that is there stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create_account(&self, id: &AccountId, plan: Plan) -> Result<(), StoreError> {
        self.write_unless_refused(Write::put_new(Table::Core, new_account(id, plan))).await
    }

    /// An account, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        let item = self.item(Table::Core, account_key(id)).await?;
        item.map(|item| account(id, &item)).transpose()
    }

    /// The versions of the privacy policy that an account accepted, the latest first, read
    /// consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R10.1
    pub async fn acceptances(&self, account: &AccountId) -> Result<Vec<Acceptance>, StoreError> {
        let item = self.item(Table::Core, account_key(account)).await?;
        acceptances(&item.unwrap_or_default())
    }

    /// Marks an account erased, whatever it was; does nothing where it is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.1
    pub async fn mark_account_erased(&self, id: &AccountId) -> Result<(), StoreError> {
        let mark = Changes::new().set(schema::STATE, text(AccountState::Erased.as_str()));
        let mark = Write::update(Table::Core, account_key(id), mark);
        self.write_unless_refused(mark.only_if(schema::PK.exists())).await
    }

    /// Deletes an account's own item, once its connections and members are gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete_account(&self, id: &AccountId) -> Result<(), StoreError> {
        self.delete(Table::Core, account_key(id)).await
    }

    /// The members of an account, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account_members(&self, account: &AccountId) -> Result<Vec<MemberId>, StoreError> {
        let items = self.account_items(account, schema::MEMBER_PREFIX).await?;
        items.iter().map(|item| item.parsed(schema::SK, schema::member_of)).collect()
    }

    /// The membership of someone who signed in, read consistently: a removed member is out at once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn member(&self, id: &MemberId) -> Result<Option<Member>, StoreError> {
        let key = schema::key(schema::member_pk(id), schema::MEMBER);
        let Some(item) = self.item(Table::Core, key).await? else { return Ok(None) };
        Ok(Some(Member {
            account: item.parsed(schema::ACCOUNT_ID, AccountId::parse)?,
            role: item.parsed(schema::ROLE, Role::parse)?,
        }))
    }

    /// The route of one connection of this account, read consistently; `None` when the account has
    /// no such connection, whoever else may have it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account_connection(
        &self,
        account: &AccountId,
        connection: &ConnectionId,
    ) -> Result<Option<RouteId>, StoreError> {
        let key = schema::key(schema::account_pk(account), schema::connection_pk(connection));
        let item = self.item(Table::Core, key).await?;
        item.map(|item| route(&item)).transpose()
    }

    /// The connection and contact of a conversation of this account, read consistently; `None` when
    /// it is another account's, its connection is erased, or it never was: all the same.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account_conversation(
        &self,
        account: &AccountId,
        id: &ConversationId,
    ) -> Result<Option<(Connection, Contact)>, StoreError> {
        let Some(route) = self.account_connection(account, &id.connection).await? else {
            return Ok(None);
        };
        let asked = BTreeSet::from([id.clone()]);
        let mut sight = self.look_again(&BTreeSet::from([route.clone()]), &asked).await?;
        let connection = sight.connections.remove(&route);
        let connection = connection.filter(|one| one.id == id.connection && one.serves(account));
        Ok(connection.zip(sight.contacts.remove(id)))
    }

    /// The routes of all connections of this account, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account_connections(
        &self,
        account: &AccountId,
    ) -> Result<Vec<RouteId>, StoreError> {
        self.account_items(account, schema::CONNECTION_PREFIX).await?.iter().map(route).collect()
    }

    /// All connections of this account with their routes, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account_channels(
        &self,
        account: &AccountId,
    ) -> Result<Vec<(RouteId, ConnectionId)>, StoreError> {
        let channel =
            |item: &Item| Ok((route(item)?, item.parsed(schema::SK, schema::connection_of)?));
        self.account_items(account, schema::CONNECTION_PREFIX).await?.iter().map(channel).collect()
    }

    async fn account_items(
        &self,
        account: &AccountId,
        prefix: &str,
    ) -> Result<Vec<Item>, StoreError> {
        let items = Query::partition(Table::Core, schema::account_pk(account)).under(prefix);
        self.all(items).await
    }
}

impl Transaction<'_> {
    /// Only while an account is active: what is being deleted gets nothing new.
    pub(super) fn require_active(self, account: &AccountId) -> Self {
        self.require(Table::Core, account_key(account), is_active())
    }
}

pub(super) fn account_key(id: &AccountId) -> Item {
    schema::key(schema::account_pk(id), schema::ACCOUNT)
}

/// An account that is open from now on.
pub(super) fn new_account(id: &AccountId, plan: Plan) -> Item {
    account_key(id)
        .with(schema::STATE, text(AccountState::Active.as_str()))
        .with(schema::PLAN_DAYS, number(plan.days()))
}

/// A change of an account's own item, which is made only while the account is active.
pub(super) fn change_active(id: &AccountId, changes: Changes) -> Write {
    Write::update(Table::Core, account_key(id), changes).only_if(is_active())
}

/// That an account is active.
pub(super) fn is_active() -> Condition {
    schema::STATE.is(text(AccountState::Active.as_str()))
}

fn account(id: &AccountId, item: &Item) -> Result<Account, StoreError> {
    Ok(Account {
        id: id.clone(),
        state: item.parsed(schema::STATE, AccountState::parse)?,
        deletion: item.optional_parsed(schema::REQUEST_ID, RequestId::parse)?,
        plan_changed_at: item.optional_time(schema::PLAN_CHANGED_AT)?,
        plan: plan(item)?,
        profile: item.optional_bytes(schema::account::PROFILE)?.map(<[u8]>::to_vec),
        profile_version: item
            .optional_number(schema::account::PROFILE_VERSION)?
            .unwrap_or_default(),
        account_key: public_key(item, schema::account::ACCOUNT_KEY)?,
        tax_key: public_key(item, schema::account::TAX_KEY)?,
        accepted: acceptances(item)?.into_iter().next(),
    })
}

/// The plan that an account, or a connection, has.
pub(super) fn plan(item: &Item) -> Result<Plan, StoreError> {
    let plan = Plan::from_days(item.number(schema::PLAN_DAYS)?);
    plan.ok_or_else(|| item.corrupt(schema::PLAN_DAYS))
}

fn public_key(item: &Item, name: Attribute) -> Result<Option<PublicKey>, StoreError> {
    let point = |bytes| PublicKey::from_sec1(bytes).ok_or_else(|| item.corrupt(name));
    item.optional_bytes(name)?.map(point).transpose()
}

fn route(item: &Item) -> Result<RouteId, StoreError> {
    item.parsed(schema::ROUTE_ID, RouteId::parse)
}

/// What an account's own item says that it accepted, the latest version first.
fn acceptances(item: &Item) -> Result<Vec<Acceptance>, StoreError> {
    let mut all = Vec::new();
    for (name, value) in &item.0 {
        let Some(version) = name.strip_prefix(schema::account::ACCEPTED.as_str()) else { continue };
        let acceptance = || {
            let said = Item(value.as_m().ok()?.clone());
            Some(Acceptance {
                version: PolicyVersion::parse(version)?,
                effective_on: said.day(schema::account::EFFECTIVE_ON).ok()?,
                at: said.time(schema::AT).ok()?,
                by: said.parsed(schema::ACTOR, MemberId::parse).ok()?,
            })
        };
        all.push(acceptance().ok_or_else(|| item.corrupt(schema::account::ACCEPTED))?);
    }
    let place = |one: &Acceptance| (one.effective_on, one.at, one.version.clone());
    all.sort_by_key(|one| std::cmp::Reverse(place(one)));
    Ok(all)
}
