//! A forgiving view of JSON text. It reads one level at a time, and decodes a value only when
//! someone asks for it.
//!
//! `serde_json`'s own types reject a whole document for one lone surrogate, one `1e999` or one deep
//! nest. A [`RawValue`] is only skipped over, by a loop and not by recursion. So a fault in one
//! part stays in that part.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The body as text in which every string can be decoded. The byte order mark goes. U+FFFD replaces
/// bytes that are not UTF-8, and escapes of surrogates that are no pair.
pub(crate) fn readable(body: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)) {
        Cow::Borrowed(text) => mend_surrogates(text),
        Cow::Owned(text) => Cow::Owned(mend_surrogates(&text).into_owned()),
    }
}

/// Replaces the escape of each lone surrogate. Backslashes occur in strings only, so nothing else
/// of the syntax matters here.
fn mend_surrogates(text: &str) -> Cow<'_, str> {
    let mut mended = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('\\')) {
        let start = at + found;
        at = match (surrogate(text, start), surrogate(text, start + 6)) {
            (Some(Half::High), Some(Half::Low)) => start + 12,
            (Some(_), _) => {
                mended.push_str(text.get(copied..start).unwrap_or_default());
                mended.push_str("\\ufffd");
                copied = start + 6;
                copied
            }
            // The second byte may itself be a backslash, which then starts no escape.
            (None, _) if text.get(start..start + 2) == Some("\\\\") => start + 2,
            (None, _) => start + 1,
        };
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    mended.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(mended)
}

enum Half {
    High,
    Low,
}

/// Which half of a surrogate pair the escape at `start` is; `None` when it is neither.
fn surrogate(text: &str, start: usize) -> Option<Half> {
    let digits = text.get(start..start + 6)?.strip_prefix("\\u")?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Half::High),
        0xdc00..=0xdfff => Some(Half::Low),
        _ => None,
    }
}

/// Any JSON value, unread.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a>(&'a RawValue);

impl<'a> Value<'a> {
    /// `None` when the text is not JSON.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// `None` when it is no object.
    pub(crate) fn object(self) -> Option<Object<'a>> {
        serde_json::from_str(self.0.get()).ok().map(Object)
    }

    /// `None` when it is no array.
    pub(crate) fn array(self) -> Option<Vec<Self>> {
        let elements: Vec<&RawValue> = serde_json::from_str(self.0.get()).ok()?;
        Some(elements.into_iter().map(Self).collect())
    }

    /// The elements of an array; anything else is a list of itself.
    pub(crate) fn elements(self) -> Vec<Self> {
        self.array().unwrap_or_else(|| vec![self])
    }

    /// `None` when it is no string.
    pub(crate) fn string(self) -> Option<Cow<'a, str>> {
        let text = self.0.get();
        text.starts_with('"').then(|| serde_json::from_str(text).ok())?.map(|Text(text)| text)
    }

    /// A number's own characters, so that no digit is lost; `None` when it is no number.
    pub(crate) fn number(self) -> Option<&'a str> {
        let text = self.0.get();
        text.starts_with(|c: char| c == '-' || c.is_ascii_digit()).then_some(text)
    }

    /// A string, or a number as written. Meta's pages and deliveries differ in which of the two
    /// they use.
    pub(crate) fn scalar(self) -> Option<Cow<'a, str>> {
        self.string().or_else(|| self.number().map(Cow::Borrowed))
    }

    /// Whether the value is `true`, or the string "true".
    pub(crate) fn is_true(self) -> bool {
        self.0.get() == "true" || self.string().is_some_and(|s| s.eq_ignore_ascii_case("true"))
    }
}

/// An object's members. The last member of a repeated key counts.
pub(crate) struct Object<'a>(BTreeMap<Text<'a>, &'a RawValue>);

impl<'a> Object<'a> {
    /// The member; `null` is as good as absent.
    pub(crate) fn get(&self, key: &str) -> Option<Value<'a>> {
        self.0.get(key).filter(|value| value.get() != "null").map(|value| Value(value))
    }

    /// The members' values, in the order of their keys.
    pub(crate) fn values(&self) -> impl Iterator<Item = Value<'a>> {
        self.0.values().map(|value| Value(value))
    }

    /// The member as [`Value::scalar`]; `None` when it is absent, too.
    pub(crate) fn scalar(&self, key: &str) -> Option<Cow<'a, str>> {
        self.get(key)?.scalar()
    }

    /// Whether the member [is true](Value::is_true).
    pub(crate) fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(Value::is_true)
    }
}

