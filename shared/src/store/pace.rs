//! How fast a table is written to: faster while it takes everything, half as fast when it
//! throttles.

use std::time::Duration;

/// Batches at once, where nothing is known of the table yet.
const FIRST: usize = 4;
const AT_ONCE_MAX: usize = 8;
const PAUSE_MIN: Duration = Duration::from_millis(25);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Rounds in which a table took nothing at all, before that counts as throttling.
const STALLS_MAX: u32 = 8;

/// Additive increase, multiplicative decrease (RFC 5681 has it for networks), kept for as long as
/// one worker writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    at_once: usize,
    pause: Duration,
    stalls: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { at_once: FIRST, pause: Duration::ZERO, stalls: 0 }
    }
}

impl Pace {
    /// Batches of the next round.
    pub(super) const fn at_once(&self) -> usize {
        self.at_once
    }

    /// How long to wait before it.
    pub(super) const fn pause(&self) -> Duration {
        self.pause
    }

    /// Whether the table has taken nothing for too long.
    pub(super) const fn is_stalled(&self) -> bool {
        self.stalls >= STALLS_MAX
    }

    /// After a round of which the table took so much, and left so much.
    pub(super) fn after(&mut self, taken: usize, left: usize) {
        if left == 0 {
            let more = self.at_once.saturating_add(1).min(AT_ONCE_MAX);
            *self = Self { at_once: more, pause: Duration::ZERO, stalls: 0 };
            return;
        }
        self.at_once = self.at_once.div_euclid(2).max(1);
        self.pause = self.pause.saturating_mul(2).clamp(PAUSE_MIN, PAUSE_MAX);
        self.stalls = if taken == 0 { self.stalls.saturating_add(1) } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_takes_everything_gets_more_up_to_a_limit() {
        let mut pace = Pace::default();
        let at_once: Vec<usize> = (0..6)
            .map(|_| {
                pace.after(100, 0);
                pace.at_once()
            })
            .collect();
        assert_eq!(at_once, [5, 6, 7, 8, 8, 8]);
        assert_eq!(pace.pause(), Duration::ZERO);
    }

    #[test]
    fn a_table_that_throttles_gets_half_and_ever_longer_pauses_until_it_takes_all_again() {
        let mut pace = Pace::default();
        let seen: Vec<(usize, u128)> = (0..9)
            .map(|_| {
                pace.after(10, 90);
                (pace.at_once(), pace.pause().as_millis())
            })
            .collect();
        assert_eq!(seen[..4], [(2, 25), (1, 50), (1, 100), (1, 200)]);
        assert_eq!(seen[8], (1, 2000));
        assert!(!pace.is_stalled(), "it gets further");
        pace.after(25, 0);
        assert_eq!((pace.at_once(), pace.pause()), (2, Duration::ZERO));
    }

    #[test]
    fn a_table_that_takes_nothing_is_given_up() {
        let mut pace = Pace::default();
        let rounds = (1..=100).find(|_| {
            pace.after(0, 100);
            pace.is_stalled()
        });
        assert_eq!(rounds, Some(8));
    }
}
