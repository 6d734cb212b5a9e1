//! What the outside learns of a body: the answer, one log line, metrics. Counts only.

use std::time::Duration;

use jiff::Timestamp;
use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use numib::domain::update::Ignored;
use numib::edge::problem::{Problem, json};
use numib::edge::telemetry::{Metrics, Unit};
use serde_json::json;

use crate::intake::{IntakeError, Tally};

/// Counts a refused signature.
pub(crate) fn refused(now: Timestamp) {
    tracing::warn!(status = 401, "no candidate secret made this signature");
    let mut metrics = Metrics::new(now);
    metrics.add("SignatureFailures", Unit::Count, 1);
    metrics.emit();
}

/// Answers Meta, and tells the operators; `secret_index` tells them when an old secret can go.
pub(crate) fn taken(
    taken: Result<Tally, IntakeError>,
    secret_index: usize,
    (now, elapsed): (Timestamp, Duration),
) -> Result<Response<Body>, Problem> {
    match taken {
        Ok(tally) => Ok(acknowledged(&tally, secret_index, (now, elapsed))),
        Err(error) => {
            tracing::error!(status = 500, error = %error, "webhook not taken in");
            let mut metrics = Metrics::new(now);
            metrics.add("IntakeFailures", Unit::Count, 1);
            metrics.emit();
            Err(Problem::internal())
        }
    }
}

/// 200 with the counts. Meta ignores the body; whoever signs a test body can check it.
fn acknowledged(
    tally: &Tally,
    secret_index: usize,
    (now, elapsed): (Timestamp, Duration),
) -> Response<Body> {
    let ignored: usize = tally.ignored.values().sum();
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let lag_ms_max = tally.lag_ms.iter().max();
    tracing::info!(
        status = 200,
        received = tally.items,
        stored = tally.stored,
        edited = tally.edited,
        unsent = tally.unsent,
        ignored,
        lag_ms_max,
        secret_index,
        elapsed_ms,
        "webhook taken in"
    );
    metrics(tally, now).emit();
    let reasons: serde_json::Map<String, serde_json::Value> = tally
        .ignored
        .iter()
        .map(|(reason, count)| (reason.as_str().to_owned(), (*count).into()))
        .collect();
    let body = json!({
        "received": tally.items,
        "stored": tally.stored,
        "edited": tally.edited,
        "unsent": tally.unsent,
        "ignored": ignored,
        "reasons": reasons,
    });
    json(StatusCode::OK, "application/json", &body)
}

fn metrics(tally: &Tally, now: Timestamp) -> Metrics {
    let mut metrics = Metrics::new(now);
    let duplicates = tally.ignored.get(&Ignored::Duplicate).copied().unwrap_or_default();
    metrics.add("Received", Unit::Count, tally.items);
    metrics.add("Stored", Unit::Count, tally.stored);
    metrics.add("Duplicate", Unit::Count, duplicates);
    metrics.add("Unsent", Unit::Count, tally.unsent);
    metrics.add("Edited", Unit::Count, tally.edited);
    metrics.observe("EventLagMs", Unit::Milliseconds, tally.lag_ms.clone());
    for (reason, count) in &tally.ignored {
        metrics.ignored(reason.as_str(), u64::try_from(*count).unwrap_or(u64::MAX));
    }
    metrics
}
