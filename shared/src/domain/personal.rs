//! Personal data that cannot be printed.

use std::fmt;

/// A value that must never reach a log, a metric, an error or a URL: text, names, Meta ids.
///
/// It has no `Display` and no `Serialize`, and its `Debug` is a constant, so a stray `{:?}` prints
/// nothing. [`Personal::expose`] is the only way out, and easy to search for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Personal<T>(T);

impl<T> Personal<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for sealing it or showing it to someone allowed to see it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Personal<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_never_shows_the_value() {
        let shown = format!("{:?}", Some(Personal::from("canary-4111".to_owned())));
        assert_eq!(shown, "Some(Personal(..))");
    }
}
