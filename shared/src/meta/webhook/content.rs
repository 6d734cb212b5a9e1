//! The content of a message: its text and its kind, nothing else (R1.1).

use crate::domain::personal::Personal;
use crate::domain::update::{Content, Direction, Kind};
use crate::meta::json::{Object, Value};

/// Reads a `message`. Payloads, URLs, referrals, metadata and the rest are never looked at.
//= R1.1
pub(super) fn read(message: &Object<'_>, direction: Direction) -> Content {
    let text = text(message, "text");
    let kind = if message.is_true("is_unsupported") {
        Kind::Unsupported
    } else if let Some(kind) = attachment(message) {
        kind
    } else if is_story_reply(message) {
        Kind::StoryReply
    } else if text.is_some() {
        Kind::Text
    } else {
        Kind::Unsupported
    };
    Content { direction, kind, text }
}

/// Bytes of a text that are kept. This limit is far above Meta's own, and makes sure that a message
/// and its edit always fit into one DynamoDB item (400 KB).
pub(super) const TEXT_LEN_MAX: usize = 64 * 1024;

/// A text; `None` if it is empty. A text past the limit is cut.
pub(super) fn text(of: &Object<'_>, key: &str) -> Option<Personal<String>> {
    let mut text = of.scalar(key).filter(|text| !text.is_empty())?.into_owned();
    text.truncate(text.floor_char_boundary(TEXT_LEN_MAX));
    Some(Personal::new(text))
}

/// The kind of the first attachment; `None` where there is none.
fn attachment(message: &Object<'_>) -> Option<Kind> {
    let first = message.get("attachments")?.elements().into_iter().find_map(Value::object)?;
    let kind = first.scalar("type").and_then(|name| Kind::parse(&name));
    Some(match kind {
        // Our own words for messages that are no attachments: Meta does not use them.
        Some(Kind::Text | Kind::StoryReply | Kind::Postback) | None => Kind::Unsupported,
        Some(kind) => kind,
    })
}

