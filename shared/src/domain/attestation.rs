//! The daily attestation: what retention had to do on a UTC day, what it did, and what it left
//! undone.
//!
//! An attestation has numbers and reasons, and no personal data. So it may be filed, and shown to
//! whoever asks.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::tally::{Peak, Tallies, Tally};
use super::time::Day;

/// Who attests. The issuer is part of what is signed, so no receipt passes for an attestation.
pub const ISSUER: &str = "tag:numib.app,2026:attestation";

/// Days of the history, the attested one included.
pub const HISTORY_DAYS: i32 = 30;

words! {
    /// A rule of the policy that a clock keeps.
    Rule {
        /// The key of a day is destroyed within 24 hours of its last message's expiry.
        DayKeys = "day-keys",
        /// The rows of expired messages are removed.
        Rows = "rows",
        /// Audit events are cut off before they are 90 days old.
        AuditEvents = "audit-events",
        /// Tax records are purged when their period is over.
        TaxRecords = "tax-records",
        /// Archives of exports are removed after seven days.
        Exports = "exports",
        /// No row is left of what was erased.
        Erasures = "erasures",
        /// Requests are done by their deadline.
        Requests = "requests",
    }
}

words! {
    /// Why something is kept past its time. It names a kind of reason, and never the case.
    Why {
        /// A legal hold keeps it (R6.7).
        LegalHold = "legal-hold",
    }
}

words! {
    /// What removed something.
    How {
        /// The schedule for this rule.
        Schedule = "schedule",
        /// A change to a shorter plan.
        PlanChange = "plan-change",
        /// The database's time to live.
        TimeToLive = "time-to-live",
        /// The sweep of what time to live had left.
        Sweep = "sweep",
    }
}

impl Rule {
    /// The requirements that the rule keeps.
    #[must_use]
    pub const fn requirements(self) -> &'static [&'static str] {
        match self {
            Self::DayKeys => &["R6.2", "R6.6"],
            Self::Rows => &["R6.2"],
            Self::AuditEvents => &["R6.4"],
            Self::TaxRecords => &["R6.3"],
            Self::Exports => &["R5.4"],
            Self::Erasures => &["R8.3"],
            Self::Requests => &["R5.8", "R6.1"],
        }
    }
}

/// What is known when a day is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The day.
    pub day: Day,
    /// When the attestation is written.
    pub written_at: Timestamp,
    /// What was counted on that day and before it.
    pub tallies: BTreeMap<Day, Tallies>,
    /// Day keys that were due by the end of the day, and that a hold keeps.
    pub keys_held: u64,
    /// Those that nothing keeps.
    pub keys_overdue: u64,
    /// Conversations that were due for a visit by the end of the day, and had none.
    pub visits_left: u64,
    /// Tax records whose period was over by the end of the day, and that a hold keeps.
    pub tax_held: u64,
    /// Those that nothing keeps.
    pub tax_overdue: u64,
    /// Days of accounts with audit events that are older than they may be.
    pub audit_left: u64,
    /// Exports that are still there although their seven days were over by the end of the day.
    pub exports_left: u64,
    /// Rows astray, among all rows: rows of something erased, or rows that no erasure would find.
    pub rows_astray: u64,
    /// Requests at the end of the day.
    pub requests: Requests,
}

/// Requests that have not ended. A request that waits for a hold is not counted: it is late by law.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// All of them.
    pub open: u64,
    /// Requests in the last week before their deadline.
    pub at_risk: u64,
    /// Requests past their deadline.
    pub late: u64,
}

/// What is attested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The UTC day.
    pub day: Day,
    /// When the report was written.
    pub written_at: Timestamp,
    /// The violations of all rules together. It should be 0.
    pub violations: u64,
    /// Each rule of the policy.
    pub rules: Vec<Kept>,
    /// Requests at the end of the day.
    pub requests: Requests,
    /// This day and those before it, the oldest first.
    pub history: Vec<DayTotal>,
}

