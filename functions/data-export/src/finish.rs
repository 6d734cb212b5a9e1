//! The last part: all that is short, the summary, the index, the manifest with its signature, and
//! the directory.

use std::collections::BTreeSet;

use numib::archive::part::PartError;
use numib::archive::zip::{Segment, ZipError, directory};
use numib::archive::{manifest, record, summary};
use numib::domain::audit::{Event, Outcome, Subject};
use numib::domain::export::{Cursor, Entry, Export};
use numib::domain::ids::RequestId;
use serde_json::Value;

use crate::work::{Scene, pack, save};
use crate::writer::{WriteError, Writer};
use crate::{App, ExportError};

/// Requests of an account that an archive has at most.
const REQUESTS_MAX: usize = 10_000;

/// Writes it behind what the writer has not saved, and saves it.
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
    written.pages = writer.part.pages();
    let mut segment = pack(writer.part, false).await?;
    records(app, &export, scene, &mut segment).await?;
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
    export.saved_at = scene.now();
    save(app, export, segment).await
}

/// The files of the parts that are saved.
async fn entries(app: &App, export: &Export) -> Result<Vec<Entry>, ExportError> {
    let parts = app.store.export_parts(export).await?;
    Ok(parts.into_iter().flat_map(|part| part.entries).collect())
}

/// What is short: account, connections, members, requests.
//= R5.1
async fn records(
    app: &App,
    export: &Export,
    scene: &Scene,
    segment: &mut Segment,
) -> Result<(), ExportError> {
    list(segment, "account", &[record::account(&scene.account)])?;
    let connections: Vec<Value> =
        scene.connections.iter().map(|connection| record::connection(connection)).collect();
    list(segment, "connections", &connections)?;
    let mut members = Vec::new();
    for id in app.store.account_members(&export.account).await? {
        if let Some(member) = app.store.member(&id).await?
            && member.account == export.account
        {
            let email = app.user_pool.email(&id).await?;
            members.push(record::member(&id, member.role, email.as_ref()));
        }
    }
    list(segment, "members", &members)?;
    let mut requests = Vec::new();
    for id in requests_of(app, export).await? {
        if let Some(found) = app.store.request(&id).await? {
            requests.push(record::request(&found.request));
        }
    }
    list(segment, "requests", &requests)
}

/// The requests that the account's audit events name.
async fn requests_of(app: &App, export: &Export) -> Result<BTreeSet<RequestId>, ExportError> {
    let mut found = BTreeSet::new();
    let mut after = None;
    loop {
        let page = app.store.audit_page(&export.account, after.as_ref()).await?;
        let Some(last) = page.links.last() else { return Ok(found) };
        after = Some(last.point());
        // What was refused may name what is another's.
        let is_done = |event: &&Event| event.outcome == Outcome::Done;
        let events = page.links.iter().map(|link| &link.event).filter(is_done);
        let subjects = events.flat_map(|event| &event.subjects);
        found.extend(subjects.filter_map(request_of));
        if found.len() >= REQUESTS_MAX {
            return Ok(found);
        }
    }
}

fn request_of(subject: &Subject) -> Option<RequestId> {
    RequestId::parse(subject.as_str().strip_prefix("request ")?)
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
