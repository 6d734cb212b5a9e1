//! Links, their hashes, and how a broken chain is found.

use std::fmt;

use aws_lc_rs::digest::{self, SHA256};

use super::{Event, Subject};
use crate::domain::ids::{AccountId, AddressId, UserAgentId};
use crate::domain::time::Day;

/// Every hashed text begins with the name of its layout. Another layout gets another number.
const LAYOUT: &str = "numib audit link 1";
/// Bytes of SHA-256.
const HASH_LEN: usize = 32;

/// A SHA-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash([u8; HASH_LEN]);

impl Hash {
    /// The hash before an account's very first link.
    pub const NONE: Self = Self([0; HASH_LEN]);

    /// Takes 32 bytes; `None` for any other number of them.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads 64 lower-case hexadecimal digits; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |b: &u8| match b {
            b'0'..=b'9' => b.checked_sub(b'0'),
            b'a'..=b'f' => b.checked_sub(b'a' - 10),
            _ => None,
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let byte = |[high, low]: &[u8; 2]| Some(digit(high)? << 4 | digit(low)?);
        let bytes: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
        Self::new(&bytes).filter(|_| rest.is_empty())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A position in an account's chain, and the hash of the link there. Points have the chain's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// The link's day.
    pub day: Day,
    /// The link's number on that day: 1, 2, 3 …
    pub number: u64,
    /// The hash of the link.
    pub hash: Hash,
}

/// An event at its position in a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The account of the chain.
    pub account: AccountId,
    /// The link's day.
    pub day: Day,
    /// Its place there.
    pub number: u64,
    /// The hash of the link before, of this day or an earlier one.
    pub previous: Hash,
    /// What happened.
    pub event: Event,
    /// The hash of all other fields.
    pub hash: Hash,
}

impl Link {
    /// The link for an event that is recorded after `last`. An event that the next day's first
    /// event overtook is recorded on that next day.
    //= R4.6
    #[must_use]
    pub fn after(last: Option<&Point>, account: &AccountId, event: Event) -> Self {
        let today = Day::of(event.at);
        let (day, number) = match last {
            Some(last) if last.day >= today => (last.day, last.number.saturating_add(1)),
            Some(_) | None => (today, 1),
        };
        let previous = last.map_or(Hash::NONE, |last| last.hash);
        let account = account.clone();
        let mut link = Self { account, day, number, previous, event, hash: Hash::NONE };
        link.hash = link.computed();
        link
    }

    /// The link's position.
    #[must_use]
    pub const fn point(&self) -> Point {
        Point { day: self.day, number: self.number, hash: self.hash }
    }

    /// The hash that the link should have. It covers the fields as texts, in this order. Each text
    /// comes after its length in bytes, which is 8 bytes, big-endian. A list is its length as a
    /// text, and then its texts. What is absent is an empty list.
    fn computed(&self) -> Hash {
        let Self { account, day, number, previous, event, hash: _ } = self;
        let mut hashed = digest::Context::new(&SHA256);
        let mut add = |text: &str| {
            hashed.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hashed.update(text.as_bytes());
        };
        add(LAYOUT);
        add(account.as_str());
        for text in [&day.to_string(), &number.to_string(), &previous.to_string()] {
            add(text);
        }
        add(event.id.as_str());
        add(&event.at.as_millisecond().to_string());
        add(&event.actor.to_string());
        add(event.action.as_str());
        add(event.outcome.as_str());
        let subjects = event.subjects.iter().map(Subject::as_str).collect();
        let address = event.address.iter().map(AddressId::as_str).collect();
        let user_agent = event.user_agent.iter().map(UserAgentId::as_str).collect();
        for list in [subjects, address, user_agent] {
            let list: Vec<&str> = list;
            add(&list.len().to_string());
            list.into_iter().for_each(&mut add);
        }
        Hash::new(hashed.finish().as_ref()).unwrap_or(Hash::NONE)
    }

    /// Whether this link is the next one after `last`.
    fn follows(&self, last: Option<&Point>) -> bool {
        let Some(last) = last else { return self.previous == Hash::NONE && self.number == 1 };
        let is_next = if self.day == last.day {
            Some(self.number) == last.number.checked_add(1)
        } else {
            self.day > last.day && self.number == 1
        };
        is_next && self.previous == last.hash
    }
}