/// How a rule was kept. A number is `None` where counting would have to read everything that is
/// stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The rule.
    pub rule: Rule,
    /// The requirements that the rule keeps.
    pub requirements: Vec<String>,
    /// How many items were to be removed by the end of the day: those removed, held and left
    /// together.
    pub due: Option<u64>,
    /// How many items were removed.
    pub removed: Option<u64>,
    /// The same, by what removed them; empty where there is only one way.
    #[serde(default)]
    pub removed_by: Vec<RemovedBy>,
    /// The longest that any removed item was still there after its time, in seconds.
    pub longest_seconds: Option<u64>,
    /// What is kept past its time, and why.
    pub held: Vec<Held>,
    /// How many items were to be removed, and are neither removed nor held.
    pub left: Option<u64>,
    /// How many items were removed after the time that the rule allows.
    pub late: u64,
    /// How many items break the rule: those left, and those late.
    pub violations: u64,
}

/// What was removed in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedBy {
    /// The way.
    pub how: How,
    /// How many.
    pub count: u64,
}

/// What is kept for one kind of reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The reason.
    pub why: Why,
    /// How many.
    pub count: u64,
}

/// One day in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayTotal {
    /// The UTC day.
    pub day: Day,
    /// Day keys that were destroyed.
    pub keys_destroyed: u64,
    /// Rows that were removed, by time to live or by the sweep.
    pub rows_removed: u64,
    /// The violations that the day's own attestation states; `None` if the day has no attestation.
    pub violations: Option<u64>,
}

impl Report {
    /// The attestation of a day.
    //= R6.2, R5.8
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let nothing = Tallies::default();
        let tallies = facts.tallies.get(&facts.day).unwrap_or(&nothing);
        let rules: Vec<_> = Rule::ALL.iter().map(|rule| kept(*rule, facts, tallies)).collect();
        let each = rules.iter().map(|kept| kept.violations);
        let violations = each.fold(0, u64::saturating_add);
        let day = |back: i32| {
            let day = facts.day.plus(0_i32.saturating_sub(back));
            let tallies = facts.tallies.get(&day).unwrap_or(&nothing);
            DayTotal {
                day,
                keys_destroyed: tallies
                    .sum(Tally::KeysDestroyed)
                    .saturating_add(tallies.sum(Tally::KeysDestroyedByPlan)),
                rows_removed: rows_removed(tallies),
                violations: match back {
                    0 => Some(violations),
                    _ => tallies.peak(Peak::Violations),
                },
            }
        };
        let history = (0..HISTORY_DAYS).rev().map(day).collect();
        let Facts { day, written_at, requests, .. } = *facts;
        Self { day, written_at, violations, rules, requests, history }
    }

    /// What is signed: the whole report and its issuer.
    #[must_use]
    pub fn claims(&self) -> Value {
        json!({
            "iss": ISSUER,
            "sub": self.day,
            "iat": self.written_at.as_second(),
            "report": self,
        })
    }
}

