//! Lists of ids that Meta publishes to the app's owner, for deletion (R8.7): one id a line, or one
//! in the first column of a CSV (docs/meta-platform.md#deletion-lists).

use thiserror::Error;

use crate::domain::ids::MetaId;

/// Bytes of a list at most. Encoded in base64, they still fit into a request to Lambda.
pub const LEN_MAX: usize = 4 * 1024 * 1024;
/// Ids of a list at most, malformed ones included.
pub const IDS_MAX: usize = 20_000;
/// Digits of an id at most. Today's ids have 15 to 17.
const ID_LEN_MAX: usize = 64;
/// Some programs write this mark before UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The line that the entry begins on, from 1.
    pub line: usize,
    /// The id; `None` if the entry is no id.
    pub id: Option<MetaId>,
}

/// Why a text is refused as a list. Then no entry of it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ListError {
    /// The text is longer than [`LEN_MAX`].
    #[error("the list is too long")]
    TooLong,
    /// The text has more ids than [`IDS_MAX`].
    #[error("the list has too many ids")]
    TooMany,
    /// The text is not in UTF-8.
    #[error("the list is not UTF-8 text")]
    NotText,
    /// A quote is opened and never closed, so nobody can tell where its line ends.
    #[error("a quote of the list is not closed")]
    OpenQuote,
    /// The text has no entry.
    #[error("the list is empty")]
    Empty,
}

/// Reads a Meta id: decimal digits, kept as they came. `None` for anything else, and for zeros
/// only, which name nobody.
#[must_use]
pub fn meta_id(text: &str) -> Option<MetaId> {
    let digits = (1..=ID_LEN_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    (digits && text.bytes().any(|b| b != b'0')).then(|| MetaId::new(text.to_owned()))
}

/// Reads a list. Lines end in LF, CR or both, and may be blank. Columns are separated by comma,
/// semicolon or tab, and may be quoted. A first line that begins with a letter is a heading.
///
/// A quoted column may go over several lines. Those lines hold no ids, even where they look so.
//= R8.7
pub fn parse(bytes: &[u8]) -> Result<Vec<Entry>, ListError> {
    if bytes.len() > LEN_MAX {
        return Err(ListError::TooLong);
    }
    let text = str::from_utf8(bytes).map_err(|_| ListError::NotText)?;
    if text.contains('\0') {
        return Err(ListError::NotText);
    }
    let mut rest = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut entries = Vec::new();
    let (mut line, mut is_first) = (1_usize, true);
    while !rest.is_empty() {
        let record = record(rest)?;
        let is_heading = is_first && record.column.starts_with(char::is_alphabetic);
        if !record.is_blank {
            is_first = false;
            if entries.len() == IDS_MAX {
                return Err(ListError::TooMany);
            }
            if !is_heading {
                entries.push(Entry { line, id: meta_id(record.column) });
            }
        }
        line = line.saturating_add(record.lines);
        rest = record.rest;
    }
    if entries.is_empty() { Err(ListError::Empty) } else { Ok(entries) }
}

/// One line, or several lines that a quoted column holds together.
struct Record<'a> {
    /// The first column, without its quotes.
    column: &'a str,
    is_blank: bool,
    lines: usize,
    rest: &'a str,
}

