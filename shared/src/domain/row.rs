//! The life of one stored message: which writes still apply to the row that is already there.
//!
//! A row only moves up: from an edit that waits for its message, to the message, to the message
//! with a higher edit. A tombstone is final. So any order and any number of deliveries end in the
//! same row.

use jiff::{SignedDuration, Timestamp};

use super::time::Day;
use super::update::Ignored;

/// How long a contact stays known after its last row and mark. The inbox index moves by the minute,
/// and a visit finds what time to live left of the contact's rows two days later.
pub const CONTACT_SLACK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a tombstone or an erasure mark keeps late deliveries out. Meta redelivers for up to 36
/// hours (docs/meta-platform.md#delivery), and 40 days also outlast the backups of 7 days (R6.6,
/// R8.3).
pub const SUPPRESSION: SignedDuration = SignedDuration::from_hours(40 * 24);

/// The day of the visit that deletes an expired row, if time to live has not removed the row. Time
/// to live is free, so it gets at least a whole day. No row outlives its expiry by 72 hours.
//= R6.2
#[must_use]
pub fn sweep_on(expires_at: Timestamp) -> Day {
    Day::of(expires_at).plus(2)
}

/// What can be told of a row without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The row is a tombstone: the message was taken back, and nothing else is left.
    pub unsent: bool,
    /// The message itself has arrived.
    pub has_message: bool,
    /// The highest edit that has arrived.
    pub num_edit: Option<u32>,
}

/// What to do with a message that met an existing row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Join the message to the edit that came first.
    Join,
    /// Leave the row as it is.
    Ignore(Ignored),
}

impl Row {
    /// What to do with a message that arrives at this row.
    #[must_use]
    pub const fn message_arrives(self) -> Arrival {
        if self.unsent {
            Arrival::Ignore(Ignored::Unsent)
        } else if self.has_message {
            Arrival::Ignore(Ignored::Duplicate)
        } else {
            Arrival::Join
        }
    }

    /// Why an edit does not apply to this row; `None` when it does.
    #[must_use]
    pub fn refuses_edit(self, num_edit: u32) -> Option<Ignored> {
        if self.unsent {
            return Some(Ignored::Unsent);
        }
        let stale = self.num_edit.is_some_and(|known| known >= num_edit);
        stale.then_some(Ignored::StaleEdit)
    }
}

/// The marks of a contact, which keep messages out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContactMarks {
    /// Messages sent from then on are dropped (R2.3).
    pub restricted_at: Option<Timestamp>,
    /// Messages sent up to then are erased (R8.3).
    pub erased_at: Option<Timestamp>,
}

impl ContactMarks {
    /// Whether a message sent at `at` is a new one of a restricted contact. The contact's earlier
    /// messages stay, however often they are delivered again.
    //= R2.3
    #[must_use]
    pub fn restricts(self, at: Timestamp) -> bool {
        self.restricted_at.is_some_and(|restricted| at >= restricted)
    }

    /// Whether a message sent at `at` is erased.
    //= R8.3
    #[must_use]
    pub fn erases(self, at: Timestamp) -> bool {
        self.erased_at.is_some_and(|erased| at <= erased)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: Row = Row { unsent: false, has_message: true, num_edit: Some(2) };
    const WAITING: Row = Row { unsent: false, has_message: false, num_edit: Some(1) };
    const TOMBSTONE: Row = Row { unsent: true, has_message: false, num_edit: None };

    //= R8.2
    #[test]
    fn a_tombstone_refuses_everything() {
        assert_eq!(TOMBSTONE.message_arrives(), Arrival::Ignore(Ignored::Unsent));
        assert_eq!(TOMBSTONE.refuses_edit(9), Some(Ignored::Unsent));
    }

    #[test]
    fn a_message_joins_the_edit_that_came_first_and_is_otherwise_a_duplicate() {
        assert_eq!(WAITING.message_arrives(), Arrival::Join);
        assert_eq!(MESSAGE.message_arrives(), Arrival::Ignore(Ignored::Duplicate));
    }

    #[test]
    fn only_a_higher_edit_applies() {
        assert_eq!(MESSAGE.refuses_edit(1), Some(Ignored::StaleEdit));
        assert_eq!(MESSAGE.refuses_edit(2), Some(Ignored::StaleEdit));
        assert_eq!(MESSAGE.refuses_edit(3), None);
    }

    //= R6.2
    #[test]
    fn a_row_is_swept_a_day_after_its_expiry_at_the_earliest_and_before_the_third() {
        let hour = SignedDuration::from_hours(1);
        for second in [0, 1, 43_200, 86_399] {
            let expires_at = Timestamp::from_second(1_835_395_200 + second).unwrap();
            // The run of the day's first hour.
            let runs = sweep_on(expires_at).start()..=sweep_on(expires_at).start() + hour;
            assert!(runs.start().duration_since(expires_at) > hour * 24, "{second}");
            assert!(runs.end().duration_since(expires_at) < hour * 72, "{second}");
        }
    }

    //= R2.3, R8.3
    #[test]
    fn an_erasure_covers_what_was_sent_before_it_and_a_restriction_what_comes_after() {
        let mark = Timestamp::from_second(1000).unwrap();
        let moment = SignedDuration::from_millis(1);
        let (before, after) = (mark - moment, mark + moment);
        let erased = ContactMarks { erased_at: Some(mark), ..ContactMarks::default() };
        assert_eq!([before, mark, after].map(|at| erased.erases(at)), [true, true, false]);
        let restricted = ContactMarks { restricted_at: Some(mark), ..ContactMarks::default() };
        assert_eq!([before, mark, after].map(|at| restricted.restricts(at)), [false, true, true]);
        let unmarked = ContactMarks::default();
        assert!(!unmarked.erases(Timestamp::MIN) && !unmarked.restricts(Timestamp::MAX));
    }
}
