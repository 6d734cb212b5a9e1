//! What an erasure covers and how far it has come. States only move forward.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::data_kind::{DataKind, Fate, Reason, Scope};
use super::ids::{
    AccountId, ConnectionId, ConversationId, MemberId, MessageId, RequestId, RouteId,
};
use super::time::Day;

/// One thing to erase.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// An account with its profile and its members. Its channels are targets of their own.
    Account {
        /// Which one.
        account: AccountId,
    },
    /// A member, with the identity that they sign in by.
    Member {
        /// Whose member they are.
        account: AccountId,
        /// Who.
        member: MemberId,
    },
    /// A connection with all its contacts and messages.
    Connection {
        /// The account that the connection belongs to.
        account: AccountId,
        /// The route by which the connection is found.
        route: RouteId,
        /// The connection: its route may lead to another one by now.
        connection: ConnectionId,
    },
    /// A contact and its conversation up to a moment. Someone who writes again starts anew.
    Contact {
        /// Whose contact it is.
        account: AccountId,
        /// The conversation.
        conversation: ConversationId,
        /// The moment: what was sent up to then is erased.
        until: Timestamp,
    },
    /// A single message.
    Message {
        /// Whose message it is.
        account: AccountId,
        /// The conversation it is in.
        conversation: ConversationId,
        /// The message.
        message: MessageId,
    },
}

impl Target {
    /// The account that the target belongs to.
    #[must_use]
    pub const fn account(&self) -> &AccountId {
        match self {
            Self::Account { account }
            | Self::Member { account, .. }
            | Self::Connection { account, .. }
            | Self::Contact { account, .. }
            | Self::Message { account, .. } => account,
        }
    }

    /// The target's scope.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        match self {
            Self::Account { .. } => Scope::Account,
            Self::Member { .. } => Scope::Member,
            Self::Connection { .. } => Scope::Connection,
            Self::Contact { .. } => Scope::Contact,
            Self::Message { .. } => Scope::Message,
        }
    }

    /// The subject of a request for this target alone. Whoever asks for it is given the same
    /// request.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::Account { account } => format!("account {account}"),
            Self::Member { member, .. } => format!("member {member}"),
            Self::Connection { connection, .. } => format!("connection {connection}"),
            Self::Contact { conversation, .. } => format!("contact {conversation}"),
            Self::Message { conversation, message, .. } => {
                format!("message {conversation} {message}")
            }
        }
    }

    /// The lane in which the target is swept. Targets that can have a row in common share a lane,
    /// and requests sweep in a lane one after the other.
    #[must_use]
    pub fn lane(&self) -> String {
        match self {
            Self::Account { account } | Self::Member { account, .. } => {
                format!("account {account}")
            }
            Self::Connection { connection, .. } => format!("connection {connection}"),
            Self::Contact { conversation, .. } | Self::Message { conversation, .. } => {
                format!("connection {}", conversation.connection)
            }
        }
    }

    /// Whether erasing this target erases the other one, too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.covers_nearly(other, SignedDuration::ZERO)
    }

    /// The same as [`Self::covers`], but of a contact this target's moment may be earlier by that
    /// much.
    #[must_use]
    pub fn covers_nearly(&self, other: &Self, earlier: SignedDuration) -> bool {
        match (self, other) {
            (
                Self::Contact { conversation, until, .. },
                Self::Contact { conversation: same, until: then, .. },
            ) => conversation == same && then.duration_since(*until) <= earlier,
            (
                Self::Connection { connection, .. },
                Self::Contact { conversation, .. } | Self::Message { conversation, .. },
            ) => *connection == conversation.connection,
            (this, other) => this == other,
        }
    }

    /// Reads what [`fmt::Display`] wrote; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split(' ').collect();
        let (scope, account, rest) = match parts.as_slice() {
            [scope, account, rest @ ..] => (Scope::parse(scope)?, AccountId::parse(account)?, rest),
            _ => return None,
        };
        Some(match (scope, rest) {
            (Scope::Account, []) => Self::Account { account },
            (Scope::Member, [member]) => Self::Member { account, member: MemberId::parse(member)? },
            (Scope::Connection, [first, second]) => Self::Connection {
                account,
                route: RouteId::parse(first)?,
                connection: ConnectionId::parse(second)?,
            },
            (Scope::Contact, [first, second]) => Self::Contact {
                account,
                conversation: ConversationId::parse(first)?,
                until: Timestamp::from_millisecond(second.parse().ok()?).ok()?,
            },
            (Scope::Message, [first, second]) => Self::Message {
                account,
                conversation: ConversationId::parse(first)?,
                message: MessageId::parse(second)?,
            },
            _ => return None,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account { account } => write!(f, "account {account}"),
            Self::Member { account, member } => write!(f, "member {account} {member}"),
            Self::Connection { account, route, connection } => {
                write!(f, "connection {account} {route} {connection}")
            }
            Self::Contact { account, conversation, until } => {
                write!(f, "contact {account} {conversation} {}", until.as_millisecond())
            }
            Self::Message { account, conversation, message } => {
                write!(f, "message {account} {conversation} {message}")
            }
        }
    }
}

