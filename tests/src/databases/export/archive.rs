//! Reads an archive as anybody would.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use serde_json::Value;
use zip::ZipArchive;

/// The files of an archive.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Archive {
    pub(crate) bytes: Vec<u8>,
    pub(crate) files: BTreeMap<String, String>,
}

impl Archive {
    /// Reads the whole archive, and checks lengths and sums of its files.
    pub(crate) fn read(bytes: Vec<u8>) -> Self {
        let mut archive = ZipArchive::new(Cursor::new(bytes.as_slice())).unwrap();
        let mut files = BTreeMap::new();
        for index in 0..archive.len() {
            let mut file = archive.by_index(index).unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            let name = file.name().unwrap().into_owned();
            assert!(files.insert(name.clone(), text).is_none(), "{name} is there twice");
        }
        Self { bytes, files }
    }

    /// The files whose names begin like this, one after the other.
    pub(crate) fn all(&self, beginning: &str) -> String {
        let found = self.files.iter().filter(|(name, _)| name.starts_with(beginning));
        found.map(|(_, text)| text.as_str()).collect()
    }

    /// The records of a kind.
    pub(crate) fn records(&self, kind: &str) -> Vec<Value> {
        let text = self.all(&format!("data/{kind}"));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// One field of each record of a kind.
    pub(crate) fn each(&self, kind: &str, field: &str) -> Vec<String> {
        let field = |record: Value| record[field].as_str().unwrap().to_owned();
        self.records(kind).into_iter().map(field).collect()
    }

    pub(crate) fn manifest(&self) -> Value {
        serde_json::from_str(&self.files["manifest.json"]).unwrap()
    }

    /// The files with their contents, without the signature, which differs each time.
    pub(crate) fn unsigned(&self) -> BTreeMap<String, String> {
        let mut files = self.files.clone();
        files.remove("manifest.jws");
        files
    }
}

/// SHA-256, as a manifest writes it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let bytes: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.concat()
}
