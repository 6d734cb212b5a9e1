//! How an export is written and read back.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::domain::export::{Cursor, Entry, Export, Failure, Part, State, Written};
use crate::domain::ids::{AccountId, ExportId};
use crate::store::StoreError;
use crate::store::schema::{self, Item};

pub(super) fn export_key(id: &ExportId) -> Item {
    schema::key(schema::exports::pk(id), schema::exports::EXPORT.to_owned())
}

pub(super) fn item(export: &Export) -> Item {
    let (what, at) = if export.state.is_work() {
        (schema::exports::EXPORT, export.saved_at)
    } else {
        (schema::exports::ARCHIVE, export.kept_until())
    };
    let Written { parts, bytes, pages, messages, contacts, unreadable } = export.written;
    let mut item = export_key(&export.id);
    item.extend(
        [
            (schema::ACCOUNT_ID, schema::text(export.account.as_str())),
            (schema::STATE, schema::text(export.state.as_str())),
            (schema::REQUESTED_AT, schema::milliseconds(export.asked_at)),
            (schema::exports::SAVED_AT, schema::milliseconds(export.saved_at)),
            (schema::exports::PARTS, schema::number(parts)),
            (schema::exports::BYTES, schema::number(bytes)),
            (schema::exports::PAGES, schema::number(pages)),
            (schema::exports::MESSAGES, schema::number(messages)),
            (schema::exports::CONTACTS, schema::number(contacts)),
            (schema::exports::UNREADABLE, schema::number(unreadable)),
            (schema::exports::TAKEN, AttributeValue::Bool(export.is_taken)),
            (schema::exports::CONTACTS_TOTAL, schema::number(export.contacts_total)),
            (schema::exports::CURSOR, schema::text(export.cursor.to_string())),
            (schema::exports::TRIES, schema::number(export.tries)),
            (schema::exports::RESTARTS, schema::number(export.restarts)),
            (schema::VERSION, schema::number(export.version)),
            (schema::UNDER_WAY, schema::text(what)),
            (schema::READY_AT, schema::milliseconds(at)),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    let failure = export.failure.map(|failure| schema::text(failure.as_str()));
    item.extend(failure.map(|failure| (schema::exports::FAILURE.to_owned(), failure)));
    let upload = export.upload.as_ref().map(schema::text);
    item.extend(upload.map(|upload| (schema::exports::UPLOAD.to_owned(), upload)));
    let ready_at = export.ready_at.map(schema::milliseconds);
    item.extend(ready_at.map(|at| (schema::COMPLETED_AT.to_owned(), at)));
    item
}

pub(super) fn export(id: &ExportId, item: &Item) -> Result<Export, StoreError> {
    let corrupt = |name| move || StoreError::Corrupt(name);
    let time = |name| schema::get_milliseconds(item, name)?.ok_or(StoreError::Corrupt(name));
    Ok(Export {
        id: id.clone(),
        account: AccountId::parse(schema::get_text(item, schema::ACCOUNT_ID)?)
            .ok_or_else(corrupt(schema::ACCOUNT_ID))?,
        state: State::parse(schema::get_text(item, schema::STATE)?)
            .ok_or_else(corrupt(schema::STATE))?,
        failure: schema::get_optional(item, schema::exports::FAILURE)?
            .map(|word| Failure::parse(word).ok_or(StoreError::Corrupt(schema::exports::FAILURE)))
            .transpose()?,
        asked_at: time(schema::REQUESTED_AT)?,
        saved_at: time(schema::exports::SAVED_AT)?,
        is_taken: item.get(schema::exports::TAKEN) == Some(&AttributeValue::Bool(true)),
        ready_at: schema::get_milliseconds(item, schema::COMPLETED_AT)?,
        upload: schema::get_optional(item, schema::exports::UPLOAD)?.map(str::to_owned),
        written: Written {
            parts: count(item, schema::exports::PARTS)?,
            bytes: count(item, schema::exports::BYTES)?,
            pages: count(item, schema::exports::PAGES)?,
            messages: count(item, schema::exports::MESSAGES)?,
            contacts: count(item, schema::exports::CONTACTS)?,
            unreadable: schema::get_number(item, schema::exports::UNREADABLE)?.unwrap_or_default(),
        },
        contacts_total: count(item, schema::exports::CONTACTS_TOTAL)?,
        cursor: Cursor::parse(schema::get_text(item, schema::exports::CURSOR)?)
            .ok_or_else(corrupt(schema::exports::CURSOR))?,
        tries: count(item, schema::exports::TRIES)?,
        restarts: count(item, schema::exports::RESTARTS)?,
        version: count(item, schema::VERSION)?,
    })
}

fn count<T: std::str::FromStr>(item: &Item, name: &'static str) -> Result<T, StoreError> {
    schema::get_number(item, name)?.ok_or(StoreError::Corrupt(name))
}

pub(super) fn part_item(export: &Export, part: &Part) -> Item {
    let mut item =
        schema::key(schema::exports::pk(&export.id), schema::exports::part_sk(part.number));
    let entries = part.entries.iter().map(|entry| schema::text(write_entry(entry))).collect();
    item.extend([
        (schema::NUMBER.to_owned(), schema::number(part.number)),
        (schema::exports::ETAG.to_owned(), schema::text(&part.etag)),
        (schema::exports::ENTRIES.to_owned(), AttributeValue::L(entries)),
    ]);
    item
}

pub(super) fn part(item: &Item) -> Result<Part, StoreError> {
    let entries = schema::get_texts(item, schema::exports::ENTRIES)?.into_iter().map(read_entry);
    Ok(Part {
        number: count(item, schema::NUMBER)?,
        etag: schema::get_text(item, schema::exports::ETAG)?.to_owned(),
        entries: entries
            .collect::<Option<_>>()
            .ok_or(StoreError::Corrupt(schema::exports::ENTRIES))?,
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
