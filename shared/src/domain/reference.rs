//! How operators refer to their cases.

/// Characters of an operator's reference.
const REFERENCE_LEN_MAX: usize = 100;

/// Whether a text can be the reference of an operator's case. It is short, and its alphabet has no
/// room for an address and hardly any for a name.
#[must_use]
pub fn is_reference(text: &str) -> bool {
    let spells = |b: u8| b.is_ascii_alphanumeric() || b"-_./:# ".contains(&b);
    (1..=REFERENCE_LEN_MAX).contains(&text.len())
        && text.bytes().all(spells)
        && text.trim().len() == text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_short_and_has_no_room_for_an_address() {
        let longest = "x".repeat(100);
        for good in ["T-1", "ticket #4711 / 2026", "a:b_c.d", longest.as_str()] {
            assert!(is_reference(good), "{good:?}");
        }
        let longer = "x".repeat(101);
        for bad in ["", " ", " T-1", "T-1 ", "ana@example.com", "T\n1", "é", longer.as_str()] {
            assert!(!is_reference(bad), "{bad:?}");
        }
    }
}
