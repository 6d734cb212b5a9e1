//! Consents and objections (R2.2): what an account decided about each optional purpose, and what
//! follows from it.

use jiff::Timestamp;

use super::ids::MemberId;

/// Characters of a policy's version.
const VERSION_LEN_MAX: usize = 32;

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

/// The version of the policy that was shown to whoever decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion(String);

impl PolicyVersion {
    /// Accepts 1–32 of `A–Z a–z 0–9 . _ -`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let safe = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        ((1..=VERSION_LEN_MAX).contains(&text.len()) && text.bytes().all(safe))
            .then(|| Self(text.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A decision, as it is kept for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// About what.
    pub purpose: Purpose,
    /// What.
    pub choice: Choice,
    /// By which policy.
    pub policy_version: PolicyVersion,
    /// By whom.
    pub decided_by: MemberId,
    /// When.
    pub decided_at: Timestamp,
}

/// Whether data may be processed for an optional purpose now, by the account's latest decision
/// about it. Only a consent that stands lets it: silence is none (GDPR, art. 4(11)). It is the one
/// way to ask, and is asked for each event anew, so that a decision takes effect with the next.
//= R2.2
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

    //= R2.2
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

    #[test]
    fn a_version_is_short_and_plain() {
        for good in ["1", "2026-11.a_b", &"x".repeat(32)] {
            assert_eq!(PolicyVersion::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "2026 11", "v1#", "é", &"x".repeat(33)] {
            assert_eq!(PolicyVersion::parse(bad), None, "{bad:?}");
        }
    }
}
