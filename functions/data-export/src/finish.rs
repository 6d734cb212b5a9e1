//! The last part: every kind of data that is not written as it is read, the summary, the index, the
//! manifest with its signature, and the directory.

use numib::archive::part::PartError;
use numib::archive::zip::{Segment, ZipError, directory};
use numib::archive::{manifest, record, summary};
use numib::domain::data_kind::{DataKind, Exported};
use numib::domain::export::{Cursor, Entry, Export};
use serde_json::Value;

use crate::saving::{pack, save};
use crate::scene::Scene;
use crate::writer::{WriteError, Writer};
use crate::{App, ExportError, account};

/// Writes the last part behind what the writer has not saved, and saves it.
pub(crate) async fn write_rest(
    app: &App,
    export: Export,
    writer: Writer,
    scene: &Scene,
) -> Result<Export, ExportError> {
    let mut export = export;
    let mut entries = entries(app, &export).await?;
    let written = &mut export.written;
    written.parts = written.parts.saturating_add(1);
    written.messages = written.messages.saturating_add(writer.messages);
    written.contacts = written.contacts.saturating_add(writer.contacts);
    written.unreadable = written.unreadable.saturating_add(writer.unreadable);
    written.pages = writer.part.pages();
    let mut segment = pack(writer.part, false).await?;
    lists(app, &export, scene, &mut segment).await?;
    add(&mut segment, "summary.html", summary::html(scene.account.plan).map_err(page)?.as_bytes())?;
    let held = summary::json(scene.account.plan);
    add(&mut segment, "summary.json", &serde_json::to_vec_pretty(&held).map_err(json)?)?;
    let earlier = entries.len();
    entries.extend(segment.entries.iter().cloned());
    add(&mut segment, "index.html", manifest::index(&export, &entries).map_err(page)?.as_bytes())?;
    entries.truncate(earlier);
    entries.extend(segment.entries.iter().cloned());
    let text = manifest::write(&export, &entries).map_err(json)?;
    add(&mut segment, "manifest.json", &text)?;
    let key = app.receipts.public().await?;
    let jws = app.receipts.sign_file(&key, &text).await?;
    add(&mut segment, "manifest.jws", jws.as_bytes())?;
    entries.truncate(earlier);
    entries.extend(segment.entries.iter().cloned());
    let len = |segment: &Segment| u64::try_from(segment.bytes.len()).unwrap_or(u64::MAX);
    let files_len = export.written.bytes.saturating_add(len(&segment));
    let end = directory(entries.iter(), export.asked_at, files_len).map_err(zip)?;
    segment.bytes.extend(end);
    export.written.bytes = export.written.bytes.saturating_add(len(&segment));
    export.cursor = Cursor::End;
    export.tries = 0;
    export.saved_at = scene.clock.now();
    save(app, export, segment).await
}

/// The files of the parts that are saved.
async fn entries(app: &App, export: &Export) -> Result<Vec<Entry>, ExportError> {
    let parts = app.store.export_parts(export).await?;
    Ok(parts.into_iter().flat_map(|part| part.entries).collect())
}

/// A file for each exported kind of data that is not written as it is read.
//= R5.1
async fn lists(
    app: &App,
    export: &Export,
    scene: &Scene,
    segment: &mut Segment,
) -> Result<(), ExportError> {
    for kind in DataKind::ALL {
        if let Exported::In(name) = kind.export()
            && let Some(values) = records(app, export, scene, *kind).await?
        {
            list(segment, name, &values)?;
        }
    }
    Ok(())
}

/// The account's records of a kind; `None` for kinds that are written elsewhere.
async fn records(
    app: &App,
    export: &Export,
    scene: &Scene,
    kind: DataKind,
) -> Result<Option<Vec<Value>>, ExportError> {
    let account = &export.account;
    Ok(Some(match kind {
        DataKind::Connection => {
            scene.connections.iter().map(|connection| record::connection(connection)).collect()
        }
        DataKind::Member => account::members(app, account).await?,
        DataKind::Consent => account::consents(app, account).await?,
        DataKind::Account => vec![account::of_itself(app, &scene.account).await?],
        DataKind::Invoice => account::invoices(app, account).await?,
        DataKind::Request => account::requests(app, export).await?,
        // Kinds that are written part by part as they are read, and kinds that no archive has.
        DataKind::Message
        | DataKind::Contact
        | DataKind::AuditEvent
        | DataKind::Export
        | DataKind::DayKey
        | DataKind::IndexKey
        | DataKind::Answer
        | DataKind::AccountKey
        | DataKind::TaxKey
        | DataKind::PolicyVersion
        | DataKind::PolicyNotice
        | DataKind::Hold
        | DataKind::LedgerEntry => return Ok(None),
    }))
}

fn list(segment: &mut Segment, name: &str, values: &[Value]) -> Result<(), ExportError> {
    let mut text = Vec::new();
    for value in values {
        record::line(&mut text, value).map_err(json)?;
    }
    let records = u64::try_from(values.len()).unwrap_or(u64::MAX);
    segment.add_text(&format!("data/{name}.ndjson"), &text, records).map_err(zip)
}

fn add(segment: &mut Segment, name: &str, text: &[u8]) -> Result<(), ExportError> {
    segment.add_text(name, text, 0).map_err(zip)
}

fn zip(error: ZipError) -> ExportError {
    WriteError::from(PartError::from(error)).into()
}

fn json(error: serde_json::Error) -> ExportError {
    WriteError::from(PartError::from(error)).into()
}

fn page(error: askama::Error) -> ExportError {
    WriteError::from(PartError::from(error)).into()
}
