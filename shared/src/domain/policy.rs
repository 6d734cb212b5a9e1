//! The policy as data: how long each kind of data is kept, which promise says so, and what follows
//! at a given moment.

use jiff::{SignedDuration, Timestamp};

use super::audit;
use super::data_kind::DataKind;
use super::deadline::deadline;
use super::export;
use super::invoice::Jurisdiction;
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

/// How long a kind of data is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// For the days of the account's plan, from its own time on.
    Plan,
    /// Until every message of its day has expired by the account's plan.
    PlanOfItsDay,
    /// Until what it belongs to is erased; then it goes at once.
    UntilErased,
    /// Until its erasure is asked for; then it goes by the deadline of that request.
    UntilDeadline,
    /// To the end of the last day that the table of jurisdictions demands.
    Jurisdiction,
    /// For this long from its own time on, and not before it has ended.
    Fixed(SignedDuration),
    /// Without an end: it says nothing about anybody, or somebody has to take it away first.
    NoEnd,
}

/// A row of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long the kind is kept.
    pub rule: Rule,
    /// The promise: an id of the requirements.
    pub requirement: &'static str,
    /// The text that it follows from.
    pub citation: &'static str,
}

/// What a verdict depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The item's own time: when it was sent, opened or asked for. Of a day key, any moment of its
    /// day.
    pub at: Timestamp,
    /// The plan of the item's account.
    pub plan: Plan,
    /// Of a tax record, or of the key of the last one: the jurisdiction that wants it kept.
    pub jurisdiction: Option<Jurisdiction>,
    /// When somebody asked for its erasure.
    pub erasure_asked_at: Option<Timestamp>,
    /// Whether it has ended, if it is something that ends, such as a request.
    pub is_over: bool,
    /// Whether a legal hold covers the item.
    pub is_held: bool,
}

/// What the policy says of one item now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The item stays until then; with `None`, until somebody asks for its erasure.
    Keep(Option<Timestamp>),
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
        let (rule, requirement, citation) = match self {
            Self::Message => (Rule::Plan, "R6.2", "privacy policy: the days of the plan"),
            Self::DayKey => {
                (Rule::PlanOfItsDay, "R6.2", "privacy policy: the days of the plan, and 24 hours")
            }
            Self::Contact | Self::Connection | Self::IndexKey => {
                (Rule::UntilErased, "R8.3", "Meta Platform Terms 3.d: delete when no longer needed")
            }
            Self::Invoice | Self::TaxKey => {
                (Rule::Jurisdiction, "R6.3", "the tax law of its jurisdiction")
            }
            Self::Account | Self::AccountKey | Self::Member | Self::Consent => {
                (Rule::UntilDeadline, "R6.1", "privacy policy: within 30 business days")
            }
            Self::Answer => {
                (Rule::Fixed(ANSWERS), "R6.1", "GDPR, art. 5(1)(e): no longer than of use")
            }
            Self::Request => (Rule::Fixed(RECORDS), "R5.8", "CCPA Regulations, 11 CCR 7101"),
            Self::Hold => (Rule::NoEnd, "R6.7", "GDPR, art. 17(3)(b) and (e)"),
            Self::PolicyVersion => (Rule::NoEnd, "R10.1", "GDPR, art. 5(2): nothing of anybody"),
            Self::AuditEvent | Self::PolicyNotice => {
                (Rule::Fixed(audit::KEPT), "R6.4", "privacy policy: at most 90 days")
            }
            Self::Export => (Rule::Fixed(export::KEPT), "R5.4", "privacy policy: at most 7 days"),
            Self::LedgerEntry => (Rule::NoEnd, "R8.6", "GDPR, art. 5(2): pseudonyms and times"),
        };
        Policy { rule, requirement, citation }
    }
}

