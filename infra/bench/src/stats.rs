//! Medians and percentiles.

use std::time::Duration;

/// The nearest-rank percentile; zero of nothing.
pub(crate) fn percentile(values: &[Duration], percent: usize) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = sorted.len().saturating_mul(percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// The middle value, the lower one of two.
pub(crate) fn median(values: &[Duration]) -> Duration {
    percentile(values, 50)
}

/// A duration in milliseconds.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn durations(ms: &[u64]) -> Vec<Duration> {
        ms.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn percentiles_are_values_that_were_measured_whatever_their_order() {
        let values = durations(&[40, 10, 30, 20]);
        assert_eq!(percentile(&values, 1), Duration::from_millis(10));
        assert_eq!(percentile(&values, 50), Duration::from_millis(20));
        assert_eq!(percentile(&values, 51), Duration::from_millis(30));
        assert_eq!(percentile(&values, 99), Duration::from_millis(40));
        assert_eq!(percentile(&values, 100), Duration::from_millis(40));
    }

    #[test]
    fn one_slow_value_of_a_hundred_is_past_the_99th_percentile() {
        let mut values = durations(&[1; 99]);
        values.push(Duration::from_secs(9));
        assert_eq!(percentile(&values, 99), Duration::from_millis(1));
        assert_eq!(percentile(&values, 100), Duration::from_secs(9));
    }

    #[test]
    fn nothing_measured_is_zero() {
        assert_eq!(median(&[]), Duration::ZERO);
    }
}
