//! Consents and objections (R2.2): what an account decided about each optional purpose, and what
//! follows from it.

use jiff::Timestamp;

use super::ids::{MemberId, PolicyVersion};

words! {
    /// What data may be used for besides the service itself, if the account says so.
    Purpose {
        /// To see how the product is used.
        ProductAnalytics = "product-analytics",
        /// To send e-mail about offers.
        MarketingEmail = "marketing-email",
    }
}

words! {
    /// What an account decided about a purpose.
    Choice {
        /// It consents.
        Granted = "granted",
        /// It takes its consent back.
        Withdrawn = "withdrawn",
        /// It objects.
        Objected = "objected",
    }
}

/// A decision, as it is kept for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// About what.
    pub purpose: Purpose,
    /// What.
    pub choice: Choice,
    /// By which version of the privacy policy: the one that was shown.
    pub policy_version: PolicyVersion,
    /// By whom.
    pub decided_by: MemberId,
    /// When.
    pub decided_at: Timestamp,
}

/// Whether data may be processed for an optional purpose now, by the account's latest decision
/// about it. Only a consent that stands lets it: silence is none (GDPR, art. 4(11)). It is the one
/// way to ask, and is asked for each event anew, so that a decision takes effect with the next.
//= R2.2, R5.5, R5.6
#[must_use]
pub fn may_be_processed(latest: Option<&Decision>) -> bool {
    match latest.map(|decision| decision.choice) {
        Some(Choice::Granted) => true,
        Some(Choice::Withdrawn | Choice::Objected) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= R2.2, R5.5, R5.6
    #[test]
    fn only_a_consent_that_stands_lets_a_purpose_be_processed() {
        assert!(!may_be_processed(None));
        for choice in Choice::ALL {
            let decision = Decision {
                purpose: Purpose::MarketingEmail,
                choice: *choice,
                policy_version: PolicyVersion::parse("2026-11").unwrap(),
                decided_by: MemberId::parse("m").unwrap(),
                decided_at: Timestamp::UNIX_EPOCH,
            };
            let may = may_be_processed(Some(&decision));
            assert_eq!(may, *choice == Choice::Granted, "{choice:?}");
        }
    }
}
