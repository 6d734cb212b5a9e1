//! What goes between the product and its database, and a hand on it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::http::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::http::{
    HttpClient as _, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::result::ConnectorError;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// Sees each request go out, and decides what becomes of it.
#[derive(Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    interlude: Option<(Which, Interlude)>,
    faults: Option<Faults>,
}

type Faults = Box<dyn FnMut(&Call) -> Fate + Send>;

type Which = Box<dyn Fn(&Call) -> bool + Send>;

type Interlude = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One attempt of one request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Such as `PutItem`.
    pub(crate) operation: String,
    pub(crate) body: Value,
}

impl Call {
    /// Whether it is this operation on a table of this logical id.
    pub(crate) fn is(&self, operation: &str, table: &str) -> bool {
        let on = self.body["TableName"].as_str().is_some_and(|name| name.ends_with(table));
        self.operation == operation && on
    }

    /// Whether it reads whose the routes of a body are: connections with their index keys.
    pub(crate) fn finds_routes(&self) -> bool {
        self.operation == "BatchGetItem" && self.reads("KeysTable")
    }

    /// Whether it is the look after a write: connections and contacts.
    pub(crate) fn is_look(&self) -> bool {
        self.operation == "BatchGetItem" && !self.reads("KeysTable")
    }

    /// How many rows of messages a batch deletes.
    pub(crate) fn rows_deleted(&self) -> usize {
        let tables = self.body["RequestItems"].as_object().into_iter().flatten();
        let of_messages = tables.filter(|(table, _)| table.ends_with("MessagesTable"));
        let rows = of_messages.filter_map(|(_, rows)| rows.as_array()).flatten();
        rows.filter(|row| row["DeleteRequest"].is_object()).count()
    }

    /// Whether a batch reads of a table of this logical id.
    fn reads(&self, table: &str) -> bool {
        let tables = self.body["RequestItems"].as_object();
        tables.is_some_and(|tables| tables.keys().any(|name| name.ends_with(table)))
    }
}

/// A request's turn: that it may go, and that it is answered, or given up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turn(Arc<Steps>);

#[derive(Debug, Default)]
struct Steps {
    go: Notify,
    over: Notify,
    is_over: AtomicBool,
    is_unheard: AtomicBool,
}

impl Turn {
    /// Lets the request go, and waits for its answer.
    pub(crate) async fn take(&self) {
        self.0.go.notify_one();
        self.0.over.notified().await;
    }

    /// Lets the request go, whose answer never comes.
    pub(crate) async fn take_unheard(&self) {
        self.0.is_unheard.store(true, Ordering::Relaxed);
        self.take().await;
    }

    /// Whether it is answered, or given up.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Relaxed)
    }
}

/// Says so when a request is over, even if nobody waits for its answer any more.
struct Over(Turn);

impl Drop for Over {
    fn drop(&mut self) {
        let Turn(steps) = &self.0;
        steps.is_over.store(true, Ordering::Relaxed);
        steps.over.notify_one();
    }
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// It reaches the database.
    Passes,
    /// The database is out of capacity.
    Throttled,
    /// The database fails.
    Failed,
    /// It is refused, with this code.
    Refused(&'static str),
    /// There is no connection.
    Lost,
    /// It reaches the database, but the answer is lost.
    Unheard,
    /// It reaches the database this much later.
    Late(Duration),
    /// Somebody else answers.
    Answered(Value),
    /// It reaches the database when it is its turn.
    Waits(Turn),
}

impl Wire {
    /// The same clients, through this wire.
    pub(crate) fn tap(&self, sdk: &SdkConfig) -> SdkConfig {
        let (inner, wire) = (sdk.http_client().unwrap(), self.clone());
        let client = http_client_fn(move |settings, components| {
            let inner = inner.http_connector(settings, components);
            SharedHttpConnector::new(Tapped { inner, wire: wire.clone() })
        });
        sdk.to_builder().http_client(client).build()
    }

