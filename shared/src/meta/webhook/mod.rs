//! Webhook bodies, read item by item (docs/meta-platform.md#bodies).
//!
//! Reading cannot fail, for whatever Meta signed is answered with 200. Each item ends as an
//! [`Update`] or as a reason to ignore it, and a broken item costs its neighbours nothing. Others
//! find out whether the account is connected and what is already stored.

mod content;
mod instant;
mod item;

use std::borrow::Cow;

use jiff::Timestamp;

use super::json::{self, Object, Value};
use crate::domain::ids::Channel;
use crate::domain::update::{Ignored, Update};

/// What one webhook body holds.
#[derive(Debug, Default)]
pub struct Delivery {
    /// The items that say something about a message, in the order of the body.
    pub updates: Vec<Update>,
    /// Why each other item is ignored.
    pub ignored: Vec<Ignored>,
}

impl Delivery {
    /// How many items the body holds. Each item is an update or ignored.
    #[must_use]
    pub const fn items(&self) -> usize {
        self.updates.len().saturating_add(self.ignored.len())
    }

    fn push(&mut self, item: Result<Update, Ignored>) {
        match item {
            Ok(update) => self.updates.push(update),
            Err(reason) => self.ignored.push(reason),
        }
    }
}

/// Reads a body. The caller has verified its signature. A body that cannot be read counts as one
/// ignored item.
//= R8.1
#[must_use]
pub fn parse(body: &[u8]) -> Delivery {
    let mut delivery = Delivery::default();
    let text = json::readable(body);
    // Meta's own samples wrap the body in an array.
    let bodies = Value::parse(&text).map(Value::elements).unwrap_or_default();
    if bodies.is_empty() {
        delivery.push(Err(Ignored::MalformedBody));
    }
    for body in bodies {
        read_body(body, &mut delivery);
    }
    delivery
}

/// What a webhook's `object` is of this channel.
#[must_use]
pub const fn object_of(channel: Channel) -> &'static str {
    match channel {
        Channel::Messenger => "page",
        Channel::Instagram => "instagram",
    }
}

fn read_body(body: Value<'_>, delivery: &mut Delivery) {
    let Some(body) = body.object() else { return delivery.push(Err(Ignored::MalformedBody)) };
    let Some(entries) = body.get("entry").and_then(Value::array) else {
        // The dashboard shows its test events without the body around them, and some tools send
        // them so.
        let is_sample = body.get("field").is_some() || body.get("sample").is_some();
        let reason = if is_sample { Ignored::TestEvent } else { Ignored::MalformedBody };
        return delivery.push(Err(reason));
    };
    let named = body.scalar("object");
    let is_named = |channel: &Channel| named.as_deref() == Some(object_of(*channel));
    let Some(channel) = Channel::ALL.iter().copied().find(is_named) else {
        return ignore_object(&entries, delivery);
    };
    for value in entries {
        let Some(fields) = value.object() else {
            delivery.push(Err(Ignored::MalformedItem));
            continue;
        };
        let entry = Entry {
            channel,
            account: fields.get("id").and_then(item::id),
            time: fields.get("time").and_then(instant::read),
        };
        for (form, value) in items(value, &fields) {
            delivery.push(match form {
                Form::Message => item::read(&entry, value),
                Form::Change => read_change(&entry, value),
            });
        }
    }
}

/// Counts the items of an object that we do not serve, at least one.
fn ignore_object(entries: &[Value<'_>], delivery: &mut Delivery) {
    let count = |value: &Value<'_>| value.object().map_or(1, |fields| items(*value, &fields).len());
    let items: usize = entries.iter().map(count).sum();
    delivery.ignored.extend(std::iter::repeat_n(Ignored::UnknownObject, items.max(1)));
}

/// What the items of one entry share.
struct Entry<'a> {
    channel: Channel,
    /// The account's id; `None` if it cannot be read, and then no item is addressed to it.
    account: Option<Cow<'a, str>>,
    /// When Meta sent the entry. An item without a time of its own takes this one.
    time: Option<Timestamp>,
}

