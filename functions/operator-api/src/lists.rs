//! Lists of ids that Meta publishes to the app's owner (R8.7).
//!
//! Each id of a file is one request for good. The same file again changes nothing, and gives the
//! same lines. So a caller who ran out of time posts the file again, and says from which line to go
//! on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_lc_rs::digest;
use jiff::Timestamp;
use lambda_http::http::StatusCode;
use lambda_http::{Request, RequestExt as _};
use numib::api::body;
use numib::api::described::Described;
use numib::api::done::Done;
use numib::api::erase::report;
use numib::api::who::OPERATORS;
use numib::concurrent::all;
use numib::domain::audit::Action;
use numib::domain::erasure::{Request as Erasure, Source, Target};
use numib::domain::hex::hex;
use numib::domain::ids::{MetaId, RequestId};
use numib::edge::clock::Stopwatch;
use numib::edge::problem::Problem;
use numib::edge::queue::QueueError;
use numib::erasure::{self, Asked, ErasureError, targets};
use numib::meta::deletion_list::{self, Entry, ListError};
use numib::seal::pseudonym::Pepper;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::app::{App, Call, Route};

/// How long after the time for lists the work under way is given up.
const GRACE: Duration = Duration::from_secs(5);
/// People who are looked up at once.
const AT_ONCE: usize = 16;

const NOT_A_LIST: Problem = Problem::new(
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "content-type",
    "Please send a body of type text/csv or text/plain.",
);
const TOO_LONG: Problem = Problem::new(
    StatusCode::PAYLOAD_TOO_LARGE,
    "too-large",
    "The list is larger than 4 MiB. Please split it.",
);
const TOO_MANY: Problem = Problem::new(
    StatusCode::PAYLOAD_TOO_LARGE,
    "too-large",
    "The list has more than 20,000 ids. Please split it.",
);
const NOT_TEXT: Problem = Problem::bad_request("list", "Please send the list as text in UTF-8.");
const OPEN_QUOTE: Problem = Problem::bad_request(
    "list",
    "A quote in the list is never closed, so nothing was done. Please close it.",
);
const EMPTY: Problem =
    Problem::bad_request("list", "The list has no line with an id. Please check the file.");
const BAD_FROM: Problem = Problem::field("from", "`from` must be the number of a line, from 1.");

/// The result for an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "LineState")]
enum Outcome {
    /// The person is being erased because of this file.
    Requested,
    /// Nothing is held of the person, and the request says so.
    NothingHeld,
    /// The person was being erased before.
    AlreadyUnderWay,
    /// The entry is no id.
    Malformed,
    /// This id failed, and others did not. The log says why.
    Failed,
}

/// A line of the answer. It does not repeat the id: whoever posted the list has it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReportedLine")]
struct Reported {
    line: usize,
    state: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
}

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ListReport")]
struct Report<'a> {
    file: &'a str,
    lines: Vec<Reported>,
    counts: BTreeMap<Outcome, usize>,
    /// The line to go on from; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    resume_from: Option<usize>,
}

/// Why an id was not taken.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Erasure(#[from] ErasureError),
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl Refused {
    /// Whether the failure concerns one person only, so that others are still worth trying.
    const fn is_of_one_person(&self) -> bool {
        match self {
            Self::Erasure(ErasureError::Store(error)) => error.is_of_one_item(),
            Self::Erasure(
                ErasureError::Transition(_) | ErasureError::Unknown | ErasureError::TooManyTargets,
            ) => true,
            Self::Erasure(
                ErasureError::Seal(_)
                | ErasureError::Signing(_)
                | ErasureError::Identity(_)
                | ErasureError::Archive(_),
            )
            | Self::Queue(_) => false,
        }
    }
}

type Taken<'a> = BTreeMap<&'a MetaId, (Outcome, Option<RequestId>)>;

pub(crate) static IMPORT: Route = Route {
    key: "POST /v1/operator/deletion-lists",
    name: "importDeletionList",
    summary: "Have the people of a list of Meta's erased",
    who: OPERATORS,
    action: Some(Action::ImportList),
    describe: |of| {
        let text = of.subschema_for::<String>();
        let from = json!({"type": "integer", "minimum": 1, "default": 1});
        let described = Described::gives::<Report<'_>>(of, 200, "What became of each line.");
        let described = described.asks("from", false, &from);
        described.takes_one_of("", &[("text/csv", text.clone()), ("text/plain", text)])
    },
    handler: |call| Box::pin(import(call)),
};

/// Opens a request for each id of the list, while there is time.
//= R8.7
async fn import(call: &Call<'_>) -> Result<Done, Problem> {
    let &Call { app, request, now, .. } = call;
    let types = ["text/csv", "text/plain"];
    let len_max = deletion_list::LEN_MAX;
    let bytes = body::of_type(request, &types, len_max, [NOT_A_LIST, TOO_LONG])?;
    let from = from(request)?;
    let mut entries = deletion_list::parse(bytes).map_err(unreadable)?;
    entries.retain(|entry| entry.line >= from);
    let file = name(bytes);
    let secrets = app.secrets.get().await?;
    let importer = Importer { app, pepper: &secrets.pepper, file: &file, now };
    let (taken, targets) = importer.take(&entries, &call.stopwatch).await;
    let report = answer(&file, &entries, &taken);
    if report.lines.is_empty() && report.resume_from.is_some() {
        return Err(Problem::internal());
    }
    Ok(Done::ok(&report).about("list", &file).erasing(None, targets))
}