/// A decoded string, borrowed from the body where it holds no escapes.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_string(body: &[u8], expected: &str) {
        let text = readable(body);
        let decoded = Value::parse(&text).and_then(Value::string);
        assert_eq!(decoded.as_deref(), Some(expected), "{}", body.escape_ascii());
    }

    #[test]
    fn surrogates_without_a_partner_become_the_replacement_character() {
        check_string(br#""\ud83d\ude00""#, "\u{1f600}");
        check_string(br#""\uD83D\uDE00""#, "\u{1f600}");
        check_string(br#""a\ud83db""#, "a\u{fffd}b");
        check_string(br#""a\ude00b""#, "a\u{fffd}b");
        check_string(br#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}");
        check_string(br#""\ude00\ud83d""#, "\u{fffd}\u{fffd}");
        check_string(br#""\ud83d\u0041""#, "\u{fffd}A");
        check_string(br#""\ud83d""#, "\u{fffd}");
        check_string(br#""\ud83d\n""#, "\u{fffd}\n");
    }

    #[test]
    fn an_escaped_backslash_starts_no_surrogate() {
        check_string(br#""\\ud83d""#, "\\ud83d");
        check_string(br#""\\\ud83d""#, "\\\u{fffd}");
        check_string(br#""\\\\ud83d\\""#, "\\\\ud83d\\");
        check_string(br#""\"\ud83d""#, "\"\u{fffd}");
        check_string(br#""\ud83d\\ude00""#, "\u{fffd}\\ude00");
    }

    #[test]
    fn bytes_that_are_not_utf_8_become_the_replacement_character() {
        check_string(b"\"a\xffb\"", "a\u{fffd}b");
        check_string(b"\"\xed\xa0\x80\"", "\u{fffd}\u{fffd}\u{fffd}");
        check_string(b"\"\xc3\"", "\u{fffd}");
        check_string(b"\"\xff\\ud83d\"", "\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_byte_order_mark_is_tolerated_once_and_only_at_the_start() {
        check_string(b"\xef\xbb\xbf\"a\"", "a");
        check_string("\"\u{feff}a\"".as_bytes(), "\u{feff}a");
    }

    #[test]
    fn a_sound_body_is_not_copied() {
        let body = br#"{"a":"\u017d \ud83d\ude00 \\ \/"}"#;
        assert!(matches!(readable(body), Cow::Borrowed(_)));
    }

    #[test]
    fn of_a_repeated_key_the_last_counts_and_null_is_absent() {
        let object = Value::parse(r#"{"a":1,"b":2,"\u0061":3,"c":4,"c":null}"#).unwrap().object();
        let object = object.unwrap();
        assert_eq!(object.scalar("a").as_deref(), Some("3"));
        assert_eq!(object.scalar("b").as_deref(), Some("2"));
        assert!(object.get("c").is_none());
        assert!(object.get("d").is_none());
    }

    #[test]
    fn numbers_keep_every_digit() {
        let digits = "9".repeat(400);
        for number in ["0", "-1", "1e999", "12345678901234567890123456789", &digits] {
            assert_eq!(Value::parse(number).unwrap().scalar().as_deref(), Some(number));
        }
    }

    #[test]
    fn only_strings_and_numbers_are_scalars() {
        for other in ["null", "true", "false", "[]", "{}", "[1]"] {
            assert_eq!(Value::parse(other).unwrap().scalar(), None, "{other}");
        }
    }

    #[test]
    fn truth_may_be_spelled_as_a_string() {
        for yes in ["true", r#""true""#, r#""True""#] {
            assert!(Value::parse(yes).unwrap().is_true(), "{yes}");
        }
        for no in ["false", r#""false""#, "null", "1", r#""""#, "{}", "[true]"] {
            assert!(!Value::parse(no).unwrap().is_true(), "{no}");
        }
    }

    #[test]
    fn nesting_of_any_depth_is_skipped_over() {
        let deep = format!(r#"{{"a":{}{},"b":1}}"#, "[".repeat(200_000), "]".repeat(200_000));
        let object = Value::parse(&deep).unwrap().object().unwrap();
        assert_eq!(object.scalar("b").as_deref(), Some("1"));
    }

    #[test]
    fn text_that_is_not_json_is_no_value() {
        for bad in ["", " ", "{", "{}x", "{\"a\":1,}", "nul", "\"\\x\"", "01", "\"a\nb\""] {
            assert!(Value::parse(bad).is_none(), "{bad:?}");
        }
    }
}
