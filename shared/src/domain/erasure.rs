//! What an erasure covers and how far it has come. States only move forward.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::data_kind::DataKind;
use super::ids::{
    AccountId, ConnectionId, ConversationId, MemberId, MessageId, RequestId, RouteId,
};
use super::time::Day;

/// One thing to erase.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// What an account is besides its connections, which are targets of their own: its profile and
    /// its members.
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
    /// Everything of a connected channel.
    Connection {
        /// Whose it is.
        account: AccountId,
        /// Where it is found.
        route: RouteId,
        /// Which one: the route may have another by now.
        connection: ConnectionId,
    },
    /// A contact and its conversation, up to a moment: who writes again starts anew.
    Contact {
        /// Whose contact it is.
        account: AccountId,
        /// The conversation.
        conversation: ConversationId,
        /// What was sent until then is erased.
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
    /// The account it belongs to.
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

    /// Its scope, as a word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Account { .. } => "account",
            Self::Member { .. } => "member",
            Self::Connection { .. } => "connection",
            Self::Contact { .. } => "contact",
            Self::Message { .. } => "message",
        }
    }

    /// What a request for this alone is about: whoever asks for it, it is the same request.
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

    /// The lane it is swept in. Targets that can have a row in common share a lane, in which one
    /// request sweeps after the other.
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

    /// Whether erasing this erases the other one too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.covers_nearly(other, SignedDuration::ZERO)
    }

    /// As [`Self::covers`], of a contact perhaps up to a moment that much earlier.
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
        let (kind, account, rest) = match parts.as_slice() {
            [kind, account, rest @ ..] => (*kind, AccountId::parse(account)?, rest),
            _ => return None,
        };
        Some(match (kind, rest) {
            ("account", []) => Self::Account { account },
            ("member", [member]) => Self::Member { account, member: MemberId::parse(member)? },
            ("connection", [first, second]) => Self::Connection {
                account,
                route: RouteId::parse(first)?,
                connection: ConnectionId::parse(second)?,
            },
            ("contact", [first, second]) => Self::Contact {
                account,
                conversation: ConversationId::parse(first)?,
                until: Timestamp::from_millisecond(second.parse().ok()?).ok()?,
            },
            ("message", [first, second]) => Self::Message {
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

/// Characters of an operator's reference.
const REFERENCE_LEN_MAX: usize = 100;

/// Whether a text can be an operator's reference of a case: short, and spelt such that no address
/// and hardly a name gets into it.
#[must_use]
pub fn is_reference(text: &str) -> bool {
    let spells = |b: u8| b.is_ascii_alphanumeric() || b"-_./:# ".contains(&b);
    (1..=REFERENCE_LEN_MAX).contains(&text.len())
        && text.bytes().all(spells)
        && text.trim().len() == text.len()
}

words! {
    /// Who asked, and by which door.
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
    /// What is said of it in public: why someone's data is deleted on an operator's hand is nobody
    /// else's concern, least of all that they are a minor.
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
        /// Asked for; nothing is done yet.
        Requested = "requested",
        /// A legal hold keeps it from being carried out; lifting it resumes (R6.7).
        Held = "held",
        /// Unreadable: keys destroyed, marks set. Rows may still be there.
        Shredded = "shredded",
        /// Rows are being deleted.
        Sweeping = "sweeping",
        /// Nothing is left under any index.
        Verified = "verified",
        /// Done; the receipt is signed.
        Completed = "completed",
        /// Not carried out, with a reason.
        Rejected = "rejected",
        /// Taken back before it was carried out.
        Cancelled = "cancelled",
    }
}

/// A step that no erasure takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an erasure that is {from:?} cannot become {to:?}")]
pub struct InvalidTransition {
    /// Where it is.
    pub from: State,
    /// Where it was to go.
    pub to: State,
}

impl State {
    /// Takes a step.
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

    /// Whether the worker has something to do for it.
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
    /// Its id: also the confirmation code, so it cannot be guessed.
    pub id: RequestId,
    /// Who asked.
    pub source: Source,
    /// An operator's own reference of the case, where there is one. Never a name or an address.
    pub reference: Option<String>,
    /// What the question is about, as a pseudonym: asked again while under way, it leads here.
    pub subject: String,
    /// What is erased; nothing, where no data was held.
    pub targets: Vec<Target>,
    /// The request with the part that a legal hold keeps, where there is one.
    pub held_part: Option<RequestId>,
    /// How far it is.
    pub state: State,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Not carried out before this, where there is a time to take it back.
    pub due_at: Option<Timestamp>,
    /// When it must be done (R5.8).
    pub deadline: Day,
    /// When it became unreadable.
    pub shredded_at: Option<Timestamp>,
    /// When a worker found it shredded: all marks were set by then.
    pub sweeping_at: Option<Timestamp>,
    /// When it was done.
    pub completed_at: Option<Timestamp>,
    /// Its entry in the erasure ledger.
    pub ledger_position: Option<u64>,
    /// What was removed so far.
    pub counts: Counts,
    /// How many targets are swept: where the worker goes on.
    pub targets_swept: usize,
    /// The signed receipt.
    pub receipt: Option<String>,
    /// Increased by every write; a write that names another one fails.
    pub version: u64,
}

impl Request {
    /// Whether it is about this account and no other: what several have of a person is none of
    /// theirs to know.
    #[must_use]
    pub fn is_of(&self, account: &AccountId) -> bool {
        !self.targets.is_empty() && self.targets.iter().all(|one| one.account() == account)
    }

    /// Whether all of these are erased with it.
    #[must_use]
    pub fn covers(&self, targets: &[Target]) -> bool {
        targets.iter().all(|target| self.targets.iter().any(|own| own.covers(target)))
    }

    /// Adds what its own targets do not cover, and drops what that covers.
    pub fn extend(&mut self, targets: &[Target]) {
        for target in targets {
            if !self.covers(std::slice::from_ref(target)) {
                self.targets.retain(|own| !target.covers(own));
                self.targets.push(target.clone());
            }
        }
    }

    /// Whether a worker has something to do for it now.
    #[must_use]
    pub fn is_work(&self, now: Timestamp) -> bool {
        self.state.is_work() && !self.is_early(now)
    }

    /// Whether it waits for its day.
    #[must_use]
    pub fn is_early(&self, now: Timestamp) -> bool {
        self.due_at.is_some_and(|due_at| now < due_at)
    }

    /// Whether it can still be taken back: it waits for its day, or for a hold after that, and
    /// nothing of it is gone yet. What is about to be destroyed is counted first.
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

    #[test]
    fn a_reference_is_short_and_has_no_room_for_an_address() {
        let longest = "x".repeat(100);
        for good in ["T-1", "ticket #4711 / 2026", "a:b_c.d", longest.as_str()] {
            assert!(is_reference(good), "{good:?}");
        }
        let longer = "x".repeat(101);
        for bad in ["", " ", " T-1", "T-1 ", "ana@example.com", "T\n1", "é", longer.as_str()] {
            assert!(!is_reference(bad), "{bad:?}");
        }
    }
}
