//! Meta's times: seconds or milliseconds, as integers, as decimal fractions, or as strings of
//! either (docs/meta-platform.md#bodies).

use jiff::Timestamp;

use crate::meta::json::Value;

/// A number below this counts seconds (until the year 5138). From this on, a number counts
/// milliseconds (since 1973).
const MILLIS_MIN: f64 = 1e11;

/// Reads an instant after 1970; `None` for anything else.
pub(super) fn read(value: Value<'_>) -> Option<Timestamp> {
    // A float represents every millisecond of the calendar exactly.
    let number: f64 = value.scalar()?.trim().parse().ok()?;
    let millis = if number < MILLIS_MIN { number * 1000.0 } else { number };
    let millis: i64 = format!("{millis:.0}").parse().ok()?;
    Timestamp::from_millisecond(millis).ok().filter(|at| *at > Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, millis: Option<i64>) {
        let read = Value::parse(json).and_then(read).map(Timestamp::as_millisecond);
        assert_eq!(read, millis, "{json}");
    }

    #[test]
    fn milliseconds_are_kept_exactly() {
        check("1796099999500", Some(1_796_099_999_500));
        check(r#""1796099999500""#, Some(1_796_099_999_500));
        check("1492414608982.0", Some(1_492_414_608_982));
        check(r#""1492414608982.0""#, Some(1_492_414_608_982));
        check("1.492414608982e12", Some(1_492_414_608_982));
        check(r#"" 1796099999500 ""#, Some(1_796_099_999_500));
        check("100000000000", Some(100_000_000_000));
        check("253370764800000", Some(253_370_764_800_000));
    }

    #[test]
    fn smaller_numbers_are_seconds() {
        check("1527459824", Some(1_527_459_824_000));
        check(r#""1527459824""#, Some(1_527_459_824_000));
        check("1527459824.5", Some(1_527_459_824_500));
        check("99999999999", Some(99_999_999_999_000));
        check("1", Some(1000));
    }

    #[test]
    fn what_is_no_instant_is_none() {
        for bad in ["0", "-1", "-1796099999500", "0.0001", "1e999", "-1e999", "1e16", "9e18"] {
            check(bad, None);
        }
        check(&"9".repeat(400), None);
        for bad in [r#""""#, r#""soon""#, r#""NaN""#, r#""inf""#, r#""2026-11-24T00:00:00Z""#] {
            check(bad, None);
        }
        for bad in ["null", "true", "[]", "{}", "[1796099999500]"] {
            check(bad, None);
        }
    }
}
