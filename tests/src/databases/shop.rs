//! A business with a connected channel: what it was told, and what is stored of it.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use numib::domain::connection::{Connection, ConnectionState};
use numib::domain::erasure::Counts;
use numib::domain::ids::{
    AccountId, Channel, ConnectionId, ConversationId, MetaId, Mid, PersonId, RequestId,
};
use numib::domain::key_window;
use numib::domain::plan::Plan;
use numib::domain::row::{Row, SUPPRESSION, sweep_on};
use numib::domain::sealed::{PublicKey, Sealed, WrappedPair};
use numib::domain::time::Day;
use numib::domain::update::{Direction, Kind};
use numib::meta::webhook;
use numib::seal::key_name::KeyName;
use numib::seal::key_pair::{Opener, PrivateKey, public_key_from_der};
use numib::seal::kms::DataKeys;
use numib::seal::message::{Place, open_edit, open_message};
use numib::seal::pseudonym::{IndexKey, Pepper};
use numib::store::contacts::Parties;
use numib::store::messages::MessageKey;
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
use serde_json::{Value, json};
use xtask::account::random_id;

use crate::database::Database;

pub(crate) const PEPPER: &str = "test-pepper-test-pepper-test-pepper-";

/// When shops connected, where it does not matter: before all that they receive.
const LONG_AGO: Timestamp = Timestamp::UNIX_EPOCH;

/// The hour of every test, near that of the recorded webhooks.
pub(crate) fn now() -> Timestamp {
    "2026-12-01T04:41:00Z".parse().unwrap()
}

/// So many milliseconds before [`now`].
pub(crate) fn ago(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(now().as_millisecond() - milliseconds).unwrap()
}

/// A connected channel.
#[derive(Debug, Clone)]
pub(crate) struct Shop {
    pub(crate) connection: Connection,
    pub(crate) index_key: IndexKey,
    /// Its Page or Instagram account.
    pub(crate) meta_id: String,
}

/// What a connected channel is known by.
pub(crate) struct Names {
    pub(crate) account: AccountId,
    pub(crate) connection: ConnectionId,
    pub(crate) index_key: IndexKey,
    pub(crate) meta_id: String,
}

impl Shop {
    /// A Messenger Page that keeps messages for 30 days, with keys for the days around [`now`].
    pub(crate) async fn open(db: &Database) -> Self {
        Self::open_with(db, Channel::Messenger, Plan::Days30).await
    }

    /// The same shop's account connects one more channel.
    pub(crate) async fn connect_also(&self, db: &Database, channel: Channel) -> Self {
        let meta_id = random_digits();
        let account = self.connection.account.clone();
        let at = self.connection.connected_at;
        Self::connect_to(db, account, (channel, meta_id), self.connection.plan, at).await
    }

    pub(crate) async fn open_with(db: &Database, channel: Channel, plan: Plan) -> Self {
        let shop = Self::without_keys(db, channel, plan).await;
        shop.make_keys(db, key_window::days(Day::of(now()))).await;
        shop
    }

    /// A Messenger Page without keys.
    pub(crate) async fn open_bare(db: &Database) -> Self {
        Self::without_keys(db, Channel::Messenger, Plan::Days30).await
    }

    /// A connection that provisioning has not seen yet.
    pub(crate) async fn without_keys(db: &Database, channel: Channel, plan: Plan) -> Self {
        Self::connect(db, (channel, random_digits()), plan).await
    }

    /// A new account connects this channel.
    pub(crate) async fn connect(db: &Database, channel: (Channel, String), plan: Plan) -> Self {
        let account = AccountId::parse(&random_id().unwrap()).unwrap();
        Self::connect_to(db, account, channel, plan, LONG_AGO).await
    }

    /// Another account connects this shop's channel, which must be erased, at this time.
    pub(crate) async fn successor(&self, db: &Database, connected_at: Timestamp) -> Self {
        let account = AccountId::parse(&random_id().unwrap()).unwrap();
        let channel = (self.connection.channel, self.meta_id.clone());
        Self::connect_to(db, account, channel, self.connection.plan, connected_at).await
    }

    async fn connect_to(
        db: &Database,
        account: AccountId,
        (channel, meta_id): (Channel, String),
        plan: Plan,
        connected_at: Timestamp,
    ) -> Self {
        let connection = ConnectionId::parse(&random_id().unwrap()).unwrap();
        let index_key = IndexKey::generate().unwrap();
        let names = Names { account, connection, index_key, meta_id };
        Self::connect_as(db, names, (channel, plan), connected_at).await
    }

