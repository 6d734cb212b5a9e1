//! The policy as data: how long each kind of data is kept, which promise says so, and what follows
//! at a given moment.

use jiff::{SignedDuration, Timestamp};

use super::audit;
use super::data_kind::DataKind;
use super::export;
use super::plan::Plan;
use super::time::Day;

/// Records of requests are kept for 24 months (11 CCR 7101).
pub const RECORDS: SignedDuration = SignedDuration::from_hours(731 * 24);

/// How far backups reach back. Whatever was erased without its key stays in them as ciphertext for
/// that long.
//= R4.4
pub const BACKUPS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long an answer is kept, for a member who repeats the request.
pub const ANSWERS: SignedDuration = SignedDuration::from_hours(24);

/// How long a kind of data is kept, and what ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// For the days of the account's plan, from its own time on. Retention ends it, and before that
    /// the database's own time to live.
    Plan,
    /// Until every message of its day has expired by the account's plan. Retention ends it.
    PlanOfItsDay,
    /// To the end of the last day that the table of jurisdictions demands. Retention ends it.
    Jurisdiction,
    /// For this long from its own time on. Retention ends it.
    Fixed(SignedDuration),
    /// For this long from its own time on, and not before it has ended. The database's own time to
    /// live ends it.
    TimeToLive(SignedDuration),
    /// Until what it belongs to is erased; then it goes at once. No clock ends it.
    UntilErased,
    /// Until its erasure is asked for; then it goes by the deadline of that request. No other clock
    /// ends it.
    UntilDeadline,
    /// Without an end: it says nothing about anybody, or somebody has to take it away first.
    NoEnd,
}

/// A row of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long the kind is kept.
    pub term: Term,
    /// The promise: an id of the requirements.
    pub requirement: &'static str,
    /// The text that it follows from.
    pub citation: &'static str,
}

/// A clock by which retention ends an item, with what the clock goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// A message.
    Message {
        /// When it was sent.
        sent_at: Timestamp,
        /// The plan of its account.
        plan: Plan,
    },
    /// A day key.
    DayKey {
        /// The day on which the key goes, by the plan of its account.
        shred_on: Day,
    },
    /// A tax record. The tax key of an account that is gone goes with the last record.
    TaxRecord {
        /// The last day on which its jurisdiction wants it kept.
        kept_until: Day,
    },
    /// An audit event.
    AuditEvent {
        /// When it happened.
        at: Timestamp,
    },
    /// An export.
    Export {
        /// Until when it is kept.
        kept_until: Timestamp,
    },
}

/// What the policy says of one item now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The item stays until then.
    Keep(Timestamp),
    /// The item goes.
    EraseNow,
    /// The item would go, but a legal hold keeps it (R6.7).
    Held,
}

impl DataKind {
    /// The kind's row of the policy.
    //= R6.1, R6.2, R6.3, R8.3, R8.6
    #[must_use]
    pub const fn policy(self) -> Policy {
        let (term, requirement, citation) = match self {
            Self::Message => (Term::Plan, "R6.2", "privacy policy: the days of the plan"),
            Self::DayKey => {
                (Term::PlanOfItsDay, "R6.2", "privacy policy: the days of the plan, and 24 hours")
            }
            Self::Contact | Self::Connection | Self::IndexKey => {
                (Term::UntilErased, "R8.3", "Meta Platform Terms 3.d: delete when no longer needed")
            }
            Self::Invoice | Self::TaxKey => {
                (Term::Jurisdiction, "R6.3", "the tax law of its jurisdiction")
            }
            Self::Account | Self::AccountKey | Self::Member | Self::Consent => {
                (Term::UntilDeadline, "R6.1", "privacy policy: within 30 business days")
            }
            Self::Answer => {
                (Term::TimeToLive(ANSWERS), "R6.1", "GDPR, art. 5(1)(e): no longer than of use")
            }
            Self::Request => (Term::TimeToLive(RECORDS), "R5.8", "CCPA Regulations, 11 CCR 7101"),
            Self::Hold => (Term::NoEnd, "R6.7", "GDPR, art. 17(3)(b) and (e)"),
            Self::PolicyVersion => (Term::NoEnd, "R10.1", "GDPR, art. 5(2): nothing of anybody"),
            Self::AuditEvent => {
                (Term::Fixed(audit::KEPT), "R6.4", "privacy policy: at most 90 days")
            }
            Self::PolicyNotice => {
                (Term::TimeToLive(audit::KEPT), "R6.4", "privacy policy: at most 90 days")
            }
            Self::Export => (Term::Fixed(export::KEPT), "R5.4", "privacy policy: at most 7 days"),
            Self::LedgerEntry => (Term::NoEnd, "R8.6", "GDPR, art. 5(2): pseudonyms and times"),
        };
        Policy { term, requirement, citation }
    }
}

impl Clock {
    /// When the item's time is over.
    #[must_use]
    pub fn ends_at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Message { sent_at, plan } => plan.expires_at(sent_at, now),
            Self::DayKey { shred_on } => shred_on.start(),
            Self::TaxRecord { kept_until } => kept_until.plus(1).start(),
            Self::AuditEvent { at } => audit::cut_at(at),
            Self::Export { kept_until } => kept_until,
        }
    }
}

