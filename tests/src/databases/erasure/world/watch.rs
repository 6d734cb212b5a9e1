//! Watches the raw tables: what comes to be there, what goes, and by whose hand.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use numib::domain::data_kind::DataKind;
use numib::domain::erasure::Target;

use super::actors::Who;
use super::plan::is_row;
use crate::database::{Database, Item};
use crate::wire::Call;

pub(super) type Key = (String, String);

/// What a row of the messages table holds; nothing of it, for an item of another table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Row {
    pub(super) unsent: bool,
    pub(super) sent_at: Option<Timestamp>,
    pub(super) num_edit: Option<u32>,
}

/// Something that was there and is not any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gone {
    pub(super) kind: DataKind,
    pub(super) key: Key,
    pub(super) made_by: Who,
    pub(super) by: Who,
    /// The row is there, but it is a tombstone now.
    pub(super) is_tombstone: bool,
    /// A receipt has to tell of it; else it may.
    pub(super) counts: bool,
}

struct Life {
    row: Row,
    made_by: Who,
    /// An erasure of it was under way when it was written.
    is_under_way: bool,
}

pub(super) struct Watch {
    /// What is asked for, by all doors together.
    cover: BTreeSet<Target>,
    lives: BTreeMap<(DataKind, Key), Life>,
    /// Of requests: where the sweep of a conversation, or of a target with all of them, has ended.
    ended: BTreeSet<(String, usize, Option<String>)>,
    pub(super) gone: Vec<Gone>,
    /// What must not go, and went.
    pub(super) lost: Vec<String>,
}

/// The tables at a moment.
pub(super) struct Tables {
    pub(super) messages: BTreeMap<Key, Item>,
    pub(super) core: BTreeMap<Key, Item>,
    pub(super) keys: BTreeMap<Key, Item>,
}

impl Tables {
    pub(super) async fn read(db: &Database) -> Self {
        let by_key = async |table: &str| {
            let items = db.items(table).await.into_iter();
            items.map(|item| ((text(&item, "pk"), text(&item, "sk")), item)).collect()
        };
        Self {
            messages: by_key(&db.tables.messages).await,
            core: by_key(&db.tables.core).await,
            keys: by_key(&db.tables.keys).await,
        }
    }

    /// What is watched.
    fn watched(&self) -> BTreeMap<(DataKind, Key), Row> {
        let messages = self.messages.iter();
        let messages = messages.map(|(key, item)| ((DataKind::Message, key.clone()), row(item)));
        let others = self.core.keys().chain(self.keys.keys());
        let others = others.filter_map(|key| Some(((kind(key)?, key.clone()), Row::default())));
        messages.chain(others).collect()
    }

    /// Requests with their targets, their state and how many targets are swept.
    fn requests(&self) -> impl Iterator<Item = (&str, Vec<Target>, &str, usize)> {
        let facts = self.core.iter().filter(|((_, sk), _)| sk == "REQUEST");
        facts.filter_map(|((pk, _), facts)| {
            let progress = self.core.get(&(pk.clone(), "PROGRESS".to_owned()))?;
            let targets = facts["targets"].as_l().unwrap().iter();
            let targets = targets.map(|one| Target::parse(one.as_s().unwrap()).unwrap());
            let swept = progress["targets_swept"].as_n().unwrap().parse().unwrap();
            Some((
                pk.as_str(),
                targets.collect(),
                progress["state"].as_s().unwrap().as_str(),
                swept,
            ))
        })
    }
}

pub(super) fn text(item: &Item, name: &str) -> String {
    item.get(name).map(|value| value.as_s().unwrap().clone()).unwrap_or_default()
}

fn number(item: &Item, name: &str) -> Option<i64> {
    item.get(name).map(|value| value.as_n().unwrap().parse().unwrap())
}

pub(super) fn row(item: &Item) -> Row {
    Row {
        unsent: item.get("unsent") == Some(&AttributeValue::Bool(true)),
        sent_at: number(item, "sent_at").map(|at| Timestamp::from_millisecond(at).unwrap()),
        num_edit: number(item, "num_edit").map(|number| u32::try_from(number).unwrap()),
    }
}

fn kind((pk, sk): &Key) -> Option<DataKind> {
    let is = |first: &str, second: &str| pk.starts_with(first) && sk.starts_with(second);
    if is("CONNECTION#", "CONTACT#") {
        Some(DataKind::Contact)
    } else if is("CONNECTION#", "DAY#") {
        Some(DataKind::DayKey)
    } else if is("ROUTE#", "INDEX") {
        Some(DataKind::IndexKey)
    } else if is("ACCOUNT#", "MEMBER#") {
        Some(DataKind::Member)
    } else {
        None
    }
}

/// Whether erasing a target takes this away.
pub(super) fn takes(target: &Target, kind: DataKind, key: &Key, row: Row) -> bool {
    let (pk, sk) = key;
    match target {
        Target::Account { account } => {
            kind == DataKind::Member && *pk == format!("ACCOUNT#{account}")
        }
        Target::Member { member, .. } => {
            kind == DataKind::Member && *sk == format!("MEMBER#{member}")
        }
        Target::Connection { route, connection, .. } => match kind {
            DataKind::Message => pk.starts_with(&format!("{connection}.")),
            DataKind::IndexKey => *pk == format!("ROUTE#{route}"),
            _ => *pk == format!("CONNECTION#{connection}"),
        },
        Target::Contact { conversation, until, .. } => {
            // An edit whose message has not come is of its own day: all of today's go.
            let is_early = row.sent_at.is_none_or(|at| at <= *until);
            kind == DataKind::Message && *pk == conversation.to_string() && !row.unsent && is_early
        }
        Target::Message { .. } => kind == DataKind::Message && is_row(target, key) && !row.unsent,
    }
}