    /// A channel is connected under these names.
    pub(crate) async fn connect_as(
        db: &Database,
        Names { account, connection, index_key, meta_id }: Names,
        (channel, plan): (Channel, Plan),
        connected_at: Timestamp,
    ) -> Self {
        let pepper = Pepper::new(PEPPER.as_bytes()).unwrap();
        let connection = Connection {
            route: pepper.route(channel, &MetaId::from(meta_id.clone())),
            id: connection,
            account,
            channel,
            plan,
            authorized_by: None,
            state: ConnectionState::Active,
            connected_at,
            day_keys: BTreeMap::new(),
        };
        db.store.create_account(&connection.account, plan).await.unwrap();
        db.store.create_connection(&connection, index_key.expose()).await.unwrap();
        Self { connection, index_key, meta_id }
    }

    /// Stores day keys and publishes them to intake. No KMS here: the private half is stored bare.
    pub(crate) async fn make_keys(&self, db: &Database, days: impl Iterator<Item = Day>) {
        let mut window = BTreeMap::new();
        for day in days {
            window.insert(day, self.store_key(db, day).await);
        }
        let until = key_window::until(Day::of(now()));
        db.store.publish_day_keys(&self.connection, &window, until).await.unwrap();
    }

    /// As provisioning does it: the private halves are wrapped by KMS.
    pub(crate) async fn make_wrapped_keys(
        &self,
        db: &Database,
        kms: &DataKeys,
        days: impl Iterator<Item = Day>,
    ) {
        let Connection { account, id: connection, plan, .. } = &self.connection;
        let mut window = BTreeMap::new();
        for day in days {
            let pair = kms.generate(KeyName::Day { account, connection, day }).await.unwrap();
            let until = (day, plan.shred_on(day));
            let key = db.store.put_day_key((account, connection), until, pair).await.unwrap();
            window.insert(day, key);
        }
        let until = key_window::until(Day::of(now()));
        db.store.publish_day_keys(&self.connection, &window, until).await.unwrap();
    }

    /// Stores a day key that its connection does not carry.
    pub(crate) async fn store_key(&self, db: &Database, day: Day) -> PublicKey {
        let owner = (&self.connection.account, &self.connection.id);
        let until = (day, self.connection.plan.shred_on(day));
        db.store.put_day_key(owner, until, key_pair()).await.unwrap()
    }

    pub(crate) fn conversation(&self, contact: &str) -> ConversationId {
        let contact = self.index_key.contact(&MetaId::from(contact.to_owned()));
        ConversationId { connection: self.connection.id.clone(), contact }
    }

    /// Makes a contact known as its message does.
    pub(crate) async fn moved(
        &self,
        db: &Database,
        conversation: &ConversationId,
        (at, expires_at): (Timestamp, Timestamp),
    ) {
        let parties = Parties {
            conversation,
            account: &self.connection.account,
            person: &PersonId::parse("person").unwrap(),
        };
        let until = (expires_at, sweep_on(expires_at));
        db.store.move_conversation(parties, at, until).await.unwrap();
    }

    pub(crate) fn key(&self, contact: &str, mid: &str) -> MessageKey {
        let message = self.index_key.message(&Mid::from(mid.to_owned()));
        MessageKey { conversation: self.conversation(contact), message }
    }

    /// The stored row, opened; `None` when there is none.
    pub(crate) async fn row(&self, db: &Database, contact: &str, mid: &str) -> Option<Opened> {
        let key = self.key(contact, mid);
        let raw = db.store.message_row(&key).await.unwrap()?;
        let place = Place { conversation: &key.conversation, message: &key.message };
        let message = match &raw.message {
            None => None,
            Some(sealed) => {
                let mut opener = self.opener(db, sealed).await;
                let plain = open_message(&mut opener, place, sealed).unwrap();
                assert_eq!(plain.mid.expose(), mid, "the sealed id is the message's own");
                assert_eq!(plain.contact.expose(), contact, "the sealed id is the contact's own");
                Some(Message {
                    text: plain.content.text.map(|text| text.expose().clone()),
                    kind: plain.content.kind,
                    direction: plain.content.direction,
                    sent_at: plain.sent_at,
                })
            }
        };
        let edit = match &raw.edit {
            None => None,
            Some(sealed) => {
                let mut opener = self.opener(db, sealed).await;
                Some(open_edit(&mut opener, place, sealed).unwrap().expose().clone())
            }
        };
        Some(Opened { row: raw.row, message, edit, expires_at: raw.expires_at })
    }

