//! The result of a body, in counts.

use std::collections::BTreeMap;

use numib::domain::update::Ignored;

/// The counts of a body's updates: `items = stored + edited + unsent + ignored`.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) items: usize,
    pub(crate) stored: usize,
    pub(crate) edited: usize,
    pub(crate) unsent: usize,
    pub(crate) ignored: BTreeMap<Ignored, usize>,
    /// How old each stored message was on arrival, in milliseconds.
    pub(crate) lag_ms: Vec<i64>,
}

impl Taken {
    /// Counts updates that were ignored.
    pub(crate) fn ignore(&mut self, reason: Ignored, updates: usize) {
        let count = self.ignored.entry(reason).or_default();
        *count = count.saturating_add(updates);
    }

    /// The sum of two counts of the same body.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.items = self.items.saturating_add(other.items);
        self.stored = self.stored.saturating_add(other.stored);
        self.edited = self.edited.saturating_add(other.edited);
        self.unsent = self.unsent.saturating_add(other.unsent);
        for (reason, updates) in other.ignored {
            self.ignore(reason, updates);
        }
        self.lag_ms.extend(other.lag_ms);
        self
    }
}