    /// Something that happens just before the next request of this operation goes out.
    pub(crate) fn before(
        &self,
        operation: &'static str,
        interlude: impl Future<Output = ()> + Send + 'static,
    ) {
        self.before_call(move |call| call.operation == operation, interlude);
    }

    /// Something that happens just before the next request of this kind goes out.
    pub(crate) fn before_call(
        &self,
        which: impl Fn(&Call) -> bool + Send + 'static,
        interlude: impl Future<Output = ()> + Send + 'static,
    ) {
        self.0.lock().unwrap().interlude = Some((Box::new(which), Box::pin(interlude)));
    }

    /// Whether what was to happen in between has happened.
    pub(crate) fn interlude_is_over(&self) -> bool {
        self.0.lock().unwrap().interlude.is_none()
    }

    /// Decides the fate of every request from now on.
    pub(crate) fn decide(&self, faults: impl FnMut(&Call) -> Fate + Send + 'static) {
        self.0.lock().unwrap().faults = Some(Box::new(faults));
    }

    /// Lets everything pass again.
    pub(crate) fn heal(&self) {
        self.0.lock().unwrap().faults = None;
    }

    /// The requests since the last time of asking.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }

    fn pass(&self, call: Call) -> (Option<Interlude>, Fate) {
        let mut state = self.0.lock().unwrap();
        let fate = state.faults.as_mut().map_or(Fate::Passes, |faults| faults(&call));
        let due = state.interlude.take_if(|(which, _)| which(&call));
        state.calls.push(call);
        (due.map(|(_, interlude)| interlude), fate)
    }
}

#[derive(Clone)]
struct Tapped {
    inner: SharedHttpConnector,
    wire: Wire,
}

impl std::fmt::Debug for Tapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tapped")
    }
}

impl HttpConnector for Tapped {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { inner, wire } = self.clone();
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
            let body = request.body().bytes().unwrap_or_default();
            let body = serde_json::from_slice(body).unwrap_or_default();
            let (interlude, fate) = wire.pass(Call { operation, body });
            if let Some(interlude) = interlude {
                interlude.await;
            }
            match fate {
                Fate::Passes => inner.call(request).await,
                Fate::Late(by) => {
                    tokio::time::sleep(by).await;
                    inner.call(request).await
                }
                Fate::Throttled => Ok(error(400, "ThrottlingException")),
                Fate::Failed => Ok(error(500, "InternalServerError")),
                Fate::Refused(code) => Ok(error(400, code)),
                Fate::Lost => Err(ConnectorError::io("lost".into())),
                Fate::Unheard => {
                    inner.call(request).await?;
                    Err(ConnectorError::io("lost".into()))
                }
                Fate::Answered(body) => Ok(answer(200, &body)),
                Fate::Waits(turn) => {
                    let over = Over(turn.clone());
                    turn.0.go.notified().await;
                    let answer = inner.call(request).await;
                    drop(over);
                    if turn.0.is_unheard.load(Ordering::Relaxed) {
                        std::future::pending::<()>().await;
                    }
                    answer
                }
            }
        })
    }
}

fn error(status: u16, kind: &str) -> HttpResponse {
    answer(status, &json!({"__type": format!("com.amazonaws.dynamodb#{kind}"), "message": "no"}))
}

fn answer(status: u16, body: &Value) -> HttpResponse {
    let status = status.try_into().unwrap();
    let mut response = HttpResponse::new(status, body.to_string().into());
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    response
}

/// A service that has one answer to everything, or none.
pub(crate) fn constant(body: Option<Value>) -> SharedHttpClient {
    #[derive(Debug)]
    struct Constant(Option<Value>);
    impl HttpConnector for Constant {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            HttpConnectorFuture::ready(match &self.0 {
                Some(body) => Ok(answer(200, body)),
                None => Ok(error(500, "InternalServiceError")),
            })
        }
    }
    http_client_fn(move |_, _| SharedHttpConnector::new(Constant(body.clone())))
}