/// How one rule was kept.
fn kept(rule: Rule, facts: &Facts, tallies: &Tallies) -> Kept {
    let sum = |tally| tallies.sum(tally);
    let nothing = Kept {
        rule,
        requirements: rule.requirements().iter().map(|id| (*id).to_owned()).collect(),
        due: None,
        removed: None,
        removed_by: Vec::new(),
        longest_seconds: None,
        held: Vec::new(),
        left: None,
        late: 0,
        violations: 0,
    };
    let kept = match rule {
        Rule::DayKeys => {
            let (expired, replanned) = (sum(Tally::KeysDestroyed), sum(Tally::KeysDestroyedByPlan));
            let removed = expired.saturating_add(replanned);
            let held = sum(Tally::KeysHeld).saturating_add(facts.keys_held);
            Kept {
                removed_by: vec![
                    RemovedBy { how: How::Schedule, count: expired },
                    RemovedBy { how: How::PlanChange, count: replanned },
                ],
                longest_seconds: tallies.peak(Peak::KeysSeconds),
                late: sum(Tally::KeysDestroyedLate),
                ..due(removed, Some(held), facts.keys_overdue, nothing)
            }
        }
        // No API shows an expired row, and no key opens it. So a late removal raises an alarm, and
        // breaks no rule. A visit that did not happen does break it.
        Rule::Rows => Kept {
            removed: Some(rows_removed(tallies)),
            removed_by: vec![
                RemovedBy { how: How::TimeToLive, count: sum(Tally::RowsRemoved) },
                RemovedBy { how: How::Sweep, count: sum(Tally::RowsSwept) },
            ],
            // Rows that were taken out of time to live on that day, however long they are kept.
            held: vec![Held { why: Why::LegalHold, count: sum(Tally::RowsHeld) }],
            left: Some(facts.visits_left),
            longest_seconds: tallies.peak(Peak::RowsSeconds),
            ..nothing
        },
        Rule::AuditEvents => Kept {
            removed: Some(sum(Tally::AuditEventsCut)),
            late: sum(Tally::AuditEventsCutLate),
            // One for each account and day, however many events there are.
            left: Some(facts.audit_left),
            ..nothing
        },
        Rule::TaxRecords => {
            let removed = sum(Tally::TaxRecordsPurged);
            let held = sum(Tally::TaxRecordsHeld).saturating_add(facts.tax_held);
            let late = sum(Tally::TaxRecordsPurgedLate);
            Kept { late, ..due(removed, Some(held), facts.tax_overdue, nothing) }
        }
        Rule::Exports => due(sum(Tally::ExportsRemoved), None, facts.exports_left, nothing),
        Rule::Erasures => Kept { left: Some(facts.rows_astray), ..nothing },
        Rule::Requests => Kept { left: Some(facts.requests.late), ..nothing },
    };
    let violations = kept.left.unwrap_or_default().saturating_add(kept.late);
    Kept { violations, ..kept }
}

/// What was due, told apart by what became of it. `held` is `None` where no hold can keep it.
fn due(removed: u64, held: Option<u64>, left: u64, nothing: Kept) -> Kept {
    let due = removed.saturating_add(held.unwrap_or_default()).saturating_add(left);
    let held = held.map(|count| Held { why: Why::LegalHold, count }).into_iter().collect();
    Kept { due: Some(due), removed: Some(removed), held, left: Some(left), ..nothing }
}

fn rows_removed(tallies: &Tallies) -> u64 {
    tallies.sum(Tally::RowsRemoved).saturating_add(tallies.sum(Tally::RowsSwept))
}