/// The line to go on from. Without it nothing is lost, but the lines before take their time again.
fn from(request: &Request) -> Result<usize, Problem> {
    let query = request.query_string_parameters();
    let Some(from) = query.first("from") else { return Ok(1) };
    from.parse().ok().filter(|from| *from > 0).ok_or(BAD_FROM)
}

/// The name of a file by its content, whatever the file is called.
fn name(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(digest::digest(&digest::SHA256, bytes).as_ref()))
}

const fn unreadable(error: ListError) -> Problem {
    match error {
        ListError::TooLong => TOO_LONG,
        ListError::TooMany => TOO_MANY,
        ListError::NotText => NOT_TEXT,
        ListError::OpenQuote => OPEN_QUOTE,
        ListError::Empty => EMPTY,
    }
}

#[derive(Clone, Copy)]
struct Importer<'a> {
    app: &'a App,
    pepper: &'a Pepper,
    file: &'a str,
    now: Timestamp,
}

impl Importer<'_> {
    /// Takes the ids in order, each once, until they end, time runs out, or a failure concerns more
    /// than one person. Returns what is erased that was not before.
    async fn take<'b>(
        &self,
        entries: &'b [Entry],
        stopwatch: &Stopwatch,
    ) -> (Taken<'b>, Vec<Target>) {
        let mut seen = BTreeSet::new();
        let ids = entries.iter().filter_map(|entry| entry.id.as_ref());
        let ids: Vec<&MetaId> = ids.filter(|id| seen.insert(*id)).collect();
        let (mut taken, mut targets) = (Taken::new(), Vec::new());
        for some in ids.chunks(AT_ONCE) {
            let left = self.app.list_time.saturating_add(GRACE);
            let left = left.saturating_sub(stopwatch.elapsed());
            let outcomes = all(some.iter().map(|id| self.person(id)), AT_ONCE);
            let Ok(outcomes) = tokio::time::timeout(left, outcomes).await else {
                tracing::warn!("a list was given up within its time");
                break;
            };
            let mut goes_on = stopwatch.elapsed() < self.app.list_time;
            for (id, outcome) in some.iter().zip(outcomes) {
                match outcome {
                    Ok((outcome, code, erased)) => {
                        taken.insert(*id, (outcome, Some(code)));
                        targets.extend(erased);
                    }
                    Err(error) if error.is_of_one_person() => {
                        tracing::error!(error = %error, "an id of a list was not taken");
                        taken.insert(*id, (Outcome::Failed, None));
                    }
                    Err(error) => {
                        tracing::error!(error = %error, "a list was not taken to its end");
                        goes_on = false;
                    }
                }
            }
            if !goes_on {
                break;
            }
        }
        report(taken.len(), self.now);
        (taken, targets)
    }

    /// The one request of this file for a person: its earlier one, the one under way, or a new one.
    async fn person(&self, id: &MetaId) -> Result<(Outcome, RequestId, Vec<Target>), Refused> {
        let store = &self.app.store;
        let person = self.pepper.person(id);
        let once = format!("{} {person}", self.file);
        let met = store.request_asked_once(&once).await.map_err(ErasureError::from)?;
        let (request, asked_for) = if let Some(met) = met {
            (erasure::resume(store, &met, self.now).await?, Vec::new())
        } else {
            let targets = targets::of_person(store, self.pepper, id, None, self.now).await?;
            let asked_for = targets.clone();
            let asked = Asked {
                source: Source::MetaList,
                reference: Some(self.file.to_owned()),
                subject: format!("person {person}"),
                targets,
                due_at: None,
            };
            (erasure::begin_once(store, asked, &once, self.now).await?, asked_for)
        };
        self.app.queue.carry_on(&request, self.now).await?;
        let outcome = self.outcome(&request);
        // Accounts are told of what a hold keeps, too.
        let is_of_list = matches!(outcome, Outcome::Requested);
        Ok((outcome, request.id, if is_of_list { asked_for } else { Vec::new() }))
    }

    /// The result, made of what never changes of a request. So it is the same whenever someone
    /// asks.
    fn outcome(&self, request: &Erasure) -> Outcome {
        if request.reference.as_deref() != Some(self.file) {
            Outcome::AlreadyUnderWay
        } else if request.targets.is_empty() {
            Outcome::NothingHeld
        } else {
            Outcome::Requested
        }
    }
}

/// A line for each entry, up to the first id that was not taken.
fn answer<'a>(file: &'a str, entries: &[Entry], taken: &Taken<'_>) -> Report<'a> {
    let (mut lines, mut counts) = (Vec::new(), BTreeMap::new());
    let outcome = |id: &Option<MetaId>| match id {
        None => Some((Outcome::Malformed, None)),
        Some(id) => taken.get(id).cloned(),
    };
    let mut resume_from = None;
    for Entry { line, id } in entries {
        let Some((state, request)) = outcome(id) else {
            resume_from = Some(*line);
            break;
        };
        let count: &mut usize = counts.entry(state).or_default();
        *count = count.saturating_add(1);
        lines.push(Reported { line: *line, state, request: request.map(|id| id.to_string()) });
    }
    Report { file, lines, counts, resume_from }
}
