//! Exports: `core`, `EXPORT#export` / `EXPORT`, with an item for each part of the archive, and a
//! place among its account's. Nothing personal: names of files, counts and digests.

mod contacts;
mod item;

use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem};
use jiff::Timestamp;

use crate::concurrent::try_all;
use crate::domain::account::AccountState;
use crate::domain::export::{Export, Part, State};
use crate::domain::ids::{AccountId, ExportId};
use crate::store::accounts::account_key;
use crate::store::connections::put;
use crate::store::schema::{self, Item};
use crate::store::{Store, StoreError, classify};
use item::{export, export_key, item, part, part_item};

/// Parts that are deleted at once.
const AT_ONCE: usize = 16;

/// What became of a new export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenedExport {
    /// It is the account's only one under way.
    New,
    /// One is under way already: this one.
    UnderWay(ExportId),
}

impl Store {
    /// Stores a new export, unless one of its account is under way.
    ///
    /// # Errors
    /// [`StoreError`]; `Conflict` when the one under way ended at this very moment.
    pub async fn open_export(&self, export: &Export) -> Result<OpenedExport, StoreError> {
        let table = &self.tables.core;
        let mut pointer = pointer_key(&export.account);
        pointer.insert(schema::exports::EXPORT_ID.to_owned(), schema::text(export.id.as_str()));
        let claim = Put::builder()
            .table_name(table)
            .set_item(Some(pointer))
            .condition_expression("attribute_not_exists(pk)");
        let place = place_key(&export.account, &export.id);
        let opened = self
            .client
            .transact_write_items()
            .transact_items(built(claim.build().ok())?)
            .transact_items(built(put(table, item(export)).ok())?)
            .transact_items(built(put(table, place).ok())?)
            .send()
            .await;
        match opened.map_err(|error| classify(&error)) {
            Ok(_) => Ok(OpenedExport::New),
            Err(StoreError::Conflict) => {
                let found = self.export_under_way(&export.account).await?;
                found.map(OpenedExport::UnderWay).ok_or(StoreError::Conflict)
            }
            Err(error) => Err(error),
        }
    }

