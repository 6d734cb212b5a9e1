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

/// The time left until then; zero once it has passed.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one reader of the clock")]
pub fn until(deadline: SystemTime) -> Duration {
    deadline.duration_since(SystemTime::now()).unwrap_or_default()
}

/// The time of an invocation. The clock is read once, when the invocation begins; a stopwatch adds
/// what passes from then on.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// When the invocation began.
    pub began: Timestamp,
    /// Runs since then.
    pub stopwatch: Stopwatch,
}

impl Clock {
    /// Begins an invocation now.
    #[must_use]
    pub fn start() -> Self {
        Self::set_to(now())
    }

    /// Begins an invocation as if it were this time now.
    #[must_use]
    pub fn set_to(began: Timestamp) -> Self {
        Self { began, stopwatch: Stopwatch::start() }
    }

    /// The time by now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.stopwatch.elapsed().as_millis()).unwrap_or(i64::MAX);
        let passed = SignedDuration::from_millis(passed);
        self.began.saturating_add(passed).unwrap_or(Timestamp::MAX)
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
