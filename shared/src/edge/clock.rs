//! The one reader of the clock. Everything behind `main.rs` is given a [`Clock`] or `now`.

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};

/// The time now, to the millisecond: Meta's own times are no more exact.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one reader of the clock")]
pub fn now() -> Timestamp {
    let exact = Timestamp::now();
    Timestamp::from_millisecond(exact.as_millisecond()).unwrap_or(exact)
}

/// The time of an invocation. The clock is read once, when the invocation begins; a stopwatch adds
/// what passes from then on.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// When the invocation began.
    pub began: Timestamp,
    /// Runs since then.
    pub stopwatch: Stopwatch,
    /// How long the invocation may take.
    pub lasts: Duration,
}

impl Clock {
    /// Begins an invocation now, which answers before anybody looks how long it has taken.
    #[must_use]
    pub fn start() -> Self {
        Self::set_to(now())
    }

    /// Begins an invocation now, which ends at this deadline.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the clock")]
    pub fn start_until(deadline: SystemTime) -> Self {
        let lasts = deadline.duration_since(SystemTime::now()).unwrap_or_default();
        Self { lasts, ..Self::start() }
    }

    /// Begins an invocation as if it were this time now.
    #[must_use]
    pub fn set_to(began: Timestamp) -> Self {
        Self { began, stopwatch: Stopwatch::start(), lasts: Duration::MAX }
    }

    /// The time by now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.stopwatch.elapsed().as_millis()).unwrap_or(i64::MAX);
        let passed = SignedDuration::from_millis(passed);
        self.began.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// The same clock, set forward to `at` where it is behind: a schedule tried at another time
    /// takes its work with it.
    #[must_use]
    pub fn no_earlier_than(&self, at: Option<Timestamp>) -> Self {
        let ahead = at.map(|at| at.duration_since(self.now()).max(SignedDuration::ZERO));
        let began = self.began.saturating_add(ahead.unwrap_or_default());
        Self { began: began.unwrap_or(Timestamp::MAX), ..*self }
    }

    /// Whether more than this is left of the invocation.
    #[must_use]
    pub fn has_more_than(&self, reserve: Duration) -> bool {
        self.stopwatch.elapsed().saturating_add(reserve) < self.lasts
    }
}

/// Measures time that passes. Unlike [`now`], a stopwatch never jumps. It uses the runtime's clock,
/// so a test can let minutes pass.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(tokio::time::Instant);

impl Stopwatch {
    /// Starts measuring.
    #[must_use]
    pub fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    /// The instant at which the stopwatch shows `elapsed`.
    #[must_use]
    pub fn at(&self, elapsed: Duration) -> tokio::time::Instant {
        self.0.checked_add(elapsed).unwrap_or(self.0)
    }

    /// How long the stopwatch has been running.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
