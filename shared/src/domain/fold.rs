//! One change per message: the sum of what a webhook body says about it, in whatever order.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::ids::{Channel, MetaId, Mid};
use super::update::{Content, Edit, Event, Ignored, Update};

/// Everything one body says about one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The Meta product.
    pub channel: Channel,
    /// The business's account.
    pub account: MetaId,
    /// The person on the other side.
    pub contact: MetaId,
    /// The message.
    pub mid: Mid,
    /// What is left to do once the body's duplicates and contradictions are settled.
    pub action: Action,
}

/// What a body asks for one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Keep the message out for good (R8.2). An unsend beats every message and edit of the same
    /// body.
    Unsend {
        /// When the message was taken back, by Meta's clock.
        at: Timestamp,
    },
    /// Store the message, with the latest edit the body also brought.
    Store {
        /// What it says.
        message: Dated<Content>,
        /// Its latest edit, if the body has one.
        edit: Option<Dated<Edit>>,
    },
    /// Change the text of a message that this body does not contain.
    Edit(Dated<Edit>),
}

impl Action {
    /// How many of the body's updates the action stands for.
    #[must_use]
    pub const fn updates(&self) -> usize {
        match self {
            Self::Store { edit: Some(_), .. } => 2,
            Self::Store { edit: None, .. } | Self::Edit(_) | Self::Unsend { .. } => 1,
        }
    }

    /// When it happened.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Unsend { at } => *at,
            Self::Store { message, .. } => message.at,
            Self::Edit(edit) => edit.at,
        }
    }
}

/// Something with the time at which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated<T> {
    /// When it happened, by Meta's clock.
    pub at: Timestamp,
    /// What happened.
    pub what: T,
}

#[derive(Default)]
struct Sum {
    message: Option<Dated<Content>>,
    edit: Option<Dated<Edit>>,
    unsent: Option<Timestamp>,
    contact: Option<MetaId>,
}

/// Folds the updates of one body. The first message of a `mid` wins, the highest edit wins, and an
/// unsend beats both. All other updates are returned as ignored. An update without a time happened
/// `now`.
///
/// Every update is accounted for: it takes effect in a change, or it is ignored.
#[must_use]
pub fn fold(updates: Vec<Update>, now: Timestamp) -> (Vec<Change>, Vec<Ignored>) {
    let mut sums: BTreeMap<(Channel, MetaId, Mid), Sum> = BTreeMap::new();
    let mut ignored = Vec::new();
    for update in updates {
        let at = update.at.unwrap_or(now);
        let key = (update.channel, update.account, update.mid);
        let sum = sums.entry(key).or_default();
        sum.contact.get_or_insert(update.contact);
        ignored.extend(sum.add(at, update.event));
    }
    let mut changes = Vec::with_capacity(sums.len());
    for ((channel, account, mid), sum) in sums {
        let (action, contact, beaten) = sum.settle();
        ignored.extend(beaten);
        if let (Some(action), Some(contact)) = (action, contact) {
            changes.push(Change { channel, account, contact, mid, action });
        }
    }
    (changes, ignored)
}

impl Sum {
    /// Takes one more event in. Returns why that event, or the one that it replaces, is ignored.
    fn add(&mut self, at: Timestamp, event: Event) -> Option<Ignored> {
        match event {
            Event::Message(_) if self.message.is_some() => Some(Ignored::Duplicate),
            Event::Message(content) => {
                self.message = Some(Dated { at, what: content });
                None
            }
            Event::Unsend if self.unsent.is_some() => Some(Ignored::DuplicateUnsend),
            Event::Unsend => {
                self.unsent = Some(at);
                None
            }
            Event::Edit(edit) => {
                let known = self.edit.as_ref().map(|known| known.what.num_edit);
                let newer = known.is_none_or(|known| edit.num_edit > known);
                if newer {
                    self.edit = Some(Dated { at, what: edit });
                }
                known.map(|_| Ignored::StaleEdit)
            }
        }
    }

