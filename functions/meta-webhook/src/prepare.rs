//! Finds each update's connection and day key, and seals what can be stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use numib::domain::connection::{Connection, ConnectionState};
use numib::domain::fold::{Action, Change, Dated};
use numib::domain::ids::{Channel, ConnectionId, ConversationId, MetaId};
use numib::domain::key_window;
use numib::domain::sealed::PublicKey;
use numib::domain::time::Day;
use numib::domain::update::{Content, Edit, Ignored};
use numib::edge::concurrent::try_all;
use numib::seal::message::{Place, Recipient, seal_edit, seal_message};
use numib::seal::pseudonym::{IndexKey, Pepper};
use numib::store::StoreError;
use numib::store::messages::{MessageKey, NewEdit, NewMessage};

use crate::App;
use crate::intake::{CONCURRENCY, IntakeError, Tally};

/// A change, sealed and ready to be written.
pub(crate) struct Write {
    pub(crate) connection: Arc<Connection>,
    pub(crate) key: MessageKey,
    pub(crate) at: Timestamp,
    pub(crate) what: What,
}

pub(crate) enum What {
    Unsend,
    Store { message: NewMessage, edit: Option<NewEdit> },
    Edit(NewEdit),
}

impl What {
    /// How many updates of the body it stands for.
    pub(crate) const fn updates(&self) -> usize {
        match self {
            Self::Store { edit: Some(_), .. } => 2,
            Self::Store { edit: None, .. } | Self::Edit(_) | Self::Unsend => 1,
        }
    }
}

/// A connected account, and the key of its pseudonyms.
struct Routed {
    connection: Arc<Connection>,
    index_key: IndexKey,
}

type Routes = BTreeMap<(Channel, MetaId), Result<Routed, Ignored>>;

/// Day keys that connections do not carry with them, fetched for this body.
type LateKeys = BTreeMap<(ConnectionId, Day), Option<PublicKey>>;

/// Seals what can be stored; the rest is counted.
pub(crate) async fn prepare(
    app: &App,
    pepper: &Pepper,
    changes: Vec<Change>,
    now: Timestamp,
    tally: &mut Tally,
) -> Result<Vec<Write>, IntakeError> {
    let routes = resolve(app, pepper, &changes).await?;
    let late_keys = fetch_late_keys(app, late_days(&routes, &changes, now)).await?;
    let mut writes = Vec::with_capacity(changes.len());
    for change in changes {
        let updates = change.action.updates();
        let routed = match routes.get(&(change.channel, change.account.clone())) {
            Some(Ok(routed)) => routed,
            Some(Err(reason)) => {
                tally.ignore(*reason, updates);
                continue;
            }
            None => continue,
        };
        match seal(app, routed, &late_keys, &change, now)? {
            Ok(write) => {
                // An edit that has expired or lost its day does not keep its message out.
                let left_out = updates.saturating_sub(write.what.updates());
                if left_out > 0 {
                    tally.ignore(Ignored::Expired, left_out);
                }
                writes.push(write);
            }
            Err(reason) => tally.ignore(reason, updates),
        }
    }
    Ok(writes)
}

/// Finds the connection of every account the body speaks of.
async fn resolve(app: &App, pepper: &Pepper, changes: &[Change]) -> Result<Routes, IntakeError> {
    let accounts: BTreeSet<_> =
        changes.iter().map(|change| (change.channel, change.account.clone())).collect();
    let routed = accounts.into_iter().map(|account| resolve_one(app, pepper, account));
    Ok(try_all(routed, CONCURRENCY).await?.into_iter().collect())
}

async fn resolve_one(
    app: &App,
    pepper: &Pepper,
    account: (Channel, MetaId),
) -> Result<((Channel, MetaId), Result<Routed, Ignored>), IntakeError> {
    let route = pepper.route(account.0, &account.1);
    let routed = match app.store.route(&route).await? {
        None => Err(Ignored::UnknownAccount),
        Some((connection, _)) if connection.state == ConnectionState::Erased => {
            Err(Ignored::Suppressed)
        }
        Some((connection, key)) => {
            Ok(Routed { connection: Arc::new(connection), index_key: IndexKey::new(&key)? })
        }
    };
    Ok((account, routed))
}

/// The days of this body whose keys its connections do not carry with them.
fn late_days(routes: &Routes, changes: &[Change], now: Timestamp) -> BTreeSet<(ConnectionId, Day)> {
    let mut days = BTreeSet::new();
    for change in changes {
        let Some(Ok(routed)) = routes.get(&(change.channel, change.account.clone())) else {
            continue;
        };
        let times = match &change.action {
            Action::Unsend { .. } => [None, None],
            Action::Store { message, edit } => {
                [Some(message.at), edit.as_ref().map(|edit| edit.at)]
            }
            Action::Edit(edit) => [Some(edit.at), None],
        };
        let connection = &routed.connection;
        for at in times.into_iter().flatten() {
            let live = connection.plan.expires_at(at, now) > now;
            let day = day_of(at, now);
            if live && !connection.day_keys.contains_key(&day) {
                days.insert((connection.id.clone(), day));
            }
        }
    }
    days
}

