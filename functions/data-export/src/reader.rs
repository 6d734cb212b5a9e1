//! Reads an account's conversations in the order of its archive, ahead of whoever writes them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use numib::concurrent::try_all;
use numib::domain::audit::{Link, Point};
use numib::domain::connection::Connection;
use numib::domain::export::{Cursor, Export};
use numib::domain::ids::{AccountId, ConnectionId, ContactId, ConversationId};
use numib::domain::time::Day;
use numib::edge::clock::Clock;
use numib::seal::key_name::KeyName;
use numib::seal::key_pair::Opener;
use numib::store::contacts::Contact;
use numib::store::messages::{MessagePage, Position, StoredMessage};
use numib::store::{Store, StoreError};
use tokio::task::JoinHandle;

use crate::{App, ExportError};

/// Conversations that are read at once. Each is a megabyte at most, several times that in memory.
const AHEAD: usize = 6;
/// Messages of one page.
const PAGE: usize = 500;
/// Keys that are unwrapped at once.
const KEYS: usize = 8;

/// What is read at a time.
pub(crate) enum Step {
    /// Messages of a conversation.
    Conversation(Box<Conversation>),
    /// Audit events.
    Audit(Vec<Link>),
}

/// A page of a conversation.
pub(crate) struct Conversation {
    pub(crate) connection: Arc<Connection>,
    pub(crate) id: ConversationId,
    pub(crate) contact: Contact,
    /// Whether it is the conversation's first.
    pub(crate) is_first: bool,
    /// Whether it is the last.
    pub(crate) is_last: bool,
    pub(crate) messages: Vec<StoredMessage>,
    /// Keys that no page before it needed.
    pub(crate) openers: Vec<(Day, Opener)>,
}

/// A page that is on its way.
struct Fetch {
    connection: Arc<Connection>,
    id: ConversationId,
    contact: Contact,
    is_first: bool,
    page: JoinHandle<Result<MessagePage, StoreError>>,
}

/// Reads from a cursor on.
pub(crate) struct Reader {
    app: Arc<App>,
    account: AccountId,
    until: Timestamp,
    clock: Clock,
    /// Connections that are not begun.
    connections: VecDeque<Arc<Connection>>,
    /// The connection whose contacts are being read, and after which.
    current: Option<(Arc<Connection>, Option<ContactId>)>,
    /// Contacts of it that are read, but not their messages.
    contacts: VecDeque<(ContactId, Contact)>,
    fetches: VecDeque<Fetch>,
    /// Keys that were asked for, whether or not they were there.
    keys: BTreeSet<(ConnectionId, Day)>,
    audit: Option<Point>,
}

impl Reader {
    /// From where the export goes on.
    ///
    /// # Errors
    /// [`ExportError`].
    pub(crate) async fn new(
        app: &Arc<App>,
        export: &Export,
        connections: &[Arc<Connection>],
        clock: Clock,
    ) -> Result<Self, ExportError> {
        let mut reader = Self {
            app: Arc::clone(app),
            account: export.account.clone(),
            until: export.asked_at,
            clock,
            connections: VecDeque::new(),
            current: None,
            contacts: VecDeque::new(),
            fetches: VecDeque::new(),
            keys: BTreeSet::new(),
            audit: None,
        };
        let from = |id: Option<&ConnectionId>| {
            let is_left = |one: &&Arc<Connection>| id.is_none_or(|id| one.id > *id);
            connections.iter().filter(is_left).cloned().collect()
        };
        let of = |id: &ConnectionId| connections.iter().find(|one| one.id == *id).cloned();
        match &export.cursor {
            Cursor::Start => reader.connections = from(None),
            Cursor::After(connection, contact) => {
                reader.connections = from(Some(connection));
                reader.current = of(connection).map(|one| (one, Some(contact.clone())));
            }
            Cursor::Within(connection, contact, sent_at, message) => {
                reader.connections = from(Some(connection));
                if let Some(one) = of(connection) {
                    let (connection, contact) = (connection.clone(), contact.clone());
                    reader.current = Some((Arc::clone(&one), Some(contact.clone())));
                    let id = ConversationId { connection, contact };
                    let start = Position { sent_at: *sent_at, message: message.clone() };
                    reader.go_on_within(one, id, start).await?;
                }
            }
            Cursor::Audit(after) => reader.audit = *after,
            Cursor::End => {}
        }
        Ok(reader)
    }

    /// The first page of what is left of a conversation.
    async fn go_on_within(
        &mut self,
        connection: Arc<Connection>,
        id: ConversationId,
        start: Position,
    ) -> Result<(), ExportError> {
        let asked = BTreeSet::from([id.clone()]);
        let sight = self.app.store.look_again(&BTreeSet::new(), &asked).await?;
        // Gone, where it was erased; then this export begins anew.
        let contact = sight.contacts.get(&id).copied().unwrap_or_default();
        let page = self.fetch(&connection, &id, Some(start));
        self.fetches.push_front(Fetch { connection, id, contact, is_first: false, page });
        Ok(())
    }

