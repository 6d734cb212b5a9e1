//! What retention counts of each UTC day, for the day's attestation.

use std::collections::BTreeMap;

words! {
    /// What is added up over a UTC day.
    Tally {
        /// Day keys that were destroyed on their shredding day (R6.2). What they opened is
        /// unreadable in every table, stream and backup from then on (R6.6).
        KeysDestroyed = "keys-destroyed",
        /// Of those, the day keys that were destroyed more than 24 hours too late. A violation.
        KeysDestroyedLate = "keys-destroyed-late",
        /// Day keys that a change to a shorter plan destroyed, before the change was answered
        /// (R6.5).
        KeysDestroyedByPlan = "keys-destroyed-by-plan",
        /// Day keys that a legal hold keeps past their shredding day (R6.7); each counts once a
        /// day.
        KeysHeld = "keys-held",
        /// Rows that time to live removed (R6.2).
        RowsRemoved = "rows-removed",
        /// Rows that time to live had left, and that a visit deleted (R6.2).
        RowsSwept = "rows-swept",
        /// Rows that were taken out of time to live for a legal hold (R6.7); each counts once per
        /// hold.
        RowsHeld = "rows-held",
        /// Audit events that were cut off their chains, before they were 90 days old (R6.4).
        AuditEventsCut = "audit-events-cut",
        /// Of those, the events that were older than 90 days by then. A violation.
        AuditEventsCutLate = "audit-events-cut-late",
        /// Tax records that were purged after the last day of their period (R6.3).
        TaxRecordsPurged = "tax-records-purged",
        /// Of those, the records that were purged later than on the next day. A violation.
        TaxRecordsPurgedLate = "tax-records-purged-late",
        /// Tax records that a legal hold keeps past their period (R6.7); each counts once a day.
        TaxRecordsHeld = "tax-records-held",
        /// Exports that were removed with their archives, a week after they were asked for (R5.4).
        ExportsRemoved = "exports-removed",
    }
}

words! {
    /// What is known of a UTC day by its highest value only.
    Peak {
        /// Seconds between the start of the day on which a key was due and its destruction (R6.2).
        KeysSeconds = "keys-seconds-max",
        /// Seconds between a row's expiry and its removal, by time to live or by the sweep (R6.2).
        RowsSeconds = "rows-seconds-max",
        /// Violations that the day's attestation states.
        Violations = "violations",
    }
}

/// What was counted of one day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tallies {
    /// The sums; a tally that was never added to is absent.
    pub sums: BTreeMap<Tally, u64>,
    /// The highest values.
    pub peaks: BTreeMap<Peak, u64>,
}

impl Tallies {
    /// The sum of a tally.
    #[must_use]
    pub fn sum(&self, tally: Tally) -> u64 {
        self.sums.get(&tally).copied().unwrap_or_default()
    }

    /// The highest value of a peak; `None` if there was none.
    #[must_use]
    pub fn peak(&self, peak: Peak) -> Option<u64> {
        self.peaks.get(&peak).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_word_is_read_back_and_no_two_are_alike() {
        let sums = Tally::ALL.iter().map(|tally| tally.as_str());
        let words: BTreeSet<_> = sums.chain(Peak::ALL.iter().map(|peak| peak.as_str())).collect();
        assert_eq!(words.len(), Tally::ALL.len() + Peak::ALL.len());
        for tally in Tally::ALL {
            assert_eq!(Tally::parse(tally.as_str()), Some(*tally));
        }
        for peak in Peak::ALL {
            assert_eq!(Peak::parse(peak.as_str()), Some(*peak));
        }
    }
}
