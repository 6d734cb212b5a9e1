//! Any bytes as a list of ids: refused, or read in full and nothing made up.
#![no_main]

use numib::meta::deletion_list::{Entry, IDS_MAX, LEN_MAX, ListError, parse};

/// One input in so many is read at the full size, where all that is not linear takes forever.
const STRETCHED: u64 = 256;

libfuzzer_sys::fuzz_target!(|list: &[u8]| {
    if let Ok(entries) = parse(list) {
        check(list, &entries);
    }
    if list.iter().map(|byte| u64::from(*byte)).sum::<u64>() % STRETCHED == 1 {
        let _ = parse(&list.repeat(LEN_MAX / list.len()));
    }
});

fn check(list: &[u8], entries: &[Entry]) {
    assert!((1..=IDS_MAX).contains(&entries.len()));
    assert!(entries.is_sorted_by(|one, next| one.line < next.line));
    let text = str::from_utf8(list).expect("what is read is text").replace("\r\n", "\n");
    let lines: Vec<&str> = text.split(['\n', '\r']).collect();
    for entry in entries {
        let line = lines[entry.line - 1];
        if let Some(id) = &entry.id {
            let id = id.expose();
            assert!(id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_digit()));
            assert!(line.contains(id.as_str()), "an id stands on the line it is said to");
        }
    }
    // Whatever stands above it, one more line is one more id.
    let longer = parse(&[list, b"\n4811"].concat());
    if entries.len() == IDS_MAX {
        assert_eq!(longer, Err(ListError::TooMany));
        return;
    }
    let longer = longer.expect("a list and a line are a list");
    let (last, before) = longer.split_last().expect("a list has an entry");
    assert_eq!(before, entries);
    assert_eq!(last.id.as_ref().map(|id| id.expose().as_str()), Some("4811"));
}