fn is_story_reply(message: &Object<'_>) -> bool {
    let reply_to = message.get("reply_to").and_then(Value::object);
    reply_to.is_some_and(|reply_to| reply_to.get("story").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, kind: Kind, text: Option<&str>) {
        let message = Value::parse(json).and_then(Value::object).unwrap();
        let content = read(&message, Direction::In);
        let read = content.text.as_ref().map(|text| text.expose().as_str());
        assert_eq!((content.kind, read), (kind, text), "{json}");
    }

    //= R1.1
    #[test]
    fn every_attachment_type_is_reduced_to_its_kind() {
        for kind in Kind::ALL {
            let json = format!(r#"{{"attachments":[{{"type":"{}"}}]}}"#, kind.as_str());
            let own_word = [Kind::Text, Kind::StoryReply, Kind::Postback].contains(kind);
            check(&json, if own_word { Kind::Unsupported } else { *kind }, None);
        }
    }

    /// Whatever else Meta puts into a message, and under whatever name, none of it is read.
    //= R1.1
    #[test]
    fn nothing_but_the_text_of_a_message_becomes_its_text() {
        let names = [
            "attachments",
            "quick_reply",
            "reply_to",
            "referral",
            "commands",
            "metadata",
            "app_id",
            "seq",
            "nlp",
            "tags",
            "message",
            "title",
            "url",
            "payload",
            "caption",
            "body",
            "name",
        ];
        for name in names {
            for canary in [
                r#""canary""#,
                r#"["canary"]"#,
                r#"{"text":"canary","payload":"canary","url":"canary","title":"canary"}"#,
                r#"[{"text":"canary","payload":{"url":"canary","title":"canary"}}]"#,
            ] {
                let json = format!(r#"{{"mid":"m","{name}":{canary}}}"#);
                let message = Value::parse(&json).and_then(Value::object).unwrap();
                assert!(read(&message, Direction::In).text.is_none(), "{json}");
            }
        }
    }

    #[test]
    fn the_first_attachment_decides_and_the_text_stays() {
        let sticker = r#"{"text":"hi","attachments":[{"type":"sticker"},{"type":"image"}]}"#;
        check(sticker, Kind::Sticker, Some("hi"));
        check(r#"{"attachments":[{"type":"share"},{"type":"ig_post"}]}"#, Kind::Share, None);
        check(r#"{"attachments":[{"type":"hologram"},{"type":"image"}]}"#, Kind::Unsupported, None);
        check(r#"{"attachments":[{"payload":null},{"type":"image"}]}"#, Kind::Unsupported, None);
    }

    #[test]
    fn attachments_of_a_wrong_shape_are_read_as_far_as_they_go() {
        check(r#"{"attachments":{"type":"image"}}"#, Kind::Image, None);
        check(r#"{"text":"a","attachments":[null,7,{"type":"image"}]}"#, Kind::Image, Some("a"));
        for none in ["null", "[]", "7", r#""image""#, "[null]", r#"["image"]"#, "[[]]", "true"] {
            check(&format!(r#"{{"text":"a","attachments":{none}}}"#), Kind::Text, Some("a"));
            check(&format!(r#"{{"attachments":{none}}}"#), Kind::Unsupported, None);
        }
    }

    #[test]
    fn what_meta_flags_as_unsupported_is_whatever_it_carries() {
        check(r#"{"is_unsupported":true}"#, Kind::Unsupported, None);
        let flagged = r#"{"is_unsupported":"true","attachments":[{"type":"image"}],"text":"a"}"#;
        check(flagged, Kind::Unsupported, Some("a"));
        check(r#"{"is_unsupported":false,"text":"a"}"#, Kind::Text, Some("a"));
    }

    #[test]
    fn a_reply_to_a_story_is_told_from_a_reply_to_a_message() {
        check(r#"{"text":"a","reply_to":{"story":{"id":"1"}}}"#, Kind::StoryReply, Some("a"));
        check(r#"{"reply_to":{"story":{}}}"#, Kind::StoryReply, None);
        check(r#"{"text":"a","reply_to":{"mid":"m"}}"#, Kind::Text, Some("a"));
        check(r#"{"text":"a","reply_to":{"story":null}}"#, Kind::Text, Some("a"));
        check(r#"{"text":"a","reply_to":"story"}"#, Kind::Text, Some("a"));
        let photo = r#"{"attachments":[{"type":"image"}],"reply_to":{"story":{"id":"1"}}}"#;
        check(photo, Kind::Image, None);
    }

    #[test]
    fn text_is_kept_as_written() {
        check(r#"{"text":" \n"}"#, Kind::Text, Some(" \n"));
        check(r#"{"text":"\u0000\u200d\ud83d\udc4d"}"#, Kind::Text, Some("\0\u{200d}\u{1f44d}"));
        check(r#"{"text":123456789012345678901}"#, Kind::Text, Some("123456789012345678901"));
        check(r#"{"text":"red","quick_reply":{"payload":"COLOUR_RED"}}"#, Kind::Text, Some("red"));
    }

    #[test]
    fn a_text_past_the_limit_is_cut_between_characters() {
        let longest = "x".repeat(TEXT_LEN_MAX);
        check(&format!(r#"{{"text":"{longest}"}}"#), Kind::Text, Some(&longest));
        check(&format!(r#"{{"text":"{longest}y"}}"#), Kind::Text, Some(&longest));
        let split = "x".repeat(TEXT_LEN_MAX - 1);
        check(&format!(r#"{{"text":"{split}é"}}"#), Kind::Text, Some(&split));
    }

    #[test]
    fn a_message_that_says_nothing_is_unsupported() {
        for text in [r#""""#, "null", "{}", "[]", "true"] {
            check(&format!(r#"{{"text":{text}}}"#), Kind::Unsupported, None);
        }
        check("{}", Kind::Unsupported, None);
    }
}