    fn fetch(
        &self,
        connection: &Connection,
        id: &ConversationId,
        start: Option<Position>,
    ) -> JoinHandle<Result<MessagePage, StoreError>> {
        let (store, id): (Store, _) = (self.app.store.clone(), id.clone());
        let (until, plan, now) = (self.until, connection.plan, self.clock.now());
        // A task of its own, so that it goes on while the page before it is written.
        tokio::spawn(
            async move { store.messages_until(&id, (start, until), PAGE, (plan, now)).await },
        )
    }

    /// What comes next, and where the export goes on after it; `None` at the end.
    ///
    /// # Errors
    /// [`ExportError`].
    pub(crate) async fn next(
        &mut self,
        cursor: &Cursor,
    ) -> Result<Option<(Step, Cursor)>, ExportError> {
        if !matches!(cursor, Cursor::Audit(_) | Cursor::End) {
            self.read_ahead().await?;
            if let Some(fetch) = self.fetches.pop_front() {
                return self.conversation(fetch).await.map(Some);
            }
        }
        let links = self.app.store.audit_page(&self.account, self.audit.as_ref()).await?.links;
        let Some(last) = links.last() else { return Ok(None) };
        self.audit = Some(last.point());
        let until = self.until;
        let links = links.into_iter().filter(|link| link.event.at <= until).collect();
        Ok(Some((Step::Audit(links), Cursor::Audit(self.audit))))
    }

    async fn read_ahead(&mut self) -> Result<(), ExportError> {
        while self.fetches.len() < AHEAD {
            if let Some((id, contact)) = self.contacts.pop_front() {
                let Some((connection, _)) = &self.current else { break };
                let connection = Arc::clone(connection);
                let id = ConversationId { connection: connection.id.clone(), contact: id };
                let page = self.fetch(&connection, &id, None);
                self.fetches.push_back(Fetch { connection, id, contact, is_first: true, page });
                continue;
            }
            if self.current.is_none() {
                self.current = self.connections.pop_front().map(|next| (next, None));
            }
            let Some((connection, after)) = &mut self.current else { break };
            let page = self.app.store.contact_page(&connection.id, after.as_ref()).await?;
            match page.last() {
                Some((last, _)) => *after = Some(last.clone()),
                None => self.current = None,
            }
            self.contacts.extend(page);
        }
        Ok(())
    }

    async fn conversation(&mut self, fetch: Fetch) -> Result<(Step, Cursor), ExportError> {
        let Fetch { connection, id, contact, is_first, page } = fetch;
        let page = page.await.map_err(|_| ExportError::Stopped)??;
        let mut messages = page.messages;
        messages.retain(|message| !contact.marks.erases(message.sent_at));
        let cursor = match &page.next {
            None => Cursor::After(id.connection.clone(), id.contact.clone()),
            Some(Position { sent_at, message }) => {
                let (connection, contact) = (id.connection.clone(), id.contact.clone());
                Cursor::Within(connection, contact, *sent_at, message.clone())
            }
        };
        let is_last = page.next.is_none();
        if let Some(start) = page.next {
            let page = self.fetch(&connection, &id, Some(start));
            let (connection, id) = (Arc::clone(&connection), id.clone());
            self.fetches.push_front(Fetch { connection, id, contact, is_first: false, page });
        }
        let openers = self.keys(&connection, &messages).await?;
        let step = Conversation { connection, id, contact, is_first, is_last, messages, openers };
        Ok((Step::Conversation(Box::new(step)), cursor))
    }

    /// Unwraps keys, each once. A shredded day has none: nothing of it is exported.
    //= R2.1
    async fn keys(
        &mut self,
        connection: &Connection,
        messages: &[StoredMessage],
    ) -> Result<Vec<(Day, Opener)>, ExportError> {
        let days = messages.iter().flat_map(|message| {
            [Some(message.sealed.day), message.edit.as_ref().map(|edit| edit.day)]
        });
        let days: BTreeSet<Day> = days.flatten().collect();
        let id = &connection.id;
        let keys = &mut self.keys;
        let new: Vec<Day> =
            days.into_iter().filter(|day| keys.insert((id.clone(), *day))).collect();
        let app = &self.app;
        let unwrap = new.into_iter().map(async |day| -> Result<_, ExportError> {
            let Some(wrapped) = app.store.wrapped_day_key(id, day).await? else { return Ok(None) };
            let name = KeyName::Day { account: &connection.account, connection: id, day };
            let key = app.keys.unwrap(name, &wrapped.wrapped_key).await?;
            Ok(Some((day, Opener::new(name, key))))
        });
        Ok(try_all(unwrap, KEYS).await?.into_iter().flatten().collect())
    }
}
