//! What retention counts, for the report of each day.

words! {
    /// What is added up over a UTC day.
    Tally {
        /// Day keys that were destroyed because their day had come (R6.2). What they opened is
        /// unreadable in every table, stream and backup from then on (R6.6).
        KeysDestroyed = "keys-destroyed",
        /// Of those, the ones that were destroyed more than 24 hours after that. A violation.
        KeysDestroyedLate = "keys-destroyed-late",
        /// Rows that time to live removed (R6.2).
        RowsRemoved = "rows-removed",
        /// Rows that retention removed itself, before time to live came to them (R6.2, R6.5).
        RowsSwept = "rows-swept",
        /// Accounts that were erased at their time (R6.1).
        AccountsErased = "accounts-erased",
        /// Of those, the ones that were erased after their deadline (R5.8). A violation.
        AccountsErasedLate = "accounts-erased-late",
        /// Audit events that were cut off their chains, before they were 90 days old (R6.4).
        AuditEventsCut = "audit-events-cut",
        /// Of those, the ones that were older than 90 days by then. A violation.
        AuditEventsCutLate = "audit-events-cut-late",
    }
}

words! {
    /// What is known of a UTC day by its highest value.
    Peak {
        /// Seconds between the start of the day on which a key was due and its destruction (R6.2).
        KeysSeconds = "keys-seconds-max",
        /// Seconds between a row's expiry and its removal by time to live (R6.2).
        RowsSeconds = "rows-seconds-max",
        /// Requests in the last week before their deadline, or past it (R5.8).
        RequestsAtRisk = "requests-at-risk-max",
        /// Requests past their deadline (R5.8). Each is a violation.
        RequestsLate = "requests-late-max",
        /// Violations that the day's report states.
        Violations = "violations",
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