impl Entry<'_> {
    fn is(&self, id: &str) -> bool {
        self.account.as_deref() == Some(id)
    }
}

/// The two shapes of an item.
enum Form {
    /// `{sender, recipient, timestamp, message | …}`.
    Message,
    /// `{field, value}`.
    Change,
}

/// The items of an entry. Conversations that another app owns come as `standby`, and are read like
/// `messaging`. A list that is no array counts as a list of that one element.
fn items<'a>(entry: Value<'a>, fields: &Object<'a>) -> Vec<(Form, Value<'a>)> {
    let list = |key| fields.get(key).map(Value::elements).unwrap_or_default();
    let mut items = Vec::new();
    for key in ["messaging", "standby"] {
        items.extend(list(key).into_iter().map(|value| (Form::Message, value)));
    }
    items.extend(list("changes").into_iter().map(|value| (Form::Change, value)));
    // Instagram Login's sample has the change on the entry itself.
    if fields.get("field").is_some() {
        items.push((Form::Change, entry));
    }
    items
}

/// Reads a change. A change can hold a message, too: the dashboard's test event has this form, and
/// real ones were seen.
fn read_change(entry: &Entry<'_>, change: Value<'_>) -> Result<Update, Ignored> {
    let change = change.object().ok_or(Ignored::MalformedItem)?;
    if entry.is(item::TEST_ACCOUNT) {
        return Err(Ignored::TestEvent);
    }
    // The names of these fields differ between Meta's pages: `messages`, `message_edits`,
    // `messaging_postbacks` … A `feed` change has a `message` of another shape.
    let is_message = change.scalar("field").is_some_and(|field| field.starts_with("messag"));
    match change.get("value") {
        Some(value) if is_message => item::read(entry, value),
        _ => Err(Ignored::UnknownEvent),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::domain::personal::Personal;
    use crate::domain::update::Event;
    use crate::meta::signature;

    /// A body with these items, addressed to Page 101.
    pub(super) fn body(items: &str) -> String {
        let entry = format!(r#"{{"id":"101","time":1796100000000,"messaging":[{items}]}}"#);
        format!(r#"{{"object":"page","entry":[{entry}]}}"#)
    }

    /// What was read, in words: updates first, then the reasons.
    pub(super) fn outcomes(body: &[u8]) -> Vec<String> {
        let delivery = parse(body);
        let updates = delivery.updates.iter().map(|update| {
            let (contact, mid) = (update.contact.expose(), update.mid.expose());
            let event = match &update.event {
                Event::Message(content) => format!(
                    "{} {} {}",
                    content.direction.as_str(),
                    content.kind.as_str(),
                    content.text.as_ref().map_or("-", |text| text.expose()),
                ),
                Event::Edit(edit) => format!("edit {} {}", edit.num_edit, edit.text.expose()),
                Event::Unsend => "unsend".to_owned(),
            };
            format!("{contact} {mid}: {event}")
        });
        updates.chain(delivery.ignored.iter().map(|reason| reason.as_str().to_owned())).collect()
    }

    #[track_caller]
    fn check(body: &str, expected: &[&str]) {
        assert_eq!(outcomes(body.as_bytes()), expected, "{body}");
    }

    const TEXT: &str =
        r#"{"sender":{"id":"7"},"recipient":{"id":"101"},"message":{"mid":"m","text":"a"}}"#;
    const READ: &str = "7 m: in text a";

    fn page(entry: &str) -> String {
        format!(r#"{{"object":"page","entry":[{entry}]}}"#)
    }

    #[test]
    fn what_is_no_webhook_counts_as_one_malformed_body() {
        for bad in [
            "",
            " ",
            "null",
            "7",
            r#""page""#,
            "[]",
            "[null]",
            "[[]]",
            "{}",
            "{",
            r#"{"object":"page"}"#,
            r#"{"object":"page","entry":null}"#,
            r#"{"object":"page","entry":{}}"#,
            r#"{"object":"page","entry":"x"}"#,
            body(TEXT).strip_prefix('{').unwrap(),
            &format!("{}x", body(TEXT)),
        ] {
            check(bad, &["malformed_body"]);
        }
        assert_eq!(outcomes(b"\xff\xfe{\0}\0"), ["malformed_body"]);
    }

    #[test]
    fn entries_without_items_hold_nothing() {
        check(r#"{"object":"page","entry":[]}"#, &[]);
        for empty in ["{}", r#"{"id":"101"}"#, r#"{"id":"101","messaging":[],"changes":null}"#] {
            check(&page(empty), &[]);
        }
    }

    #[test]
    fn every_list_of_every_entry_is_read() {
        let entry = |list: &str| format!(r#"{{"id":"101","{list}":[{TEXT},{TEXT}]}}"#);
        check(&page(&entry("messaging")), &[READ; 2]);
        check(&page(&entry("standby")), &[READ; 2]);
        check(&page(&format!("{},{}", entry("messaging"), entry("standby"))), &[READ; 4]);
        let both = format!(r#"{{"messaging":[{TEXT}],"standby":[{TEXT}],"id":101}}"#);
        check(&page(&both), &[READ; 2]);
        check(&page(&format!(r#"{{"id":"101","messaging":{TEXT}}}"#)), &[READ]);
        check(
            &page(&format!(r#"null,7,"x",[],{}"#, entry("messaging"))),
            &[READ, READ, "malformed_item", "malformed_item", "malformed_item", "malformed_item"],
        );
    }

    #[test]
    fn the_channel_is_the_object() {
        let entry = format!(r#"{{"id":"101","messaging":[{TEXT}]}}"#);
        for channel in Channel::ALL.iter().copied() {
            let object = match channel {
                Channel::Messenger => "page",
                Channel::Instagram => "instagram",
            };
            let delivery =
                parse(format!(r#"{{"entry":[{entry}],"object":"{object}"}}"#).as_bytes());
            assert_eq!(delivery.updates[0].channel, channel);
            assert_eq!(delivery.updates[0].account.expose(), "101");
        }
    }

    #[test]
    fn items_of_an_unknown_object_are_counted() {
        let entry = format!(r#"{{"id":"1","messaging":[{TEXT},null],"changes":[{{}}]}}"#);
        for object in [r#""user""#, r#""PAGE""#, "null", "7", "{}"] {
            let body = |entry: &str| format!(r#"{{"object":{object},"entry":[{entry}]}}"#);
            check(&body(&entry), &["unknown_object"; 3]);
            check(&body(&format!("{entry},null")), &["unknown_object"; 4]);
            check(&body(r#"{"id":"1","changed_fields":["name"]}"#), &["unknown_object"]);
            check(&body(""), &["unknown_object"]);
        }
    }

    #[test]
    fn an_entry_without_a_usable_id_owns_nothing() {
        for id in ["null", "{}", r#""""#, "-101", "1.5", "[101]"] {
            let entry = format!(r#"{{"id":{id},"messaging":[{TEXT}]}}"#);
            check(&page(&entry), &["account_mismatch"]);
        }
        check(&page(&format!(r#"{{"messaging":[{TEXT}]}}"#)), &["account_mismatch"]);
    }

    #[test]
    fn only_changes_that_hold_messages_are_read() {
        let change = |change: &str| page(&format!(r#"{{"id":"101","changes":[{change}]}}"#));
        for field in ["messages", "message_echoes", "messaging_postbacks"] {
            check(&change(&format!(r#"{{"field":"{field}","value":{TEXT}}}"#)), &[READ]);
        }
        for field in ["feed", "comments", "live_comments", "mentions", "leadgen", "inbox_labels"] {
            check(&change(&format!(r#"{{"field":"{field}","value":{TEXT}}}"#)), &["unknown_event"]);
        }
        let feed =
            r#"{"field":"feed","value":{"item":"comment","message":"hi","from":{"id":"7"}}}"#;
        check(&change(feed), &["unknown_event"]);
        check(&change(r#"{"field":"messages"}"#), &["unknown_event"]);
        check(&change(&format!(r#"{{"value":{TEXT}}}"#)), &["unknown_event"]);
        check(&change(r#"{"field":"messages","value":"x"}"#), &["malformed_item"]);
        check(&change("null,7"), &["malformed_item"; 2]);
    }

    #[test]
    fn a_change_may_lie_on_the_entry_itself() {
        let comment = r#"{"id":"101","time":1,"field":"comments","value":{"id":"1","text":"hi"}}"#;
        check(&page(comment), &["unknown_event"]);
        check(&page(&format!(r#"{{"id":"101","field":"messages","value":{TEXT}}}"#)), &[READ]);
    }

    #[test]
    fn test_events_of_the_dashboard_are_told_apart() {
        let value = r#"{"sender":{"id":"12334"},"recipient":{"id":"23245"},"message":{"mid":"x"}}"#;
        let change = format!(r#"{{"field":"messages","value":{value}}}"#);
        check(&page(&format!(r#"{{"id":"0","time":1,"changes":[{change}]}}"#)), &["test_event"]);
        check(&page(r#"{"id":0,"changes":[{"field":"feed","value":{}}]}"#), &["test_event"]);
        check(&page(&format!(r#"{{"id":"0","messaging":[{value}]}}"#)), &["test_event"]);
        check(&change, &["test_event"]);
        check(&format!(r#"{{"sample":{change}}}"#), &["test_event"]);
        let named = value.replace(r#""x""#, r#""random_mid""#);
        let change = format!(r#"{{"field":"messages","value":{named}}}"#);
        check(&page(&format!(r#"{{"id":"101","changes":[{change}]}}"#)), &["test_event"]);
    }

    #[test]
    fn a_body_may_be_wrapped_in_an_array() {
        check(&format!("[{}]", body(TEXT)), &[READ]);
        check(
            &format!(" [{},7,{}] ", body(TEXT), body("null")),
            &[READ, "malformed_body", "malformed_item"],
        );
    }

    #[test]
    fn trouble_around_the_items_does_not_reach_them() {
        let inside = format!(r#""id":"101","messaging":[{TEXT}]"#);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for extra in [r#""x":"\ud800""#, r#""\udc00":1"#, r#""x":1e999"#, r#""x":{"a":1,"a":2}"#] {
            check(&page(&format!("{{{extra},{inside}}}")), &[READ]);
            let entry = format!("{{{inside}}}");
            check(&format!(r#"{{{extra},"object":"page","entry":[{entry}]}}"#), &[READ]);
        }
        check(&page(&format!(r#"{{"x":{deep},{inside}}}"#)), &[READ]);
        check(&page(&format!(r#"{{"id":"102","id":1,{inside}}}"#)), &[READ]);
        check(&format!("\u{feff}{}", body(TEXT)), &[READ]);
        check(&body(&format!("{deep},{TEXT},{deep}")), &[READ, "malformed_item", "malformed_item"]);
        let mut torn = body(TEXT).replace(":\"a\"", ":\"a?\"").into_bytes();
        let mark = torn.iter().position(|byte| *byte == b'?').unwrap();
        torn[mark] = 0xff;
        assert_eq!(outcomes(&torn), [format!("{READ}\u{fffd}")]);
    }

    #[test]
    fn an_item_without_a_usable_time_has_that_of_its_entry() {
        let at = |time: &str, timestamp: &str| {
            let item = TEXT.replacen('{', &format!(r#"{{"timestamp":{timestamp},"#), 1);
            let entry = format!(r#"{{"id":"101","time":{time},"messaging":[{item}]}}"#);
            parse(page(&entry).as_bytes()).updates[0].at.map(Timestamp::as_millisecond)
        };
        let (sent, received) = (Some(1_796_099_999_500), Some(1_796_100_000_000));
        assert_eq!(at("1796100000000", "1796099999500"), sent);
        assert_eq!(at("null", "1796099999500"), sent);
        for bad in ["null", "0", "-1", "{}", "1e999", r#""soon""#, "999999999999999999999"] {
            assert_eq!(at("1796100000000", bad), received, "{bad}");
            assert_eq!(at(r#""1796100000""#, bad), received, "{bad}");
            assert_eq!(at(bad, bad), None, "{bad}");
        }
    }

    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/webhooks");
    const SECRET: &str = "demo-app-secret-0001-not-real";

    /// Reasons that depend on what is stored or on the rest of the body.
    const DECIDED_LATER: [&str; 6] = [
        "duplicate_mid",
        "duplicate_delete",
        "deleted_in_same_batch",
        "message_after_its_delete",
        "stale_edit",
        "unknown_account",
    ];

    fn fixtures() -> Vec<(String, serde_json::Value, Vec<u8>)> {
        let folder = Path::new(FIXTURES);
        let expected = fs::read_to_string(folder.join("expected.jsonl")).unwrap();
        let read = |line| {
            let expected: serde_json::Value = serde_json::from_str(line).unwrap();
            let file = expected["file"].as_str().unwrap().to_owned();
            let body = fs::read(folder.join(&file)).unwrap();
            (file, expected, body)
        };
        expected.lines().map(read).collect()
    }

    fn bodies() -> Vec<Vec<u8>> {
        fixtures().into_iter().map(|(_, _, body)| body).collect()
    }

    fn counts<'a>(reasons: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, u64> {
        reasons.fold(BTreeMap::new(), |mut counts, reason| {
            *counts.entry(reason).or_default() += 1;
            counts
        })
    }

    //= R8.1
    #[test]
    fn fixtures_are_signed_and_every_item_is_accounted_for() {
        let fixtures = fixtures();
        assert!(fixtures.len() >= 19);
        for (file, expected, body) in &fixtures {
            let header = expected["x_hub_signature_256"].as_str();
            assert_eq!(signature::verify(&["other", SECRET], header, body), Ok(1), "{file}");

            let delivery = parse(body);
            assert_eq!(u64::try_from(delivery.items()).ok(), expected["items"].as_u64(), "{file}");
            let reasons = expected["ignored"]["reasons"].as_object().unwrap();
            let ours: BTreeMap<&str, u64> = reasons
                .iter()
                .filter(|(reason, _)| !DECIDED_LATER.contains(&reason.as_str()))
                .map(|(reason, count)| (reason.as_str(), count.as_u64().unwrap()))
                .collect();
            let ignored = counts(delivery.ignored.iter().map(|reason| reason.as_str()));
            assert_eq!(ignored, ours, "{file}");
        }
    }

    //= R1.1
    //= R8.2
    #[test]
    fn fixtures_hold_the_expected_messages_edits_and_unsends() {
        for (file, expected, body) in &fixtures() {
            let delivery = parse(body);
            let holds = |list: &str, describe: fn(&Update) -> serde_json::Value| {
                let updates: Vec<_> = delivery.updates.iter().map(describe).collect();
                for wanted in expected[list].as_array().unwrap() {
                    assert!(updates.contains(wanted), "{file}: {wanted} is not in {updates:?}");
                }
            };
            holds("messages_to_store", |update| {
                let Event::Message(content) = &update.event else { return ().into() };
                let (account, contact) = (update.account.expose(), update.contact.expose());
                let is_echo = content.direction.as_str() == "out";
                serde_json::json!({
                    "channel": update.channel.as_str(),
                    "account_id": account,
                    "sender_id": if is_echo { account } else { contact },
                    "recipient_id": if is_echo { contact } else { account },
                    "mid": update.mid.expose(),
                    "timestamp_ms": update.at.map(Timestamp::as_millisecond),
                    "direction": content.direction.as_str(),
                    "text": content.text.as_ref().map(Personal::expose),
                    "kind": content.kind.as_str(),
                })
            });
            holds("messages_to_edit", |update| {
                let Event::Edit(edit) = &update.event else { return ().into() };
                serde_json::json!({
                    "channel": update.channel.as_str(),
                    "account_id": update.account.expose(),
                    "mid": update.mid.expose(),
                    "text": edit.text.expose(),
                    "num_edit": edit.num_edit,
                    "timestamp_ms": update.at.map(Timestamp::as_millisecond),
                })
            });
            holds("messages_to_delete", |update| match update.event {
                Event::Unsend => update.mid.expose().as_str().into(),
                Event::Message(_) | Event::Edit(_) => ().into(),
            });
        }
    }

    /// JSON of every shape, made of the words that the parser looks for.
    fn junk() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "null",
            "true",
            "false",
            r#""true""#,
            "101",
            r#""101""#,
            "7",
            r#""7""#,
            r#""0""#,
            "1e999",
            "-0",
            r#""\ud800""#,
            r#""\\\udc00x""#,
            r#""text""#,
            r#""image""#,
            r#""""#,
            "[]",
            "{}",
        ]);
        let leaf = prop_oneof![3 => word.prop_map(str::to_owned), 1 => "[1-9][0-9]{1,400}"];
        let key = prop::sample::select(vec![
            "sender",
            "recipient",
            "id",
            "timestamp",
            "message",
            "message_edit",
            "postback",
            "mid",
            "text",
            "title",
            "num_edit",
            "attachments",
            "type",
            "reply_to",
            "story",
            "is_echo",
            "is_deleted",
            "is_unsupported",
            "reaction",
            "read",
            r"\ud83d",
            r"mi\u0064",
        ]);
        leaf.prop_recursive(5, 60, 8, move |inner| {
            let member = (key.clone(), inner.clone()).prop_map(|(k, v)| format!(r#""{k}":{v}"#));
            let list = |joined: Vec<String>| joined.join(",");
            prop_oneof![
                prop::collection::vec(inner, 0..5).prop_map(move |all| format!("[{}]", list(all))),
                prop::collection::vec(member, 0..8)
                    .prop_map(move |all| format!("{{{}}}", list(all))),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(outcomes(&bytes), ["malformed_body"]);
        }

        #[test]
        fn neighbours_of_a_broken_item_are_read(
            junk in prop::collection::vec(junk(), 1..6),
            list in prop::sample::select(vec!["messaging", "standby"]),
        ) {
            let healthy = |n: usize| TEXT.replace(r#""m""#, &format!(r#""healthy {n}""#));
            let items: Vec<String> =
                junk.iter().enumerate().flat_map(|(n, junk)| [healthy(n), junk.clone()]).collect();
            let body = body(&items.join(",")).replace("messaging", list);
            let mut outcomes = outcomes(body.as_bytes());
            prop_assert_eq!(outcomes.len(), items.len());
            outcomes.retain(|outcome| outcome.contains("healthy"));
            let expected: Vec<_> =
                (0..junk.len()).map(|n| format!("7 healthy {n}: in text a")).collect();
            prop_assert_eq!(outcomes, expected);
        }

        #[test]
        fn an_item_reads_the_same_alone_and_in_company(
            items in prop::collection::vec(junk(), 1..6),
        ) {
            let mut alone: Vec<_> =
                items.iter().flat_map(|item| outcomes(body(item).as_bytes())).collect();
            let mut together = outcomes(body(&items.join(",")).as_bytes());
            alone.sort();
            together.sort();
            prop_assert_eq!(alone, together);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_damaged_fixture_reads_the_same_wrapped_or_not(
            mut body in prop::sample::select(bodies()),
            damage in prop::collection::vec((any::<Index>(), 0_u8..4, any::<u8>()), 1..6),
        ) {
            for (index, how, byte) in damage {
                let at = index.index(body.len());
                match how {
                    0 => body[at] = byte,
                    1 => drop(body.remove(at)),
                    2 => body.insert(at, byte),
                    _ => body[at] ^= 1 << (byte % 8),
                }
            }
            let alone = outcomes(&body);
            if Value::parse(&json::readable(&body)).is_some() {
                let wrapped = [b"\xef\xbb\xbf[", body.as_slice(), b"]"].concat();
                prop_assert_eq!(outcomes(&wrapped), alone);
            } else {
                prop_assert_eq!(alone, ["malformed_body"]);
            }
        }
    }
}
