//! An account: its plan, and how far its end has come.

use jiff::{SignedDuration, Timestamp};

use super::deadline::deadline;
use super::ids::{AccountId, MemberId, PolicyVersion, RequestId};
use super::plan::Plan;
use super::sealed::PublicKey;
use super::time::Day;

words! {
    /// Whether an account serves its members.
    AccountState {
        /// It does.
        Active = "active",
        /// Its owner asked for its deletion: it shows and takes nothing until it is erased, or the
        /// owner takes that back (R6.1).
        Locked = "locked",
        /// It is being erased.
        Erased = "erased",
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Which one.
    pub id: AccountId,
    /// Whether it serves.
    pub state: AccountState,
    /// The request that will erase it, while it is locked.
    pub deletion: Option<RequestId>,
    /// How long it keeps its messages.
    pub plan: Plan,
    /// Since when, where it had another plan before.
    pub plan_changed_at: Option<Timestamp>,
    /// What it says about itself, sealed to its own key; nothing, until it says something.
    pub profile: Option<Vec<u8>>,
    /// Increased by every change of the profile; a change that names another one fails.
    pub profile_version: u64,
    /// What its profile is sealed to, once it has been needed.
    pub account_key: Option<PublicKey>,
    /// What its tax records are sealed to, once that has been needed.
    pub tax_key: Option<PublicKey>,
    /// The latest version of the privacy policy that it accepted (R10.1).
    pub accepted: Option<Acceptance>,
}

/// What a key pair of an account's own is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Its profile: destroyed with the account (R6.1).
    Profile,
    /// Its tax records: destroyed with the last of them (R6.3).
    TaxRecords,
}

/// That an account accepted a version of the privacy policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// Which version.
    pub version: PolicyVersion,
    /// From when on that is in force: which of two versions is the later one.
    pub effective_on: Day,
    /// When it was accepted first.
    pub at: Timestamp,
    /// By which owner.
    pub by: MemberId,
}

/// When a locked account is erased: after so many days in which its owner may take that back, and
/// never after the deadline's last day has begun (R6.1).
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