    /// The account's export under way, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn export_under_way(
        &self,
        account: &AccountId,
    ) -> Result<Option<ExportId>, StoreError> {
        let item = self.item(&self.tables.core, pointer_key(account)).await?;
        let id = item
            .as_ref()
            .map(|item| schema::get_text(item, schema::exports::EXPORT_ID))
            .transpose()?;
        id.map(|id| ExportId::parse(id).ok_or(StoreError::Corrupt(schema::exports::EXPORT_ID)))
            .transpose()
    }

    /// An export, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn export(&self, id: &ExportId) -> Result<Option<Export>, StoreError> {
        let item = self.item(&self.tables.core, export_key(id)).await?;
        item.map(|item| export(id, &item)).transpose()
    }

    /// The exports of an account, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account_exports(&self, account: &AccountId) -> Result<Vec<ExportId>, StoreError> {
        let pk = schema::exports::account_pk(account);
        let items = self.items(pk, Some(schema::exports::PREFIX)).await?;
        let id = |item: &Item| {
            let id = schema::exports::of(schema::get_text(item, schema::SK)?);
            id.ok_or(StoreError::Corrupt(schema::SK))
        };
        items.iter().map(id).collect()
    }

    /// Saves an export that was read at this version, with the part that was just uploaded, where
    /// one was.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else has saved it since.
    pub async fn save_export(
        &self,
        mut export: Export,
        part: Option<&Part>,
    ) -> Result<Export, StoreError> {
        let mut writes = vec![self.save(&mut export)?];
        if let Some(part) = part {
            let part = put(&self.tables.core, part_item(&export, part));
            writes.push(built(part.ok())?);
        }
        let saved = self.client.transact_write_items().set_transact_items(Some(writes));
        saved.send().await.map_err(|error| classify(&error))?;
        Ok(export)
    }

    /// Saves an export that has ended: another may be asked for. One with an archive, only while
    /// its account serves: what is being deleted hands nothing out.
    ///
    /// # Errors
    /// As [`Self::save_export`].
    //= R6.1
    pub async fn end_export(&self, mut export: Export) -> Result<Export, StoreError> {
        let release = Delete::builder()
            .table_name(&self.tables.core)
            .set_key(Some(pointer_key(&export.account)))
            .condition_expression("attribute_not_exists(pk) OR export_id = :id")
            .expression_attribute_values(":id", schema::text(export.id.as_str()))
            .build()
            .map_err(|_| StoreError::Refused("delete".to_owned()))?;
        let mut writes =
            vec![self.save(&mut export)?, TransactWriteItem::builder().delete(release).build()];
        if export.state == State::Ready {
            let serves = ConditionCheck::builder()
                .table_name(&self.tables.core)
                .set_key(Some(account_key(&export.account)))
                .condition_expression("#state = :active")
                .expression_attribute_names("#state", schema::STATE)
                .expression_attribute_values(":active", schema::text(AccountState::Active.as_str()))
                .build()
                .map_err(|_| StoreError::Refused("check".to_owned()))?;
            writes.push(TransactWriteItem::builder().condition_check(serves).build());
        }
        let ended = self.client.transact_write_items().set_transact_items(Some(writes));
        ended.send().await.map_err(|error| classify(&error))?;
        Ok(export)
    }

    /// The export as the successor of the version it was read at.
    fn save(&self, export: &mut Export) -> Result<TransactWriteItem, StoreError> {
        let read_at = export.version;
        export.version = read_at.saturating_add(1);
        let save = Put::builder()
            .table_name(&self.tables.core)
            .set_item(Some(item(export)))
            .condition_expression("version = :read")
            .expression_attribute_values(":read", schema::number(read_at));
        built(save.build().ok())
    }

    /// The parts that are uploaded, in their order, read consistently.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when one is missing.
    pub async fn export_parts(&self, export: &Export) -> Result<Vec<Part>, StoreError> {
        if export.written.parts == 0 {
            return Ok(Vec::new());
        }
        let items: Result<Vec<_>, _> = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", schema::text(schema::exports::pk(&export.id)))
            .expression_attribute_values(":first", schema::text(schema::exports::part_sk(1)))
            // An upload that began anew may have left more.
            .expression_attribute_values(
                ":last",
                schema::text(schema::exports::part_sk(export.written.parts)),
            )
            .into_paginator()
            .items()
            .send()
            .collect()
            .await;
        let parts: Result<Vec<_>, _> =
            items.map_err(|error| classify(&error))?.iter().map(part).collect();
        let parts = parts?;
        let is_whole = parts.iter().zip(1..).all(|(part, number)| part.number == number);
        let is_whole = is_whole && u32::try_from(parts.len()) == Ok(export.written.parts);
        if is_whole { Ok(parts) } else { Err(StoreError::Corrupt(schema::exports::PARTS)) }
    }

    /// Removes an export with all that is stored of it; its object must be gone before.
    ///
    /// # Errors
    /// [`StoreError`]; it may be repeated.
    pub async fn delete_export(&self, export: &Export) -> Result<(), StoreError> {
        let pk = schema::exports::pk(&export.id);
        let parts = self.keys(pk, Some(schema::exports::PART_PREFIX)).await?;
        try_all(parts.into_iter().map(|key| self.delete_core(key)), AT_ONCE).await?;
        if self.export_under_way(&export.account).await?.as_ref() == Some(&export.id) {
            self.delete_core(pointer_key(&export.account)).await?;
        }
        self.delete_core(export_key(&export.id)).await?;
        // Last: by it the others are found.
        self.delete_core(place_key(&export.account, &export.id)).await
    }

    /// Exports that a worker should have gone on with since that time: the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn stuck_exports(
        &self,
        before: Timestamp,
        limit: i32,
    ) -> Result<Vec<ExportId>, StoreError> {
        self.exports_before(schema::exports::EXPORT, before, limit).await
    }

    /// Exports that have ended and whose time is over: the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R5.4
    pub async fn old_exports(
        &self,
        now: Timestamp,
        limit: i32,
    ) -> Result<Vec<ExportId>, StoreError> {
        self.exports_before(schema::exports::ARCHIVE, now, limit).await
    }

    async fn exports_before(
        &self,
        what: &str,
        before: Timestamp,
        limit: i32,
    ) -> Result<Vec<ExportId>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.core)
            .index_name(schema::UNDER_WAY)
            .key_condition_expression("under_way = :what AND ready_at <= :before")
            .expression_attribute_values(":what", schema::text(what))
            .expression_attribute_values(":before", schema::milliseconds(before))
            .limit(limit)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let id = |item: &Item| {
            let id = schema::exports::of(schema::get_text(item, schema::PK)?);
            id.ok_or(StoreError::Corrupt(schema::PK))
        };
        answer.items.unwrap_or_default().iter().map(id).collect()
    }
}

fn built(put: Option<Put>) -> Result<TransactWriteItem, StoreError> {
    let put = put.ok_or_else(|| StoreError::Refused("put".to_owned()))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

fn place_key(account: &AccountId, id: &ExportId) -> Item {
    schema::key(schema::exports::account_pk(account), schema::exports::pk(id))
}

fn pointer_key(account: &AccountId) -> Item {
    schema::key(schema::exports::account_pk(account), schema::exports::EXPORTING.to_owned())
}