/// What the policy says of one item at a moment.
//= R6.1, R6.2, R6.3, R6.7
#[must_use]
pub fn verdict(kind: DataKind, facts: &Facts, now: Timestamp) -> Verdict {
    let Facts { at, plan, jurisdiction, erasure_asked_at, is_over, is_held } = *facts;
    let ends_at = match kind.policy().rule {
        Rule::Plan => Some(plan.expires_at(at, now)),
        Rule::PlanOfItsDay => Some(plan.shred_on(Day::of(at)).start()),
        Rule::UntilErased => erasure_asked_at,
        Rule::UntilDeadline => erasure_asked_at.map(|asked| deadline(asked).day.start()),
        Rule::Jurisdiction => jurisdiction.map(|law| law.kept_until(Day::of(at)).plus(1).start()),
        Rule::Fixed(length) => is_over.then(|| at.saturating_add(length).unwrap_or(Timestamp::MAX)),
        Rule::NoEnd => None,
    };
    // Whatever is erased before its time goes at once, except what proves the erasure.
    let goes_with_it = matches!(kind.policy().rule, Rule::Plan | Rule::PlanOfItsDay);
    let ends_at = match erasure_asked_at {
        Some(asked) if goes_with_it => ends_at.map(|ends_at| ends_at.min(asked)),
        _ => ends_at,
    };
    match ends_at {
        Some(ends_at) if ends_at <= now && is_held => Verdict::Held,
        Some(ends_at) if ends_at <= now => Verdict::EraseNow,
        ends_at => Verdict::Keep(ends_at),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLANS: [Plan; 4] = [Plan::Days7, Plan::Days30, Plan::Days90, Plan::Days365];

    fn facts(at: Timestamp, plan: Plan) -> Facts {
        Facts {
            at,
            plan,
            jurisdiction: None,
            erasure_asked_at: None,
            is_over: false,
            is_held: false,
        }
    }

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
            let facts = facts(sent, plan);
            for (kind, ends) in [(DataKind::Message, ends), (DataKind::DayKey, key_ends)] {
                let ends = time(ends);
                let before = ends - SignedDuration::from_secs(1);
                assert_eq!(verdict(kind, &facts, before), Verdict::Keep(Some(ends)), "{kind:?}");
                assert_eq!(verdict(kind, &facts, ends), Verdict::EraseNow, "{kind:?}");
            }
        }
    }

    //= R6.3, R6.7
    #[test]
    fn a_tax_record_goes_in_the_second_after_its_last_day_whoever_asks_before_and_unless_held() {
        let issued = time("2028-02-29T18:00:00Z");
        let asked = Some(time("2029-01-01T00:00:00Z"));
        let jurisdiction = Some(Jurisdiction::Guatemala);
        let ends = time("2033-03-01T00:00:00Z");
        let before = ends - SignedDuration::from_secs(1);
        for erasure_asked_at in [None, asked] {
            let facts = Facts { jurisdiction, erasure_asked_at, ..facts(issued, Plan::Days7) };
            let held = Facts { is_held: true, ..facts };
            for kind in [DataKind::Invoice, DataKind::TaxKey] {
                assert_eq!(verdict(kind, &facts, before), Verdict::Keep(Some(ends)));
                assert_eq!(verdict(kind, &facts, ends), Verdict::EraseNow);
                assert_eq!(verdict(kind, &held, before), Verdict::Keep(Some(ends)));
                assert_eq!(verdict(kind, &held, ends), Verdict::Held);
            }
        }
    }

    //= R6.1
    #[test]
    fn an_account_stays_while_nobody_asks_and_goes_by_the_deadline_then() {
        let opened = facts(time("2026-01-31T10:00:00Z"), Plan::Days7);
        assert_eq!(verdict(DataKind::Account, &opened, Timestamp::MAX), Verdict::Keep(None));
        let asked = Facts { erasure_asked_at: Some(time("2027-01-31T10:00:00Z")), ..opened };
        let last = time("2027-02-28T00:00:00Z");
        let before = last - SignedDuration::from_secs(1);
        assert_eq!(verdict(DataKind::Member, &asked, before), Verdict::Keep(Some(last)));
        assert_eq!(verdict(DataKind::Member, &asked, last), Verdict::EraseNow);
    }

    #[test]
    fn a_record_of_a_request_does_not_go_before_it_is_over() {
        let asked = facts(time("2024-01-01T00:00:00Z"), Plan::Days7);
        let now = time("2027-01-01T00:00:00Z");
        assert_eq!(verdict(DataKind::Request, &asked, now), Verdict::Keep(None));
        let over = Facts { is_over: true, ..asked };
        assert_eq!(verdict(DataKind::Request, &over, now), Verdict::EraseNow);
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
            kind in 0..DataKind::ALL.len(),
            plan in 0_usize..4,
            at in 0_i64..2_000_000_000,
            asked in proptest::option::of(0_i64..2_000_000_000),
            is_over: bool,
            now in 0_i64..3_000_000_000,
            later in 0_i64..100_000_000,
        ) {
            let second = |second| Timestamp::from_second(second).unwrap();
            let (kind, now) = (DataKind::ALL[kind], second(now));
            let erasure_asked_at = asked.map(second);
            let facts = Facts { erasure_asked_at, is_over, ..facts(second(at), PLANS[plan]) };
            let held = Facts { is_held: true, ..facts };
            let later = now + SignedDuration::from_secs(later);
            match verdict(kind, &facts, now) {
                Verdict::EraseNow => {
                    prop_assert_eq!(verdict(kind, &facts, later), Verdict::EraseNow);
                    prop_assert_eq!(verdict(kind, &held, now), Verdict::Held);
                }
                Verdict::Keep(until) => {
                    prop_assert!(until.is_none_or(|until| until > now));
                    prop_assert_eq!(verdict(kind, &held, now), Verdict::Keep(until));
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
            let kind = [DataKind::Message, DataKind::DayKey][of];
            let verdicts = PLANS.map(|plan| verdict(kind, &facts(second(at), plan), second(now)));
            let is_kept = verdicts.map(|one| one != Verdict::EraseNow);
            prop_assert!(is_kept.is_sorted(), "{:?}", verdicts);
        }
    }
}
