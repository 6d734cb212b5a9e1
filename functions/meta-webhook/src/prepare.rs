//! Finds each update's connection and day key, and seals what can be stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use numib::concurrent::all;
use numib::domain::connection::Connection;
use numib::domain::fold::{Action, Change, Dated};
use numib::domain::ids::{Channel, ConnectionId, ConversationId, MetaId, PersonId, RouteId};
use numib::domain::key_window;
use numib::domain::sealed::PublicKey;
use numib::domain::time::Day;
use numib::domain::update::{Content, Edit, Ignored};
use numib::seal::message::{Place, Recipient, seal_edit, seal_message};
use numib::seal::pseudonym::{IndexKey, Pepper};
use numib::store::StoreError;
use numib::store::messages::{MessageKey, NewEdit, NewMessage};
use numib::store::routes::RouteOwner;

use crate::{App, CONCURRENCY, IntakeError};

/// A change, sealed and ready to be written.
pub(crate) struct Write {
    pub(crate) connection: Arc<Connection>,
    pub(crate) key: MessageKey,
    pub(crate) person: PersonId,
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

/// Why a change is not written.
#[derive(Debug, Clone)]
enum Unwritten {
    /// It never will be: it is acknowledged, and counted.
    Ignored(Ignored),
    /// It can be later: Meta is to come again.
    Failed(IntakeError),
}

impl From<Ignored> for Unwritten {
    fn from(reason: Ignored) -> Self {
        Self::Ignored(reason)
    }
}

impl<E> From<E> for Unwritten
where
    IntakeError: From<E>,
{
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

type Routes = BTreeMap<(Channel, MetaId), Result<Routed, Unwritten>>;

/// Day keys that connections do not carry with them, fetched for this body.
type LateKeys = BTreeMap<(ConnectionId, Day), Result<Option<PublicKey>, StoreError>>;

/// What can be stored of a body.
#[derive(Default)]
pub(crate) struct Prepared {
    pub(crate) writes: Vec<Write>,
    /// Updates that never will be stored, and why.
    pub(crate) ignored: Vec<(Ignored, usize)>,
    /// Why an account's updates cannot be stored now. Its neighbours' are, and then Meta is told to
    /// come again: one account whose keys are late does not hold up the others.
    pub(crate) failure: Option<IntakeError>,
}

/// Seals what can be stored.
pub(crate) async fn prepare(
    app: &App,
    pepper: &Pepper,
    changes: Vec<Change>,
    now: Timestamp,
) -> Prepared {
    let routes = resolve(app, pepper, &changes).await;
    let late_keys = fetch_late_keys(app, late_days(&routes, &changes, now)).await;
    let mut prepared = Prepared::default();
    for change in changes {
        let updates = change.action.updates();
        let sealed = routed_of(&routes, &change)
            .and_then(|routed| seal(app, pepper, routed, &late_keys, &change, now));
        match sealed {
            Ok(write) => {
                // An edit that has expired or lost its day does not keep its message out.
                let left_out = updates.saturating_sub(write.what.updates());
                if left_out > 0 {
                    prepared.ignored.push((Ignored::Expired, left_out));
                }
                prepared.writes.push(write);
            }
            Err(Unwritten::Ignored(reason)) => prepared.ignored.push((reason, updates)),
            Err(Unwritten::Failed(error)) => prepared.failure = Some(error),
        }
    }
    prepared
}

/// Whose a change's account is. If nobody looked that up, the change must come again.
fn routed_of<'a>(routes: &'a Routes, change: &Change) -> Result<&'a Routed, Unwritten> {
    match routes.get(&(change.channel, change.account.clone())) {
        Some(Ok(routed)) => Ok(routed),
        Some(Err(unwritten)) => Err(unwritten.clone()),
        None => Err(IntakeError::Unrouted.into()),
    }
}

/// Finds the connection of every account the body speaks of.
async fn resolve(app: &App, pepper: &Pepper, changes: &[Change]) -> Routes {
    let accounts: BTreeSet<(Channel, MetaId)> =
        changes.iter().map(|change| (change.channel, change.account.clone())).collect();
    let named = accounts.into_iter().map(|account| (pepper.route(account.0, &account.1), account));
    let named: BTreeMap<RouteId, _> = named.collect();
    let mut owners = app.store.routes(&named.keys().cloned().collect()).await;
    let routed = named.into_iter().filter_map(|(route, account)| {
        let owner = owners.remove(&route)?;
        Some((account, owner.map_err(Unwritten::from).and_then(routed)))
    });
    routed.collect()
}

fn routed(owner: RouteOwner) -> Result<Routed, Unwritten> {
    match owner {
        RouteOwner::Nobody => Err(Ignored::UnknownAccount.into()),
        RouteOwner::Erased => Err(Ignored::Suppressed.into()),
        RouteOwner::Active(connection, key) => {
            Ok(Routed { connection: Arc::from(connection), index_key: IndexKey::new(&key)? })
        }
    }
}

/// The days of this body whose keys its connections do not carry with them.
fn late_days(routes: &Routes, changes: &[Change], now: Timestamp) -> BTreeSet<(ConnectionId, Day)> {
    let mut days = BTreeSet::new();
    for change in changes {
        // A change without a connection has no days. It is counted later.
        let Ok(routed) = routed_of(routes, change) else { continue };
        let times = match &change.action {
            Action::Unsend { .. } => [None, None],
            Action::Store { message, edit } => {
                [Some(message.at), edit.as_ref().map(|edit| edit.at)]
            }
            Action::Edit(edit) => [Some(edit.at), None],
        };
        let connection = &routed.connection;
        for at in times.into_iter().flatten() {
            let live = connection.plan.expires_at(at, now) > now && connection.is_sent_to(at);
            let day = day_of(at, now);
            if live && !connection.day_keys.contains_key(&day) {
                days.insert((connection.id.clone(), day));
            }
        }
    }
    days
}