as_text!(Rule, Why, How, Day);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day() -> Day {
        Day::parse("2028-02-29").unwrap()
    }

    fn any_tallies() -> impl Strategy<Value = Tallies> {
        let sums = prop::collection::btree_map(
            prop::sample::select(Tally::ALL.to_vec()),
            prop_oneof![0_u64..1000, Just(u64::MAX)],
            0..8,
        );
        let peaks = prop::collection::btree_map(
            prop::sample::select(Peak::ALL.to_vec()),
            0_u64..1_000_000,
            0..4,
        );
        (sums, peaks).prop_map(|(sums, peaks)| Tallies { sums, peaks })
    }

    fn any_facts() -> impl Strategy<Value = Facts> {
        let tallies = prop::collection::btree_map(
            (-40_i32..3).prop_map(|days| day().plus(days)),
            any_tallies(),
            0..50,
        );
        let requests = (0_u64..10, 0_u64..10, 0_u64..10);
        let requests = requests.prop_map(|(open, at_risk, late)| Requests { open, at_risk, late });
        (tallies, 0_u64..10_000, 0_u64..10_000, requests).prop_map(
            |(tallies, held, overdue, requests)| Facts {
                day: day(),
                written_at: day().plus(1).start(),
                tallies,
                keys_held: held,
                keys_overdue: overdue,
                visits_left: held,
                tax_held: overdue,
                tax_overdue: held,
                audit_left: 0,
                exports_left: 0,
                rows_astray: overdue,
                requests,
            },
        )
    }

    fn quiet() -> Facts {
        Facts {
            day: day(),
            written_at: day().plus(1).start(),
            tallies: BTreeMap::new(),
            keys_held: 0,
            keys_overdue: 0,
            visits_left: 0,
            tax_held: 0,
            tax_overdue: 0,
            audit_left: 0,
            exports_left: 0,
            rows_astray: 0,
            requests: Requests::default(),
        }
    }

    fn violations(facts: &Facts) -> Vec<(Rule, u64)> {
        let rules = Report::of(facts).rules.into_iter();
        let broken = rules.filter(|kept| kept.violations > 0);
        broken.map(|kept| (kept.rule, kept.violations)).collect()
    }

    fn counted(tally: Tally, count: u64) -> BTreeMap<Day, Tallies> {
        [(day(), Tallies { sums: [(tally, count)].into(), peaks: BTreeMap::new() })].into()
    }

    //= R6.2
    #[test]
    fn a_day_without_anything_to_do_breaks_no_rule() {
        let report = Report::of(&quiet());
        assert_eq!(report.violations, 0);
        assert_eq!(report.rules.len(), Rule::ALL.len());
        assert_eq!(report.rules[0].due, Some(0));
    }

    //= R6.2
    #[test]
    fn a_key_that_was_left_or_was_late_is_a_violation_and_one_on_hold_is_not() {
        let left = Facts { keys_overdue: 2, ..quiet() };
        assert_eq!(violations(&left), [(Rule::DayKeys, 2)]);
        let late = Facts { tallies: counted(Tally::KeysDestroyedLate, 3), ..quiet() };
        assert_eq!(violations(&late), [(Rule::DayKeys, 3)]);
        let held = Facts { tallies: counted(Tally::KeysHeld, 5), keys_held: 1, ..quiet() };
        assert_eq!(violations(&held), []);
        let keys = &Report::of(&held).rules[0];
        assert_eq!((keys.due, keys.held[0].count), (Some(6), 6));
        let destroyed = Facts { tallies: counted(Tally::KeysDestroyed, 7), ..quiet() };
        assert_eq!(violations(&destroyed), []);
        let replanned = Facts { tallies: counted(Tally::KeysDestroyedByPlan, 8), ..quiet() };
        let report = Report::of(&replanned);
        let keys = &report.rules[0];
        assert_eq!((keys.due, keys.removed, keys.removed_by[1].count), (Some(8), Some(8), 8));
        assert_eq!((report.history[29].keys_destroyed, keys.violations), (8, 0));
    }

    //= R6.2
    #[test]
    fn rows_count_whoever_removed_them_and_a_sweep_that_did_not_come_is_a_violation() {
        let sums = [(Tally::RowsRemoved, 40), (Tally::RowsSwept, 2), (Tally::RowsHeld, 9)].into();
        let tallies = [(day(), Tallies { sums, peaks: BTreeMap::new() })].into();
        let report = Report::of(&Facts { tallies, ..quiet() });
        let rows = report.rules.iter().find(|kept| kept.rule == Rule::Rows).unwrap();
        assert_eq!((rows.removed, rows.held[0].count, rows.violations), (Some(42), 9, 0));
        let by: Vec<_> = rows.removed_by.iter().map(|by| (by.how, by.count)).collect();
        assert_eq!(by, [(How::TimeToLive, 40), (How::Sweep, 2)]);
        assert_eq!(report.history[29].rows_removed, 42);
        assert_eq!(violations(&Facts { visits_left: 3, ..quiet() }), [(Rule::Rows, 3)]);
    }

    //= R6.4
    #[test]
    fn audit_events_that_were_never_cut_are_a_violation() {
        let left = Facts { audit_left: 2, ..quiet() };
        assert_eq!(violations(&left), [(Rule::AuditEvents, 2)]);
    }

    //= R5.4
    #[test]
    fn an_archive_that_outlives_its_week_is_a_violation() {
        let left = Facts { exports_left: 1, ..quiet() };
        assert_eq!(violations(&left), [(Rule::Exports, 1)]);
        let removed = Facts { tallies: counted(Tally::ExportsRemoved, 3), ..quiet() };
        assert_eq!(violations(&removed), []);
    }

    //= R8.3
    #[test]
    fn a_row_of_what_was_erased_is_a_violation() {
        let left = Facts { rows_astray: 3, ..quiet() };
        assert_eq!(violations(&left), [(Rule::Erasures, 3)]);
    }

    //= R6.3
    #[test]
    fn a_tax_record_that_was_left_or_was_late_is_a_violation_and_one_on_hold_is_not() {
        let left = Facts { tax_overdue: 2, ..quiet() };
        assert_eq!(violations(&left), [(Rule::TaxRecords, 2)]);
        let late = Facts { tallies: counted(Tally::TaxRecordsPurgedLate, 3), ..quiet() };
        assert_eq!(violations(&late), [(Rule::TaxRecords, 3)]);
        let held = Facts { tallies: counted(Tally::TaxRecordsHeld, 5), tax_held: 1, ..quiet() };
        assert_eq!(violations(&held), []);
    }

    //= R5.8
    #[test]
    fn a_late_request_is_a_violation_and_one_at_risk_is_not_yet() {
        let requests = Requests { open: 9, at_risk: 4, late: 2 };
        assert_eq!(violations(&Facts { requests, ..quiet() }), [(Rule::Requests, 2)]);
        let requests = Requests { late: 0, ..requests };
        assert_eq!(violations(&Facts { requests, ..quiet() }), []);
    }

    #[test]
    fn the_history_has_thirty_days_and_takes_violations_from_their_own_attestations() {
        let of = |violations| {
            let peaks = [(Peak::Violations, violations)].into();
            Tallies { sums: BTreeMap::new(), peaks }
        };
        let tallies = [(day(), of(9)), (day().plus(-1), of(3)), (day().plus(-30), of(8))];
        let report = Report::of(&Facts { tallies: tallies.into(), ..quiet() });
        let days: Vec<_> = report.history.iter().map(|total| total.day).collect();
        assert_eq!(days, (0..30).rev().map(|back| day().plus(-back)).collect::<Vec<_>>());
        let last: Vec<_> = report.history[27..].iter().map(|total| total.violations).collect();
        assert_eq!(last, [None, Some(3), Some(0)]);
    }

    #[test]
    fn what_is_signed_names_the_day_and_who_says_so() {
        let claims = Report::of(&quiet()).claims();
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!(ISSUER), &json!("2028-02-29")));
        assert_eq!(claims["report"]["rules"][0]["rule"], "day-keys");
        assert_eq!(claims["report"]["rules"][0]["held"][0]["why"], "legal-hold");
    }

    proptest! {
        //= R6.2
        #[test]
        fn whatever_was_counted_the_sums_agree(facts in any_facts()) {
            let report = Report::of(&facts);
            let mut violations = 0_u64;
            for kept in &report.rules {
                let held = kept.held.iter().map(|held| held.count).fold(0, u64::saturating_add);
                let left = kept.left.unwrap_or_default();
                if let (Some(due), Some(removed)) = (kept.due, kept.removed) {
                    prop_assert_eq!(due, removed.saturating_add(held).saturating_add(left));
                }
                prop_assert_eq!(kept.violations, left.saturating_add(kept.late));
                violations = violations.saturating_add(kept.violations);
            }
            prop_assert_eq!(report.violations, violations);
            prop_assert_eq!(report.history.last().unwrap().violations, Some(violations));
            prop_assert_eq!(report.violations == 0, report.rules.iter().all(|k| k.violations == 0));
        }

        #[test]
        fn a_report_reads_back_as_it_was_written(facts in any_facts()) {
            let report = Report::of(&facts);
            let text = serde_json::to_string(&report).unwrap();
            prop_assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report.clone());
            prop_assert_eq!(&report.claims()["report"], &serde_json::to_value(&report).unwrap());
        }
    }
}
