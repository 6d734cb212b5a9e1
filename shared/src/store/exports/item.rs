//! How an export is written and read back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::domain::export::{Cursor, Entry, Export, Failure, Part, State, Written};
use crate::domain::ids::{AccountId, ExportId};
use crate::store::StoreError;
use crate::store::item::{Item, flag, milliseconds, number, text, texts};
use crate::store::schema;

pub(super) fn export_key(id: &ExportId) -> Item {
    schema::key(schema::exports::pk(id), schema::exports::EXPORT)
}

pub(super) fn item(export: &Export) -> Item {
    let (what, at) = if export.state.is_work() {
        (schema::exports::EXPORT, export.saved_at)
    } else {
        (schema::exports::ARCHIVE, export.kept_until())
    };
    let Written { parts, bytes, pages, messages, contacts, unreadable } = export.written;
    export_key(&export.id)
        .with(schema::ACCOUNT_ID, text(export.account.as_str()))
        .with(schema::STATE, text(export.state.as_str()))
        .with(schema::REQUESTED_AT, milliseconds(export.asked_at))
        .with(schema::exports::SAVED_AT, milliseconds(export.saved_at))
        .with(schema::exports::PARTS, number(parts))
        .with(schema::exports::BYTES, number(bytes))
        .with(schema::exports::PAGES, number(pages))
        .with(schema::exports::MESSAGES, number(messages))
        .with(schema::exports::CONTACTS, number(contacts))
        .with(schema::exports::UNREADABLE, number(unreadable))
        .with(schema::exports::TAKEN, flag(export.is_taken))
        .with(schema::exports::CONTACTS_TOTAL, number(export.contacts_total))
        .with(schema::exports::CURSOR, text(export.cursor.to_string()))
        .with(schema::exports::TRIES, number(export.tries))
        .with(schema::exports::RESTARTS, number(export.restarts))
        .with(schema::VERSION, number(export.version))
        .with(schema::UNDER_WAY, text(what))
        .with(schema::READY_AT, milliseconds(at))
        .with_some(schema::exports::FAILURE, export.failure.map(|why| text(why.as_str())))
        .with_some(schema::exports::UPLOAD, export.upload.as_ref().map(text))
        .with_some(schema::COMPLETED_AT, export.ready_at.map(milliseconds))
}

pub(super) fn export(id: &ExportId, item: &Item) -> Result<Export, StoreError> {
    Ok(Export {
        id: id.clone(),
        account: item.parsed(schema::ACCOUNT_ID, AccountId::parse)?,
        state: item.parsed(schema::STATE, State::parse)?,
        failure: item.optional_parsed(schema::exports::FAILURE, Failure::parse)?,
        asked_at: item.time(schema::REQUESTED_AT)?,
        saved_at: item.time(schema::exports::SAVED_AT)?,
        is_taken: item.is_set(schema::exports::TAKEN),
        ready_at: item.optional_time(schema::COMPLETED_AT)?,
        upload: item.optional_text(schema::exports::UPLOAD)?.map(str::to_owned),
        written: Written {
            parts: item.number(schema::exports::PARTS)?,
            bytes: item.number(schema::exports::BYTES)?,
            pages: item.number(schema::exports::PAGES)?,
            messages: item.number(schema::exports::MESSAGES)?,
            contacts: item.number(schema::exports::CONTACTS)?,
            unreadable: item.optional_number(schema::exports::UNREADABLE)?.unwrap_or_default(),
        },
        contacts_total: item.number(schema::exports::CONTACTS_TOTAL)?,
        cursor: item.parsed(schema::exports::CURSOR, Cursor::parse)?,
        tries: item.number(schema::exports::TRIES)?,
        restarts: item.number(schema::exports::RESTARTS)?,
        version: item.number(schema::VERSION)?,
    })
}

pub(super) fn part_item(export: &Export, part: &Part) -> Item {
    schema::key(schema::exports::pk(&export.id), schema::exports::part_sk(part.number))
        .with(schema::NUMBER, number(part.number))
        .with(schema::exports::ETAG, text(&part.etag))
        .with(schema::exports::ENTRIES, texts(part.entries.iter().map(write_entry)))
}

pub(super) fn part(item: &Item) -> Result<Part, StoreError> {
    Ok(Part {
        number: item.number(schema::NUMBER)?,
        etag: item.text(schema::exports::ETAG)?.to_owned(),
        entries: item.each_parsed(schema::exports::ENTRIES, read_entry)?,
    })
}

fn write_entry(entry: &Entry) -> String {
    let Entry { name, crc32, packed, size, sha256, records } = entry;
    format!("{name} {crc32} {packed} {size} {} {records}", STANDARD_NO_PAD.encode(sha256))
}

fn read_entry(text: &str) -> Option<Entry> {
    let mut words = text.split(' ');
    let entry = Entry {
        name: words.next()?.to_owned(),
        crc32: words.next()?.parse().ok()?,
        packed: words.next()?.parse().ok()?,
        size: words.next()?.parse().ok()?,
        sha256: STANDARD_NO_PAD.decode(words.next()?).ok()?.try_into().ok()?,
        records: words.next()?.parse().ok()?,
    };
    words.next().is_none().then_some(entry)
}
