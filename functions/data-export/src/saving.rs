//! Saves an archive part by part. A part is uploaded while the next one is written.

use std::sync::Arc;

use numib::archive::part::{PartError, PartWriter};
use numib::archive::zip::Segment;
use numib::domain::export::{Cursor, Export, PARTS_MAX, Part};
use tokio::task::{JoinSet, spawn_blocking};

use crate::scene::Scene;
use crate::writer::{WriteError, Writer};
use crate::{App, ExportError};

/// Uploads and saves a part while the next one is written.
pub(crate) struct Saving<'a> {
    app: &'a Arc<App>,
    /// The export as it will be once the part under way is saved.
    ahead: Export,
    /// The save under way: one at a time, and none once this is dropped.
    under_way: JoinSet<Result<Export, ExportError>>,
}

impl<'a> Saving<'a> {
    pub(crate) fn new(app: &'a Arc<App>, export: Export) -> Self {
        Self { app, ahead: export, under_way: JoinSet::new() }
    }

    pub(crate) fn next_part(&self) -> Result<PartWriter, ExportError> {
        let written = self.ahead.written;
        let number = written.parts.saturating_add(1);
        if number > PARTS_MAX {
            return Err(ExportError::TooLarge);
        }
        let part = PartWriter::new(number, written.pages, self.ahead.asked_at);
        Ok(part.map_err(WriteError::from)?)
    }

    /// Begins to save a part, and returns the writer of the next.
    pub(crate) async fn save(
        &mut self,
        mut writer: Writer,
        cursor: &Cursor,
        scene: &Scene,
    ) -> Result<Writer, ExportError> {
        let (messages, contacts) = (writer.messages, writer.contacts);
        let written = &mut self.ahead.written;
        written.messages = written.messages.saturating_add(messages);
        written.contacts = written.contacts.saturating_add(contacts);
        written.unreadable = written.unreadable.saturating_add(writer.unreadable);
        written.parts = written.parts.saturating_add(1);
        written.pages = writer.part.pages();
        self.ahead.cursor = cursor.clone();
        self.ahead.tries = 0;
        self.ahead.saved_at = scene.clock.now();
        let next = self.next_part()?;
        let goes_on = writer.is_within();
        let part = writer.next_part(next);
        let segment = pack(part, goes_on).await?;
        let len = u64::try_from(segment.bytes.len()).unwrap_or(u64::MAX);
        self.ahead.written.bytes = self.ahead.written.bytes.saturating_add(len);
        if let Some(saved) = self.saved().await? {
            self.ahead.version = saved.version;
        }
        let (app, export) = (Arc::clone(self.app), self.ahead.clone());
        self.under_way.spawn(async move { save(&app, export, segment).await });
        Ok(writer)
    }

    /// Waits for the save under way.
    async fn saved(&mut self) -> Result<Option<Export>, ExportError> {
        match self.under_way.join_next().await {
            Some(saved) => saved.map_err(|_| ExportError::Stopped)?.map(Some),
            None => Ok(None),
        }
    }

    /// The export with all that was saved.
    pub(crate) async fn finish(mut self) -> Result<Export, ExportError> {
        let saved = self.saved().await?;
        Ok(saved.unwrap_or(self.ahead))
    }
}

/// Ends a part, on another thread.
pub(crate) async fn pack(part: PartWriter, goes_on: bool) -> Result<Segment, ExportError> {
    let packed = spawn_blocking(move || part.finish(goes_on));
    let packed: Result<_, PartError> = packed.await.map_err(|_| ExportError::Stopped)?;
    Ok(packed.map_err(WriteError::from)?)
}

/// Uploads a part, and saves that it is uploaded.
pub(crate) async fn save(
    app: &App,
    export: Export,
    segment: Segment,
) -> Result<Export, ExportError> {
    let number = export.written.parts;
    let Segment { bytes, entries, .. } = segment;
    let upload = export.upload.clone().unwrap_or_default();
    let key = export.object_key();
    let etag = app.exports.put_part(&key, &upload, number, bytes).await?;
    Ok(app.store.save_export(export, Some(&Part { number, etag, entries })).await?)
}
