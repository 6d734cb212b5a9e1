//! One item of a webhook: the message that it is about, and what happened to that message
//! (docs/meta-platform.md#messages).

use std::borrow::Cow;

use jiff::Timestamp;

use super::{Entry, content, instant};
use crate::domain::ids::{MetaId, Mid};
use crate::domain::personal::Personal;
use crate::domain::update::{Content, Direction, Edit, Event, Ignored, Kind, Update};
use crate::meta::json::{Object, Value};

/// The account that the dashboard's test events are addressed to.
pub(super) const TEST_ACCOUNT: &str = "0";
const TEST_MID: &str = "random_mid";

/// Characters of an id at most. Today's ids have 15 to 17.
const ID_LEN_MAX: usize = 64;
/// Bytes of a `mid` at most. The longest one seen has 164; Meta documents no limit
/// (docs/meta-platform.md#message-ids).
const MID_LEN_MAX: usize = 1024;

/// Events about a message that do not concern its content.
const RECEIPTS: [(&str, Ignored); 3] =
    [("reaction", Ignored::Reaction), ("read", Ignored::Read), ("delivery", Ignored::Delivery)];

/// Reads one item. No field names the event; the key that is there tells it.
//= R1.1
//= R8.2
pub(super) fn read(entry: &Entry<'_>, value: Value<'_>) -> Result<Update, Ignored> {
    let item = Item { entry, fields: object(value)? };
    if entry.is(TEST_ACCOUNT) {
        Err(Ignored::TestEvent)
    } else if let Some(message) = item.fields.get("message") {
        item.message(&object(message)?)
    } else if let Some(edit) = item.fields.get("message_edit") {
        item.edit(&object(edit)?)
    } else if let Some(postback) = item.fields.get("postback") {
        item.postback(&object(postback)?)
    } else {
        let receipt = RECEIPTS.iter().find(|(key, _)| item.fields.get(key).is_some());
        Err(receipt.map_or(Ignored::UnknownEvent, |(_, reason)| *reason))
    }
}