fn record(text: &str) -> Result<Record<'_>, ListError> {
    let (mut quoted, mut at_start, mut lines) = (false, true, 0_usize);
    let (mut column_end, mut end, mut next) = (None, text.len(), text.len());
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\n' | b'\r' => {
                let feed = bytes.next_if(|(_, next)| byte == b'\r' && *next == b'\n');
                lines = lines.saturating_add(1);
                if !quoted {
                    (end, next) = (at, feed.map_or(at, |(at, _)| at).saturating_add(1));
                    break;
                }
            }
            // Within quotes, two quotes mean one.
            b'"' if quoted => quoted = bytes.next_if(|(_, next)| *next == b'"').is_some(),
            b'"' if at_start => (quoted, at_start) = (true, false),
            _ if quoted => {}
            b',' | b';' | b'\t' => {
                column_end.get_or_insert(at);
                at_start = true;
            }
            b' ' => {}
            _ => at_start = false,
        }
    }
    if quoted {
        return Err(ListError::OpenQuote);
    }
    let column = text.get(..column_end.unwrap_or(end)).unwrap_or_default().trim();
    let unquoted = column.strip_prefix('"').and_then(|column| column.strip_suffix('"'));
    Ok(Record {
        // The end of a line is not trimmed: an id behind it would be on another line than its
        // record.
        column: unquoted.unwrap_or(column).trim_matches(is_blank),
        is_blank: text.get(..end).unwrap_or_default().trim().is_empty(),
        lines: lines.max(1),
        rest: text.get(next..).unwrap_or_default(),
    })
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() && !matches!(c, '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The entries of a text, as `line:id`, with a dash for what is malformed.
    fn read(text: &str) -> Vec<String> {
        let entries = parse(text.as_bytes()).unwrap().into_iter();
        let id = |id: Option<MetaId>| id.map_or("-".to_owned(), |id| id.expose().clone());
        entries.map(|entry| format!("{}:{}", entry.line, id(entry.id))).collect()
    }

    //= R8.7
    #[test]
    fn a_list_is_read_however_it_was_written() {
        assert_eq!(read("123\n456\n"), ["1:123", "2:456"]);
        assert_eq!(read("123"), ["1:123"]);
        assert_eq!(read("\u{feff}123\r\n\r\n 456 \r789"), ["1:123", "3:456", "4:789"]);
        assert_eq!(read("user_id\n123"), ["2:123"]);
        assert_eq!(read("\n\nuser_id,when\n123,2026-01-01\n"), ["4:123"]);
        assert_eq!(read("\"id\";\"x\"\n\"123\";\"a\"\"b\"\n"), ["2:123"]);
        assert_eq!(read("123\t456\n 789 , 1"), ["1:123", "2:789"]);
        assert_eq!(read("0007\n007\n"), ["1:0007", "2:007"], "kept exact");
    }

    //= R8.7
    #[test]
    fn what_is_no_id_is_malformed_and_costs_its_neighbours_nothing() {
        let text = "1.23E+17\n-5\n0\n000\n12 34\n\"12\"3\nabc\n,77\n'9\n１２\n44\n";
        let mut expected: Vec<_> = (1..=10).map(|line| format!("{line}:-")).collect();
        expected.push("11:44".to_owned());
        assert_eq!(read(text), expected);
        let (longest, longer) = ("9".repeat(64), "9".repeat(65));
        assert_eq!(read(&longest), [format!("1:{longest}")]);
        assert_eq!(read(&longer), ["1:-"]);
        assert_eq!(read("12\nabc\n"), ["1:12", "2:-"], "only a first line is a heading");
    }

    #[test]
    fn an_id_within_a_quoted_text_is_not_taken() {
        assert_eq!(read("1,\"note\n2\r\n3\"\n4"), ["1:1", "4:4"]);
        assert_eq!(read("\"\n2\"\n3"), ["1:-", "3:3"], "not on the line it would be said to");
        assert_eq!(read("\"2\r\"\n3"), ["1:-", "3:3"]);
        assert_eq!(read("1,5\" screen\n2"), ["1:1", "2:2"], "a quote within is just a quote");
        assert_eq!(parse(b"1\n\"2\n3\n"), Err(ListError::OpenQuote));
        assert_eq!(parse(b"1,\"2\n3\n"), Err(ListError::OpenQuote));
    }

    #[test]
    fn what_is_no_list_is_refused_whole() {
        for empty in ["", "\n\r\n ", "\u{feff}", "user_id\n"] {
            assert_eq!(parse(empty.as_bytes()), Err(ListError::Empty), "{empty:?}");
        }
        assert_eq!(parse(b"1\n\xff\n"), Err(ListError::NotText));
        assert_eq!(parse(b"1\x00\n\x002\x00"), Err(ListError::NotText), "UTF-16");
        let most = "77\n".repeat(IDS_MAX);
        assert_eq!(parse(most.as_bytes()).unwrap().len(), IDS_MAX);
        assert_eq!(parse(format!("{most}7").as_bytes()), Err(ListError::TooMany));
        assert_eq!(parse(&vec![b'\n'; LEN_MAX]), Err(ListError::Empty));
        assert_eq!(parse(&vec![b'\n'; LEN_MAX + 1]), Err(ListError::TooLong));
    }

    #[test]
    fn an_id_never_prints() {
        assert!(!format!("{:?}", parse(b"4111222").unwrap()).contains("4111222"));
    }

    /// Bytes that mean something here, in any order, and some that do not.
    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            8 => prop::sample::select(&b"0123456789\n\n\r\",;\t \"a\n"[..]),
            1 => any::<u8>(),
        ];
        prop::collection::vec(byte, 0..200)
    }

    proptest! {
        //= R8.7
        #[test]
        fn any_bytes_are_read_or_refused_and_lines_only_rise(bytes in texts()) {
            if let Ok(entries) = parse(&bytes) {
                prop_assert!(!entries.is_empty());
                prop_assert!(entries.is_sorted_by(|one, next| one.line < next.line));
                let ends = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
                prop_assert!(entries.iter().all(|entry| (1..=ends + 1).contains(&entry.line)));
            }
        }

        #[test]
        fn every_id_is_found_on_its_line(
            lines in prop::collection::vec((1_u64.., 0..6_usize, 0..3_usize), 1..50)
        ) {
            let mut text = String::new();
            let mut expected = Vec::new();
            let ends = ["\n", "\r\n", "\n\n"];
            for (id, form, end) in lines {
                let line = 1 + text.matches('\n').count();
                expected.push(format!("{line}:{id}"));
                let written = match form {
                    0 => format!("{id}"),
                    1 => format!("\"{id}\""),
                    2 => format!(" {id} ,x"),
                    3 => format!("{id};\"7\n8\"\"9\""),
                    4 => format!("\"{id}\"\t\"\""),
                    _ => format!("{id},,\"a,b\",5\""),
                };
                text.extend([&written, ends[end]]);
            }
            prop_assert_eq!(read(&text), expected);
        }
    }
}