words! {
    /// What is wrong with a link.
    Fault {
        /// The link belongs to another account.
        OtherAccount = "other-account",
        /// The link's content does not match its hash.
        Altered = "altered",
        /// The link does not follow the one before: a link was removed, inserted, moved or
        /// replaced.
        OutOfPlace = "out-of-place",
    }
}

/// Where a chain breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("link {position} is {}", fault.as_str())]
pub struct Broken {
    /// The first link that is wrong, counted from 0.
    pub position: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// Checks that these are the links of an account after `start` (`None`: from its first event on),
/// unaltered, without a gap, in order. Returns the last link's position.
///
/// Only the caller, who knows where the chain should end, can say that no link is missing there.
///
/// # Errors
/// [`Broken`] at the first link that is wrong.
//= R4.6
pub fn verify<'a>(
    account: &AccountId,
    start: Option<Point>,
    links: impl IntoIterator<Item = &'a Link>,
) -> Result<Option<Point>, Broken> {
    let mut last = start;
    for (position, link) in links.into_iter().enumerate() {
        let fault = if link.account != *account {
            Some(Fault::OtherAccount)
        } else if link.hash != link.computed() {
            Some(Fault::Altered)
        } else if !link.follows(last.as_ref()) {
            Some(Fault::OutOfPlace)
        } else {
            None
        };
        if let Some(fault) = fault {
            return Err(Broken { position, fault });
        }
        last = Some(link.point());
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::{Action, Actor, Outcome};
    use super::*;
    use crate::domain::ids::{EventId, MemberId};

    fn account(id: &str) -> AccountId {
        AccountId::parse(id).unwrap()
    }

    prop_compose! {
        fn event()(
            id in "[a-z0-9]{4}",
            at in 1_796_000_000_000_i64..1_796_400_000_000,
            actor in prop_oneof![
                Just(Actor::Meta),
                Just(Actor::Schedule),
                "[a-z]{1,3}".prop_map(|id| Actor::Member(MemberId::parse(&id).unwrap())),
            ],
            action in proptest::sample::select(Action::ALL),
            outcome in proptest::sample::select(Outcome::ALL),
            subjects in vec("connection [a-z]{1,3}", 0..3),
            address in proptest::option::of("[a-z]{2}"),
            agent in proptest::option::of("[a-z]{2}"),
        ) -> Event {
            Event {
                id: EventId::parse(&id).unwrap(),
                at: Timestamp::from_millisecond(at).unwrap(),
                actor,
                action,
                outcome,
                subjects: subjects.iter().map(|text| Subject::parse(text).unwrap()).collect(),
                address: address.map(|id| AddressId::parse(&id).unwrap()),
                user_agent: agent.map(|id| UserAgentId::parse(&id).unwrap()),
            }
        }
    }

    fn chain(account: &AccountId, events: &[Event]) -> Vec<Link> {
        let mut last = None;
        let link = |event: &Event| {
            let link = Link::after(last.as_ref(), account, event.clone());
            last = Some(link.point());
            link
        };
        events.iter().map(link).collect()
    }

    /// The same link with something else in one of its fields; `None` where it was that already.
    fn altered(link: &Link, field: usize, other: &Event) -> Option<Link> {
        let mut altered = link.clone();
        let event = &mut altered.event;
        match field {
            0 => event.id = other.id.clone(),
            1 => event.at = other.at,
            2 => event.actor = other.actor.clone(),
            3 => event.action = other.action,
            4 => event.outcome = other.outcome,
            5 => event.subjects.clone_from(&other.subjects),
            6 => event.address.clone_from(&other.address),
            7 => event.user_agent.clone_from(&other.user_agent),
            8 => altered.account = account("b"),
            9 => altered.day = altered.day.plus(1),
            10 => altered.number += 1,
            11 => altered.previous = altered.hash,
            _ => altered.hash = altered.previous,
        }
        (altered != *link).then_some(altered)
    }

    proptest! {
        //= R4.6
        #[test]
        fn an_untouched_chain_is_good_from_any_of_its_links_on(
            events in vec(event(), 1..12), from in 0_usize..12,
        ) {
            let links = chain(&account("a"), &events);
            let end = links.last().map(Link::point);
            prop_assert_eq!(verify(&account("a"), None, &links), Ok(end));
            let (before, after) = links.split_at(from.min(links.len()));
            let start = before.last().map(Link::point);
            prop_assert_eq!(verify(&account("a"), start, after), Ok(end));
        }

        //= R4.6
        #[test]
        fn a_link_that_says_something_else_is_found(
            events in vec(event(), 1..8), at in 0_usize..8, field in 0_usize..13, other in event(),
        ) {
            let mut links = chain(&account("a"), &events);
            let at = at % links.len();
            if let Some(altered) = altered(&links[at], field, &other) {
                links[at] = altered;
                let broken = verify(&account("a"), None, &links).unwrap_err();
                prop_assert_eq!(broken.position, at);
            }
        }

        //= R4.6
        #[test]
        fn one_that_was_given_a_hash_that_fits_is_found_by_the_next(
            events in vec(event(), 2..8), at in 0_usize..8, field in 0_usize..8, other in event(),
        ) {
            let mut links = chain(&account("a"), &events);
            let at = at % (links.len() - 1);
            if let Some(mut altered) = altered(&links[at], field, &other) {
                altered.hash = altered.computed();
                links[at] = altered;
                let broken = verify(&account("a"), None, &links).unwrap_err();
                prop_assert_eq!(broken, Broken { position: at + 1, fault: Fault::OutOfPlace });
            }
        }

        //= R4.6
        #[test]
        fn what_is_removed_inserted_or_moved_is_found(
            events in vec(event(), 3..10), one in 0_usize..10, other in 0_usize..10,
        ) {
            let links = chain(&account("a"), &events);
            let (one, other) = (one % links.len(), other % links.len());
            let (first, last) = (one.min(other), one.max(other));
            let check = |links: &[Link]| verify(&account("a"), None, links);
            if last + 1 < links.len() {
                let mut gap = links.clone();
                gap.drain(first..=last);
                prop_assert_eq!(check(&gap).unwrap_err().position, first);
            }
            let mut twice = links.clone();
            twice.insert(first, links[first].clone());
            prop_assert_eq!(check(&twice).unwrap_err().position, first + 1);
            if first != last {
                let mut swapped = links.clone();
                swapped.swap(first, last);
                prop_assert_eq!(check(&swapped).unwrap_err().position, first);
            }
            // At the end there is nothing after it to tell: the end itself is another.
            let (kept, _) = links.split_at(last);
            prop_assert_ne!(check(kept).unwrap(), links.last().map(Link::point));
        }

        //= R4.6
        #[test]
        fn a_days_chain_starts_at_one_and_days_never_go_back(events in vec(event(), 1..12)) {
            let links = chain(&account("a"), &events);
            for pair in links.windows(2) {
                let (one, next) = (&pair[0], &pair[1]);
                prop_assert!(one.point() < next.point());
                prop_assert_eq!(next.number == 1, one.day < next.day);
                prop_assert!(next.day >= Day::of(next.event.at));
            }
        }
    }

    #[test]
    fn a_hash_reads_back_what_it_wrote_and_nothing_else() {
        let hash = Hash::new(&(0..32).map(|n| n * 7).collect::<Vec<u8>>()).unwrap();
        assert_eq!(Hash::parse(&hash.to_string()), Some(hash));
        let text = hash.to_string();
        let longer = format!("{text}0");
        for bad in ["", &text.to_uppercase(), &text.repeat(2), &longer, &"g".repeat(64)] {
            assert_eq!(Hash::parse(bad), None, "{bad:?}");
        }
        assert_eq!(Hash::new(&[0; 31]), None);
    }

    /// Whoever checks a chain without this code needs the layout to stay.
    #[test]
    fn the_hash_of_a_link_is_what_the_documentation_says() {
        let event = Event {
            id: EventId::parse("e1").unwrap(),
            at: "2026-12-01T04:41:00Z".parse().unwrap(),
            actor: Actor::Member(MemberId::parse("m1").unwrap()),
            action: Action::Disconnect,
            outcome: Outcome::Done,
            subjects: vec![Subject::parse("connection c1").unwrap()],
            address: Some(AddressId::parse("ip").unwrap()),
            user_agent: None,
        };
        let link = Link::after(None, &account("a"), event);
        let zero = "0".repeat(64);
        let texts = [
            "numib audit link 1",
            "a",
            "2026-12-01",
            "1",
            &zero,
            "e1",
            "1796100060000",
            "member m1",
            "disconnect",
            "done",
            "1",
            "connection c1",
            "1",
            "ip",
            "0",
        ];
        let mut bytes = Vec::new();
        for text in texts {
            bytes.extend(u64::try_from(text.len()).unwrap().to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        let expected = digest::digest(&SHA256, &bytes);
        assert_eq!(link.hash.as_bytes(), expected.as_ref());
    }
}