/// Reads an id: a number of decimal digits, or any string. `None` if the id is unusable.
pub(super) fn id(value: Value<'_>) -> Option<Cow<'_, str>> {
    let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    value
        .string()
        .or_else(|| value.number().filter(digits).map(Cow::Borrowed))
        .filter(|id| (1..=ID_LEN_MAX).contains(&id.len()))
}

fn object(value: Value<'_>) -> Result<Object<'_>, Ignored> {
    value.object().ok_or(Ignored::MalformedItem)
}

fn mid(of: &Object<'_>) -> Option<Mid> {
    let mid = of.scalar("mid").filter(|mid| (1..=MID_LEN_MAX).contains(&mid.len()));
    mid.map(|mid| Personal::new(mid.into_owned()))
}

/// Reads `num_edit`: an integer by Meta's documentation, a string in its sample.
fn num_edit(edit: &Object<'_>) -> Option<u32> {
    edit.scalar("num_edit")?.trim().parse().ok().filter(|count| *count >= 1)
}

struct Item<'e, 'a> {
    entry: &'e Entry<'a>,
    fields: Object<'a>,
}

impl<'a> Item<'_, 'a> {
    fn message(&self, message: &Object<'a>) -> Result<Update, Ignored> {
        let parties = self.parties()?;
        let mid = mid(message).ok_or(Ignored::MissingMid)?;
        if message.is_true("is_deleted") {
            return self.update(parties.contact_on_either_side(self.entry), mid, Event::Unsend);
        }
        let direction = if message.is_true("is_echo") { Direction::Out } else { Direction::In };
        let contact = parties.contact(self.entry, direction);
        self.update(contact, mid, Event::Message(content::read(message, direction)))
    }

    /// Reads an edit. Beside new messages, Instagram sends an edit with number 0 and without a
    /// text, often without sender and recipient. So this first looks whether anything changed
    /// (docs/meta-platform.md#unsends-and-edits).
    fn edit(&self, edit: &Object<'a>) -> Result<Update, Ignored> {
        let num_edit = num_edit(edit).ok_or(Ignored::NoEdit)?;
        let text = content::text(edit, "text").ok_or(Ignored::NoEdit)?;
        let parties = self.parties()?;
        let mid = mid(edit).ok_or(Ignored::MissingMid)?;
        self.update(
            parties.contact_on_either_side(self.entry),
            mid,
            Event::Edit(Edit { num_edit, text }),
        )
    }

    fn postback(&self, postback: &Object<'a>) -> Result<Update, Ignored> {
        let parties = self.parties()?;
        let mid = mid(postback).ok_or(Ignored::PostbackWithoutMid)?;
        let contact = parties.contact(self.entry, Direction::In);
        let text = content::text(postback, "title");
        let content = Content { direction: Direction::In, kind: Kind::Postback, text };
        self.update(contact, mid, Event::Message(content))
    }

    fn parties(&self) -> Result<Parties<'a>, Ignored> {
        let party = |key| self.fields.get(key)?.object()?.get("id").and_then(id);
        Ok(Parties {
            sender: party("sender").ok_or(Ignored::MissingSender)?,
            recipient: party("recipient").ok_or(Ignored::MissingRecipient)?,
        })
    }

    fn update(&self, contact: Option<MetaId>, mid: Mid, event: Event) -> Result<Update, Ignored> {
        if mid.expose() == TEST_MID {
            return Err(Ignored::TestEvent);
        }
        let (Some(account), Some(contact)) = (self.entry.account.as_deref(), contact) else {
            return Err(Ignored::AccountMismatch);
        };
        Ok(Update {
            channel: self.entry.channel,
            account: Personal::new(account.to_owned()),
            contact,
            mid,
            at: self.at(),
            event,
        })
    }

    fn at(&self) -> Option<Timestamp> {
        self.fields.get("timestamp").and_then(instant::read).or(self.entry.time)
    }
}

struct Parties<'a> {
    sender: Cow<'a, str>,
    recipient: Cow<'a, str>,
}

