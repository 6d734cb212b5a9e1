//! How much of Meta's limits is used up, by the headers of its answers
//! (docs/meta-platform.md#limits).

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::meta::json::{Object, Value};

/// From this percentage on, calls are spread out.
const SLOW_PERCENT: u32 = 75;
/// From this percentage on, hardly anything is left.
const SCARCE_PERCENT: u32 = 90;
/// Nothing is left.
const SPENT_PERCENT: u32 = 100;
const SLOW_WAIT: SignedDuration = SignedDuration::from_mins(1);
const SCARCE_WAIT: SignedDuration = SignedDuration::from_mins(10);
/// Meta counts over an hour.
const SPENT_WAIT: SignedDuration = SignedDuration::from_hours(1);
/// Minutes at most that a header can ask for: a day, over which Meta counts Messenger's calls.
const MINUTES_MAX: u32 = 24 * 60;

/// Whose calls wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// This one call.
    Call,
    /// All calls for the same Page or Instagram account.
    Asset,
    /// All calls of the app.
    App,
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Call => "this call",
            Self::Asset => "this asset",
            Self::App => "the app",
        })
    }
}

/// Calls that have to wait, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// No call before then.
    pub until: Timestamp,
    /// Whose calls.
    pub whose: Whose,
}

impl Pause {
    pub(super) fn new(now: Timestamp, wait: SignedDuration, whose: Whose) -> Self {
        Self { until: now.saturating_add(wait).unwrap_or(Timestamp::MAX), whose }
    }
}

/// What the headers of one answer say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Percent of the app's own limit.
    pub app: Share,
    /// Percent of the limit of the Page or account, or of the fullest of several.
    pub asset: Share,
}

/// How much of one limit is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// Percent of the measure that is used most.
    pub percent: u32,
    /// Minutes until Meta takes calls again; 0 while it still does.
    pub minutes: u32,
}

impl Share {
    /// How long to wait before the next call.
    #[must_use]
    pub fn wait(self) -> SignedDuration {
        let asked = SignedDuration::from_mins(i64::from(self.minutes.min(MINUTES_MAX)));
        let spread = match self.percent {
            SPENT_PERCENT.. if self.minutes == 0 => SPENT_WAIT,
            SCARCE_PERCENT.. => SCARCE_WAIT,
            SLOW_PERCENT.. => SLOW_WAIT,
            _ => SignedDuration::ZERO,
        };
        asked.max(spread)
    }

    fn fuller(self, other: Self) -> Self {
        Self { percent: self.percent.max(other.percent), minutes: self.minutes.max(other.minutes) }
    }

    fn read(of: &Object<'_>) -> Self {
        let number = |key| of.scalar(key).and_then(|text| whole(&text)).unwrap_or(0);
        let measures = ["call_count", "total_time", "total_cputime"].map(number);
        Self {
            percent: measures.into_iter().max().unwrap_or(0),
            minutes: number("estimated_time_to_regain_access"),
        }
    }
}

/// A number without its fraction.
fn whole(text: &str) -> Option<u32> {
    text.split('.').next()?.parse().ok()
}

impl Usage {
    /// Reads `X-App-Usage` and `X-Business-Use-Case-Usage`. What cannot be read counts as nothing
    /// used: these headers only ever slow us down.
    #[must_use]
    pub fn read(app: Option<&str>, business: Option<&str>) -> Self {
        let app = app.and_then(Value::parse).and_then(Value::object);
        let business = business.and_then(Value::parse).and_then(Value::object);
        let assets = business.iter().flat_map(Object::values);
        let shares = assets.flat_map(Value::elements).filter_map(Value::object);
        Self {
            app: app.map_or_else(Share::default, |app| Share::read(&app)),
            asset: shares.map(|share| Share::read(&share)).fold(Share::default(), Share::fuller),
        }
    }

    /// Who has to wait, and until when; nobody while there is room.
    #[must_use]
    pub fn pauses(self, now: Timestamp) -> Vec<Pause> {
        let waits = [(self.app.wait(), Whose::App), (self.asset.wait(), Whose::Asset)];
        let due = waits.into_iter().filter(|(wait, _)| *wait > SignedDuration::ZERO);
        due.map(|(wait, whose)| Pause::new(now, wait, whose)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-29T12:00:00Z".parse().unwrap()
    }

    #[track_caller]
    fn check(app: &str, business: &str, minutes: &[(Whose, i64)]) {
        let pauses = Usage::read(Some(app), Some(business)).pauses(now());
        let until = |minutes: i64| now() + SignedDuration::from_mins(minutes);
        let expected: Vec<_> = minutes
            .iter()
            .map(|(whose, minutes)| Pause { until: until(*minutes), whose: *whose })
            .collect();
        assert_eq!(pauses, expected, "{app} {business}");
    }

    #[test]
    fn calls_slow_down_before_meta_stops_them() {
        let app = |percent: &str| {
            format!(r#"{{"call_count":{percent},"total_time":3,"total_cputime":"1"}}"#)
        };
        check(&app("74"), "{}", &[]);
        check(&app("74.9"), "{}", &[]);
        check(&app("75"), "{}", &[(Whose::App, 1)]);
        check(&app("90"), "{}", &[(Whose::App, 10)]);
        check(&app("100"), "{}", &[(Whose::App, 60)]);
        check(&app("250"), "{}", &[(Whose::App, 60)]);
        check(r#"{"call_count":1,"total_cputime":91}"#, "{}", &[(Whose::App, 10)]);
    }

    #[test]
    fn the_fullest_limit_of_an_asset_counts() {
        let business = r#"{"17":[
            {"type":"pages","call_count":2,"total_cputime":0,"total_time":0,
             "estimated_time_to_regain_access":0},
            {"type":"messenger","call_count":80,"total_cputime":0,"total_time":0,
             "estimated_time_to_regain_access":0}]}"#;
        check("{}", business, &[(Whose::Asset, 1)]);
        let spent = r#"{"17":[{"type":"messenger","call_count":100,
            "estimated_time_to_regain_access":25}],"18":[{"call_count":1}]}"#;
        check(r#"{"call_count":76}"#, spent, &[(Whose::App, 1), (Whose::Asset, 25)]);
    }

    #[test]
    fn no_header_makes_us_wait_for_more_than_a_day() {
        let spent = r#"{"17":[{"call_count":1,"estimated_time_to_regain_access":4000000000}]}"#;
        check("{}", spent, &[(Whose::Asset, 24 * 60)]);
    }

    #[test]
    fn what_cannot_be_read_is_no_use() {
        for bad in ["", "x", "[]", "{", "{\"17\":3}", "{\"17\":[[]]}", "{\"call_count\":-1}"] {
            check(bad, bad, &[]);
        }
        assert_eq!(Usage::read(None, None), Usage::default());
    }
}