words! {
    /// Who asked, and by which door the request came in.
    Source {
        /// Meta's data-deletion callback.
        MetaDeletion = "meta-deletion",
        /// Meta's deauthorise callback.
        MetaDeauthorize = "meta-deauthorize",
        /// A list of ids that Meta published to the app's owner (R8.7).
        MetaList = "meta-list",
        /// The account disconnected a channel.
        Disconnect = "disconnect",
        /// The account is being deleted.
        AccountDeletion = "account-deletion",
        /// The account erased a contact or a message.
        Account = "account",
        /// A person asked by e-mail; an operator lodged it (R5.7).
        Operator = "operator",
        /// Someone reported that the person is a minor (R9.1).
        Minor = "minor",
    }
}

impl Source {
    /// The source that is shown in public. That someone was reported as a minor is nobody else's
    /// concern.
    #[must_use]
    pub const fn public(self) -> Self {
        match self {
            Self::Minor => Self::Operator,
            Self::MetaDeletion
            | Self::MetaDeauthorize
            | Self::MetaList
            | Self::Disconnect
            | Self::AccountDeletion
            | Self::Account
            | Self::Operator => self,
        }
    }
}

words! {
    /// How far an erasure has come.
    State {
        /// The request was made; nothing is done yet.
        Requested = "requested",
        /// The request waits for a legal hold. Lifting the hold resumes the request (R6.7).
        Held = "held",
        /// The targets are unreadable: keys are destroyed and marks are set. Rows may still be
        /// there.
        Shredded = "shredded",
        /// Rows are being deleted.
        Sweeping = "sweeping",
        /// Nothing is left under any index.
        Verified = "verified",
        /// The request is done, and its receipt is signed.
        Completed = "completed",
        /// The request was not carried out, for a reason.
        Rejected = "rejected",
        /// The request was taken back before it was carried out.
        Cancelled = "cancelled",
    }
}

/// A step that no erasure takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an erasure that is {from:?} cannot become {to:?}")]
pub struct InvalidTransition {
    /// The state that the request is in.
    pub from: State,
    /// The state that it cannot go to.
    pub to: State,
}

impl State {
    /// Goes to another state.
    ///
    /// # Errors
    /// [`InvalidTransition`] for any step that is not forward.
    pub const fn to(self, to: Self) -> Result<Self, InvalidTransition> {
        let forward = match self {
            Self::Requested => {
                matches!(to, Self::Held | Self::Shredded | Self::Rejected | Self::Cancelled)
            }
            Self::Held => matches!(to, Self::Shredded | Self::Rejected | Self::Cancelled),
            Self::Shredded => matches!(to, Self::Sweeping),
            Self::Sweeping => matches!(to, Self::Verified),
            Self::Verified => matches!(to, Self::Completed),
            Self::Completed | Self::Rejected | Self::Cancelled => false,
        };
        if forward { Ok(to) } else { Err(InvalidTransition { from: self, to }) }
    }

    /// Whether no step is left.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Completed | Self::Rejected | Self::Cancelled => true,
            Self::Requested | Self::Held | Self::Shredded | Self::Sweeping | Self::Verified => {
                false
            }
        }
    }

    /// Whether a worker has something to do for a request in this state.
    #[must_use]
    pub const fn is_work(self) -> bool {
        match self {
            Self::Requested | Self::Shredded | Self::Sweeping | Self::Verified => true,
            Self::Held | Self::Completed | Self::Rejected | Self::Cancelled => false,
        }
    }
}

/// How many items of each kind an erasure has removed.
pub type Counts = BTreeMap<DataKind, u64>;

/// An erasure, as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The id. It is also the confirmation code, so nobody can guess it.
    pub id: RequestId,
    /// Who asked.
    pub source: Source,
    /// The reference of the operator's case, if there is one. It is never a name or an address.
    pub reference: Option<String>,
    /// What the request is about, as a pseudonym. Whoever asks the same again finds this request
    /// while it is under way.
    pub subject: String,
    /// What is erased; empty if no data was held.
    pub targets: Vec<Target>,
    /// The request for the part that a legal hold keeps, if there is one.
    pub held_part: Option<RequestId>,
    /// How far the request is.
    pub state: State,
    /// When the request was made.
    pub requested_at: Timestamp,
    /// When the request is carried out, if it can be taken back until then.
    pub due_at: Option<Timestamp>,
    /// The day by which the request must be done (R5.8).
    pub deadline: Day,
    /// When the targets became unreadable.
    pub shredded_at: Option<Timestamp>,
    /// When a worker found the request shredded. All marks were set by then.
    pub sweeping_at: Option<Timestamp>,
    /// When the request was completed.
    pub completed_at: Option<Timestamp>,
    /// The position of its entry in the ledger.
    pub ledger_position: Option<u64>,
    /// What was removed so far.
    pub counts: Counts,
    /// How many targets are swept. The worker goes on with the next one.
    pub targets_swept: usize,
    /// The signed receipt.
    pub receipt: Option<String>,
    /// Grows with every write. A write that names an older version fails.
    pub version: u64,
}