impl Parties<'_> {
    /// The contact of a message. `None` if the account is not where it belongs: the recipient of
    /// what the contact wrote, the sender of what the business wrote.
    fn contact(&self, entry: &Entry<'_>, direction: Direction) -> Option<MetaId> {
        let (account, contact) = match direction {
            Direction::In => (&self.recipient, &self.sender),
            Direction::Out => (&self.sender, &self.recipient),
        };
        entry.is(account).then(|| Personal::new(contact.as_ref().to_owned()))
    }

    /// The contact of an edit or an unsend. Nothing states their direction reliably, so the account
    /// may be on either side.
    fn contact_on_either_side(&self, entry: &Entry<'_>) -> Option<MetaId> {
        self.contact(entry, Direction::In).or_else(|| self.contact(entry, Direction::Out))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::meta::webhook::tests::{body, outcomes};

    const IN: &str = r#""sender":{"id":"7"},"recipient":{"id":"101"}"#;
    const OUT: &str = r#""sender":{"id":"101"},"recipient":{"id":"7"}"#;

    #[track_caller]
    fn check(item: &str, expected: &str) {
        let outcomes = outcomes(body(item).as_bytes());
        assert_eq!(outcomes, [expected], "{item}");
    }

    /// Parties, event, outcome.
    #[track_caller]
    fn check_all(cases: &[(&str, &str, &str)]) {
        for (parties, event, expected) in cases {
            check(&format!("{{{parties},{event}}}"), expected);
        }
    }

    #[test]
    fn the_key_that_is_there_tells_the_event() {
        check_all(&[
            (IN, r#""message":{"mid":"m","text":"a"}"#, "7 m: in text a"),
            (IN, r#""message_edit":{"mid":"m","text":"b","num_edit":1}"#, "7 m: edit 1 b"),
            (IN, r#""postback":{"mid":"m","title":"Yes","payload":"Y"}"#, "7 m: in postback Yes"),
            (IN, r#""reaction":{"mid":"m","action":"react","emoji":"\u2764"}"#, "reaction"),
            (IN, r#""reaction":{"mid":"m","action":"unreact"}"#, "reaction"),
            (IN, r#""read":{"mid":"m"}"#, "read"),
            (IN, r#""read":{"watermark":1}"#, "read"),
            (IN, r#""delivery":{"watermark":1,"mids":["m"]}"#, "delivery"),
            (IN, r#""message":null,"reaction":{}"#, "reaction"),
            (IN, r#""message":null"#, "unknown_event"),
            (IN, r#""timestamp":1"#, "unknown_event"),
            (IN, r#""referral":{"source":"ADS","type":"OPEN_THREAD"}"#, "unknown_event"),
            (IN, r#""optin":{"ref":"r","user_ref":"u"}"#, "unknown_event"),
            (IN, r#""pass_thread_control":{"new_owner_app_id":1}"#, "unknown_event"),
            (IN, r#""take_thread_control":{}"#, "unknown_event"),
            (IN, r#""request_thread_control":{}"#, "unknown_event"),
            (IN, r#""account_linking":{"status":"linked"}"#, "unknown_event"),
            (IN, r#""order":{"products":[]}"#, "unknown_event"),
            (IN, r#""game_play":{"game_id":"1"}"#, "unknown_event"),
            (IN, r#""response_feedback":{"feedback":"Good","mid":"m"}"#, "unknown_event"),
            (IN, r#""messaging_feedback":{"feedback_screens":[]}"#, "unknown_event"),
            (IN, r#""typing":{}"#, "unknown_event"),
        ]);
        check(r#"{"recipient":{"id":"101"},"app_roles":{"1":["primary"]}}"#, "unknown_event");
        check(r#"{"recipient":{"id":"101"},"policy_enforcement":{}}"#, "unknown_event");
        check("{}", "unknown_event");
    }

    //= R1.1
    #[test]
    fn of_a_message_only_text_and_kind_are_read() {
        check_all(&[
            (IN, r#""message":{"mid":"m","text":"a","seq":4,"nlp":{"x":1}}"#, "7 m: in text a"),
            (
                IN,
                r#""hop_context":{"app_id":1},"message":{"mid":"m","text":"a"}"#,
                "7 m: in text a",
            ),
            (
                IN,
                r#""message":{"mid":"m","quick_reply":{"payload":"P"},"text":"a"}"#,
                "7 m: in text a",
            ),
            (IN, r#""message":{"mid":"m","text":"a","referral":{"ref":"R"}}"#, "7 m: in text a"),
            (IN, r#""message":{"mid":"m","reply_to":{"mid":"n"},"text":"a"}"#, "7 m: in text a"),
            (IN, r#""message":{"mid":"m","is_unsupported":true}"#, "7 m: in unsupported -"),
            (IN, r#""message":{"mid":"m","text":""}"#, "7 m: in unsupported -"),
            (IN, r#""message":{"mid":"m"}"#, "7 m: in unsupported -"),
            (IN, r#""message":{"mid":"m","attachments":[{"type":"audio"}]}"#, "7 m: in audio -"),
            (IN, r#""message":{"mid":"m","attachments":[{"type":"x"}]}"#, "7 m: in unsupported -"),
            (IN, r#""message":{"mid":"m","text":"a\ud800"}"#, "7 m: in text a\u{fffd}"),
            (IN, r#""message":{"mid":"x","mid":"m","text":"a","text":"b"}"#, "7 m: in text b"),
            (IN, r#""message":{"mid":"m","text":"a","sticker_id":1e999}"#, "7 m: in text a"),
        ]);
    }

    #[test]
    fn the_business_writes_only_where_meta_says_echo() {
        check_all(&[
            (OUT, r#""message":{"mid":"m","is_echo":true,"text":"a"}"#, "7 m: out text a"),
            (
                OUT,
                r#""message":{"mid":"m","is_echo":"true","app_id":"9"}"#,
                "7 m: out unsupported -",
            ),
            (OUT, r#""message":{"mid":"m","text":"a"}"#, "account_mismatch"),
            (OUT, r#""message":{"mid":"m","is_echo":false,"text":"a"}"#, "account_mismatch"),
            (IN, r#""message":{"mid":"m","is_echo":true,"text":"a"}"#, "account_mismatch"),
            (OUT, r#""postback":{"mid":"m"}"#, "account_mismatch"),
        ]);
    }

    //= R8.2
    #[test]
    fn an_unsend_is_a_flag_on_the_message_in_any_spelling_and_direction() {
        check_all(&[
            (IN, r#""message":{"mid":"m","is_deleted":true}"#, "7 m: unsend"),
            (IN, r#""message":{"mid":"m","is_deleted":"true"}"#, "7 m: unsend"),
            (IN, r#""message":{"mid":"m","is_deleted":true,"text":"a"}"#, "7 m: unsend"),
            (OUT, r#""message":{"mid":"m","is_deleted":true,"is_echo":true}"#, "7 m: unsend"),
            (OUT, r#""message":{"mid":"m","is_deleted":true}"#, "7 m: unsend"),
            (IN, r#""message":{"mid":"m","is_deleted":false,"text":"a"}"#, "7 m: in text a"),
            (IN, r#""message":{"mid":"m","is_deleted":"false","text":"a"}"#, "7 m: in text a"),
            (IN, r#""message":{"mid":"m","is_deleted":null,"text":"a"}"#, "7 m: in text a"),
            (IN, r#""message":{"is_deleted":true}"#, "missing_mid"),
        ]);
        let others = r#""sender":{"id":"7"},"recipient":{"id":"8"}"#;
        let unsend = (others, r#""message":{"mid":"m","is_deleted":true}"#, "account_mismatch");
        check_all(&[unsend]);
    }

    //= R8.2
    #[test]
    fn an_edit_needs_a_number_from_1_and_a_text() {
        let edit = |fields: &str| format!(r#"{{{IN},"message_edit":{{"mid":"m",{fields}}}}}"#);
        for (number, read) in [("1", 1), (r#""5""#, 5), ("4294967295", u32::MAX)] {
            let fields = format!(r#""text":"b","num_edit":{number}"#);
            check(&edit(&fields), &format!("7 m: edit {read} b"));
        }
        for number in ["0", r#""0""#, "-1", "null", "{}", "true", "1e999", "4294967296", r#""""#] {
            check(&edit(&format!(r#""text":"b","num_edit":{number}"#)), "no_edit");
        }
        for fields in [r#""text":"b""#, r#""num_edit":1"#, r#""num_edit":1,"text":"""#] {
            check(&edit(fields), "no_edit");
        }
        check(&edit(r#""num_edit":1,"text":null"#), "no_edit");
        check_all(&[
            (OUT, r#""message_edit":{"mid":"m","text":"b","num_edit":1}"#, "7 m: edit 1 b"),
            (IN, r#""message_edit":{"text":"b","num_edit":1}"#, "missing_mid"),
        ]);
        check(r#"{"message_edit":{"mid":"m","num_edit":0}}"#, "no_edit");
        check(r#"{"message_edit":{"mid":"m","num_edit":1,"text":"b"}}"#, "missing_sender_id");
    }

    #[test]
    fn a_postback_is_a_message_if_it_has_a_mid() {
        check_all(&[
            (IN, r#""postback":{"mid":"m","title":"Yes"}"#, "7 m: in postback Yes"),
            (IN, r#""postback":{"mid":"m","payload":"P"}"#, "7 m: in postback -"),
            (IN, r#""postback":{"title":"Yes","payload":"P"}"#, "postback_without_mid"),
            (IN, r#""postback":{"mid":"","title":"Yes"}"#, "postback_without_mid"),
            (IN, r#""postback":{}"#, "postback_without_mid"),
        ]);
    }

    #[test]
    fn a_party_without_a_usable_id_is_named() {
        let item = |sender: &str, recipient: &str| {
            format!(r#"{{"sender":{sender},"recipient":{recipient},"message":{{"mid":"m"}}}}"#)
        };
        let (contact, account) = (r#"{"id":"7"}"#, r#"{"id":"101"}"#);
        let long = format!(r#"{{"id":"{}"}}"#, "7".repeat(65));
        for bad in [
            "null",
            "{}",
            "[]",
            "7",
            r#""7""#,
            r#"{"id":null}"#,
            r#"{"id":""}"#,
            r#"{"id":{}}"#,
            r#"{"id":true}"#,
            r#"{"id":-7}"#,
            r#"{"id":7.0}"#,
            r#"{"id":7e3}"#,
            r#"{"user_ref":"u"}"#,
            &long,
        ] {
            check(&item(bad, account), "missing_sender_id");
            check(&item(contact, bad), "missing_recipient_id");
            check(&item(bad, bad), "missing_sender_id");
        }
        check(r#"{"message":{"mid":"m"}}"#, "missing_sender_id");
        check(r#"{"message":{}}"#, "missing_sender_id");
        check(r#"{"sender":{"id":"7"},"message":{"mid":"m"}}"#, "missing_recipient_id");
        check(&item(contact, r#"{"id":"102"}"#), "account_mismatch");
        check(&item(r#"{"id":7}"#, r#"{"id":101}"#), "7 m: in unsupported -");
        check(&item(r#"{"id":"7","id":"8"}"#, account), "8 m: in unsupported -");
        check(&item(r#"{"id":"opaque-7"}"#, account), "opaque-7 m: in unsupported -");
    }

    #[test]
    fn a_mid_is_opaque_and_bounded() {
        let message = |mid: &str| format!(r#"{{{IN},"message":{{"mid":{mid},"text":"a"}}}}"#);
        for bad in ["null", r#""""#, "{}", "[]", "true"] {
            check(&message(bad), "missing_mid");
        }
        check(&format!(r#"{{{IN},"message":{{}}}}"#), "missing_mid");
        let longest = "m".repeat(1024);
        check(&message(&format!(r#""{longest}""#)), &format!("7 {longest}: in text a"));
        check(&message(&format!(r#""{longest}m""#)), "missing_mid");
        check(&message("90071992547409931"), "7 90071992547409931: in text a");
        for mid in ["mid.1457764197618:41d102a3e1ae206a38", "mid.$cAA", "aWdfZAG1/+=", "Ž"] {
            check(&message(&format!(r#""{mid}""#)), &format!("7 {mid}: in text a"));
        }
        check(&message(r#""random_mid""#), "test_event");
    }

    #[test]
    fn an_item_of_a_wrong_shape_is_malformed() {
        for bad in ["null", "7", "1e999", "true", r#""text""#, r#""\ud800""#, "[]", "[[{}]]"] {
            check(bad, "malformed_item");
        }
        for key in ["message", "message_edit", "postback"] {
            for bad in ["7", "true", r#""text""#, "[]", "[{}]"] {
                check(&format!(r#"{{{IN},"{key}":{bad}}}"#), "malformed_item");
            }
        }
    }

    proptest! {
        #[test]
        fn ids_keep_every_digit_as_strings_and_as_numbers(id in "[1-9][0-9]{0,63}") {
            let item = |id: &str| format!(
                r#"{{"sender":{{"id":{id}}},"recipient":{{"id":"101"}},"message":{{"mid":{id}}}}}"#
            );
            let expected = [format!("{id} {id}: in unsupported -")];
            prop_assert_eq!(&outcomes(body(&item(&id)).as_bytes()), &expected);
            prop_assert_eq!(&outcomes(body(&item(&format!("\"{id}\""))).as_bytes()), &expected);
        }
    }
}