/// What the policy says of one item at a moment. A legal hold may cover the item.
//= R6.1, R6.2, R6.3, R6.7
#[must_use]
pub fn verdict(clock: Clock, is_held: bool, now: Timestamp) -> Verdict {
    let ends_at = clock.ends_at(now);
    match (ends_at <= now, is_held) {
        (false, _) => Verdict::Keep(ends_at),
        (true, false) => Verdict::EraseNow,
        (true, true) => Verdict::Held,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::deadline::deadline;
    use crate::domain::invoice::Jurisdiction;

    const PLANS: [Plan; 4] = [Plan::Days7, Plan::Days30, Plan::Days90, Plan::Days365];

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    //= R6.2
    #[test]
    fn a_message_goes_in_the_second_its_plan_ends_and_its_key_within_a_day() {
        let sent = time("2028-02-28T10:00:00Z");
        for (plan, ends, key_ends) in [
            (Plan::Days7, "2028-03-06T10:00:00Z", "2028-03-07T00:00:00Z"),
            // 2028 has a 29 February.
            (Plan::Days30, "2028-03-29T10:00:00Z", "2028-03-30T00:00:00Z"),
            (Plan::Days90, "2028-05-28T10:00:00Z", "2028-05-29T00:00:00Z"),
            (Plan::Days365, "2029-02-27T10:00:00Z", "2029-02-28T00:00:00Z"),
        ] {
            let message = Clock::Message { sent_at: sent, plan };
            let key = Clock::DayKey { shred_on: plan.shred_on(Day::of(sent)) };
            for (clock, ends) in [(message, ends), (key, key_ends)] {
                let ends = time(ends);
                let before = ends - SignedDuration::from_secs(1);
                assert_eq!(verdict(clock, false, before), Verdict::Keep(ends), "{clock:?}");
                assert_eq!(verdict(clock, false, ends), Verdict::EraseNow, "{clock:?}");
            }
        }
    }

    //= R6.3, R6.7
    #[test]
    fn a_tax_record_goes_in_the_second_after_its_last_day_and_unless_held() {
        let issued_on = Day::of(time("2028-02-29T18:00:00Z"));
        let clock = Clock::TaxRecord { kept_until: Jurisdiction::Guatemala.kept_until(issued_on) };
        let ends = time("2033-03-01T00:00:00Z");
        let before = ends - SignedDuration::from_secs(1);
        for is_held in [false, true] {
            assert_eq!(verdict(clock, is_held, before), Verdict::Keep(ends));
        }
        assert_eq!(verdict(clock, false, ends), Verdict::EraseNow);
        assert_eq!(verdict(clock, true, ends), Verdict::Held);
        for kind in [DataKind::Invoice, DataKind::TaxKey] {
            assert_eq!(kind.policy().term, Term::Jurisdiction, "whoever asks before");
        }
    }

    //= R6.1
    #[test]
    fn an_account_stays_while_nobody_asks_and_goes_by_the_deadline_then() {
        for kind in [DataKind::Account, DataKind::AccountKey, DataKind::Member, DataKind::Consent] {
            assert_eq!(kind.policy().term, Term::UntilDeadline, "{kind:?}");
        }
        let last = deadline(time("2027-01-31T10:00:00Z")).day;
        assert_eq!(last.start(), time("2027-02-28T00:00:00Z"));
    }

    //= R6.4
    #[test]
    fn an_audit_event_goes_before_ninety_days() {
        let at = time("2026-12-01T10:00:00Z");
        let event = Clock::AuditEvent { at };
        assert_eq!(event.ends_at(at), time("2027-02-28T22:00:00Z"));
    }

    #[test]
    fn every_kind_of_data_has_a_promise_and_where_it_comes_from() {
        for kind in DataKind::ALL {
            let Policy { requirement, citation, .. } = kind.policy();
            assert!(requirement.starts_with('R') && citation.len() > 10, "{kind:?}");
        }
    }

    proptest! {
        //= R6.2, R6.7
        #[test]
        fn what_has_to_go_goes_for_ever_and_a_hold_is_all_that_keeps_it(
            of in 0_usize..5,
            plan in 0_usize..4,
            at in 0_i64..2_000_000_000,
            now in 0_i64..3_000_000_000,
            later in 0_i64..100_000_000,
        ) {
            let second = |second| Timestamp::from_second(second).unwrap();
            let (at, now) = (second(at), second(now));
            let clock = [
                Clock::Message { sent_at: at, plan: PLANS[plan] },
                Clock::DayKey { shred_on: PLANS[plan].shred_on(Day::of(at)) },
                Clock::TaxRecord { kept_until: Jurisdiction::Guatemala.kept_until(Day::of(at)) },
                Clock::AuditEvent { at },
                Clock::Export { kept_until: at },
            ][of];
            let later = now + SignedDuration::from_secs(later);
            match verdict(clock, false, now) {
                Verdict::EraseNow => {
                    prop_assert_eq!(verdict(clock, false, later), Verdict::EraseNow);
                    prop_assert_eq!(verdict(clock, true, now), Verdict::Held);
                }
                Verdict::Keep(until) => {
                    prop_assert!(until > now);
                    prop_assert_eq!(verdict(clock, true, now), Verdict::Keep(until));
                }
                Verdict::Held => prop_assert!(false, "there is no hold"),
            }
        }

        //= R6.5
        #[test]
        fn a_longer_plan_never_takes_what_a_shorter_one_keeps(
            at in 0_i64..2_000_000_000, now in 0_i64..2_000_000_000, of in 0_usize..2,
        ) {
            let second = |second| Timestamp::from_second(second).unwrap();
            let (at, now) = (second(at), second(now));
            let clock = |plan: Plan| match of {
                0 => Clock::Message { sent_at: at, plan },
                _ => Clock::DayKey { shred_on: plan.shred_on(Day::of(at)) },
            };
            let verdicts = PLANS.map(|plan| verdict(clock(plan), false, now));
            let is_kept = verdicts.map(|one| one != Verdict::EraseNow);
            prop_assert!(is_kept.is_sorted(), "{:?}", verdicts);
        }
    }
}