impl Watch {
    pub(super) async fn start(db: &Database, cover: BTreeSet<Target>) -> Self {
        let lives = Tables::read(db).await.watched().into_iter();
        let life = |row| Life { row, made_by: Who::Setup, is_under_way: false };
        let lives = lives.map(|(key, row)| (key, life(row))).collect();
        Self { cover, lives, ended: BTreeSet::new(), gone: Vec::new(), lost: Vec::new() }
    }

    pub(super) fn covers(&self, kind: DataKind, key: &Key, row: Row) -> bool {
        self.cover.iter().any(|target| takes(target, kind, key, row))
    }

    /// Looks at what a request has changed.
    pub(super) async fn look(&mut self, db: &Database, by: Who, call: &Call) {
        if ["GetItem", "BatchGetItem", "Query"].contains(&call.operation.as_str()) {
            return;
        }
        let tables = Tables::read(db).await;
        let mut now = tables.watched();
        let before = std::mem::take(&mut self.lives);
        for ((kind, key), mut life) in before {
            let Some(row) = now.remove(&(kind, key.clone())) else {
                self.removed((kind, &key), &life, by, &tables);
                continue;
            };
            if row.unsent && !life.row.unsent && matches!(by, Who::Door(_) | Who::Worker(_)) {
                self.removed((kind, &key), &life, by, &tables);
                let gone = self.gone.last_mut().filter(|gone| gone.key == key);
                if let Some(gone) = gone {
                    gone.is_tombstone = true;
                }
                life.made_by = by;
            }
            life.row = row;
            self.lives.insert((kind, key), life);
        }
        for ((kind, key), row) in now {
            let is_under_way = self.is_under_way((kind, &key), row, &tables);
            self.lives.insert((kind, key), Life { row, made_by: by, is_under_way });
        }
        self.note_ends(&tables, by, call);
    }

    fn removed(&mut self, (kind, key): (DataKind, &Key), life: &Life, by: Who, tables: &Tables) {
        let Life { row, made_by, is_under_way } = life;
        if !self.covers(kind, key, *row) {
            // Of a contact's tombstones an erasure says nothing.
            if !row.unsent {
                self.lost.push(format!("{by} removed {kind:?} {key:?}, which nothing covers"));
            }
            return;
        }
        let by_intake = matches!(by, Who::Intake(_));
        let is_of_after = *made_by != Who::Setup && !is_under_way;
        let is_own = *made_by == by;
        let still = self.is_under_way((kind, key), *row, tables);
        // What intake writes once an erasure has ended, and takes back, is nobody's to count.
        let is_untold = by_intake && ((is_own && !still) || (is_of_after && self.has_ended(key)));
        self.gone.push(Gone {
            kind,
            key: key.clone(),
            made_by: *made_by,
            by,
            is_tombstone: false,
            counts: !is_untold,
        });
    }

    fn has_ended(&self, (pk, _): &Key) -> bool {
        self.ended.iter().any(|(_, _, of)| of.as_ref().is_none_or(|of| of == pk))
    }

    /// Whether a request that takes this away has set its marks, and has not swept it yet.
    fn is_under_way(&self, (kind, key): (DataKind, &Key), row: Row, tables: &Tables) -> bool {
        let has_ended = |request: &str, target: usize| {
            [None, Some(key.0.clone())]
                .into_iter()
                .any(|of| self.ended.contains(&(request.to_owned(), target, of)))
        };
        tables.requests().any(|(request, targets, state, _)| {
            ["requested", "shredded", "sweeping"].contains(&state)
                && targets.iter().enumerate().any(|(number, target)| {
                    takes(target, kind, key, row)
                        && is_marked(target, row, tables)
                        && !has_ended(request, number)
                })
        })
    }

    /// The sweep of a conversation ends when its contact is settled or deleted.
    fn note_ends(&mut self, tables: &Tables, by: Who, call: &Call) {
        if !matches!(by, Who::Worker(_)) {
            return;
        }
        let key = |name: &str| call.body["Key"][name]["S"].as_str().unwrap_or_default();
        let connection = key("pk").strip_prefix("CONNECTION#");
        let settled = connection.zip(key("sk").strip_prefix("CONTACT#"));
        let settled = settled.map(|(connection, contact)| format!("{connection}.{contact}"));
        for (request, targets, _, swept) in tables.requests() {
            for number in 0..targets.len() {
                if number < swept {
                    self.ended.insert((request.to_owned(), number, None));
                }
                if let Some(conversation) = &settled {
                    let of = Some(conversation.clone());
                    self.ended.insert((request.to_owned(), number, of));
                }
            }
        }
    }
}

fn is_marked(target: &Target, row: Row, tables: &Tables) -> bool {
    match target {
        Target::Connection { route, .. } => {
            let key = (format!("ROUTE#{route}"), "CONNECTION".to_owned());
            tables.core.get(&key).is_none_or(|item| text(item, "state") == "erased")
        }
        Target::Contact { conversation, .. } => {
            let pk = format!("CONNECTION#{}", conversation.connection);
            let contact = tables.core.get(&(pk, format!("CONTACT#{}", conversation.contact)));
            let erased_at = contact.and_then(|contact| number(contact, "erased_at"));
            let sent_at = row.sent_at.map_or(0, Timestamp::as_millisecond);
            erased_at.is_some_and(|erased_at| sent_at <= erased_at)
        }
        Target::Account { .. } | Target::Member { .. } | Target::Message { .. } => false,
    }
}
