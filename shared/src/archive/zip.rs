//! The records of a ZIP archive that is written in parts, by processes that may be killed.
//!
//! A part is made of whole files, so a later process needs only the part's [`Entry`]s. To write the
//! directory at the end, all files are written once more into nothing. `rawzip` writes every
//! record, and ZIP64 records where they are needed.

use std::io::{self, Write};

use aws_lc_rs::digest;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use jiff::Timestamp;
use rawzip::time::UtcDateTime;
use rawzip::{CompressionMethod, DataDescriptorOutput, ZipArchiveWriter};

use crate::domain::export::Entry;

/// The cheapest level shrinks texts to a fifth. Higher levels take several times as long.
const LEVEL: Compression = Compression::new(1);
/// Bytes that are hashed and packed at a time.
const CHUNK: usize = 64 * 1024;
static ZEROS: [u8; CHUNK] = [0; CHUNK];

/// Why an archive cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ZipError {
    /// The compression failed: out of memory.
    #[error("a file was not packed")]
    Pack(#[from] io::Error),
    /// A record was refused.
    #[error("a record of the archive was refused ({0})")]
    Record(#[from] rawzip::Error),
    /// The files are not where the parts say.
    #[error("the files of the archive do not add up to its length")]
    Length,
}

/// A file that is being packed, in memory.
pub struct File {
    name: String,
    encoder: DeflateEncoder<Vec<u8>>,
    pending: Vec<u8>,
    crc: Crc,
    sha256: digest::Context,
    size: u64,
    records: u64,
}

/// A file that is packed.
#[derive(Debug)]
pub struct Packed {
    entry: Entry,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "File({}, {} bytes)", self.name, self.size)
    }
}

impl File {
    /// An empty file of that name.
    #[must_use]
    pub fn new(name: String) -> Self {
        Self {
            name,
            encoder: DeflateEncoder::new(Vec::new(), LEVEL),
            pending: Vec::new(),
            crc: Crc::new(),
            sha256: digest::Context::new(&digest::SHA256),
            size: 0,
            records: 0,
        }
    }

    /// The buffer to append text to. It is packed once there is enough of it.
    pub const fn text(&mut self) -> &mut Vec<u8> {
        &mut self.pending
    }

    /// Counts one more record, and packs the text if there is enough of it.
    pub fn end_record(&mut self) -> Result<(), ZipError> {
        self.records = self.records.saturating_add(1);
        if self.pending.len() >= CHUNK { self.pack() } else { Ok(()) }
    }

    /// Whether the file has no record.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// About how many bytes the file takes in memory.
    #[must_use]
    pub fn held(&self) -> usize {
        self.encoder.get_ref().len()
    }

    fn pack(&mut self) -> Result<(), ZipError> {
        self.crc.update(&self.pending);
        self.sha256.update(&self.pending);
        let size = u64::try_from(self.pending.len()).unwrap_or(u64::MAX);
        self.size = self.size.saturating_add(size);
        self.encoder.write_all(&self.pending)?;
        self.pending.clear();
        Ok(())
    }

    /// Packs the rest of the file.
    pub fn finish(mut self) -> Result<Packed, ZipError> {
        self.pack()?;
        let bytes = self.encoder.finish()?;
        let mut sha256 = [0; 32];
        let digest = self.sha256.finish();
        sha256.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        let entry = Entry {
            name: self.name,
            crc32: self.crc.sum(),
            packed: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            size: self.size,
            sha256,
            records: self.records,
        };
        Ok(Packed { entry, bytes })
    }
}

/// Whole files, one after the other, as they are in the archive.
#[derive(Debug)]
pub struct Segment {
    /// When the archive was asked for. All files get this time.
    at: Timestamp,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The files in them.
    pub entries: Vec<Entry>,
}

impl Segment {
    /// An empty segment of an archive that was asked for at this time.
    #[must_use]
    pub const fn new(at: Timestamp) -> Self {
        Self { at, bytes: Vec::new(), entries: Vec::new() }
    }

    /// Adds a file.
    pub fn add(&mut self, Packed { entry, bytes }: Packed) -> Result<(), ZipError> {
        let mut writer = ZipArchiveWriter::new(&mut self.bytes);
        write_file(&mut writer, &entry, self.at, |to| to.write_all(&bytes))?;
        self.entries.push(entry);
        Ok(())
    }

    /// Adds a file whose text is at hand.
    ///
    /// # Errors
    /// As [`File::end_record`] and [`Segment::add`].
    pub fn add_text(&mut self, name: &str, text: &[u8], records: u64) -> Result<(), ZipError> {
        let mut file = File::new(name.to_owned());
        file.text().extend_from_slice(text);
        file.records = records;
        self.add(file.finish()?)
    }
}

