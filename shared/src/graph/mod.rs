//! Meta's Graph API. This room makes every call to Meta; nothing else knows a host, a path or a
//! parameter of Meta's.
//!
//! A call is a method of [`Graph`], with types going in and coming out. It is given the time, and
//! makes one attempt: whoever wants a second one decides so by the [`Failure`](error::Failure).
//! Tokens travel in a header, but for the endpoints whose pages show them in the query only. No
//! error, log or `Debug` has a URL, a token, a name, an id or a text of Meta's in it.
//!
//! What is known of the API is in docs/meta-platform.md.

mod call;
mod codes;
pub mod conversations;
pub mod error;
pub mod facebook;
pub mod host;
pub mod instagram;
pub mod pages;
pub mod profile;
pub mod secret;
pub mod send;
pub mod subscription;
pub mod usage;
pub mod version;
mod wire;

use std::sync::Arc;

use crate::domain::ids::{Channel, MetaId};
use crate::domain::login::{Login, Permission, needed};
use crate::domain::personal::Personal;
use crate::meta::json::{Object, Value};
use host::{Base, Host};
use jiff::{SignedDuration, Timestamp};
use secret::{AccessToken, AppSecret};
use usage::Pause;
use wire::Wire;

/// The client of the Graph API. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Graph {
    base: Base,
    apps: Apps,
    wire: Arc<Wire>,
}

/// Our apps at Meta, one for each login. They may be one app, with two ids.
#[derive(Debug, Clone, Default)]
pub struct Apps {
    /// The app of Facebook Login.
    pub facebook: Option<App>,
    /// The app of Instagram Login.
    pub instagram: Option<App>,
}

/// An app at Meta.
#[derive(Debug, Clone)]
pub struct App {
    /// Its id, which every login page shows.
    pub id: String,
    /// Its secret.
    pub secret: AppSecret,
}

impl Graph {
    /// A client of Meta, or of the stand-in at this base. Nothing is connected yet.
    #[must_use]
    pub fn new(base: Base, apps: Apps) -> Self {
        Self { base, apps, wire: Arc::new(Wire::new()) }
    }

    /// The same client with other credentials, after a rotation.
    #[must_use]
    pub fn with_apps(&self, apps: Apps) -> Self {
        Self { apps, ..self.clone() }
    }
}

/// What Meta answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// What was asked for.
    pub value: T,
    /// Who should call less from now on, by what Meta counts.
    pub pauses: Vec<Pause>,
}

impl<T> Answer<T> {
    fn map<U>(self, make: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { value: make(self.value), pauses: self.pauses }
    }
}

/// What a connection is at Meta: a Page or an Instagram account, and the token by which we act for
/// it.
#[derive(Debug, Clone, Copy)]
pub struct Asset<'a> {
    login: Login,
    channel: Channel,
    id: &'a MetaId,
    token: &'a AccessToken,
}

impl<'a> Asset<'a> {
    /// A Page, for its own messages or for those of the Instagram account that is linked to it.
    #[must_use]
    pub const fn page(channel: Channel, page: &'a MetaId, token: &'a AccessToken) -> Self {
        Self { login: Login::Facebook, channel, id: page, token }
    }

    /// An Instagram account that was connected by Instagram Login.
    #[must_use]
    pub const fn instagram(account: &'a MetaId, token: &'a AccessToken) -> Self {
        Self { login: Login::Instagram, channel: Channel::Instagram, id: account, token }
    }

    const fn host(self) -> Host {
        match self.login {
            Login::Facebook => Host::Facebook,
            Login::Instagram => Host::Instagram,
        }
    }

    const fn needs(self) -> &'static [Permission] {
        needed(self.login, self.channel)
    }
}

/// Where the next part of a list begins. Only Meta can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(Personal<String>);

/// The cursor behind this part of a list; `None` at its end. `paging.next` is a URL with the token
/// in it: that it is there says that the list goes on, and nobody follows it.
fn next(list: &Object<'_>) -> Option<Cursor> {
    let paging = list.get("paging")?.object()?;
    paging.get("next")?;
    let after = paging.get("cursors")?.object()?.scalar("after")?;
    Some(Cursor(Personal::new(after.into_owned())))
}

/// The objects of a list; `None` if it is none.
fn objects<'a>(list: &Object<'a>) -> Option<Vec<Object<'a>>> {
    let elements = list.get("data")?.array()?;
    Some(elements.into_iter().filter_map(Value::object).collect())
}

fn personal(of: &Object<'_>, key: &str) -> Option<Personal<String>> {
    let text = of.scalar(key).filter(|text| !text.is_empty())?;
    Some(Personal::new(text.into_owned()))
}

/// A token with its end, if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The token.
    pub token: AccessToken,
    /// When it ends; `None` if it does not, or if Meta does not say it.
    pub expires_at: Option<Timestamp>,
}

impl Grant {
    fn read(now: Timestamp, answer: &Object<'_>) -> Option<Self> {
        let seconds = answer.scalar("expires_in").and_then(|text| text.parse().ok());
        let seconds = seconds.filter(|seconds: &i64| *seconds > 0).map(SignedDuration::from_secs);
        let expires_at = seconds.and_then(|seconds| now.saturating_add(seconds).ok());
        Some(Self { token: token(answer)?, expires_at })
    }
}

fn token(of: &Object<'_>) -> Option<AccessToken> {
    let text = of.get("access_token")?.string().filter(|text| !text.is_empty())?;
    Some(AccessToken::new(text.into_owned()))
}

/// Meta's times: whole seconds, as a number or as text in ISO 8601
/// (docs/meta-platform.md#conversations).
fn instant(of: &Object<'_>, key: &str) -> Option<Timestamp> {
    let text = of.scalar(key)?;
    match text.parse() {
        Ok(seconds) => Timestamp::from_second(seconds).ok(),
        Err(_) => text.parse().ok(),
    }
}
