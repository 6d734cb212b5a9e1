//! What the stream of a table says of the rows that are gone: whether time to live removed them,
//! and when they had expired.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::schema::EXPIRES_AT;

/// Who deletes in the name of time to live. No deletion of ours has it.
const SERVICE: (&str, &str) = ("Service", "dynamodb.amazonaws.com");

/// A record of the stream, as Lambda delivers it. Every record is read as one of these, so a
/// malformed one is no reason to refuse the others; nothing else of the row is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(from = "Value")]
pub enum Removal {
    /// Time to live removed a row that had expired.
    Expired {
        /// From when on it might.
        expired_at: Timestamp,
        /// When it did.
        removed_at: Timestamp,
    },
    /// Somebody else did something: an erasure, a write.
    Other,
    /// Time to live removed something, but the record does not say what or when.
    Unreadable,
}

impl From<Value> for Removal {
    fn from(record: Value) -> Self {
        let text = |pointer| record.pointer(pointer).and_then(Value::as_str);
        let Some(event) = text("/eventName") else { return Self::Unreadable };
        let by = (text("/userIdentity/type"), text("/userIdentity/principalId"));
        if event != "REMOVE" || by != (Some(SERVICE.0), Some(SERVICE.1)) {
            return Self::Other;
        }
        let times = expired_at(&record).zip(removed_at(&record));
        times.map_or(Self::Unreadable, |(expired_at, removed_at)| Self::Expired {
            expired_at,
            removed_at,
        })
    }
}

fn expired_at(record: &Value) -> Option<Timestamp> {
    let expiry = record.pointer("/dynamodb/OldImage")?.get(EXPIRES_AT.as_str())?;
    Timestamp::from_second(expiry.get("N")?.as_str()?.parse().ok()?).ok()
}

/// Seconds, in whatever form JSON allows: as documented whole, but a number all the same.
fn removed_at(record: &Value) -> Option<Timestamp> {
    let seconds = record.pointer("/dynamodb/ApproximateCreationDateTime")?.as_f64()?;
    let since_epoch = SignedDuration::try_from_secs_f64(seconds).ok()?;
    Timestamp::UNIX_EPOCH.checked_add(since_epoch).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record() -> Value {
        json!({
            "eventName": "REMOVE",
            "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
            "dynamodb": {
                "ApproximateCreationDateTime": 1_796_100_600,
                "Keys": {"pk": {"S": "c.p"}, "sk": {"S": "m"}},
                "OldImage": {"expires_at": {"N": "1796100000"}, "sealed": {"B": "AAEC"}},
                "StreamViewType": "OLD_IMAGE",
            },
        })
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_row_that_time_to_live_removed_tells_when_it_expired_and_when_it_went() {
        let expired =
            |to| Removal::Expired { expired_at: second(1_796_100_000), removed_at: second(to) };
        assert_eq!(Removal::from(record()), expired(1_796_100_600));
        for (number, to) in [("1.7961006E9", 1_796_100_600), ("1796100601.0", 1_796_100_601)] {
            let mut odd = record();
            odd["dynamodb"]["ApproximateCreationDateTime"] = serde_json::from_str(number).unwrap();
            assert_eq!(Removal::from(odd), expired(to), "{number}");
        }
    }

    #[test]
    fn whatever_else_happens_to_a_row_is_not_time_to_lives() {
        // By one of our functions: nobody is named, or null.
        let mut ours = record();
        ours["userIdentity"] = Value::Null;
        assert_eq!(Removal::from(ours.clone()), Removal::Other);
        ours.as_object_mut().unwrap().remove("userIdentity");
        assert_eq!(Removal::from(ours), Removal::Other);
        for event in ["INSERT", "MODIFY"] {
            let mut write = record();
            write["eventName"] = json!(event);
            assert_eq!(Removal::from(write), Removal::Other, "{event}");
        }
        for (field, other) in [("type", "AssumedRole"), ("principalId", "replication")] {
            let mut by_other = record();
            by_other["userIdentity"][field] = json!(other);
            assert_eq!(Removal::from(by_other), Removal::Other, "{other}");
        }
    }

    #[test]
    fn a_record_that_does_not_say_when_is_unreadable_and_no_reason_to_panic() {
        for (pointer, odd) in [
            ("/eventName", json!(7)),
            ("/dynamodb", Value::Null),
            ("/dynamodb", json!("text")),
            ("/dynamodb/OldImage", Value::Null),
            ("/dynamodb/OldImage/expires_at", json!({"S": "1796100000"})),
            ("/dynamodb/OldImage/expires_at", json!({"N": 1_796_100_000})),
            ("/dynamodb/OldImage/expires_at", json!({"N": "soon"})),
            ("/dynamodb/OldImage/expires_at", json!({"N": "1796100000.5"})),
            ("/dynamodb/OldImage/expires_at", json!({"N": "9223372036854775807"})),
            ("/dynamodb/ApproximateCreationDateTime", json!("1796100600")),
            ("/dynamodb/ApproximateCreationDateTime", json!(1e300)),
            ("/dynamodb/ApproximateCreationDateTime", json!(-1e18)),
            // Milliseconds: a year that no calendar has.
            ("/dynamodb/ApproximateCreationDateTime", json!(1_796_100_600_000_i64)),
        ] {
            let mut record = record();
            *record.pointer_mut(pointer).unwrap() = odd.clone();
            assert_eq!(Removal::from(record), Removal::Unreadable, "{pointer}: {odd}");
        }
        for odd in [Value::Null, json!([]), json!("REMOVE"), json!({}), json!(0)] {
            assert_eq!(Removal::from(odd.clone()), Removal::Unreadable, "{odd}");
        }
    }
}