/// The directory that ends an archive of these files, given how many bytes the files have.
///
/// # Errors
/// [`ZipError::Length`] if the files do not have that many bytes.
pub fn directory<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    at: Timestamp,
    bytes: u64,
) -> Result<Vec<u8>, ZipError> {
    let mut writer = ZipArchiveWriter::new(Tail { to_skip: bytes, bytes: Vec::new() });
    for entry in entries {
        write_file(&mut writer, entry, at, |to| {
            let mut left = entry.packed;
            while left > 0 {
                let len = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
                to.write_all(ZEROS.get(..len).unwrap_or_default())?;
                left = left.saturating_sub(u64::try_from(len).unwrap_or(left));
            }
            Ok(())
        })?;
    }
    if writer.stream_offset() != bytes {
        return Err(ZipError::Length);
    }
    Ok(writer.finish()?.bytes)
}

fn write_file<W: Write>(
    writer: &mut ZipArchiveWriter<W>,
    entry: &Entry,
    at: Timestamp,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), ZipError> {
    let file = writer
        .new_file(&entry.name)
        .compression_method(CompressionMethod::DEFLATE)
        .last_modified(UtcDateTime::from_unix(at.as_second()));
    let (mut file, _) = file.start()?;
    write(&mut file)?;
    file.finish(DataDescriptorOutput::new(entry.crc32, entry.size))?;
    Ok(())
}

/// A writer that keeps only what comes after so many bytes.
struct Tail {
    to_skip: u64,
    bytes: Vec<u8>,
}

impl Write for Tail {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let skipped = usize::try_from(self.to_skip).unwrap_or(usize::MAX).min(text.len());
        self.to_skip = self.to_skip.saturating_sub(u64::try_from(skipped).unwrap_or(u64::MAX));
        self.bytes.extend_from_slice(text.get(skipped..).unwrap_or_default());
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::DeflateDecoder;

    use super::*;

    fn at() -> Timestamp {
        "2026-12-01T04:41:00Z".parse().unwrap()
    }

    fn read(archive: &[u8]) -> Vec<(String, String)> {
        let archive = rawzip::ZipArchive::from_slice(archive).unwrap();
        let mut entries = archive.entries();
        let mut files = Vec::new();
        while let Some(entry) = entries.next_entry().unwrap() {
            let name = entry.file_path().try_normalize().unwrap().as_ref().to_owned();
            let found = archive.get_entry(entry.wayfinder()).unwrap();
            let mut text = String::new();
            let decoder = DeflateDecoder::new(found.data());
            found.verifying_reader(decoder).read_to_string(&mut text).unwrap();
            files.push((name, text));
        }
        files
    }

    #[test]
    fn parts_that_know_nothing_of_one_another_are_one_archive() {
        let mut archive = Vec::new();
        let mut entries = Vec::new();
        for part in 0..3 {
            let mut segment = Segment::new(at());
            for file in 0..2 {
                let text = format!("part {part} file {file} ñandú").repeat(10_000);
                segment.add_text(&format!("{part}/{file}.txt"), text.as_bytes(), 1).unwrap();
            }
            archive.append(&mut segment.bytes);
            entries.append(&mut segment.entries);
        }
        let len = u64::try_from(archive.len()).unwrap();
        archive.extend(directory(entries.iter(), at(), len).unwrap());
        let files = read(&archive);
        assert_eq!(files.len(), 6);
        assert_eq!(files[5].0, "2/1.txt");
        assert_eq!(files[5].1, "part 2 file 1 ñandú".repeat(10_000));
    }

    #[test]
    fn files_that_do_not_add_up_are_no_archive() {
        let mut segment = Segment::new(at());
        segment.add_text("a", b"x", 0).unwrap();
        let len = u64::try_from(segment.bytes.len()).unwrap();
        let wrong = directory(segment.entries.iter(), at(), len + 1);
        assert!(matches!(wrong, Err(ZipError::Length)));
    }

    #[test]
    fn an_archive_past_four_gigabytes_has_the_records_that_say_so() {
        let entry = |name: &str| Entry {
            name: name.to_owned(),
            crc32: 7,
            packed: 3 << 30,
            size: 5 << 30,
            sha256: [0; 32],
            records: 0,
        };
        let entries = ["a", "b", "c"].map(entry);
        // Each has a header with its name, and a descriptor with sizes of 64 bits.
        let len = 3 * ((3 << 30) + 30 + 1 + 24);
        let directory = directory(entries.iter(), at(), len).unwrap();
        let has = |bytes: &[u8]| directory.windows(bytes.len()).any(|window| window == bytes);
        let place_of_the_last: u64 = 2 * ((3 << 30) + 30 + 1 + 24);
        assert!(has(&place_of_the_last.to_le_bytes()) && has(&(5_u64 << 30).to_le_bytes()));
        assert!(has(b"PK\x06\x06") && has(b"PK\x06\x07"));
    }
}
