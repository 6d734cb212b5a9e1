//! The one reader of the clock. Everything behind the edge takes `now`.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

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
