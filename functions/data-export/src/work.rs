//! An export, from where it was saved last to where time ends, or to its archive.

use std::sync::Arc;

use jiff::Timestamp;
use numib::archive::ArchiveError;
use numib::domain::export::{Cursor, Export, Failure, RESTARTS_MAX, State, TRIES_MAX};
use numib::domain::ids::ExportId;
use numib::edge::clock::Clock;
use numib::edge::telemetry::{Metrics, Unit};
use numib::store::StoreError;
use tokio::task::spawn_blocking;

use crate::finish::write_rest;
use crate::reader::{Reader, Step};
use crate::saving::Saving;
use crate::scene::{Scene, active, scene};
use crate::writer::Writer;
use crate::{App, ExportError};

/// S3 takes parts of 5 MiB and more, but for the last.
pub const PART_LEN: usize = 5 * 1024 * 1024;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Another run goes on.
    ForNow,
    /// Nothing is left to do: it has an archive, or never will, or another worker is at it.
    ForGood,
}

/// Takes an export as far as it gets while `has_time` says so, unless another worker is at it: that
/// one goes on, and has it queued again when its own time is over.
///
/// # Errors
/// [`ExportError`]; what was saved stays.
//= R5.4
pub async fn work(
    app: &Arc<App>,
    id: &ExportId,
    clock: Clock,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<Ended, ExportError> {
    let now = clock.now();
    let Some(export) = app.store.export(id).await? else { return Ok(Ended::ForGood) };
    if export.state == State::Void {
        app.exports.discard(&export).await?;
    }
    if !export.state.is_work() || export.is_taken_at(now) {
        return Ok(Ended::ForGood);
    }
    if export.tries >= TRIES_MAX {
        return end(app, export, Failure::TooManyTries, now).await;
    }
    if export.restarts > RESTARTS_MAX {
        return end(app, export, Failure::TooManyRestarts, now).await;
    }
    let export = take(app, export, now).await?;
    // Behind that: an erasure from now on is met at the next save, and one before is seen here.
    let Some(scene) = scene(&app.store, &export, clock).await? else {
        return end(app, export, Failure::AccountClosed, now).await;
    };
    let export = count(app, export, &scene).await?;
    let upload = export.upload.clone();
    // On the heap: it holds all that is read ahead.
    match Box::pin(write_parts(app, export, &scene, has_time)).await {
        Ok((export, true)) => complete(app, export, &scene).await,
        Ok((export, false)) => {
            let left = Export { is_taken: false, saved_at: scene.clock.now(), ..export };
            app.store.save_export(left, None).await?;
            Ok(Ended::ForNow)
        }
        Err(ExportError::Archive(ArchiveError::Denied)) => {
            begin_anew(app, id, upload.as_deref()).await
        }
        Err(ExportError::TooLarge) => {
            let export = app.store.export(id).await?.filter(|export| export.state.is_work());
            let Some(export) = export else { return Ok(Ended::ForGood) };
            end(app, export, Failure::TooLarge, scene.clock.now()).await
        }
        Err(error) => {
            set_free(app, id, upload.as_deref(), now).await;
            Err(error)
        }
    }
}

/// Lets the next one go on at once, where this worker has failed and still has it.
async fn set_free(app: &App, id: &ExportId, upload: Option<&str>, now: Timestamp) {
    let Ok(Some(export)) = app.store.export(id).await else { return };
    if export.state.is_work() && export.is_taken && export.upload.as_deref() == upload {
        let free = Export { is_taken: false, saved_at: now, ..export };
        if let Err(error) = app.store.save_export(free, None).await {
            tracing::warn!(%error, "an export was not set free");
        }
    }
}

/// Counts the try; and begins an upload, where none is, or the one that is begins anew.
async fn take(app: &App, export: Export, now: Timestamp) -> Result<Export, ExportError> {
    let tries = export.tries.saturating_add(1);
    let mut export = Export { tries, is_taken: true, saved_at: now, ..export };
    if export.state == State::Asked {
        app.exports.discard(&export).await?;
        export.upload = Some(app.exports.begin(&export).await?);
        export.contacts_total = 0;
        export.state = State::Running;
    }
    Ok(app.store.save_export(export, None).await?)
}

/// At its beginning, how many contacts there are: by them, about how much is done.
async fn count(app: &App, export: Export, scene: &Scene) -> Result<Export, ExportError> {
    if export.cursor != Cursor::Start {
        return Ok(export);
    }
    let mut total = 0_u64;
    for connection in &scene.connections {
        total = total.saturating_add(app.store.count_contacts(&connection.id).await?);
    }
    let counted = Export { contacts_total: total, saved_at: scene.clock.now(), ..export };
    Ok(app.store.save_export(counted, None).await?)
}

/// Ends it without an archive.
async fn end(
    app: &App,
    export: Export,
    why: Failure,
    now: Timestamp,
) -> Result<Ended, ExportError> {
    app.exports.discard(&export).await?;
    tracing::error!(export = %export.id, why = why.as_str(), "an export has failed");
    let failed = Export { saved_at: now, upload: None, ..export.failed(why) };
    app.store.end_export(failed).await?;
    let mut metrics = Metrics::new(now);
    metrics.add("ExportsFailed", Unit::Count, i32::from(why != Failure::AccountClosed));
    metrics.emit();
    Ok(Ended::ForGood)
}

/// Its parts are gone, or not those that were saved: the bucket has removed what lay there for too
/// long. Or it was voided meanwhile, and another worker is at it, with an upload of its own.
async fn begin_anew(app: &App, id: &ExportId, upload: Option<&str>) -> Result<Ended, ExportError> {
    let export = app.store.export(id).await?.filter(|export| export.state.is_work());
    let Some(export) = export else { return Ok(Ended::ForGood) };
    if export.state == State::Running {
        if export.upload.as_deref() != upload {
            return Ok(Ended::ForGood);
        }
        app.store.save_export(export.anew(), None).await?;
    }
    Ok(Ended::ForNow)
}

/// Writes and saves parts; returns the export, and whether all are: not when time ran out.
async fn write_parts(
    app: &Arc<App>,
    export: Export,
    scene: &Scene,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<(Export, bool), ExportError> {
    if export.cursor == Cursor::End {
        return Ok((export, true));
    }
    let mut reader = Reader::new(app, &export, &scene.connections, scene.clock).await?;
    let mut cursor = export.cursor.clone();
    let mut saving = Saving::new(app, export);
    let began = matches!(cursor, Cursor::Within(..));
    let mut writer = Writer::new(saving.next_part()?, began);
    let mut next = reader.next(&cursor).await?;
    while let Some((step, after)) = next {
        if !has_time() {
            return Ok((saving.finish().await?, false));
        }
        let (written, following) = tokio::join!(write(writer, step), reader.next(&after));
        writer = written?;
        next = following?;
        cursor = after;
        if writer.part.len() >= app.part_len {
            writer = saving.save(writer, &cursor, scene).await?;
        }
    }
    let export = saving.finish().await?;
    write_rest(app, export, writer, scene).await.map(|export| (export, true))
}

/// On the other processor.
async fn write(mut writer: Writer, step: Step) -> Result<Writer, ExportError> {
    let written = spawn_blocking(move || writer.write(step).map(|()| writer));
    Ok(written.await.map_err(|_| ExportError::Stopped)??)
}

/// Makes one object of the parts, unless the account has been closed meanwhile.
async fn complete(app: &App, export: Export, scene: &Scene) -> Result<Ended, ExportError> {
    let parts = app.store.export_parts(&export).await?;
    let upload = export.upload.clone().unwrap_or_default();
    match app.exports.complete(&export, &upload, &parts).await {
        Err(ArchiveError::Denied) => return begin_anew(app, &export.id, Some(&upload)).await,
        completed => completed?,
    }
    let now = scene.clock.now();
    let ready = Export { state: State::Ready, ready_at: Some(now), upload: None, ..export.clone() };
    let ready = Export { is_taken: false, saved_at: now, ..ready };
    let unreadable = ready.written.unreadable;
    match app.store.end_export(ready).await {
        Err(StoreError::Conflict) => {
            if active(&app.store, &export).await?.is_none() {
                return end(app, export, Failure::AccountClosed, now).await;
            }
            return Err(StoreError::Conflict.into());
        }
        ended => ended?,
    };
    if unreadable > 0 {
        tracing::error!(unreadable, "messages of an export did not open");
    }
    let mut metrics = Metrics::new(now);
    metrics.add("ExportsReady", Unit::Count, 1);
    metrics.add("ExportMessagesUnreadable", Unit::Count, unreadable);
    metrics.emit();
    Ok(Ended::ForGood)
}
