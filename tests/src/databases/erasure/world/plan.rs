//! What happens in a world: what webhooks say, and who asks for which erasure. All of it comes from
//! the seed.

use jiff::Timestamp;
use numib::domain::erasure::{Source, Target};
use numib::domain::hold::Held;
use numib::domain::ids::{MemberId, MessageId};
use numib::erasure::Asked;
use serde_json::{Value, json};

use super::super::{connection, contact, message};
use super::dice::Dice;
use crate::shop::{Shop, ago, now};

pub(super) const CONTACTS: [&str; 3] = ["7001", "7002", "7003"];
/// Contacts of the second shop. The bodies speak of the first one, and not of the other.
pub(super) const BESIDE: [&str; 2] = ["7008", "7009"];

/// The shop that a message belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    /// The shop that may be erased.
    Own,
    /// Another channel of the same account.
    Beside,
}

/// A message of a contact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Message {
    pub(super) whose: Whose,
    pub(super) contact: &'static str,
    pub(super) mid: String,
    /// Milliseconds ago.
    pub(super) age: i64,
}

/// What a webhook says about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Word {
    Text,
    Edit(u32),
    Unsend,
}

/// What a webhook says, item by item.
pub(super) type Body = Vec<(Message, Word)>;

/// Bodies that one container takes in, one after the other.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub(super) bodies: Vec<usize>,
    /// Whether the delivery comes only after all erasures have ended.
    pub(super) is_late: bool,
}

/// The shops of a world. They have the same names in every world, so that a seed has one order.
pub(super) struct Shops {
    pub(super) own: Shop,
    pub(super) beside: Shop,
    /// The shop of another account.
    pub(super) stranger: Shop,
}

impl Shops {
    pub(super) const fn of(&self, whose: Whose) -> &Shop {
        match whose {
            Whose::Own => &self.own,
            Whose::Beside => &self.beside,
        }
    }

    /// What Meta posts.
    pub(super) fn webhook(&self, body: &Body) -> Value {
        let entries = [Whose::Own, Whose::Beside].map(|whose| {
            let shop = self.of(whose);
            let items: Vec<Value> =
                body.iter().filter(|one| one.0.whose == whose).map(|one| item(shop, one)).collect();
            (!items.is_empty()).then(|| shop.entry(&items))
        });
        let entries: Vec<Value> = entries.into_iter().flatten().collect();
        json!({"object": "page", "entry": entries})
    }

    /// The row of a message.
    pub(super) fn row(&self, message: &Message) -> (String, String) {
        let key = self.of(message.whose).key(message.contact, &message.mid);
        (key.conversation.to_string(), key.message.to_string())
    }
}

/// When something was said. Edits and unsends come soon after their message, so an erasure covers
/// both or neither.
fn said_at(message: &Message, word: Word) -> Timestamp {
    let later = match word {
        Word::Text => 0,
        Word::Edit(number) => i64::from(number) * 100,
        Word::Unsend => 300,
    };
    ago(message.age - later)
}

fn item(shop: &Shop, (message, word): &(Message, Word)) -> Value {
    let Message { contact, mid, .. } = message;
    let at = said_at(message, *word);
    match word {
        Word::Text => shop.text(contact, at, mid, "hi"),
        Word::Edit(number) => shop.edit(contact, at, mid, (*number, "edited")),
        Word::Unsend => shop.unsend(contact, at, mid),
    }
}

/// Everything that the seed decides beforehand.
pub(super) struct Plan {
    /// The older rows: a body for each contact that has some.
    pub(super) old: Vec<Body>,
    pub(super) bodies: Vec<Body>,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) doors: Vec<Asked>,
    pub(super) held: Option<Held>,
}

impl Plan {
    pub(super) fn draw(dice: &mut Dice, shops: &Shops, member: &MemberId) -> Self {
        let contacts = &CONTACTS[..dice.from(1..=CONTACTS.len())];
        let words = words(dice, contacts);
        let messages: Vec<Message> = words.iter().map(|(message, _)| message.clone()).collect();
        let mut old = Vec::new();
        for contact in contacts.iter().chain(&BESIDE) {
            if dice.one_in(3) && *contact != BESIDE[1] {
                continue;
            }
            let of_contact = words.iter().filter(|(message, _)| message.contact == *contact);
            let body: Body = of_contact.filter(|_| !dice.one_in(3)).cloned().collect();
            if !body.is_empty() {
                old.push(body);
            }
        }
        let told = words.iter().filter(|(message, _)| message.contact != BESIDE[1]);
        let told: Vec<_> = told.cloned().collect();
        let body = |dice: &mut Dice| -> Body {
            (0..dice.from(1..=5)).map(|_| dice.pick(&told).clone()).collect()
        };
        let mut bodies: Vec<Body> = (0..dice.from(1..=4)).map(|_| body(dice)).collect();
        if let Some(before) = old.first()
            && dice.one_in(2)
        {
            // A redelivery of what is stored.
            bodies.push(before.clone());
        }
        let deliveries = deliveries(dice, bodies.len());
        let doors = doors(dice, (shops, member), (contacts, &messages));
        let held = dice.one_in(4).then(|| record(dice, shops, &doors)).flatten();
        Self { old, bodies, deliveries, doors, held }
    }
}

