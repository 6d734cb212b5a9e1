//! `/v1/exports`: an owner asks for all that the account has, follows it, and downloads it.

use jiff::Timestamp;
use lambda_http::http::StatusCode;
use numib::api::access;
use numib::api::described::Described;
use numib::api::done::Done;
use numib::archive::ArchiveError;
use numib::archive::exports::LINK_LIFE;
use numib::concurrent::try_all;
use numib::domain::audit::Action;
use numib::domain::export::{EXPORTS_MAX, Export, Failure, State};
use numib::domain::ids::ExportId;
use numib::domain::work::ExportWork;
use numib::edge::problem::Problem;
use numib::seal::{SealError, random};
use numib::store::exports::OpenedExport;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::{Call, Route};
use crate::who::{DECIDERS, OWNER};

/// Exports that are looked at at once; an account has a week's.
const AT_ONCE: usize = 8;

const NOT_READY: Problem =
    Problem::conflict("The archive is not ready yet. Please try again later.");
const NONE: Problem =
    Problem::conflict("The export has failed, so there is no archive. Please ask for another.");
const GONE: Problem = Problem::new(
    StatusCode::GONE,
    "gone",
    "The archive is gone: its week is over, or something in it was erased. Please ask for another.",
);

const TOO_MANY: Problem = Problem::new(
    StatusCode::TOO_MANY_REQUESTS,
    "exports",
    "The account had 20 exports in seven days. Please download one of them, or ask again later.",
);

/// An export, as far as it has come.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Export")]
struct Shown {
    export: String,
    /// `asked`, `running`, `ready`, `failed` or `void`.
    state: &'static str,
    /// Why it failed.
    reason: Option<&'static str>,
    asked_at: String,
    ready_at: Option<String>,
    /// When record and archive go.
    expires_at: String,
    messages: u64,
    /// About how many there will be; absent before the first conversation is done.
    messages_about: Option<u64>,
    bytes: u64,
}

/// The exports of the last week.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Exports")]
struct Listed {
    exports: Vec<Shown>,
}

/// A link to an archive.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ExportLink")]
struct Link {
    export: String,
    url: String,
    /// When the link ends.
    expires_at: String,
}

pub(crate) static ASK: Route = Route {
    key: "POST /v1/exports",
    name: "askForExport",
    summary: "Ask for an archive of all that the account has",
    who: OWNER.just_signed_in(),
    action: Some(Action::AskForExport),
    describe: |of| Described::gives::<Shown>(of, 202, "It is written by a worker."),
    handler: |call| Box::pin(ask(call)),
};

/// Asks for an export; where one is under way, it is that one.
//= R5.1, R5.4
async fn ask(call: &Call<'_>) -> Result<Done, Problem> {
    access::is_active(&call.app.store, call.account()).await?;
    let store = &call.app.store;
    let id = random::export_id().map_err(failed)?;
    let export = Export::new(id, call.account().clone(), call.now);
    let opened = match store.export_under_way(call.account()).await? {
        Some(id) => OpenedExport::UnderWay(id),
        None if store.account_exports(call.account()).await?.len() >= EXPORTS_MAX => {
            return Err(TOO_MANY);
        }
        None => store.open_export(&export).await?,
    };
    let export = match opened {
        OpenedExport::New => export,
        OpenedExport::UnderWay(id) => store.export(&id).await?.ok_or(Problem::internal())?,
    };
    // Again, too, where one is under way: whoever asked first may have died before this.
    call.app.export_queue.put(ExportWork { export: export.id.clone(), not_before: None }).await?;
    Ok(Done::json(StatusCode::ACCEPTED, &wire(&export)).about("export", export.id))
}

pub(crate) static LIST: Route = Route {
    key: "GET /v1/exports",
    name: "listExports",
    summary: "The exports of the last week",
    who: DECIDERS,
    action: None,
    describe: |of| Described::gives::<Listed>(of, 200, "The exports."),
    handler: |call| Box::pin(list(call)),
};

/// The exports of the last week, the latest first.
//= R5.4
async fn list(call: &Call<'_>) -> Result<Done, Problem> {
    let store = &call.app.store;
    let ids = store.account_exports(call.account()).await?;
    let found = try_all(ids.iter().map(|id| store.export(id)), AT_ONCE).await?;
    let mut found: Vec<Export> = found.into_iter().flatten().collect();
    found.sort_by_key(|export| std::cmp::Reverse(export.asked_at));
    let exports = found.iter().map(wire).collect();
    Ok(Done::ok(&Listed { exports }))
}

pub(crate) static SHOW: Route = Route {
    key: "GET /v1/exports/{export_id}",
    name: "followExport",
    summary: "How far an export is",
    who: DECIDERS,
    action: None,
    describe: |of| Described::gives::<Shown>(of, 200, "The export."),
    handler: |call| Box::pin(show(call)),
};

/// How far one is.
//= R5.4
async fn show(call: &Call<'_>) -> Result<Done, Problem> {
    Ok(Done::ok(&wire(&found(call).await?)))
}

pub(crate) static DOWNLOAD: Route = Route {
    key: "POST /v1/exports/{export_id}/download",
    name: "downloadExport",
    summary: "Get a link to an archive, which lives for five minutes",
    who: OWNER.just_signed_in(),
    action: Some(Action::DownloadExport),
    describe: |of| {
        let described = Described::gives::<Link>(of, 200, "A link that lives for five minutes.");
        described.refuses(&[410])
    },
    handler: |call| Box::pin(download(call)),
};

/// A link to the archive, made for this click.
//= R5.4
async fn download(call: &Call<'_>) -> Result<Done, Problem> {
    access::is_active(&call.app.store, call.account()).await?;
    let export = found(call).await?;
    match export.state {
        State::Asked | State::Running => return Err(NOT_READY),
        State::Failed => return Err(NONE),
        State::Void => return Err(GONE),
        State::Ready if call.now >= export.kept_until() => return Err(GONE),
        State::Ready => {}
    }
    let url = call.app.exports.link(&export).await.map_err(|error| archive(&error))?;
    let life = i64::try_from(LINK_LIFE.as_secs()).unwrap_or_default();
    let until = call.now.saturating_add(jiff::SignedDuration::from_secs(life));
    let until = until.unwrap_or(Timestamp::MAX).to_string();
    let link = Link { export: export.id.to_string(), url, expires_at: until };
    Ok(Done::ok(&link))
}

/// One of this account's.
async fn found(call: &Call<'_>) -> Result<Export, Problem> {
    let id = call.parameter("export_id", ExportId::parse)?;
    let found = call.app.store.export(&id).await?;
    found.filter(|export| export.account == *call.account()).ok_or(Problem::not_found())
}

fn wire(export: &Export) -> Shown {
    Shown {
        export: export.id.to_string(),
        state: export.state.as_str(),
        reason: export.failure.map(Failure::as_str),
        asked_at: export.asked_at.to_string(),
        ready_at: export.ready_at.map(|at| at.to_string()),
        expires_at: export.kept_until().to_string(),
        messages: export.written.messages,
        messages_about: export.messages_about(),
        bytes: export.written.bytes,
    }
}

fn archive(error: &ArchiveError) -> Problem {
    tracing::error!(error = %error, "no link was made");
    Problem::internal()
}

fn failed(error: SealError) -> Problem {
    tracing::error!(error = %error, "no id was made");
    Problem::internal()
}
