//! A function as Lambda runs it: its binary as a process of its own, fed through the Runtime API.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use numib::edge::clock::{self, Stopwatch};
use numib::store::Tables;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};

use crate::endpoint::{listen, serve};
use crate::process;

/// Lambda's limit for an event and for an answer.
const PAYLOAD_LEN_MAX: usize = 6 * 1024 * 1024;
/// How much longer than its time a function may take before the benchmark gives up on it.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is kept of a function's output, for the error when it fails.
const OUTPUT_TAIL_LEN: usize = 4096;
/// After it has asked for the next event, a function still has a few steps to the end of its turn.
const SETTLE: Duration = Duration::from_millis(2);
const LAST_WORDS: Duration = Duration::from_millis(50);

/// Request ids differ over all functions of a run.
static INVOCATIONS: AtomicU64 = AtomicU64::new(0);

/// A function to run.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) argument: Option<String>,
    /// The environment, and nothing else.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// The time that the template gives it.
    pub(crate) timeout: Duration,
}

/// A running function.
#[derive(Debug)]
pub(crate) struct Sandbox {
    process: Child,
    pid: u32,
    events: mpsc::Sender<Event>,
    outcomes: mpsc::Receiver<Outcome>,
    waiting: watch::Receiver<bool>,
    output: Arc<Mutex<Vec<u8>>>,
    patience: Duration,
}

/// What came of one invocation.
#[derive(Debug)]
pub(crate) struct Answer {
    /// From the event's delivery to the whole answer.
    pub(crate) took: Duration,
    /// From the start of the process to the whole answer.
    pub(crate) since_start: Duration,
    pub(crate) payload: Bytes,
}

#[derive(Debug)]
struct Event {
    request_id: String,
    payload: Bytes,
}

#[derive(Debug)]
enum Outcome {
    Answered(Answer),
    Failed(String),
}

/// One function's side of the Runtime API.
struct Api {
    events: tokio::sync::Mutex<mpsc::Receiver<Event>>,
    outcomes: mpsc::Sender<Outcome>,
    waiting: watch::Sender<bool>,
    delivered: Mutex<Stopwatch>,
    started: Stopwatch,
    timeout: Duration,
}

impl Sandbox {
    /// Starts a function.
    pub(crate) async fn start(program: &Program) -> anyhow::Result<Self> {
        let (listener, url) = listen().await?;
        let (events, taken) = mpsc::channel(1);
        let (answered, outcomes) = mpsc::channel(1);
        let (waits, waiting) = watch::channel(false);
        let started = Stopwatch::start();
        let api = Arc::new(Api {
            events: tokio::sync::Mutex::new(taken),
            outcomes: answered,
            waiting: waits,
            delivered: Mutex::new(started),
            started,
            timeout: program.timeout,
        });
        tokio::spawn(serve(listener, routes(api)));
        let mut process = Command::new(&program.path)
            .args(&program.argument)
            .env_clear()
            .envs(program.environment.iter().cloned())
            .env("AWS_LAMBDA_RUNTIME_API", url.trim_start_matches("http://"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.path.display()))?;
        let output = Arc::default();
        if let Some(pipe) = process.stdout.take() {
            tokio::spawn(keep_tail(pipe, Arc::clone(&output)));
        }
        if let Some(pipe) = process.stderr.take() {
            tokio::spawn(keep_tail(pipe, Arc::clone(&output)));
        }
        let pid = process.id().context("it ended at once")?;
        let patience = program.timeout.saturating_add(PATIENCE);
        Ok(Self { process, pid, events, outcomes, waiting, output, patience })
    }

    /// Hands an event over and waits for the answer.
    pub(crate) async fn invoke(&mut self, payload: Bytes) -> anyhow::Result<Answer> {
        let number = INVOCATIONS.fetch_add(1, Ordering::Relaxed);
        let request_id = format!("{number:08x}-0000-4000-8000-000000000000");
        let event = Event { request_id, payload };
        let outcome = async {
            self.events.send(event).await.context("nobody takes events")?;
            tokio::select! {
                outcome = self.outcomes.recv() => outcome.context("nobody answers"),
                status = self.process.wait() => bail!("it ended ({})", status?),
            }
        };
        let patience = self.patience;
        let outcome = tokio::time::timeout(patience, outcome).await;
        let error = match outcome.unwrap_or_else(|_| bail!("no answer within {patience:?}")) {
            Ok(Outcome::Answered(answer)) => return Ok(answer),
            Ok(Outcome::Failed(error)) => error,
            Err(error) => format!("{error:#}"),
        };
        // Its last words may still be in the pipe.
        tokio::time::sleep(LAST_WORDS).await;
        bail!("the function failed: {error}\n{}", self.output())
    }