    /// The action that is left, and why the other events are ignored.
    fn settle(self) -> (Option<Action>, Option<MetaId>, Vec<Ignored>) {
        if let Some(at) = self.unsent {
            let parts = [self.message.is_some(), self.edit.is_some()];
            let beaten = parts.into_iter().filter(|part| *part).map(|_| Ignored::Unsent);
            return (Some(Action::Unsend { at }), self.contact, beaten.collect());
        }
        let action = match (self.message, self.edit) {
            (Some(message), edit) => Some(Action::Store { message, edit }),
            (None, Some(edit)) => Some(Action::Edit(edit)),
            (None, None) => None,
        };
        (action, self.contact, Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::personal::Personal;
    use crate::domain::update::{Direction, Kind};

    fn update(mid: &str, event: Event) -> Update {
        Update {
            channel: Channel::Messenger,
            account: Personal::from("9001".to_owned()),
            contact: Personal::from("7001".to_owned()),
            mid: Personal::from(mid.to_owned()),
            at: Timestamp::from_second(1_796_100_000).ok(),
            event,
        }
    }

    fn message(text: &str) -> Event {
        let text = Some(Personal::from(text.to_owned()));
        Event::Message(Content { direction: Direction::In, kind: Kind::Text, text })
    }

    fn edit(num_edit: u32) -> Event {
        Event::Edit(Edit { num_edit, text: Personal::from(format!("edit {num_edit}")) })
    }

    fn folded(events: Vec<Event>) -> (Vec<Change>, Vec<Ignored>) {
        let updates = events.into_iter().map(|event| update("m1", event)).collect();
        fold(updates, Timestamp::UNIX_EPOCH)
    }

    //= R8.2
    #[test]
    fn an_unsend_beats_message_and_edit_whichever_comes_first() {
        for events in
            [vec![message("a"), edit(1), Event::Unsend], vec![Event::Unsend, edit(1), message("a")]]
        {
            let (changes, ignored) = folded(events);
            assert_eq!(changes.len(), 1);
            assert!(matches!(changes[0].action, Action::Unsend { .. }));
            assert_eq!(ignored, [Ignored::Unsent, Ignored::Unsent]);
        }
    }

    #[test]
    fn the_first_message_wins_and_the_highest_edit_wins() {
        let (changes, ignored) = folded(vec![edit(2), message("a"), edit(1), message("b")]);
        let Action::Store { message, edit: Some(edit) } = &changes[0].action else {
            panic!("stored with its edit");
        };
        assert_eq!(message.what.text, Some(Personal::from("a".to_owned())));
        assert_eq!(edit.what.num_edit, 2);
        assert_eq!(ignored, [Ignored::StaleEdit, Ignored::Duplicate]);
    }

    #[test]
    fn the_same_mid_on_another_account_is_another_message() {
        let mut other = update("m1", message("b"));
        other.account = Personal::from("9002".to_owned());
        let (changes, ignored) =
            fold(vec![update("m1", message("a")), other], Timestamp::UNIX_EPOCH);
        assert_eq!((changes.len(), ignored.len()), (2, 0));
    }

    proptest! {
        #[test]
        fn every_update_is_accounted_for_and_order_does_not_matter(
            events in prop::collection::vec((0_usize..3, 0_u32..4), 0..12).prop_shuffle(),
        ) {
            let updates = |events: &[(usize, u32)]| events.iter().map(|(mid, what)| {
                let event = match what { 0 => message("same"), 3 => Event::Unsend, n => edit(*n) };
                update(&format!("m{mid}"), event)
            }).collect::<Vec<_>>();
            let total = events.len();
            let (changes, ignored) = fold(updates(&events), Timestamp::UNIX_EPOCH);
            let effective: usize = changes.iter().map(|change| change.action.updates()).sum();
            prop_assert_eq!(effective + ignored.len(), total);
            let reversed: Vec<_> = events.into_iter().rev().collect();
            prop_assert_eq!(fold(updates(&reversed), Timestamp::UNIX_EPOCH).0, changes);
        }
    }
}
