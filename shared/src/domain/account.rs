//! An account: its plan, its state, and what it accepted.

use jiff::{SignedDuration, Timestamp};

use super::deadline::deadline;
use super::ids::{AccountId, MemberId, PolicyVersion, RequestId};
use super::plan::Plan;
use super::sealed::PublicKey;
use super::time::Day;

words! {
    /// Whether an account serves its members.
    AccountState {
        /// The account serves its members.
        Active = "active",
        /// The owner asked for the account's deletion. The account shows and takes nothing until it
        /// is erased, or until the owner takes the deletion back (R6.1).
        Locked = "locked",
        /// The account is being erased, or is erased.
        Erased = "erased",
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The account's id.
    pub id: AccountId,
    /// Whether the account serves its members.
    pub state: AccountState,
    /// While the account is locked: the request that will erase it.
    pub deletion: Option<RequestId>,
    /// How long the account keeps its messages.
    pub plan: Plan,
    /// When the plan last changed; `None` if it never did.
    pub plan_changed_at: Option<Timestamp>,
    /// The profile, sealed to the account's own key; `None` until an owner writes one.
    pub profile: Option<Vec<u8>>,
    /// Grows with every change of the profile. A change that names an older version fails.
    pub profile_version: u64,
    /// The key that the profile is sealed to; `None` until the first profile.
    pub account_key: Option<PublicKey>,
    /// The key that tax records are sealed to; `None` until the first record.
    pub tax_key: Option<PublicKey>,
    /// The latest version of the privacy policy that an owner accepted (R10.1).
    pub accepted: Option<Acceptance>,
}

/// What one of an account's own key pairs is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The profile. This key is destroyed with the account (R6.1).
    Profile,
    /// The tax records. This key is destroyed with the last of them (R6.3).
    TaxRecords,
}

/// The acceptance of a version of the privacy policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The version.
    pub version: PolicyVersion,
    /// The day from which the version is in force. It tells which of two versions is the later one.
    pub effective_on: Day,
    /// When an owner first accepted the version.
    pub at: Timestamp,
    /// The owner who accepted it first.
    pub by: MemberId,
}

/// When a locked account is erased: after the days of grace, in which the owner may take the
/// deletion back, but no later than the start of the deadline's last day (R6.1).
//= R6.1
#[must_use]
pub fn erased_at(requested_at: Timestamp, grace_days: u8) -> Timestamp {
    let grace = SignedDuration::from_hours(i64::from(grace_days).saturating_mul(24));
    let planned = requested_at.saturating_add(grace).unwrap_or(Timestamp::MAX);
    planned.min(deadline(requested_at).day.start())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    //= R6.1
    #[test]
    fn an_account_is_erased_after_its_days_of_grace() {
        let asked: Timestamp = "2026-11-24T08:03:00Z".parse().unwrap();
        assert_eq!(erased_at(asked, 14).to_string(), "2026-12-08T08:03:00Z");
        assert_eq!(erased_at(asked, 0), asked);
        assert_eq!(erased_at(asked, 255).to_string(), "2026-12-24T00:00:00Z", "the month ends");
    }

    proptest! {
        //= R6.1
        #[test]
        fn no_grace_outlasts_the_deadline(seconds in 0_i64..4_102_444_800, days: u8) {
            let asked = Timestamp::from_second(seconds).unwrap();
            let at = erased_at(asked, days);
            prop_assert!(asked <= at && Day::of(at) <= deadline(asked).day);
        }
    }
}
