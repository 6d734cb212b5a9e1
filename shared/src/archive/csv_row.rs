//! Rows for spreadsheets, quoted by RFC 4180, without anything that a spreadsheet would run.

use std::borrow::Cow;

/// Excel reads a CSV as UTF-8 only if it begins with this mark.
pub(super) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Beginnings of cells that spreadsheets take for formulas, or skip to find one (OWASP: CSV
/// injection). In some languages full-width signs count as the plain ones.
const FORMULAS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Most rows have no more bytes.
const CELLS_LEN: usize = 1024;

/// Appends a row.
///
/// # Errors
/// Never, in memory.
pub(super) fn write(to: &mut Vec<u8>, cells: &[&str]) -> Result<(), csv::Error> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .buffer_capacity(CELLS_LEN)
        .from_writer(to);
    writer.write_record(cells.iter().map(|cell| guarded(cell).into_owned()))?;
    Ok(writer.flush()?)
}

/// Some languages' spreadsheets split cells at these characters, whatever the quotes say.
const SEPARATORS: [char; 4] = [';', '\t', '\r', '\n'];

/// The cell with an apostrophe before whatever a spreadsheet would run, at its start and where a
/// spreadsheet may split it. Spreadsheets show such a cell as text.
//= R5.4
fn guarded(cell: &str) -> Cow<'_, str> {
    let begins = |rest: &str| rest.trim_start_matches(['"', ' ']).starts_with(FORMULAS);
    let is_run = |(at, _): &(usize, &str)| {
        let rest = cell.get(at.saturating_add(1)..).unwrap_or_default();
        begins(rest)
    };
    let mut guarded = String::new();
    if cell.starts_with(FORMULAS) {
        guarded.push('\'');
    }
    let mut copied = 0;
    for (at, _) in cell.match_indices(SEPARATORS).filter(is_run) {
        let after = at.saturating_add(1);
        guarded.push_str(cell.get(copied..after).unwrap_or_default());
        guarded.push('\'');
        copied = after;
    }
    if guarded.is_empty() {
        return Cow::Borrowed(cell);
    }
    guarded.push_str(cell.get(copied..).unwrap_or_default());
    Cow::Owned(guarded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> String {
        let mut to = Vec::new();
        write(&mut to, cells).unwrap();
        String::from_utf8(to).unwrap()
    }

    //= R5.4
    #[test]
    fn what_a_spreadsheet_would_run_is_text() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1"] {
            assert!(guarded(formula).starts_with('\''), "{formula:?}");
        }
        assert_eq!(row(&["=HYPERLINK(\"x\")"]), "\"'=HYPERLINK(\"\"x\"\")\"\r\n");
        assert_eq!(guarded("3 - 1 = 2"), "3 - 1 = 2");
        // If cells are split at semicolons in spite of quotes, each part begins a cell.
        assert_eq!(guarded("hola;=cmd|' /C calc'!A1;x"), "hola;'=cmd|' /C calc'!A1;x");
        assert_eq!(guarded("a\n=1;\"+2\"; -3; b"), "a\n'=1;'\"+2\";' -3; b");
        assert_eq!(guarded("=1;=2"), "'=1;'=2");
        assert_eq!(guarded("a; b\nc"), "a; b\nc");
    }

    #[test]
    fn cells_are_quoted_where_they_have_to_be() {
        assert_eq!(row(&["a", "b,c", "d\"e", "f\ng"]), "a,\"b,c\",\"d\"\"e\",\"f\ng\"\r\n");
        assert_eq!(row(&["", "ñ 🎉"]), ",ñ 🎉\r\n");
    }
}