/// Two or three messages of each contact, and what webhooks say about them.
fn words(dice: &mut Dice, contacts: &[&'static str]) -> Body {
    let mut words = Vec::new();
    let own = contacts.iter().map(|contact| (Whose::Own, *contact));
    let mut age = 9000;
    for (whose, contact) in own.chain(BESIDE.map(|contact| (Whose::Beside, contact))) {
        for number in 0..dice.from(1..=3) {
            age -= 500;
            let mid = format!("m_{contact}_{number}");
            let message = Message { whose, contact, mid, age };
            words.push((message.clone(), Word::Text));
            for number in 1..=dice.from(0..=2) {
                words.push((message.clone(), Word::Edit(u32::try_from(number).unwrap())));
            }
            if dice.one_in(5) {
                words.push((message, Word::Unsend));
            }
        }
    }
    words
}

/// Each body is delivered once. Some are delivered again, in the middle of everything or after it.
fn deliveries(dice: &mut Dice, bodies: usize) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    for body in 0..bodies {
        let mut together = vec![body];
        if dice.one_in(4) {
            together.push(dice.below(bodies));
        }
        deliveries.push(Delivery { bodies: together, is_late: false });
        for is_late in [false, true] {
            if dice.one_in(2) {
                deliveries.push(Delivery { bodies: vec![body], is_late });
            }
        }
    }
    deliveries
}

/// What one or two doors are asked to erase.
fn doors(
    dice: &mut Dice,
    of: (&Shops, &MemberId),
    among: (&[&'static str], &[Message]),
) -> Vec<Asked> {
    let mut doors = vec![door(dice, of, among)];
    if dice.one_in(2) {
        let again = if dice.one_in(3) { doors[0].clone() } else { door(dice, of, among) };
        doors.push(again);
    }
    doors
}

fn door(
    dice: &mut Dice,
    (shops, member): (&Shops, &MemberId),
    (contacts, messages): (&[&'static str], &[Message]),
) -> Asked {
    let own: Vec<&Message> = messages.iter().filter(|one| one.whose == Whose::Own).collect();
    let account = shops.own.connection.account.clone();
    // Everything, or about half.
    let until = if dice.one_in(3) { ago(7550) } else { now() };
    let any_contact = |dice: &mut Dice| {
        let name: &&str = dice.pick(contacts);
        contact(&shops.own, name, until)
    };
    let any_message = |dice: &mut Dice| {
        let Message { contact, mid, .. } = dice.pick(&own);
        message(&shops.own, contact, mid)
    };
    let (source, targets) = match dice.below(20) {
        0..=6 => (Source::Disconnect, vec![connection(&shops.own)]),
        7..=12 => (Source::Account, vec![any_contact(dice)]),
        13..=14 => (Source::Account, vec![any_message(dice)]),
        15..=16 => {
            let mut targets = vec![any_contact(dice), any_contact(dice), any_message(dice)];
            targets.sort();
            targets.dedup();
            (Source::MetaDeletion, targets)
        }
        17 => (Source::MetaDeletion, vec![any_contact(dice), connection(&shops.own)]),
        18 => (Source::Minor, vec![Target::Member { account, member: member.clone() }]),
        _ => {
            let channels = [connection(&shops.own), connection(&shops.beside)];
            let all = [Target::Account { account }].into_iter().chain(channels);
            (Source::AccountDeletion, all.collect())
        }
    };
    // A person who asks for themselves has the same subject, whatever is held of them by then.
    let subject: Vec<String> = match dice.below(3) {
        0 => vec!["someone".to_owned()],
        _ => targets.iter().map(Target::subject).collect(),
    };
    let subject = subject.join(" ");
    Asked { source, reference: None, subject, targets, due_at: None }
}

/// A record on which a hold keeps the first target.
fn record(dice: &mut Dice, shops: &Shops, doors: &[Asked]) -> Option<Held> {
    let whole = Held::Connection(shops.own.connection.id.clone());
    match &doors[0].targets[0] {
        Target::Account { .. } | Target::Member { .. } => None,
        Target::Connection { .. } => Some(whole),
        Target::Contact { conversation, .. } | Target::Message { conversation, .. } => {
            let narrow = Held::Contact(conversation.clone());
            Some(if dice.one_in(2) { whole } else { narrow })
        }
    }
}

/// Whether a target is exactly this row.
pub(super) fn is_row(target: &Target, (pk, sk): &(String, String)) -> bool {
    match target {
        Target::Message { conversation, message, .. } => {
            conversation.to_string() == *pk && MessageId::as_str(message) == sk
        }
        Target::Account { .. }
        | Target::Member { .. }
        | Target::Connection { .. }
        | Target::Contact { .. } => false,
    }
}
