//! Exports: `core`, `EXPORT#export` / `EXPORT`, with an item for each part of the archive, and a
//! place among its account's. Nothing personal: names of files, counts and digests.

mod contacts;
mod item;

use jiff::Timestamp;

use crate::concurrent::try_all;
use crate::domain::export::{Export, Part, State};
use crate::domain::ids::{AccountId, ExportId};
use crate::store::item::{Item, milliseconds, text};
use crate::store::read::Query;
use crate::store::schema::{self, Table};
use crate::store::write::Write;
use crate::store::{Store, StoreError};
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
        let pointer =
            pointer_key(&export.account).with(schema::exports::EXPORT_ID, text(export.id.as_str()));
        let place = place_key(&export.account, &export.id);
        let opened = self
            .transaction()
            .with(Write::put_new(Table::Core, pointer))
            .with(Write::put(Table::Core, item(export)))
            .with(Write::put(Table::Core, place));
        if opened.run_if_met().await? {
            return Ok(OpenedExport::New);
        }
        let found = self.export_under_way(&export.account).await?;
        found.map(OpenedExport::UnderWay).ok_or(StoreError::Conflict)
    }

    /// The account's export under way, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn export_under_way(
        &self,
        account: &AccountId,
    ) -> Result<Option<ExportId>, StoreError> {
        let item = self.item(Table::Core, pointer_key(account)).await?;
        item.map(|item| item.parsed(schema::exports::EXPORT_ID, ExportId::parse)).transpose()
    }

    /// An export, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn export(&self, id: &ExportId) -> Result<Option<Export>, StoreError> {
        let item = self.item(Table::Core, export_key(id)).await?;
        item.map(|item| export(id, &item)).transpose()
    }

    /// The exports of an account, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account_exports(&self, account: &AccountId) -> Result<Vec<ExportId>, StoreError> {
        let places = Query::partition(Table::Core, schema::exports::account_pk(account));
        let places = self.all(places.under(schema::exports::PREFIX)).await?;
        places.iter().map(|item| item.parsed(schema::SK, schema::exports::of)).collect()
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
        let saved = save(&mut export);
        let part = part.map(|part| Write::put(Table::Core, part_item(&export, part)));
        self.transaction().with(saved).with_all(part).run().await?;
        Ok(export)
    }

    /// Saves an export that has ended: another may be asked for. One with an archive, only while
    /// its account serves: what is being deleted hands nothing out.
    ///
    /// # Errors
    /// As [`Self::save_export`].
    //= R6.1
    pub async fn end_export(&self, mut export: Export) -> Result<Export, StoreError> {
        let id = text(export.id.as_str());
        let release = Write::delete(Table::Core, pointer_key(&export.account))
            .only_if(schema::PK.is_absent().or(schema::exports::EXPORT_ID.is(id)));
        let mut end = self.transaction().with(save(&mut export)).with(release);
        if export.state == State::Ready {
            end = end.require_active(&export.account);
        }
        end.run().await?;
        Ok(export)
    }

    /// The parts that are uploaded, in their order, read consistently.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when one is missing.
    pub async fn export_parts(&self, export: &Export) -> Result<Vec<Part>, StoreError> {
        if export.written.parts == 0 {
            return Ok(Vec::new());
        }
        // An upload that began anew may have left more.
        let first = schema::exports::part_sk(1);
        let last = schema::exports::part_sk(export.written.parts);
        let parts = Query::partition(Table::Core, schema::exports::pk(&export.id))
            .within(schema::SK.is_between(text(first), text(last)));
        let parts: Result<Vec<_>, _> = self.all(parts).await?.iter().map(part).collect();
        let parts = parts?;
        let is_whole = parts.iter().zip(1..).all(|(part, number)| part.number == number);
        let is_whole = is_whole && u32::try_from(parts.len()) == Ok(export.written.parts);
        let missing = || export_key(&export.id).corrupt(schema::exports::PARTS);
        if is_whole { Ok(parts) } else { Err(missing()) }
    }

    /// Removes an export with all that is stored of it; its object must be gone before.
    ///
    /// # Errors
    /// [`StoreError`]; it may be repeated.
    pub async fn delete_export(&self, export: &Export) -> Result<(), StoreError> {
        let parts = Query::partition(Table::Core, schema::exports::pk(&export.id));
        let parts = self.keys(parts.under(schema::exports::PART_PREFIX)).await?;
        try_all(parts.into_iter().map(|key| self.delete(Table::Core, key)), AT_ONCE).await?;
        if self.export_under_way(&export.account).await?.as_ref() == Some(&export.id) {
            self.delete(Table::Core, pointer_key(&export.account)).await?;
        }
        self.delete(Table::Core, export_key(&export.id)).await?;
        // Last: by it the others are found.
        self.delete(Table::Core, place_key(&export.account, &export.id)).await
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
        let ended = Query::index(&schema::BY_READINESS, what)
            .within(schema::READY_AT.is_at_most(milliseconds(before)))
            .limit(limit);
        let page = self.page(ended).await?;
        page.items.iter().map(|item| item.parsed(schema::PK, schema::exports::of)).collect()
    }
}

/// The export as the successor of the version it was read at.
fn save(export: &mut Export) -> Write {
    let read_at = export.version;
    export.version = read_at.saturating_add(1);
    Write::put_at_version(Table::Core, item(export), read_at)
}

fn place_key(account: &AccountId, id: &ExportId) -> Item {
    schema::key(schema::exports::account_pk(account), schema::exports::pk(id))
}

fn pointer_key(account: &AccountId) -> Item {
    schema::key(schema::exports::account_pk(account), schema::exports::EXPORTING)
}