async fn fetch_late_keys(app: &App, days: BTreeSet<(ConnectionId, Day)>) -> LateKeys {
    let keys = days.into_iter().map(async |(connection, day)| {
        let key = app.store.public_day_key(&connection, day).await;
        ((connection, day), key)
    });
    all(keys, CONCURRENCY).await.into_iter().collect()
}

/// The day whose key seals what was sent then; what is dated in the future counts from now.
fn day_of(at: Timestamp, now: Timestamp) -> Day {
    Day::of(at.min(now))
}

/// Seals one change, or says why there is nothing to store.
fn seal(
    app: &App,
    pepper: &Pepper,
    routed: &Routed,
    late_keys: &LateKeys,
    change: &Change,
    now: Timestamp,
) -> Result<Write, Unwritten> {
    let connection = &routed.connection;
    let at = change.action.at();
    if !connection.is_sent_to(at) {
        return Err(Ignored::Suppressed.into());
    }
    let conversation = ConversationId {
        connection: connection.id.clone(),
        contact: routed.index_key.contact(&change.contact),
    };
    let key = MessageKey { conversation, message: routed.index_key.message(&change.mid) };
    let sealing = Sealing { app, connection, late_keys, key: &key, now };
    let what = match &change.action {
        Action::Unsend { .. } => What::Unsend,
        Action::Edit(edit) => What::Edit(sealing.edit(edit)?),
        Action::Store { message, edit } => {
            let message = sealing.message(change, message)?;
            let edit = match edit.as_ref().map(|edit| sealing.edit(edit)).transpose() {
                Err(Unwritten::Ignored(_)) => None,
                sealed => sealed?,
            };
            What::Store { message, edit }
        }
    };
    let person = pepper.person(&change.contact);
    Ok(Write { connection: Arc::clone(connection), key, person, at, what })
}

struct Sealing<'a> {
    app: &'a App,
    connection: &'a Connection,
    late_keys: &'a LateKeys,
    key: &'a MessageKey,
    now: Timestamp,
}

impl Sealing<'_> {
    fn message(&self, change: &Change, message: &Dated<Content>) -> Result<NewMessage, Unwritten> {
        let (day, key, expires_at) = self.day_key(message.at)?;
        let to = Recipient { account: &self.connection.account, day, key };
        let mut sealer = self.app.sealer.lock().unwrap_or_else(PoisonError::into_inner);
        let names = (&change.mid, &change.contact);
        let sealed = seal_message(&mut sealer, to, self.place(), names, message)?;
        Ok(NewMessage { sent_at: message.at, sealed, expires_at })
    }

    fn edit(&self, edit: &Dated<Edit>) -> Result<NewEdit, Unwritten> {
        let (day, key, expires_at) = self.day_key(edit.at)?;
        let to = Recipient { account: &self.connection.account, day, key };
        let mut sealer = self.app.sealer.lock().unwrap_or_else(PoisonError::into_inner);
        let sealed = seal_edit(&mut sealer, to, self.place(), &edit.what)?;
        Ok(NewEdit { at: edit.at, num_edit: edit.what.num_edit, sealed, expires_at })
    }

    /// The key of the day something was sent on, and when it expires (R6.2).
    ///
    /// A day that can still see redeliveries must have a key: storing under another day's would
    /// break its expiry, so that is an error and Meta comes again. An older day
    /// without one is closed for good.
    //= R6.2
    fn day_key(&self, at: Timestamp) -> Result<(Day, &PublicKey, Timestamp), Unwritten> {
        let expires_at = self.connection.plan.expires_at(at, self.now);
        if expires_at <= self.now {
            return Err(Ignored::Expired.into());
        }
        let day = day_of(at, self.now);
        let carried = self.connection.day_keys.get(&day);
        let key = match self.late_keys.get(&(self.connection.id.clone(), day)) {
            Some(Err(error)) => return Err(error.clone().into()),
            Some(Ok(late)) => carried.or(late.as_ref()),
            None => carried,
        };
        match key {
            Some(key) => Ok((day, key, expires_at)),
            None if key_window::is_open(day, Day::of(self.now)) => {
                Err(IntakeError::NoDayKey.into())
            }
            None => Err(Ignored::DayClosed.into()),
        }
    }

    const fn place(&self) -> Place<'_> {
        Place { conversation: &self.key.conversation, message: &self.key.message }
    }
}

#[cfg(test)]
mod tests {
    use numib::domain::ids::Mid;

    use super::*;

    #[test]
    fn a_change_whose_account_was_not_looked_up_comes_again() {
        let change = Change {
            channel: Channel::Messenger,
            account: MetaId::new("1001".to_owned()),
            contact: MetaId::new("7001".to_owned()),
            mid: Mid::new("m_1".to_owned()),
            action: Action::Unsend { at: Timestamp::UNIX_EPOCH },
        };
        let routes = Routes::new();
        let routed = routed_of(&routes, &change);
        assert!(matches!(routed, Err(Unwritten::Failed(IntakeError::Unrouted))));
    }
}
