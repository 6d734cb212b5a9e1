//! Names and keys of exports.

use super::Attribute;
use crate::domain::ids::{AccountId, ExportId};

/// Why an export has no archive.
pub(in crate::store) const FAILURE: Attribute = Attribute::new("failure");
/// Epoch milliseconds.
pub(in crate::store) const SAVED_AT: Attribute = Attribute::new("saved_at");
/// Whether a worker is at it.
pub(in crate::store) const TAKEN: Attribute = Attribute::new("taken");
/// An upload, as S3 names it.
pub(in crate::store) const UPLOAD: Attribute = Attribute::new("upload");
/// Of an export: what is written.
pub(in crate::store) const PARTS: Attribute = Attribute::new("parts");
pub(in crate::store) const BYTES: Attribute = Attribute::new("bytes");
pub(in crate::store) const PAGES: Attribute = Attribute::new("pages");
pub(in crate::store) const MESSAGES: Attribute = Attribute::new("messages");
pub(in crate::store) const CONTACTS: Attribute = Attribute::new("contacts");
pub(in crate::store) const UNREADABLE: Attribute = Attribute::new("unreadable");
pub(in crate::store) const CONTACTS_TOTAL: Attribute = Attribute::new("contacts_total");
/// Of an account: its export under way.
pub(in crate::store) const EXPORT_ID: Attribute = Attribute::new("export_id");
/// Where an export goes on.
pub(in crate::store) const CURSOR: Attribute = Attribute::new("cursor");
pub(in crate::store) const TRIES: Attribute = Attribute::new("tries");
pub(in crate::store) const RESTARTS: Attribute = Attribute::new("restarts");
pub(in crate::store) const ETAG: Attribute = Attribute::new("etag");
/// The files of a part.
pub(in crate::store) const ENTRIES: Attribute = Attribute::new("entries");
/// Sort key of an export, and what is in `under_way` of those that a worker has to end.
pub(in crate::store) const EXPORT: &str = "EXPORT";
/// Sort key of an account's export under way.
pub(in crate::store) const EXPORTING: &str = "EXPORTING";
/// What is in `under_way` of exports that have ended: by when they are removed.
pub(in crate::store) const ARCHIVE: &str = "ARCHIVE";
/// Prefix of an account's exports.
pub(in crate::store) const PREFIX: &str = "EXPORT#";
/// Prefix of an archive's parts.
pub(in crate::store) const PART_PREFIX: &str = "PART#";

/// Partition of an account's exports.
pub(in crate::store) fn account_pk(account: &AccountId) -> String {
    format!("EXPORTS#{account}")
}

pub(in crate::store) fn pk(export: &ExportId) -> String {
    format!("{PREFIX}{export}")
}

/// A part's number as a sort key: its order is that of the numbers.
pub(in crate::store) fn part_sk(number: u32) -> String {
    format!("{PART_PREFIX}{number:05}")
}

/// The export named by a key.
pub(in crate::store) fn of(key: &str) -> Option<ExportId> {
    ExportId::parse(key.strip_prefix(PREFIX)?)
}