impl Request {
    /// Whether the request is about this account alone. No account may learn what others have.
    #[must_use]
    pub fn is_of(&self, account: &AccountId) -> bool {
        !self.targets.is_empty() && self.targets.iter().all(|one| one.account() == account)
    }

    /// The kinds of data that the request keeps, each with the reason.
    #[must_use]
    pub fn kept(&self) -> Vec<(DataKind, Reason)> {
        let reason = |kind: &DataKind| {
            self.targets.iter().find_map(|target| match kind.fate(target.scope()) {
                Fate::Kept(reason) => Some((*kind, reason)),
                Fate::Shredded | Fate::Swept | Fate::Untouched => None,
            })
        };
        DataKind::ALL.iter().filter_map(reason).collect()
    }

    /// Whether the request erases all of these targets.
    #[must_use]
    pub fn covers(&self, targets: &[Target]) -> bool {
        targets.iter().all(|target| self.targets.iter().any(|own| own.covers(target)))
    }

    /// Adds targets that the request does not cover yet, and drops targets that the new ones cover.
    pub fn extend(&mut self, targets: &[Target]) {
        for target in targets {
            if !self.covers(std::slice::from_ref(target)) {
                self.targets.retain(|own| !target.covers(own));
                self.targets.push(target.clone());
            }
        }
    }

    /// Whether a worker has something to do for the request now.
    #[must_use]
    pub fn is_work(&self, now: Timestamp) -> bool {
        self.state.is_work() && !self.is_early(now)
    }

    /// Whether the request waits for its day.
    #[must_use]
    pub fn is_early(&self, now: Timestamp) -> bool {
        self.due_at.is_some_and(|due_at| now < due_at)
    }

    /// Whether the request can be taken back: it waits for its day or a hold, and nothing is gone.
    /// A worker counts before it destroys, so a count means that it is too late.
    //= R6.1
    #[must_use]
    pub fn is_revocable(&self) -> bool {
        let waits = matches!(self.state, State::Requested | State::Held);
        waits && self.due_at.is_some() && self.counts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_only_move_forward_and_final_ones_not_at_all() {
        for (position, from) in State::ALL.iter().enumerate() {
            for (other, to) in State::ALL.iter().enumerate() {
                let moved = from.to(*to);
                if moved.is_ok() {
                    assert!(other > position, "{from:?} went back to {to:?}");
                    assert!(!from.is_final(), "{from:?} is final");
                }
            }
            assert_eq!(State::parse(from.as_str()), Some(*from));
        }
        assert_eq!(State::Requested.to(State::Shredded), Ok(State::Shredded));
        assert!(State::Shredded.to(State::Completed).is_err());
        assert!(State::Shredded.to(State::Cancelled).is_err(), "what is shredded is gone");
    }

    #[test]
    fn a_target_reads_back_what_it_wrote_and_nothing_else() {
        for text in [
            "account a1",
            "member a1 m1",
            "connection a1 r1 c1",
            "contact a1 c1.p1 1796100000000",
            "message a1 c1.p1 m1",
        ] {
            assert_eq!(Target::parse(text).unwrap().to_string(), text);
        }
        for bad in
            ["", "connection r1 c1", "contact a c1 1", "message a c1.p1 m1 x", "account a1 x"]
        {
            assert_eq!(Target::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_target_covers_itself_up_to_its_own_time_and_what_is_in_it() {
        let target = |text| Target::parse(text).unwrap();
        let [account, connection] = ["account a", "connection a r c"].map(target);
        let [early, late, other] =
            ["contact a c.p 1", "contact a c.p 2", "contact a d.p 1"].map(target);
        let message = target("message a c.p m");
        for (one, two, covers) in [
            (&late, &early, true),
            (&early, &late, false),
            (&late, &other, false),
            (&connection, &late, true),
            (&connection, &message, true),
            (&connection, &other, false),
            (&late, &message, false),
            (&account, &connection, false),
            (&account, &account, true),
        ] {
            assert_eq!(one.covers(two), covers, "{one} {two}");
        }
    }
}
