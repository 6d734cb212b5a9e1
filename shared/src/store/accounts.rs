//! Members and the connections of an account: who may see what.

use std::collections::BTreeSet;

use super::contacts::Contact;
use super::schema;
use super::{Store, StoreError, classify};
use crate::domain::connection::Connection;
use crate::domain::ids::{AccountId, ConnectionId, ConversationId, MemberId, RouteId};
use crate::domain::role::Role;

/// A member of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The account.
    pub account: AccountId,
    /// What the member may do there.
    pub role: Role,
}

impl Store {
    /// Makes someone a member of an account, or changes the role; a person belongs to one account.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_member(&self, id: &MemberId, member: &Member) -> Result<(), StoreError> {
        self.client
            .put_item()
            .table_name(&self.tables.core)
            .set_item(Some(schema::key(schema::member_pk(id), schema::MEMBER.to_owned())))
            .item(schema::ACCOUNT_ID, schema::text(member.account.as_str()))
            .item(schema::ROLE, schema::text(member.role.as_str()))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| classify(&error))
    }

    /// The membership of someone who signed in, read consistently: a removed member is out at once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn member(&self, id: &MemberId) -> Result<Option<Member>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.tables.core)
            .set_key(Some(schema::key(schema::member_pk(id), schema::MEMBER.to_owned())))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let Some(item) = answer.item else { return Ok(None) };
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
        let answer = self
            .client
            .get_item()
            .table_name(&self.tables.core)
            .set_key(Some(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        answer.item.map(|item| route(&item)).transpose()
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
        let items: Result<Vec<_>, _> = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("pk = :account AND begins_with(sk, :connections)")
            .expression_attribute_values(":account", schema::text(schema::account_pk(account)))
            .expression_attribute_values(":connections", schema::text(schema::CONNECTION_PREFIX))
            .into_paginator()
            .items()
            .send()
            .collect()
            .await;
        items.map_err(|error| classify(&error))?.iter().map(route).collect()
    }
}

fn route(item: &schema::Item) -> Result<RouteId, StoreError> {
    RouteId::parse(schema::get_text(item, schema::ROUTE_ID)?)
        .ok_or(StoreError::Corrupt(schema::ROUTE_ID))
}
