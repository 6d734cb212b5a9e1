//! An export, from where it was saved last to where time ends, or to its archive.

use std::sync::Arc;

use jiff::Timestamp;
use numib::archive::ArchiveError;
use numib::archive::part::{PartError, PartWriter};
use numib::archive::zip::Segment;
use numib::domain::account::{Account, AccountState};
use numib::domain::connection::Connection;
use numib::domain::export::{
    Cursor, Export, Failure, PARTS_MAX, Part, RESTARTS_MAX, State, TRIES_MAX,
};
use numib::domain::ids::ExportId;
use numib::edge::clock::{self, Stopwatch};
use numib::edge::telemetry::{Metrics, Unit};
use numib::store::{Store, StoreError};
use tokio::task::{JoinSet, spawn_blocking};

use crate::reader::{Reader, Step};
use crate::writer::{WriteError, Writer};
use crate::{App, ExportError, finish};

/// S3 takes parts of 5 MiB and more, but for the last.
pub const PART_LEN: usize = 5 * 1024 * 1024;

/// How far an export has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Another run goes on.
    More,
    /// Nothing is left to do: it has an archive, or never will, or another worker is at it.
    Over,
}

/// What a run knows of its account, and of the time.
pub(crate) struct Scene {
    pub(crate) account: Account,
    pub(crate) connections: Vec<Arc<Connection>>,
    now: Timestamp,
    stopwatch: Stopwatch,
}

