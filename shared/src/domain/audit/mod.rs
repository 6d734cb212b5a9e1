//! The audit chain (R1.3, R4.6): who did what in an account, when, from where.
//!
//! Each event is a link. A link has the hash of the link before it, and its own hash covers that
//! hash and the event. So whoever trusts one hash finds every change, removal or insertion before
//! it. There is a chain for each account and UTC day. A day's first link follows the last link of
//! the day before, so nobody can take out a day either. [`export`] is how a chain is handed over.

mod chain;
pub mod export;

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

pub use self::chain::{Broken, Fault, Hash, Link, Point, verify};
use super::erasure::Target;
use super::ids::{AccountId, AddressId, EventId, MemberId, RequestId, UserAgentId};

/// How long an event is kept at most (R6.4).
pub const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How early events are cut. The cut may fail for this long, and still nothing is kept longer than
/// promised.
const MARGIN: SignedDuration = SignedDuration::from_hours(12);
/// How many subjects an event has at most. More subjects take several events.
pub const SUBJECTS_MAX: usize = 20;
/// Characters of a subject.
const SUBJECT_LEN_MAX: usize = 200;

/// The time up to which events are cut now.
//= R4.6, R6.4
#[must_use]
pub fn cut_until(now: Timestamp) -> Timestamp {
    let kept = KEPT.saturating_sub(MARGIN);
    now.saturating_sub(kept).unwrap_or(Timestamp::MIN)
}

/// The time from which on an event of that moment is cut.
//= R4.6, R6.4
#[must_use]
pub fn cut_at(at: Timestamp) -> Timestamp {
    let kept = KEPT.saturating_sub(MARGIN);
    at.saturating_add(kept).unwrap_or(Timestamp::MAX)
}

/// The audit chain for events that belong to no account: what people tried who are in none. No
/// account has this id.
#[must_use]
pub fn nobody() -> AccountId {
    AccountId::parse("-").unwrap_or_else(|| unreachable!("a dash is a valid id"))
}

words! {
    /// What someone did, or tried to do.
    Action {
        /// An owner asks for the account's deletion.
        DeleteAccount = "delete-account",
        /// An owner takes the deletion back.
        CancelDeletion = "cancel-deletion",
        /// A channel is disconnected.
        Disconnect = "disconnect",
        /// A contact is erased.
        EraseContact = "erase-contact",
        /// A message is erased.
        EraseMessage = "erase-message",
        /// A contact is looked for by its Meta id.
        SearchContacts = "search-contacts",
        /// A contact is restricted.
        RestrictContact = "restrict-contact",
        /// A contact's restriction is lifted.
        LiftRestriction = "lift-restriction",
        /// A contact is reported to be a minor, and erased.
        ReportMinor = "report-minor",
        /// An account decides about an optional purpose.
        DecideConsent = "decide-consent",
        /// An owner asks for a copy of all that the account has.
        AskForExport = "ask-for-export",
        /// An owner gets a link to such an archive.
        DownloadExport = "download-export",
        /// An operator lodges a person's request.
        LodgeRequest = "lodge-request",
        /// An operator imports a list of ids.
        ImportList = "import-list",
        /// An operator sets a legal hold.
        SetHold = "set-hold",
        /// An operator lifts a legal hold.
        LiftHold = "lift-hold",
        /// An operator changes an account's plan.
        ChangePlan = "change-plan",
        /// An operator opens an account.
        OpenAccount = "open-account",
        /// The account's profile is corrected.
        CorrectProfile = "correct-profile",
        /// The account accepts a version of the privacy policy.
        AcceptPolicy = "accept-policy",
        /// An operator files an invoice.
        FileInvoice = "file-invoice",
        /// An operator reads an account's invoices, for the purpose that they are kept for.
        ReadInvoices = "read-invoices",
        /// Someone is invited to be a member.
        AddMember = "add-member",
        /// A member is given another role.
        ChangeRole = "change-role",
        /// A member is shut out, and erased.
        RemoveMember = "remove-member",
        /// A member is said to be a minor, and erased.
        ReportMinorMember = "report-minor-member",
        /// An operator publishes a version of the privacy policy.
        PublishPolicy = "publish-policy",
        /// Meta asks for a person's deletion.
        MetaDeletion = "meta-deletion",
        /// Meta says that a channel was disconnected.
        MetaDeauthorize = "meta-deauthorize",
    }
}

impl Action {
    /// Whether it changes nothing, and is recorded because of what it shows.
    #[must_use]
    pub const fn only_shows(self) -> bool {
        matches!(self, Self::SearchContacts | Self::DownloadExport | Self::ReadInvoices)
    }
}

words! {
    /// What became of an action.
    Outcome {
        /// It was done.
        Done = "done",
        /// It was not done: the actor may not do it, or it was too late.
        Refused = "refused",
        /// It failed on our side; a part of it may have been done.
        Failed = "failed",
    }
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Someone who signed in.
    Member(MemberId),
    /// Meta, by a signed callback.
    Meta,
    /// A clock of ours.
    Schedule,
    /// An operator, in an account's chain. Which operator it was is in the operators' own chain.
    Operator,
}

