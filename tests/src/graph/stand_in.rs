//! A stand-in for Meta: notes each request, and gives the answers that it was given.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use jiff::Timestamp;
use numib::domain::ids::{Channel, MetaId};
use numib::domain::personal::Personal;
use numib::graph::host::Base;
use numib::graph::secret::{AccessToken, AppSecret};
use numib::graph::send::{Text, Window};
use numib::graph::{App, Apps, Asset, Graph};
use tokio::net::TcpListener;

pub(crate) const NOW: Timestamp = Timestamp::constant(1_796_040_000, 0);
pub(crate) const TOKEN: &str = "token-canary";

/// A request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The end of the connection that it came by.
    pub(crate) from: SocketAddr,
    /// Such as `GET graph.facebook.com/v27.0/me`.
    pub(crate) what: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) bearer: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) body: String,
}

#[derive(Default)]
struct Script {
    seen: Vec<Seen>,
    answers: VecDeque<Response>,
}

/// The server, and a client of it.
pub(crate) struct StandIn {
    pub(crate) graph: Graph,
    script: Arc<Mutex<Script>>,
}

impl StandIn {
    /// Gives these answers, one after the other, and then none: a further request is an error.
    pub(crate) async fn answering(answers: impl IntoIterator<Item = Response>) -> Self {
        let answers = answers.into_iter().collect();
        let script = Arc::new(Mutex::new(Script { seen: Vec::new(), answers }));
        let service = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let graph = graph_at("http", listener.local_addr().unwrap());
        let service = service.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { graph, script }
    }

    /// Gives one answer, of status 200.
    pub(crate) async fn telling(json: &str) -> Self {
        Self::answering([ok(json)]).await
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.script.lock().unwrap().seen.clone()
    }

    /// The only request.
    #[track_caller]
    pub(crate) fn only(&self) -> Seen {
        let [seen] = self.seen().try_into().unwrap();
        seen
    }
}

async fn answer(
    State(script): State<Arc<Mutex<Script>>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let header = |name| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let query = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
    let path = head.uri.path().trim_start_matches('/');
    let seen = Seen {
        from,
        what: format!("{} {path}", head.method),
        query: query.into_owned().collect(),
        bearer: header("authorization"),
        kind: header("content-type"),
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    let mut script = script.lock().unwrap();
    script.seen.push(seen);
    script.answers.pop_front().unwrap_or_else(|| status(500, "nobody expected this request"))
}

pub(crate) fn status(status: u16, body: &str) -> Response {
    Response::builder().status(status).body(Body::from(body.to_owned())).unwrap()
}

pub(crate) fn ok(json: &str) -> Response {
    status(200, json)
}

/// A client of whoever listens at this address.
pub(crate) fn graph_at(scheme: &str, address: SocketAddr) -> Graph {
    let secret = |text: &str| AppSecret::new(text.to_owned());
    let facebook = App { id: "1001".to_owned(), secret: secret("facebook-secret-canary") };
    let instagram = App { id: "2002".to_owned(), secret: secret("instagram-secret-canary") };
    let apps = Apps { facebook: Some(facebook), instagram: Some(instagram) };
    Graph::new(Base::under(&format!("{scheme}://{address}")).unwrap(), apps)
}

pub(crate) fn token() -> AccessToken {
    AccessToken::new(TOKEN.to_owned())
}

pub(crate) fn id(text: &str) -> MetaId {
    Personal::new(text.to_owned())
}

/// Ways in which a channel is connected.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    Messenger,
    Page,
    Instagram,
}

/// What a test calls for: Page or account 17, with the usual token.
pub(crate) struct Shop {
    id: MetaId,
    token: AccessToken,
}

impl Shop {
    pub(crate) fn new() -> Self {
        Self { id: id("17"), token: token() }
    }

    pub(crate) fn asset(&self, by: By) -> Asset<'_> {
        match by {
            By::Messenger => Asset::page(Channel::Messenger, &self.id, &self.token),
            By::Page => Asset::page(Channel::Instagram, &self.id, &self.token),
            By::Instagram => Asset::instagram(&self.id, &self.token),
        }
    }
}

/// A text to a person.
pub(crate) struct Note {
    to: MetaId,
    text: Personal<String>,
}

impl Note {
    pub(crate) fn new() -> Self {
        Self { to: id("person-canary"), text: Personal::new("text-canary".to_owned()) }
    }

    pub(crate) fn text(&self) -> Text<'_> {
        Text { to: &self.to, text: &self.text, window: Window::Open, metadata: None }
    }
}