    async fn opener(&self, db: &Database, sealed: &Sealed) -> Opener {
        let id = &self.connection.id;
        let wrapped = db.store.wrapped_day_key(id, sealed.day).await.unwrap().unwrap();
        let key = PrivateKey::from_der(&wrapped.wrapped_key).unwrap();
        let Connection { account, id: connection, .. } = &self.connection;
        Opener::new(KeyName::Day { account, connection, day: sealed.day }, key)
    }

    /// Marks the connection as an erasure does.
    pub(crate) async fn erase(&self, db: &Database) {
        let Connection { route, id, .. } = &self.connection;
        let by = (&RequestId::parse("request").unwrap(), Counts::new());
        db.store.mark_connection_erased(route, id, by, now() + SUPPRESSION).await.unwrap();
    }

    /// Marks a contact as its erasure does: what it sent until then is gone.
    pub(crate) async fn erase_contact(&self, db: &Database, contact: &str, until: Timestamp) {
        self.mark(db, contact, "erased_at", until).await;
    }

    /// Marks a contact restricted.
    pub(crate) async fn restrict_contact(&self, db: &Database, contact: &str) {
        self.mark(db, contact, "restricted_at", now()).await;
    }

    async fn mark(&self, db: &Database, contact: &str, mark: &str, at: Timestamp) {
        let conversation = self.conversation(contact);
        let pk = format!("CONNECTION#{}", conversation.connection);
        let sk = format!("CONTACT#{}", conversation.contact);
        db.raw
            .update_item()
            .table_name(&db.tables.core)
            .key("pk", AttributeValue::S(pk))
            .key("sk", AttributeValue::S(sk))
            .update_expression("SET #mark = :at")
            .expression_attribute_names("#mark", mark)
            .expression_attribute_values(":at", AttributeValue::N(at.as_millisecond().to_string()))
            .send()
            .await
            .unwrap();
    }
}

/// What Meta sends about this channel.
impl Shop {
    /// An item from a contact.
    pub(crate) fn item(&self, contact: &str, at: Timestamp, field: &str, value: &Value) -> Value {
        json!({"sender": {"id": contact}, "recipient": {"id": self.meta_id},
               "timestamp": at.as_millisecond(), field: value})
    }

    pub(crate) fn text(&self, contact: &str, at: Timestamp, mid: &str, text: &str) -> Value {
        self.item(contact, at, "message", &json!({"mid": mid, "text": text}))
    }

    pub(crate) fn unsend(&self, contact: &str, at: Timestamp, mid: &str) -> Value {
        self.item(contact, at, "message", &json!({"mid": mid, "is_deleted": true}))
    }

    pub(crate) fn edit(
        &self,
        contact: &str,
        at: Timestamp,
        mid: &str,
        (num_edit, text): (u32, &str),
    ) -> Value {
        let edit = json!({"mid": mid, "text": text, "num_edit": num_edit});
        self.item(contact, at, "message_edit", &edit)
    }

    /// These items in a webhook of their own.
    pub(crate) fn body(&self, items: &[Value]) -> Value {
        let object = webhook::object_of(self.connection.channel);
        json!({"object": object, "entry": [self.entry(items)]})
    }

    /// These items, to be sent together with other channels'.
    pub(crate) fn entry(&self, items: &[Value]) -> Value {
        json!({"id": self.meta_id, "time": now().as_millisecond(), "messaging": items})
    }
}

/// A row of the messages table, read with the account's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) row: Row,
    pub(crate) message: Option<Message>,
    /// The latest text, where it was edited.
    pub(crate) edit: Option<String>,
    pub(crate) expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) text: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) direction: Direction,
    pub(crate) sent_at: Timestamp,
}

impl Opened {
    /// The text that a reader is shown.
    pub(crate) fn shown(&self) -> Option<&str> {
        let original = self.message.as_ref()?.text.as_deref();
        self.edit.as_deref().or(original)
    }
}

/// A Meta id that nobody else has.
fn random_digits() -> String {
    let number = u64::from_str_radix(&random_id().unwrap(), 16).unwrap();
    format!("9{number:020}")
}

/// A key pair in the encodings that KMS uses, but not wrapped.
pub(crate) fn key_pair() -> WrappedPair {
    let secret = p256::SecretKey::generate();
    let public = secret.public_key().to_public_key_der().unwrap();
    WrappedPair {
        public_key: public_key_from_der(public.as_bytes()).unwrap(),
        wrapped_key: secret.to_pkcs8_der().unwrap().as_bytes().to_vec(),
    }
}