impl Actor {
    /// Reads what [`fmt::Display`] wrote; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "meta" => Some(Self::Meta),
            "schedule" => Some(Self::Schedule),
            "operator" => Some(Self::Operator),
            _ => MemberId::parse(text.strip_prefix("member ")?).map(Self::Member),
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(member) => write!(f, "member {member}"),
            Self::Meta => f.write_str("meta"),
            Self::Schedule => f.write_str("schedule"),
            Self::Operator => f.write_str("operator"),
        }
    }
}

/// What an event is about: a word of ours and our own ids, such as `connection ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject(String);

impl Subject {
    /// Accepts words of `A–Z a–z 0–9 _ - . :` with single spaces between, of at most 200 characters
    /// in all. No word may be a number. So whatever a caller writes into a path, no Meta id is ever
    /// recorded as one of our ids, and neither is an address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let safe = |b: u8| b.is_ascii_alphanumeric() || b"_-.:".contains(&b);
        let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let is_word = |word: &str| {
            word.bytes().all(safe) && !word.split(['.', ':']).any(is_number) && !word.is_empty()
        };
        (text.len() <= SUBJECT_LEN_MAX && text.split(' ').all(is_word))
            .then(|| Self(text.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a target is called in the trail. Of a message, only its conversation is named.
    fn of(target: &Target) -> Option<Self> {
        let text = match target {
            Target::Contact { conversation, .. } | Target::Message { conversation, .. } => {
                format!("conversation {conversation}")
            }
            Target::Connection { connection, .. } => format!("connection {connection}"),
            Target::Member { member, .. } => format!("member {member}"),
            Target::Account { account } => format!("account {account}"),
        };
        Self::parse(&text)
    }
}

/// The targets of an erasure for each of its accounts. The request's code is added only if all
/// targets are one account's: the code shows what all accounts had.
//= R1.3
#[must_use]
pub fn erased_of_each<'a>(
    targets: &'a [Target],
    code: Option<&RequestId>,
) -> BTreeMap<&'a AccountId, Vec<Subject>> {
    let mut accounts = BTreeMap::<&AccountId, Vec<Subject>>::new();
    for target in targets {
        accounts.entry(target.account()).or_default().extend(Subject::of(target));
    }
    let code = code.filter(|_| accounts.len() == 1);
    let code = code.and_then(|code| Subject::parse(&format!("request {code}")));
    for subjects in accounts.values_mut() {
        subjects.extend(code.clone());
    }
    accounts
}

/// Something that someone did, or tried to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// A random id, so that two events differ that are alike in all else.
    pub id: EventId,
    /// When, to the millisecond.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// What became of the action.
    pub outcome: Outcome,
    /// What it was about.
    pub subjects: Vec<Subject>,
    /// From which IP address.
    pub address: Option<AddressId>,
    /// With which user agent.
    pub user_agent: Option<UserAgentId>,
}

impl Event {
    /// An event for what somebody did to an account without being one of its members. The account
    /// is not told from where.
    //= R1.3
    #[must_use]
    pub fn from_outside(
        id: EventId,
        at: Timestamp,
        actor: Actor,
        action: Action,
        subjects: &[Subject],
    ) -> Self {
        let (outcome, subjects) = (Outcome::Done, subjects.to_vec());
        Self { id, at, actor, action, outcome, subjects, address: None, user_agent: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= R4.6, R6.4
    #[test]
    fn events_are_cut_before_they_are_90_days_old_and_not_before_89() {
        let now: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        let days = |days: i64| now - SignedDuration::from_hours(24 * days);
        assert!(days(90) < cut_until(now) && cut_until(now) < days(89));
        let last_run_that_may_fail = now - MARGIN;
        assert_eq!(cut_until(last_run_that_may_fail), days(90));
        assert_eq!(cut_until(Timestamp::MIN), Timestamp::MIN);
    }

    #[test]
    fn an_actor_reads_back_what_it_wrote_and_nothing_else() {
        for text in ["meta", "schedule", "operator", "member 0b5c-1"] {
            assert_eq!(Actor::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "member", "member ", "member a b", "ana@example.com"] {
            assert_eq!(Actor::parse(bad), None, "{bad:?}");
        }
    }

    //= R1.3
    #[test]
    fn a_subject_has_room_for_our_ids_and_for_no_meta_id_address_or_name() {
        for good in ["connection c1", "conversation c1.p_2", "hold h-1 on contact:c1.p2"] {
            assert_eq!(Subject::parse(good).unwrap().as_str(), good);
        }
        let long = "x".repeat(201);
        for bad in [
            "",
            "connection ",
            "connection  c1",
            "connection 17841400000000001",
            "conversation c1.17841400000000001",
            "hold h1 on contact:17841400000000001",
            "connection ana@example.com",
            "connection José",
            long.as_str(),
        ] {
            assert_eq!(Subject::parse(bad), None, "{bad:?}");
        }
    }
}
