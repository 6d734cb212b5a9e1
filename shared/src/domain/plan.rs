//! Plans: how long an account keeps its messages (R6.2).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::time::Day;

/// How many days after they were sent messages are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plan {
    /// 7 days.
    Days7,
    /// 30 days.
    Days30,
    /// 90 days.
    Days90,
    /// 365 days.
    Days365,
}

impl Plan {
    /// The plan with that many days; `None` when the policy has no such plan.
    #[must_use]
    pub const fn from_days(days: u16) -> Option<Self> {
        match days {
            7 => Some(Self::Days7),
            30 => Some(Self::Days30),
            90 => Some(Self::Days90),
            365 => Some(Self::Days365),
            _ => None,
        }
    }

    /// How many days that is.
    #[must_use]
    pub const fn days(self) -> u16 {
        match self {
            Self::Days7 => 7,
            Self::Days30 => 30,
            Self::Days90 => 90,
            Self::Days365 => 365,
        }
    }

    /// The instant after which nothing shows the message (R6.2): the message's own time plus the
    /// plan's days. A time in the future counts from `now`.
    //= R6.2
    #[must_use]
    pub fn expires_at(self, sent_at: Timestamp, now: Timestamp) -> Timestamp {
        let kept = SignedDuration::from_hours(i64::from(self.days()).saturating_mul(24));
        sent_at.min(now).checked_add(kept).unwrap_or(Timestamp::MAX)
    }

    /// The shredding day of a day key: the first day on which every message of its day has expired.
    /// So no key outlives its last message by more than 24 hours.
    //= R6.2
    #[must_use]
    pub fn shred_on(self, day: Day) -> Day {
        day.plus(i32::from(self.days()).saturating_add(1))
    }
}

/// Where re-timing the messages of an account goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanCursor {
    /// The connection.
    pub connection: String,
    /// The last contact that is done, or the contact that is half done; `None` before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// If that contact is half done: the message to go on after, or an empty text for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLANS: [Plan; 4] = [Plan::Days7, Plan::Days30, Plan::Days90, Plan::Days365];

    #[test]
    fn only_the_four_plans_of_the_policy_exist() {
        let plans: Vec<u16> = (0..=1000).filter(|d| Plan::from_days(*d).is_some()).collect();
        assert_eq!(plans, [7, 30, 90, 365]);
    }

    proptest! {
        //= R6.2
        #[test]
        fn a_day_key_dies_after_its_last_message_and_within_24_hours(
            seconds in 0_i64..4_102_444_800, plan in 0_usize..4,
        ) {
            let plan = PLANS[plan];
            let sent = Timestamp::from_second(seconds).unwrap();
            let last_of_day = Day::of(sent).plus(1).start() - SignedDuration::from_millis(1);
            let shred = plan.shred_on(Day::of(sent)).start();
            prop_assert!(plan.expires_at(sent, Timestamp::MAX) <= shred);
            let lateness = shred.duration_since(plan.expires_at(last_of_day, Timestamp::MAX));
            prop_assert!(lateness <= SignedDuration::from_hours(24));
        }

        #[test]
        fn a_time_in_the_future_expires_as_if_sent_now(ahead in 0_i64..1_000_000_000) {
            let now = Timestamp::from_second(1_796_100_000).unwrap();
            let sent = now + SignedDuration::from_secs(ahead);
            for plan in PLANS {
                prop_assert_eq!(plan.expires_at(sent, now), plan.expires_at(now, now));
            }
        }
    }
}