    /// What it has used of the processor, once it waits for the next event.
    pub(crate) async fn cpu(&mut self) -> anyhow::Result<Duration> {
        tokio::time::timeout(self.patience, self.waiting.wait_for(|waiting| *waiting)).await??;
        tokio::time::sleep(SETTLE).await;
        process::cpu(self.pid)
    }

    /// What it has used of the processor so far.
    pub(crate) fn cpu_so_far(&self) -> anyhow::Result<Duration> {
        process::cpu(self.pid)
    }

    /// The most memory it has had so far, in KiB.
    pub(crate) fn peak_kib(&self) -> anyhow::Result<u32> {
        process::peak_kib(self.pid)
    }

    /// The last of what it wrote out.
    pub(crate) fn output(&self) -> String {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&output).into_owned()
    }
}

async fn keep_tail(mut pipe: impl AsyncRead + Unpin, tail: Arc<Mutex<Vec<u8>>>) {
    let mut read = vec![0; OUTPUT_TAIL_LEN];
    while let Ok(len @ 1..) = pipe.read(&mut read).await {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(read.get(..len).unwrap_or_default());
        let excess = tail.len().saturating_sub(OUTPUT_TAIL_LEN);
        tail.drain(..excess);
    }
}

fn routes(api: Arc<Api>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(PAYLOAD_LEN_MAX))
        .with_state(api)
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    let mut events = api.events.lock().await;
    api.waiting.send_replace(true);
    let event = events.recv().await;
    api.waiting.send_replace(false);
    let Some(event) = event else { return StatusCode::GONE.into_response() };
    let timeout_ms = i64::try_from(api.timeout.as_millis()).unwrap_or(i64::MAX);
    let deadline_ms = clock::now().as_millisecond().saturating_add(timeout_ms);
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:bench";
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", event.request_id),
        ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", arn.to_owned()),
    ];
    *api.delivered.lock().unwrap_or_else(PoisonError::into_inner) = Stopwatch::start();
    (headers, event.payload).into_response()
}

async fn response(
    State(api): State<Arc<Api>>,
    UrlPath(_): UrlPath<String>,
    payload: Bytes,
) -> StatusCode {
    let took = api.delivered.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
    let answer = Answer { took, since_start: api.started.elapsed(), payload };
    api.outcome(Outcome::Answered(answer)).await
}

async fn error(
    State(api): State<Arc<Api>>,
    UrlPath(_): UrlPath<String>,
    payload: Bytes,
) -> StatusCode {
    api.outcome(Outcome::Failed(String::from_utf8_lossy(&payload).into_owned())).await
}

async fn init_error(State(api): State<Arc<Api>>, payload: Bytes) -> StatusCode {
    api.outcome(Outcome::Failed(String::from_utf8_lossy(&payload).into_owned())).await
}

impl Api {
    async fn outcome(&self, outcome: Outcome) -> StatusCode {
        match self.outcomes.send(outcome).await {
            Ok(()) => StatusCode::ACCEPTED,
            Err(_) => StatusCode::GONE,
        }
    }
}

/// The environment of a function on a stack at this endpoint: what Lambda gives every function,
/// and what the template tells any of those that are measured.
pub(crate) fn environment(
    endpoint_url: &str,
    tables: Tables,
    certificates: Option<&Path>,
) -> Vec<(&'static str, String)> {
    let key = "arn:aws:kms:us-east-1:000000000000:key/bench";
    let queue = "https://sqs.us-east-1.amazonaws.com/000000000000/bench";
    let mut environment = vec![
        ("AWS_LAMBDA_FUNCTION_NAME", "bench".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
        ("AWS_SESSION_TOKEN", "bench".to_owned()),
        ("AWS_ENDPOINT_URL", endpoint_url.to_owned()),
        ("LOG_LEVEL", "info".to_owned()),
        ("CORE_TABLE", tables.core),
        ("MESSAGES_TABLE", tables.messages),
        ("KEYS_TABLE", tables.keys),
        ("LEDGER_TABLE", tables.ledger),
        ("META_SECRET_ARN", "bench".to_owned()),
        ("DATA_KEY_ARN", key.to_owned()),
        ("RECEIPT_KEY_ARN", key.to_owned()),
        ("EXPORT_BUCKET", "bench".to_owned()),
        ("EXPORT_QUEUE_URL", queue.to_owned()),
        ("WORK_QUEUE_URL", queue.to_owned()),
        ("USER_POOL_ID", "us-east-1_bench".to_owned()),
    ];
    if let Some(path) = certificates {
        environment.push(("SSL_CERT_FILE", path.display().to_string()));
    }
    environment
}
