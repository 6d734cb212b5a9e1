//! Watches the raw tables: what appears, what goes, and who did it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use numib::domain::data_kind::DataKind;
use numib::domain::erasure::Target;
use numib::store;
use serde_json::{Value, json};

use super::actors::Who;
use super::plan::is_row;
use crate::wire::Call;

pub(super) type Key = (String, String);
/// Attributes by name, as DynamoDB writes them in JSON.
pub(super) type Item = Value;

/// What is known of a row of `messages`; empty for an item of another table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Row {
    pub(super) unsent: bool,
    pub(super) sent_at: Option<Timestamp>,
    pub(super) num_edit: Option<u32>,
}

/// Something that was there and is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gone {
    pub(super) kind: DataKind,
    pub(super) key: Key,
    pub(super) made_by: Who,
    pub(super) by: Who,
    /// Whether the row is there as a tombstone now.
    pub(super) is_tombstone: bool,
    /// Whether a receipt must count it. Otherwise a receipt may.
    pub(super) counts: bool,
}

struct Life {
    row: Row,
    made_by: Who,
    /// Whether an erasure of it was under way when it was written.
    is_under_way: bool,
}

pub(super) struct Watch {
    raw: Raw,
    tables: Tables,
    /// The targets of all requests together.
    cover: BTreeSet<Target>,
    lives: BTreeMap<(DataKind, Key), Life>,
    /// The sweeps that have ended: of a request, a target, and a conversation if it is only one.
    ended: BTreeSet<(String, usize, Option<String>)>,
    pub(super) gone: Vec<Gone>,
    /// What is gone although nobody asked for it.
    pub(super) lost: Vec<String>,
}

/// The tables, read past every wire.
#[derive(Clone)]
pub(super) struct Raw {
    dynoxide: dynoxide::Database,
    names: store::Tables,
}

impl Raw {
    pub(super) const fn new(dynoxide: dynoxide::Database, names: store::Tables) -> Self {
        Self { dynoxide, names }
    }

    /// All items of a table.
    fn read(&self, table: &str) -> BTreeMap<Key, Item> {
        let all = json!({"TableName": table, "ConsistentRead": true});
        let found = self.dynoxide.scan(serde_json::from_value(all).unwrap()).unwrap();
        let mut found = serde_json::to_value(found).unwrap();
        assert_eq!(found["LastEvaluatedKey"], Value::Null, "more than a page");
        let Value::Array(items) = found["Items"].take() else { return BTreeMap::new() };
        items.into_iter().map(|item| ((text(&item, "pk"), text(&item, "sk")), item)).collect()
    }

    pub(super) fn tables(&self) -> Tables {
        Tables {
            messages: self.read(&self.names.messages),
            core: self.read(&self.names.core),
            keys: self.read(&self.names.keys),
        }
    }

    /// Reads the tables again that a request may have written to.
    fn read_again(&self, tables: &mut Tables, call: &Call) {
        let text = call.body.to_string();
        let names = &self.names;
        for (name, table) in [
            (&names.messages, &mut tables.messages),
            (&names.core, &mut tables.core),
            (&names.keys, &mut tables.keys),
        ] {
            if text.contains(name.as_str()) {
                *table = self.read(name);
            }
        }
    }
}

/// The tables at a moment.
pub(super) struct Tables {
    pub(super) messages: BTreeMap<Key, Item>,
    pub(super) core: BTreeMap<Key, Item>,
    pub(super) keys: BTreeMap<Key, Item>,
}

impl Tables {
    /// The items that are watched.
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
            let targets = facts["targets"]["L"].as_array().unwrap().iter();
            let targets = targets.map(|one| Target::parse(one["S"].as_str().unwrap()).unwrap());
            let swept = usize::try_from(number(progress, "targets_swept").unwrap()).unwrap();
            Some((pk.as_str(), targets.collect(), progress["state"]["S"].as_str().unwrap(), swept))
        })
    }
}

pub(super) fn text(item: &Item, name: &str) -> String {
    item[name]["S"].as_str().unwrap_or_default().to_owned()
}

fn number(item: &Item, name: &str) -> Option<i64> {
    item[name]["N"].as_str().map(|number| number.parse().unwrap())
}