async fn fetch_late_keys(
    app: &App,
    days: BTreeSet<(ConnectionId, Day)>,
) -> Result<LateKeys, StoreError> {
    let keys = days.into_iter().map(async |(connection, day)| {
        let key = app.store.public_day_key(&connection, day).await?;
        Ok(((connection, day), key))
    });
    Ok(try_all(keys, CONCURRENCY).await?.into_iter().collect())
}

/// The day whose key seals what was sent then; what is dated in the future counts from now.
fn day_of(at: Timestamp, now: Timestamp) -> Day {
    Day::of(at.min(now))
}

/// Seals one change, or says why there is nothing to store.
fn seal(
    app: &App,
    routed: &Routed,
    late_keys: &LateKeys,
    change: &Change,
    now: Timestamp,
) -> Result<Result<Write, Ignored>, IntakeError> {
    let connection = &routed.connection;
    let at = change.action.at();
    let conversation = ConversationId {
        connection: connection.id.clone(),
        contact: routed.index_key.contact(&change.contact),
    };
    let key = MessageKey { conversation, message: routed.index_key.message(&change.mid) };
    let sealing = Sealing { app, connection, late_keys, key: &key, now };
    let what = match &change.action {
        Action::Unsend { .. } => Ok(What::Unsend),
        Action::Edit(edit) => sealing.edit(edit)?.map(What::Edit),
        Action::Store { message, edit } => {
            let edit = edit.as_ref().map(|edit| sealing.edit(edit)).transpose()?;
            let edit = edit.and_then(Result::ok);
            sealing.message(change, message)?.map(|message| What::Store { message, edit })
        }
    };
    let connection = Arc::clone(connection);
    Ok(what.map(|what| Write { connection, key, at, what }))
}

struct Sealing<'a> {
    app: &'a App,
    connection: &'a Connection,
    late_keys: &'a LateKeys,
    key: &'a MessageKey,
    now: Timestamp,
}

impl Sealing<'_> {
    fn message(
        &self,
        change: &Change,
        message: &Dated<Content>,
    ) -> Result<Result<NewMessage, Ignored>, IntakeError> {
        let (day, key, expires_at) = match self.day_key(message.at)? {
            Ok(found) => found,
            Err(reason) => return Ok(Err(reason)),
        };
        let to = Recipient { day, key };
        let mut sealer = self.app.sealer.lock().unwrap_or_else(PoisonError::into_inner);
        let names = (&change.mid, &change.contact);
        let sealed = seal_message(&mut sealer, to, self.place(), names, message)?;
        Ok(Ok(NewMessage { sent_at: message.at, sealed, expires_at }))
    }

    fn edit(&self, edit: &Dated<Edit>) -> Result<Result<NewEdit, Ignored>, IntakeError> {
        let (day, key, expires_at) = match self.day_key(edit.at)? {
            Ok(found) => found,
            Err(reason) => return Ok(Err(reason)),
        };
        let to = Recipient { day, key };
        let mut sealer = self.app.sealer.lock().unwrap_or_else(PoisonError::into_inner);
        let sealed = seal_edit(&mut sealer, to, self.place(), &edit.what)?;
        Ok(Ok(NewEdit { num_edit: edit.what.num_edit, sealed, expires_at }))
    }

    /// The key of the day something was sent on, and when it expires (R6.2).
    ///
    /// A day that can still see redeliveries must have a key: storing under another day's would
    /// break its expiry (invariant 4), so that is an error and Meta comes again. An older day
    /// without one is closed for good.
    //= R6.2
    fn day_key(
        &self,
        at: Timestamp,
    ) -> Result<Result<(Day, &PublicKey, Timestamp), Ignored>, IntakeError> {
        let expires_at = self.connection.plan.expires_at(at, self.now);
        if expires_at <= self.now {
            return Ok(Err(Ignored::Expired));
        }
        let day = day_of(at, self.now);
        let late = || self.late_keys.get(&(self.connection.id.clone(), day))?.as_ref();
        match self.connection.day_keys.get(&day).or_else(late) {
            Some(key) => Ok(Ok((day, key, expires_at))),
            None if key_window::is_open(day, Day::of(self.now)) => Err(IntakeError::NoDayKey),
            None => Ok(Err(Ignored::DayClosed)),
        }
    }

    const fn place(&self) -> Place<'_> {
        Place { conversation: &self.key.conversation, message: &self.key.message }
    }
}
