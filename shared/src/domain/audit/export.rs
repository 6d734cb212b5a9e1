//! A chain in the form in which it is handed over: lines of JSON (NDJSON). First comes the
//! checkpoint of the last cut, if there was one, then the links after it, then where the chain
//! ends.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Action, Actor, Event, Hash, Link, Outcome, Point, Subject};
use crate::domain::ids::{AccountId, AddressId, EventId, UserAgentId};
use crate::domain::time::Day;

/// What tells a checkpoint from other texts that the same key signs.
const CHECKPOINT: &str = "audit-checkpoint";

/// A line of an exported chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// The signed checkpoint of the last cut, a JWS.
    Checkpoint(String),
    /// An event at its position.
    Link(Box<Link>),
    /// Where the chain ended when it was exported.
    Head(Point),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Wire {
    Checkpoint(WireCheckpoint),
    Head(WireHead),
    Link(Box<WireLink>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCheckpoint {
    checkpoint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireHead {
    head: WirePoint,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WirePoint {
    day: String,
    number: u64,
    hash: String,
}

/// Unknown fields are refused: a link must not say anything that its hash does not cover.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireLink {
    account: String,
    day: String,
    number: u64,
    at: Timestamp,
    actor: String,
    action: String,
    outcome: String,
    subjects: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
    id: String,
    previous: String,
    hash: String,
}

impl Line {
    /// The line, without its end.
    #[must_use]
    pub fn write(&self) -> String {
        let wire = match self {
            Self::Checkpoint(jws) => Wire::Checkpoint(WireCheckpoint { checkpoint: jws.clone() }),
            Self::Head(Point { day, number, hash }) => {
                let (day, hash) = (day.to_string(), hash.to_string());
                Wire::Head(WireHead { head: WirePoint { day, number: *number, hash } })
            }
            Self::Link(link) => Wire::Link(Box::new(wire_link(link))),
        };
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// Reads a line; `None` for anything that [`Line::write`] does not write.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match serde_json::from_str(text).ok()? {
            Wire::Checkpoint(WireCheckpoint { checkpoint }) => Some(Self::Checkpoint(checkpoint)),
            Wire::Head(WireHead { head: WirePoint { day, number, hash } }) => {
                let (day, hash) = (Day::parse(&day)?, Hash::parse(&hash)?);
                Some(Self::Head(Point { day, number, hash }))
            }
            Wire::Link(wire) => Some(Self::Link(Box::new(link(&wire)?))),
        }
    }
}

fn wire_link(link: &Link) -> WireLink {
    let Link { account, day, number, previous, event, hash } = link;
    WireLink {
        account: account.to_string(),
        day: day.to_string(),
        number: *number,
        at: event.at,
        actor: event.actor.to_string(),
        action: event.action.as_str().to_owned(),
        outcome: event.outcome.as_str().to_owned(),
        subjects: event.subjects.iter().map(|subject| subject.as_str().to_owned()).collect(),
        address: event.address.as_ref().map(ToString::to_string),
        user_agent: event.user_agent.as_ref().map(ToString::to_string),
        id: event.id.to_string(),
        previous: previous.to_string(),
        hash: hash.to_string(),
    }
}

fn link(wire: &WireLink) -> Option<Link> {
    let address = wire.address.as_deref().map(AddressId::parse);
    let user_agent = wire.user_agent.as_deref().map(UserAgentId::parse);
    let subjects = wire.subjects.iter().map(|text| Subject::parse(text));
    let event = Event {
        id: EventId::parse(&wire.id)?,
        // The hash does not cover fractions of a millisecond.
        at: (wire.at.subsec_nanosecond() % 1_000_000 == 0).then_some(wire.at)?,
        actor: Actor::parse(&wire.actor)?,
        action: Action::parse(&wire.action)?,
        outcome: Outcome::parse(&wire.outcome)?,
        subjects: subjects.collect::<Option<_>>()?,
        // A value that is present and unreadable is not an absent one.
        address: address.map_or(Some(None), |read| read.map(Some))?,
        user_agent: user_agent.map_or(Some(None), |read| read.map(Some))?,
    };
    Some(Link {
        account: AccountId::parse(&wire.account)?,
        day: Day::parse(&wire.day)?,
        number: wire.number,
        previous: Hash::parse(&wire.previous)?,
        event,
        hash: Hash::parse(&wire.hash)?,
    })
}

/// What a cut leaves, signed. The chain goes on from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose chain was cut.
    pub account: AccountId,
    /// The last link that was removed.
    pub last: Point,
    /// How many links this cut removed.
    pub removed: u64,
    /// How many links all cuts removed together.
    pub removed_in_all: u64,
    /// Whether all removed links were unaltered and in order when they were removed.
    pub is_intact: bool,
    /// When the cut was made.
    pub cut_at: Timestamp,
}

impl Checkpoint {
    /// What is signed.
    //= R4.6
    #[must_use]
    pub fn claims(&self) -> Value {
        json!({
            "iss": "numib",
            "sub": CHECKPOINT,
            "iat": self.cut_at.as_second(),
            "account": self.account.as_str(),
            "day": self.last.day.to_string(),
            "number": self.last.number,
            "hash": self.last.hash.to_string(),
            "removed": self.removed,
            "removed_in_all": self.removed_in_all,
            "intact": self.is_intact,
        })
    }

    /// Reads the claims of a checkpoint; `None` for any others, such as a receipt's.
    #[must_use]
    pub fn parse(claims: &Value) -> Option<Self> {
        let text = |name: &str| claims.get(name)?.as_str();
        let number = |name: &str| claims.get(name)?.as_u64();
        let last = Point {
            day: Day::parse(text("day")?)?,
            number: number("number")?,
            hash: Hash::parse(text("hash")?)?,
        };
        let checkpoint = Self {
            account: AccountId::parse(text("account")?)?,
            last,
            removed: number("removed")?,
            removed_in_all: number("removed_in_all")?,
            is_intact: claims.get("intact")?.as_bool()?,
            cut_at: Timestamp::from_second(claims.get("iat")?.as_i64()?).ok()?,
        };
        (text("sub")? == CHECKPOINT).then_some(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::MemberId;

    fn link() -> Link {
        let event = Event {
            id: EventId::parse("e1").unwrap(),
            at: "2026-12-01T04:41:00.123Z".parse().unwrap(),
            actor: Actor::Member(MemberId::parse("m1").unwrap()),
            action: Action::SetHold,
            outcome: Outcome::Refused,
            subjects: vec![Subject::parse("hold h1 on account:a1").unwrap()],
            address: Some(AddressId::parse("ip").unwrap()),
            user_agent: None,
        };
        Link::after(None, &AccountId::parse("a1").unwrap(), event)
    }

    #[test]
    fn every_line_reads_back_what_it_wrote() {
        let lines = [
            Line::Checkpoint("a.b.c".to_owned()),
            Line::Link(Box::new(link())),
            Line::Head(link().point()),
        ];
        for line in lines {
            let text = line.write();
            assert!(!text.contains('\n'));
            assert_eq!(Line::parse(&text), Some(line), "{text}");
        }
    }

    //= R4.6
    #[test]
    fn nothing_is_read_that_the_hash_does_not_cover() {
        let text = Line::Link(Box::new(link())).write();
        assert!(Line::parse(&text).is_some());
        for (from, to) in [
            (r#""id":"#, r#""note":"x","id":"#),
            (".123Z", ".1234Z"),
            (r#""address":"ip""#, r#""address":"not an id""#),
            ("set-hold", "set-fire"),
        ] {
            let altered = text.replacen(from, to, 1);
            assert_ne!(altered, text);
            assert_eq!(Line::parse(&altered), None, "{altered}");
        }
    }

    //= R4.6
    #[test]
    fn a_checkpoint_reads_back_what_it_wrote_and_no_other_claims() {
        let checkpoint = Checkpoint {
            account: AccountId::parse("a1").unwrap(),
            last: link().point(),
            removed: 3,
            removed_in_all: 7,
            is_intact: true,
            cut_at: "2027-03-01T00:05:00Z".parse().unwrap(),
        };
        let claims = checkpoint.claims();
        assert_eq!(Checkpoint::parse(&claims), Some(checkpoint));
        for name in ["sub", "account", "day", "number", "hash", "removed", "intact", "iat"] {
            let mut other = claims.clone();
            other[name] = json!("receipt");
            if name != "account" {
                assert_eq!(Checkpoint::parse(&other), None, "{name}");
            }
        }
    }
}
