//! What an archive says about itself: `manifest.json`, and `index.html`, with which people begin.

use std::collections::BTreeMap;

use askama::Template;
use serde::Serialize;

use super::pages::{STYLE, Words, moment};
use crate::domain::data_kind::{DataKind, Exported};
use crate::domain::export::{Entry, Export};
use crate::domain::hex::hex;

/// The version of the format. It grows with every change that a reader would notice.
const SCHEMA_VERSION: u32 = 1;
const RULE: &str = "Messages sent up to the high-water mark. What expired, was unsent or was \
                    erased before it was read is left out; texts, edits and marks are as they \
                    were when they were read.";

#[derive(Serialize)]
struct Manifest<'a> {
    format: &'static str,
    schema_version: u32,
    export: &'a str,
    account: &'a str,
    snapshot: Snapshot,
    kinds: BTreeMap<&'static str, Kind>,
    files: Vec<File<'a>>,
}

#[derive(Serialize)]
struct Snapshot {
    /// RFC 3339, UTC.
    high_water_mark: String,
    rule: &'static str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Kind {
    Exported {
        records: u64,
        files: String,
        /// How many messages did not open, and are missing.
        #[serde(skip_serializing_if = "is_zero")]
        unreadable: u64,
    },
    Excluded {
        excluded: &'static str,
        legal_basis: &'static str,
    },
}

#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    size: u64,
    sha256: String,
    records: u64,
}

impl<'a> File<'a> {
    fn of(entry: &'a Entry) -> Self {
        let Entry { name, size, sha256, records, .. } = entry;
        Self { name, size: *size, sha256: hex(sha256), records: *records }
    }
}

/// How many records a kind has in its native files.
fn records(folder: &str, entries: &[Entry]) -> u64 {
    let of_kind = entries.iter().filter(|entry| {
        let name = entry.name.strip_prefix("data/").and_then(|name| name.strip_suffix(".ndjson"));
        let name = name.map(|name| name.trim_end_matches(|c: char| c.is_ascii_digit()));
        name.is_some_and(|name| name.trim_end_matches('-') == folder)
    });
    of_kind.map(|entry| entry.records).sum()
}

/// Writes the `manifest.json` of an archive with these files.
///
/// # Errors
/// Never, in memory.
//= R5.1, R5.4
pub fn write(export: &Export, entries: &[Entry]) -> Result<Vec<u8>, serde_json::Error> {
    let kind = |kind: &DataKind| {
        let said = match kind.export() {
            Exported::In(name) => Kind::Exported {
                records: records(name, entries),
                files: format!("data/{name}*.ndjson"),
                unreadable: if *kind == DataKind::Message { export.written.unreadable } else { 0 },
            },
            Exported::Excluded(why) => {
                Kind::Excluded { excluded: why.as_str(), legal_basis: why.legal_basis() }
            }
        };
        (kind.as_str(), said)
    };
    let manifest = Manifest {
        format: "numib-export",
        schema_version: SCHEMA_VERSION,
        export: export.id.as_str(),
        account: export.account.as_str(),
        snapshot: Snapshot { high_water_mark: export.asked_at.to_string(), rule: RULE },
        kinds: DataKind::ALL.iter().map(kind).collect(),
        files: entries.iter().map(File::of).collect(),
    };
    let mut json = serde_json::to_vec_pretty(&manifest)?;
    json.push(b'\n');
    Ok(json)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[derive(Template)]
#[template(path = "archive_index.html")]
struct Index<'a> {
    style: &'static str,
    account: &'a str,
    asked_at: String,
    contents: Vec<(&'a str, u64)>,
    files: Vec<Row>,
}

struct Row {
    name: String,
    what: Words,
    records: String,
}

/// Writes the `index.html` of an archive with these files.
///
/// # Errors
/// Never, in memory.
//= R5.1
pub fn index(export: &Export, entries: &[Entry]) -> Result<String, askama::Error> {
    let is_contents = |entry: &&Entry| entry.name.starts_with("contents/");
    let contents = entries.iter().filter(is_contents);
    let mut files: Vec<Row> = Vec::new();
    for kind in DataKind::ALL {
        if let Exported::In(name) = kind.export() {
            files.push(Row {
                name: format!("data/{name}*.ndjson"),
                what: super::summary::name(*kind),
                records: records(name, entries).to_string(),
            });
        }
    }
    let also = [
        ("csv/messages-*.csv", ("messages, for spreadsheets", "mensajes, para hojas de cálculo")),
        ("schema.org/*.jsonld", ("messages, as schema.org", "mensajes, según schema.org")),
        ("summary.json", ("purposes, recipients, periods", "finalidades, destinatarios, plazos")),
        ("manifest.json", ("all files, with digests", "todos los archivos, con resúmenes")),
        ("manifest.jws", ("the manifest's signature", "la firma del manifiesto")),
    ];
    files.extend(also.map(|(name, what)| Row {
        name: name.to_owned(),
        what,
        records: String::new(),
    }));
    Index {
        style: STYLE,
        account: export.account.as_str(),
        asked_at: moment(export.asked_at),
        contents: contents.map(|entry| (entry.name.as_str(), entry.records)).collect(),
        files,
    }
    .render()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::Value;

    use super::*;
    use crate::domain::ids::{AccountId, ExportId};

    fn entry(name: &str, records: u64) -> Entry {
        let sha256 = [0xab; 32];
        Entry { name: name.to_owned(), crc32: 1, packed: 2, size: 3, sha256, records }
    }

    fn export() -> Export {
        let id = ExportId::parse("e1").unwrap();
        Export::new(id, AccountId::parse("a1").unwrap(), Timestamp::UNIX_EPOCH)
    }

    //= R5.1
    #[test]
    fn every_kind_of_data_is_counted_or_excluded_for_a_reason() {
        let entries = [
            entry("data/messages-00001.ndjson", 40),
            entry("data/messages-00002.ndjson", 2),
            entry("csv/messages-00001.csv", 40),
            entry("data/members.ndjson", 3),
        ];
        let manifest: Value = serde_json::from_slice(&write(&export(), &entries).unwrap()).unwrap();
        assert_eq!(manifest["kinds"].as_object().unwrap().len(), DataKind::ALL.len());
        assert_eq!(manifest["kinds"]["message"]["records"], 42);
        assert_eq!(manifest["kinds"]["member"]["records"], 3);
        assert_eq!(manifest["kinds"]["audit-event"]["records"], 0);
        assert_eq!(manifest["kinds"]["day-key"]["excluded"], "security");
        assert_eq!(manifest["files"][0]["sha256"], "ab".repeat(32));
        for kind in manifest["kinds"].as_object().unwrap().values() {
            let reason = kind["legal_basis"].as_str().map_or(0, str::len);
            assert!(kind["records"].is_u64() || reason > 10, "{kind}");
        }
    }

    #[test]
    fn the_index_leads_to_every_list_of_conversations_in_both_languages() {
        let entries = [entry("contents/00001.html", 7), entry("contents/00004.html", 1)];
        let html = index(&export(), &entries).unwrap();
        assert!(html.contains(r#"href="contents/00001.html">7 conversations"#), "{html}");
        assert!(html.contains(r#"href="contents/00004.html""#));
        assert!(html.contains("Sus datos") && html.contains("Your data"));
        assert!(!html.contains("<script"));
    }
}
