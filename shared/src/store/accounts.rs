//! Accounts: `core`, `ACCOUNT#account`, with the account itself under `ACCOUNT` and one item per
//! connection and member it has; a member is found under `MEMBER#member`.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::Update;

use super::contacts::Contact;
use super::profiles::acceptances;
use super::requests::request_id;
use super::schema::{self, Item};
use super::{Store, StoreError, Tables, classify, unless_refused};
use crate::domain::account::{Account, AccountState};
use crate::domain::connection::Connection;
use crate::domain::ids::{AccountId, ConnectionId, ConversationId, MemberId, RequestId, RouteId};
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
        let created = self
            .client
            .put_item()
            .table_name(&self.tables.core)
            .set_item(Some(account_key(id)))
            .item(schema::STATE, schema::text(AccountState::Active.as_str()))
            .item(schema::PLAN_DAYS, schema::number(plan.days()))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        unless_refused(created.map(|_| ()).map_err(|error| classify(&error)))
    }

    /// An account, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        let item = self.item(&self.tables.core, account_key(id)).await?;
        item.map(|item| account(id, &item)).transpose()
    }

    /// Marks an account erased, whatever it was; does nothing where it is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.1
    pub async fn mark_account_erased(&self, id: &AccountId) -> Result<(), StoreError> {
        let marked = self
            .client
            .update_item()
            .table_name(&self.tables.core)
            .set_key(Some(account_key(id)))
            .update_expression("SET #state = :erased")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#state", schema::STATE)
            .expression_attribute_values(":erased", schema::text(AccountState::Erased.as_str()))
            .send()
            .await;
        unless_refused(marked.map(|_| ()).map_err(|error| classify(&error)))
    }

    /// Deletes an account's own item, once its connections and members are gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete_account(&self, id: &AccountId) -> Result<(), StoreError> {
        self.delete_core(account_key(id)).await
    }

    /// The members of an account, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account_members(&self, account: &AccountId) -> Result<Vec<MemberId>, StoreError> {
        let member = |item: &Item| {
            schema::member_of(schema::get_text(item, schema::SK)?)
                .ok_or(StoreError::Corrupt(schema::SK))
        };
        self.account_items(account, schema::MEMBER_PREFIX).await?.iter().map(member).collect()
    }

    /// The membership of someone who signed in, read consistently: a removed member is out at once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn member(&self, id: &MemberId) -> Result<Option<Member>, StoreError> {
        let key = schema::key(schema::member_pk(id), schema::MEMBER.to_owned());
        let Some(item) = self.item(&self.tables.core, key).await? else { return Ok(None) };
        Ok(Some(Member {
            account: AccountId::parse(schema::get_text(&item, schema::ACCOUNT_ID)?)
                .ok_or(StoreError::Corrupt(schema::ACCOUNT_ID))?,
            role: Role::parse(schema::get_text(&item, schema::ROLE)?)
                .ok_or(StoreError::Corrupt(schema::ROLE))?,
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
        let item = self.item(&self.tables.core, key).await?;
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
        let channel = |item: &Item| {
            let id = schema::connection_of(schema::get_text(item, schema::SK)?);
            Ok((route(item)?, id.ok_or(StoreError::Corrupt(schema::SK))?))
        };
        self.account_items(account, schema::CONNECTION_PREFIX).await?.iter().map(channel).collect()
    }

    pub(super) async fn account_items(
        &self,
        account: &AccountId,
        prefix: &str,
    ) -> Result<Vec<Item>, StoreError> {
        self.items(schema::account_pk(account), Some(prefix)).await
    }
}

pub(super) fn account_key(id: &AccountId) -> Item {
    schema::key(schema::account_pk(id), schema::ACCOUNT.to_owned())
}

/// Locks an account for the request that will erase it.
//= R6.1
pub(super) fn lock(tables: &Tables, id: &AccountId, request: &RequestId) -> Option<Update> {
    let update = Update::builder()
        .table_name(&tables.core)
        .set_key(Some(account_key(id)))
        .update_expression("SET #state = :locked, request_id = :request")
        .condition_expression("#state = :active")
        .expression_attribute_names("#state", schema::STATE)
        .expression_attribute_values(":active", schema::text(AccountState::Active.as_str()))
        .expression_attribute_values(":locked", schema::text(AccountState::Locked.as_str()))
        .expression_attribute_values(":request", schema::text(request.as_str()));
    update.build().ok()
}

/// Takes that lock away, and no other's.
pub(super) fn unlock(tables: &Tables, id: &AccountId, request: &RequestId) -> Option<Update> {
    let update = Update::builder()
        .table_name(&tables.core)
        .set_key(Some(account_key(id)))
        .update_expression("SET #state = :active REMOVE request_id")
        .condition_expression("request_id = :request")
        .expression_attribute_names("#state", schema::STATE)
        .expression_attribute_values(":active", schema::text(AccountState::Active.as_str()))
        .expression_attribute_values(":request", schema::text(request.as_str()));
    update.build().ok()
}

fn account(id: &AccountId, item: &Item) -> Result<Account, StoreError> {
    let plan_days = schema::get_number(item, schema::PLAN_DAYS)?;
    Ok(Account {
        id: id.clone(),
        state: AccountState::parse(schema::get_text(item, schema::STATE)?)
            .ok_or(StoreError::Corrupt(schema::STATE))?,
        deletion: item.contains_key(schema::REQUEST_ID).then(|| request_id(item)).transpose()?,
        plan_changed_at: schema::get_milliseconds(item, schema::PLAN_CHANGED_AT)?,
        plan: plan_days.and_then(Plan::from_days).ok_or(StoreError::Corrupt(schema::PLAN_DAYS))?,
        profile: optional_bytes(item, schema::account::PROFILE)?.map(<[u8]>::to_vec),
        profile_version: schema::get_number(item, schema::account::PROFILE_VERSION)?
            .unwrap_or_default(),
        account_key: public_key(item, schema::account::ACCOUNT_KEY)?,
        tax_key: public_key(item, schema::account::TAX_KEY)?,
        accepted: acceptances(item)?.into_iter().next(),
    })
}

fn optional_bytes<'a>(item: &'a Item, name: &'static str) -> Result<Option<&'a [u8]>, StoreError> {
    item.contains_key(name).then(|| schema::get_bytes(item, name)).transpose()
}

fn public_key(item: &Item, name: &'static str) -> Result<Option<PublicKey>, StoreError> {
    let point = |bytes| PublicKey::from_sec1(bytes).ok_or(StoreError::Corrupt(name));
    optional_bytes(item, name)?.map(point).transpose()
}

fn route(item: &Item) -> Result<RouteId, StoreError> {
    RouteId::parse(schema::get_text(item, schema::ROUTE_ID)?)
        .ok_or(StoreError::Corrupt(schema::ROUTE_ID))
}
