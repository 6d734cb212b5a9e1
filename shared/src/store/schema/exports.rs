//! Names and keys of exports.

use crate::domain::ids::{AccountId, ExportId};

/// Why an export has no archive.
pub(in crate::store) const FAILURE: &str = "failure";
/// Epoch milliseconds.
pub(in crate::store) const SAVED_AT: &str = "saved_at";
/// Whether a worker is at it.
pub(in crate::store) const TAKEN: &str = "taken";
/// An upload, as S3 names it.
pub(in crate::store) const UPLOAD: &str = "upload";
/// Of an export: what is written.
pub(in crate::store) const PARTS: &str = "parts";
pub(in crate::store) const BYTES: &str = "bytes";
pub(in crate::store) const PAGES: &str = "pages";
pub(in crate::store) const MESSAGES: &str = "messages";
pub(in crate::store) const CONTACTS: &str = "contacts";
pub(in crate::store) const UNREADABLE: &str = "unreadable";
pub(in crate::store) const CONTACTS_TOTAL: &str = "contacts_total";
/// Of an account: its export under way.
pub(in crate::store) const EXPORT_ID: &str = "export_id";
/// Where an export goes on.
pub(in crate::store) const CURSOR: &str = "cursor";
pub(in crate::store) const TRIES: &str = "tries";
pub(in crate::store) const RESTARTS: &str = "restarts";
pub(in crate::store) const ETAG: &str = "etag";
/// The files of a part.
pub(in crate::store) const ENTRIES: &str = "entries";
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
