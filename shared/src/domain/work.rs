//! What the messages of the queues ask for. The function that takes a message reads it once. A
//! message that asks for anything else comes again until it is a dead letter.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::hold::Held;
use super::ids::{AccountId, ExportId, MemberId, PolicyVersion, RequestId};
use super::plan::PlanCursor;

/// What a message of the work queue asks the worker to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "kebab-case")]
pub enum Work {
    /// Take the next step of an erasure.
    Erase {
        /// The request.
        request: RequestId,
        /// The worker's clock is set forward to this time: when the schedule was due that queued
        /// the message, if a schedule did. So a schedule that is tried at another time takes its
        /// work along.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Timestamp>,
    },
    /// Make rows stay under a legal hold, or expire again once it is lifted.
    FollowHold {
        /// The record that is held, or no longer is.
        held: Held,
        /// Where to go on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<PlanCursor>,
    },
    /// Make the messages of an account expire by the plan that it has now.
    Retime {
        /// The account.
        account: AccountId,
        /// Where to go on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<PlanCursor>,
    },
    /// Destroy the day keys whose day had come by a moment.
    DestroyDayKeys {
        /// The moment: when the schedule was due that queued the message.
        at: Timestamp,
    },
    /// Remove the rows that had expired by a moment, and that time to live has left.
    SweepRows {
        /// The moment: when the schedule was due that queued the message.
        at: Timestamp,
    },
    /// Remove the rows that belong to no contact or to an erased one.
    RemoveAstray {
        /// The moment by which the rows had to be gone: when the schedule was due that queued the
        /// message.
        at: Timestamp,
    },
    /// Remove the identity of a person who was invited and has not become a member.
    ForgetUnlessMember {
        /// The person.
        member: MemberId,
        /// The account that the person was invited to.
        account: AccountId,
    },
    /// Tell the owners of accounts of a new version of the privacy policy.
    Announce {
        /// The version.
        version: PolicyVersion,
        /// The page of owners to go on with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        page: Option<String>,
    },
}

/// What a message of the export queue asks `data-export` to do: go on with an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportWork {
    /// The export.
    pub export: ExportId,
    /// As in [`Work::Erase`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn reads_back(message: &Value) {
        let work: Work = serde_json::from_value(message.clone()).unwrap();
        assert_eq!(&serde_json::to_value(work).unwrap(), message);
    }

    #[test]
    fn a_message_reads_back_what_it_says() {
        let at = "2026-12-01T04:00:00Z";
        let cursor = json!({"connection": "c1", "contact": "p1"});
        reads_back(&json!({"work": "erase", "request": "r1"}));
        reads_back(&json!({"work": "erase", "request": "r1", "not_before": at}));
        reads_back(&json!({"work": "follow-hold", "held": "contact:c1.p1"}));
        reads_back(&json!({"work": "retime", "account": "a1", "cursor": cursor}));
        reads_back(&json!({"work": "destroy-day-keys", "at": at}));
        reads_back(&json!({"work": "sweep-rows", "at": at}));
        reads_back(&json!({"work": "remove-astray", "at": at}));
        reads_back(&json!({"work": "forget-unless-member", "member": "m1", "account": "a1"}));
        reads_back(&json!({"work": "announce", "version": "2026-12-01", "page": "2"}));
    }

    #[test]
    fn a_message_with_an_id_that_is_none_is_refused() {
        for message in [
            json!({"work": "erase", "request": "a b"}),
            json!({"work": "follow-hold", "held": "message:m1"}),
            json!({"work": "unheard-of"}),
            json!({"request": "r1"}),
        ] {
            assert!(serde_json::from_value::<Work>(message.clone()).is_err(), "{message}");
        }
    }
}