pub(super) fn row(item: &Item) -> Row {
    Row {
        unsent: item["unsent"]["BOOL"] == true,
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

/// Whether erasing a target takes this item away.
pub(super) fn takes(target: &Target, kind: DataKind, key: &Key, row: Row) -> bool {
    let (pk, sk) = key;
    match target {
        Target::Account { account } => {
            kind == DataKind::Member && *pk == format!("ACCOUNT#{account}")
        }
        Target::Member { member, .. } => {
            kind == DataKind::Member && *sk == format!("MEMBER#{member}")
        }
        Target::Connection { route, connection, .. } => {
            *pk == format!("CONNECTION#{connection}")
                || (kind == DataKind::IndexKey && *pk == format!("ROUTE#{route}"))
                || (kind == DataKind::Message && pk.starts_with(&format!("{connection}.")))
        }
        Target::Contact { conversation, until, .. } => {
            // An edit that waits for its message has its own time: all edits of today go.
            let is_early = row.sent_at.is_none_or(|at| at <= *until);
            kind == DataKind::Message && *pk == conversation.to_string() && !row.unsent && is_early
        }
        Target::Message { .. } => kind == DataKind::Message && is_row(target, key) && !row.unsent,
    }
}

impl Watch {
    pub(super) fn start(raw: Raw, cover: BTreeSet<Target>) -> Self {
        let tables = raw.tables();
        let lives = tables.watched().into_iter();
        let life = |row| Life { row, made_by: Who::Setup, is_under_way: false };
        let lives = lives.map(|(key, row)| (key, life(row))).collect();
        let (ended, gone, lost) = (BTreeSet::new(), Vec::new(), Vec::new());
        Self { raw, tables, cover, lives, ended, gone, lost }
    }

    pub(super) fn covers(&self, kind: DataKind, key: &Key, row: Row) -> bool {
        self.cover.iter().any(|target| takes(target, kind, key, row))
    }

    /// Looks at what a request has changed.
    pub(super) fn look(&mut self, by: Who, call: &Call) {
        if ["GetItem", "BatchGetItem", "Query"].contains(&call.operation.as_str()) {
            return;
        }
        self.raw.read_again(&mut self.tables, call);
        let mut now = self.tables.watched();
        let before = std::mem::take(&mut self.lives);
        for ((kind, key), mut life) in before {
            let Some(row) = now.remove(&(kind, key.clone())) else {
                self.removed((kind, &key), &life, by);
                continue;
            };
            if row.unsent && !life.row.unsent && matches!(by, Who::Door(_) | Who::Worker(_)) {
                self.removed((kind, &key), &life, by);
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
            let is_under_way = self.is_under_way((kind, &key), row);
            self.lives.insert((kind, key), Life { row, made_by: by, is_under_way });
        }
        self.note_ends(by, call);
    }

    fn removed(&mut self, (kind, key): (DataKind, &Key), life: &Life, by: Who) {
        let Life { row, made_by, is_under_way } = life;
        if !self.covers(kind, key, *row) {
            // The erasure of a contact does not count tombstones.
            if !row.unsent {
                self.lost.push(format!("{by} removed {kind:?} {key:?}, which nothing covers"));
            }
            return;
        }
        let by_intake = matches!(by, Who::Intake(_));
        let is_of_after = *made_by != Who::Setup && !is_under_way;
        let is_own = *made_by == by;
        let still = self.is_under_way((kind, key), *row);
        // Intake may write after an erasure has ended, and take it back. Nobody counts that.
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

    /// Whether a request that takes this item away has set its marks and has not swept it yet.
    fn is_under_way(&self, (kind, key): (DataKind, &Key), row: Row) -> bool {
        let tables = &self.tables;
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
    fn note_ends(&mut self, by: Who, call: &Call) {
        if !matches!(by, Who::Worker(_)) {
            return;
        }
        let key = |name: &str| call.body["Key"][name]["S"].as_str().unwrap_or_default();
        let connection = key("pk").strip_prefix("CONNECTION#");
        let settled = connection.zip(key("sk").strip_prefix("CONTACT#"));
        let settled = settled.map(|(connection, contact)| format!("{connection}.{contact}"));
        for (request, targets, _, swept) in self.tables.requests() {
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
