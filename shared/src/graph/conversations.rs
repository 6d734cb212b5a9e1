//! What Meta keeps of conversations, for messages that no webhook brought
//! (docs/meta-platform.md#conversations).

use jiff::Timestamp;

use super::call::Call;
use super::error::{Failure, GraphError};
use super::host::{Host, versioned};
use super::profile::Profile;
use super::{Answer, Asset, Cursor, Graph, instant, next, objects, personal};
use crate::domain::ids::{MetaId, Mid};
use crate::domain::login::Login;
use crate::domain::personal::Personal;
use crate::meta::json::{Object, Value};

/// Messages of a thread that Meta shows, counted from the newest.
pub const SHOWN_MAX: usize = 20;
/// Threads in one answer at most.
const LIMIT: &str = "50";

/// Meta's id of a conversation. It is opaque, and may have ids of people in it.
pub type ThreadId = Personal<String>;

/// A part of a list of threads, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threads {
    /// The threads.
    pub threads: Vec<Thread>,
    /// Where the list goes on.
    pub next: Option<Cursor>,
}

/// A conversation, as Meta lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// Its id.
    pub id: ThreadId,
    /// When something happened in it last, to the second.
    pub updated_at: Timestamp,
}

/// The thread with a person, and what it tells of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadWith {
    /// The thread.
    pub thread: Thread,
    /// What the list of who takes part says.
    pub profile: Profile,
}

/// That there is a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageAt {
    /// Its id.
    pub mid: Mid,
    /// When it was written, to the second.
    pub sent_at: Timestamp,
}

/// A message that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its id.
    pub mid: Mid,
    /// When it was written, to the second.
    pub sent_at: Timestamp,
    /// Who wrote it.
    pub from: Party,
    /// To whom.
    pub to: Vec<Party>,
    /// Its text; `None` if it has none.
    pub text: Option<Personal<String>>,
}

/// One side of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// The id that webhooks have.
    pub id: MetaId,
    /// What else is told.
    pub profile: Profile,
}

impl Thread {
    fn read(thread: &Object<'_>) -> Option<Self> {
        let updated_at = instant(thread, "updated_time")?;
        Some(Self { id: personal(thread, "id")?, updated_at })
    }
}

impl MessageAt {
    fn read(message: &Object<'_>) -> Option<Self> {
        Some(Self { mid: personal(message, "id")?, sent_at: instant(message, "created_time")? })
    }
}

impl Party {
    fn read(party: &Object<'_>) -> Option<Self> {
        Some(Self { id: personal(party, "id")?, profile: Profile::read(party) })
    }
}

impl Fetched {
    fn read(message: &Object<'_>) -> Option<Self> {
        let MessageAt { mid, sent_at } = MessageAt::read(message)?;
        let from = message.get("from").and_then(Value::object)?;
        let to = message.get("to").and_then(Value::object);
        let to = to.as_ref().and_then(objects).unwrap_or_default();
        Some(Self {
            mid,
            sent_at,
            from: Party::read(&from)?,
            to: to.iter().filter_map(Party::read).collect(),
            text: personal(message, "message"),
        })
    }
}

impl Graph {
    /// Lists the threads of an asset, from a cursor on.
    pub async fn threads(
        &self,
        now: Timestamp,
        asset: Asset<'_>,
        after: Option<&Cursor>,
    ) -> Result<Answer<Threads>, GraphError> {
        let call = listing(asset).with("fields", "id,updated_time").with("limit", LIMIT);
        let call = call.after(after);
        self.ask(now, call).await?.read(|answer| {
            let threads = objects(answer)?.iter().filter_map(Thread::read).collect();
            Some(Threads { threads, next: next(answer) })
        })
    }

    /// The thread with a person; `None` if Meta shows none. A thread names the person even where
    /// the profile is empty.
    //= R1.1
    pub async fn thread_with(
        &self,
        now: Timestamp,
        asset: Asset<'_>,
        person: &MetaId,
    ) -> Result<Answer<Option<ThreadWith>>, GraphError> {
        let call = listing(asset)
            .with("user_id", person.expose())
            .with("fields", "id,updated_time,participants");
        self.ask(now, call).await?.read(|answer| {
            let threads = objects(answer)?;
            Some(threads.iter().find_map(|thread| {
                let parties = thread.get("participants").and_then(Value::object);
                let parties = parties.as_ref().and_then(objects).unwrap_or_default();
                let mut parties = parties.iter().filter_map(Party::read);
                let profile = parties.find(|party| party.id == *person).map(|it| it.profile);
                let thread = Thread::read(thread)?;
                Some(ThreadWith { thread, profile: profile.unwrap_or_default() })
            }))
        })
    }

    /// The newest messages of a thread, as many as Meta shows.
    pub async fn messages_of(
        &self,
        now: Timestamp,
        asset: Asset<'_>,
        thread: &ThreadId,
    ) -> Result<Answer<Vec<MessageAt>>, GraphError> {
        let call = Call::get(asset.host(), &versioned(&[thread.expose()]))
            .with("fields", "messages")
            .acting_for(asset)
            .listing();
        self.ask(now, call).await?.read(|answer| {
            let messages = answer.get("messages").and_then(Value::object);
            let messages = messages.as_ref().and_then(objects).unwrap_or_default();
            let newest = messages.iter().filter_map(MessageAt::read).take(SHOWN_MAX);
            Some(newest.collect())
        })
    }

    /// Fetches one message. `None` where Meta does not show it, since it was deleted or is older
    /// than the newest twenty. Nobody can tell which, so `None` is no unsend.
    //= R1.1
    pub async fn message(
        &self,
        now: Timestamp,
        asset: Asset<'_>,
        mid: &Mid,
    ) -> Result<Answer<Option<Fetched>>, GraphError> {
        let call = Call::get(asset.host(), &versioned(&[mid.expose()]))
            .with("fields", "id,created_time,from,to,message")
            .acting_for(asset);
        match self.ask(now, call).await {
            Ok(reply) => Ok(reply.read(Fetched::read)?.map(Some)),
            Err(error) if error.failure == Failure::NothingKnown => {
                Ok(Answer { value: None, pauses: Vec::new() })
            }
            Err(error) => Err(error),
        }
    }
}

/// A call that lists threads of an asset. Instagram Login knows its account by `me` only.
fn listing(asset: Asset<'_>) -> Call<'_> {
    let (of, host) = match asset.login {
        Login::Facebook => (asset.id.expose().as_str(), Host::Facebook),
        Login::Instagram => ("me", Host::Instagram),
    };
    Call::get(host, &versioned(&[of, "conversations"]))
        .with("platform", asset.channel.as_str())
        .acting_for(asset)
        .listing()
}