impl Scene {
    pub(crate) fn now(&self) -> Timestamp {
        self.now.saturating_add(self.stopwatch.elapsed()).unwrap_or(Timestamp::MAX)
    }
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
    now: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<Progress, ExportError> {
    let Some(export) = app.store.export(id).await? else { return Ok(Progress::Over) };
    if export.state == State::Void {
        app.exports.discard(&export).await?;
    }
    if !export.state.is_work() || export.is_taken_at(now) {
        return Ok(Progress::Over);
    }
    if export.tries >= TRIES_MAX {
        return end(app, export, Failure::TooManyTries, now).await;
    }
    if export.restarts > RESTARTS_MAX {
        return end(app, export, Failure::TooManyRestarts, now).await;
    }
    let export = take(app, export, now).await?;
    // Behind that: an erasure from now on is met at the next save, and one before is seen here.
    let Some(scene) = scene(&app.store, &export, now).await? else {
        return end(app, export, Failure::AccountClosed, now).await;
    };
    let export = count(app, export, &scene).await?;
    let upload = export.upload.clone();
    // On the heap: it holds all that is read ahead.
    match Box::pin(write_parts(app, export, &scene, has_time)).await {
        Ok((export, true)) => complete(app, export, &scene).await,
        Ok((export, false)) => {
            let left = Export { is_taken: false, saved_at: scene.now(), ..export };
            app.store.save_export(left, None).await?;
            Ok(Progress::More)
        }
        Err(ExportError::Archive(ArchiveError::Denied)) => {
            begin_anew(app, id, upload.as_deref()).await
        }
        Err(ExportError::TooLarge) => {
            let export = app.store.export(id).await?.filter(|export| export.state.is_work());
            let Some(export) = export else { return Ok(Progress::Over) };
            end(app, export, Failure::TooLarge, scene.now()).await
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

/// The account, while it serves, with the channels that it had at the time of asking.
async fn scene(
    store: &Store,
    export: &Export,
    now: Timestamp,
) -> Result<Option<Scene>, ExportError> {
    let Some(account) = active(store, export).await? else { return Ok(None) };
    let routes = store.account_connections(&export.account).await?.into_iter().collect();
    let sight = store.look_again(&routes, &std::collections::BTreeSet::new()).await?;
    let serves =
        |one: &Connection| one.serves(&export.account) && one.connected_at <= export.asked_at;
    let connections = sight.connections.into_values().filter(serves);
    let mut connections: Vec<_> = connections.map(Arc::new).collect();
    connections.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(Some(Scene { account, connections, now, stopwatch: Stopwatch::start() }))
}

/// Its account, while that serves.
async fn active(store: &Store, export: &Export) -> Result<Option<Account>, StoreError> {
    let account = store.account(&export.account).await?;
    Ok(account.filter(|account| account.state == AccountState::Active))
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
    let counted = Export { contacts_total: total, saved_at: scene.now(), ..export };
    Ok(app.store.save_export(counted, None).await?)
}

/// Ends it without an archive.
async fn end(
    app: &App,
    export: Export,
    why: Failure,
    now: Timestamp,
) -> Result<Progress, ExportError> {
    app.exports.discard(&export).await?;
    tracing::error!(export = %export.id, why = why.as_str(), "an export has failed");
    let failed = Export { saved_at: now, upload: None, ..export.failed(why) };
    app.store.end_export(failed).await?;
    let mut metrics = Metrics::new(clock::now());
    metrics.add("ExportsFailed", Unit::Count, i32::from(why != Failure::AccountClosed));
    metrics.emit();
    Ok(Progress::Over)
}

/// Its parts are gone, or not those that were saved: the bucket has removed what lay there for too
/// long. Or it was voided meanwhile, and another worker is at it, with an upload of its own.
async fn begin_anew(
    app: &App,
    id: &ExportId,
    upload: Option<&str>,
) -> Result<Progress, ExportError> {
    let export = app.store.export(id).await?.filter(|export| export.state.is_work());
    let Some(export) = export else { return Ok(Progress::Over) };
    if export.state == State::Running {
        if export.upload.as_deref() != upload {
            return Ok(Progress::Over);
        }
        app.store.save_export(export.anew(), None).await?;
    }
    Ok(Progress::More)
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
    let mut reader = Reader::new(app, &export, &scene.connections, scene.now()).await?;
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
    finish::write_rest(app, export, writer, scene).await.map(|export| (export, true))
}

/// On the other processor.
async fn write(mut writer: Writer, step: Step) -> Result<Writer, ExportError> {
    let written = spawn_blocking(move || writer.write(step).map(|()| writer));
    Ok(written.await.map_err(|_| ExportError::Stopped)??)
}

/// Uploads and saves a part while the next one is written.
struct Saving<'a> {
    app: &'a Arc<App>,
    /// As it will be once what is under way is saved.
    ahead: Export,
    /// One at a time; none goes on once this is dropped.
    under_way: JoinSet<Result<Export, ExportError>>,
}

impl<'a> Saving<'a> {
    fn new(app: &'a Arc<App>, export: Export) -> Self {
        Self { app, ahead: export, under_way: JoinSet::new() }
    }

    fn next_part(&self) -> Result<PartWriter, ExportError> {
        let written = self.ahead.written;
        let number = written.parts.saturating_add(1);
        if number > PARTS_MAX {
            return Err(ExportError::TooLarge);
        }
        let part = PartWriter::new(number, written.pages, self.ahead.asked_at);
        Ok(part.map_err(WriteError::from)?)
    }

    /// Has the part saved; returns the writer of the next.
    async fn save(
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
        self.ahead.saved_at = scene.now();
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

    /// Waits for what is under way.
    async fn saved(&mut self) -> Result<Option<Export>, ExportError> {
        match self.under_way.join_next().await {
            Some(saved) => saved.map_err(|_| ExportError::Stopped)?.map(Some),
            None => Ok(None),
        }
    }

    /// The export with all that was saved.
    async fn finish(mut self) -> Result<Export, ExportError> {
        let saved = self.saved().await?;
        Ok(saved.unwrap_or(self.ahead))
    }
}

/// Ends a part, on the other processor.
pub(crate) async fn pack(part: PartWriter, goes_on: bool) -> Result<Segment, ExportError> {
    let packed = spawn_blocking(move || part.finish(goes_on));
    let packed: Result<_, PartError> = packed.await.map_err(|_| ExportError::Stopped)?;
    Ok(packed.map_err(WriteError::from)?)
}

/// Uploads the last part of what is written, and saves that it is.
pub(crate) async fn save(
    app: &App,
    export: Export,
    segment: Segment,
) -> Result<Export, ExportError> {
    let number = export.written.parts;
    let Segment { bytes, entries, .. } = segment;
    let upload = export.upload.clone().unwrap_or_default();
    let key = export.object_key();
    let etag = app.exports.put_part(&key, (&upload, number), bytes).await?;
    Ok(app.store.save_export(export, Some(&Part { number, etag, entries })).await?)
}

/// Makes one object of the parts, unless the account has been closed meanwhile.
async fn complete(app: &App, export: Export, scene: &Scene) -> Result<Progress, ExportError> {
    let parts = app.store.export_parts(&export).await?;
    let upload = export.upload.clone().unwrap_or_default();
    match app.exports.complete(&export, &upload, &parts).await {
        Err(ArchiveError::Denied) => return begin_anew(app, &export.id, Some(&upload)).await,
        completed => completed?,
    }
    let now = scene.now();
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
    let mut metrics = Metrics::new(clock::now());
    metrics.add("ExportsReady", Unit::Count, 1);
    metrics.add("ExportMessagesUnreadable", Unit::Count, unreadable);
    metrics.emit();
    Ok(Progress::Over)
}
