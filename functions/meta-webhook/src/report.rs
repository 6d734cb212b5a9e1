//! What the outside learns of a body: the answer, one log line, metrics. Counts only.

use jiff::Timestamp;
use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use numib::domain::update::Ignored;
use numib::edge::clock::Clock;
use numib::edge::problem::json;
use numib::edge::telemetry::{Metrics, Unit};
use schemars::{Schema, json_schema};
use serde_json::json;

use crate::Refusal;
use crate::taken::Taken;

/// Tells the operators of a request that got no 200.
pub(crate) fn refused(refusal: &Refusal, status: StatusCode, clock: &Clock) {
    let (status, elapsed_ms) = (status.as_u16(), elapsed_ms(clock));
    let mut metrics = Metrics::new(clock.began);
    match refusal {
        Refusal::Signature(_) => metrics.add("SignatureFailures", Unit::Count, 1),
        Refusal::Secrets(_) | Refusal::Intake(_) => metrics.add("IntakeFailures", Unit::Count, 1),
        Refusal::Method | Refusal::TooLarge | Refusal::Handshake(_) => {}
    }
    if status < 500 {
        tracing::warn!(status, error = %refusal, elapsed_ms, "request refused");
    } else {
        tracing::error!(status, error = %refusal, elapsed_ms, "request failed");
    }
    metrics.emit();
}

/// 200 with the counts. Meta ignores the body; whoever signs a test body can check it. The log says
/// which secret signed: that tells the operators when an old one can go.
pub(crate) fn acknowledged(taken: &Taken, secret_index: usize, clock: &Clock) -> Response<Body> {
    let ignored: usize = taken.ignored.values().sum();
    let elapsed_ms = elapsed_ms(clock);
    let lag_ms_max = taken.lag_ms.iter().max();
    tracing::info!(
        status = 200,
        received = taken.items,
        stored = taken.stored,
        edited = taken.edited,
        unsent = taken.unsent,
        ignored,
        lag_ms_max,
        secret_index,
        elapsed_ms,
        "webhook taken in"
    );
    metrics(taken, clock.began).emit();
    let reasons: serde_json::Map<String, serde_json::Value> = taken
        .ignored
        .iter()
        .map(|(reason, count)| (reason.as_str().to_owned(), (*count).into()))
        .collect();
    let body = json!({
        "received": taken.items,
        "stored": taken.stored,
        "edited": taken.edited,
        "unsent": taken.unsent,
        "ignored": ignored,
        "reasons": reasons,
    });
    json(StatusCode::OK, "application/json", &body)
}

/// The shape of the counts, for the API's description.
pub(crate) fn taken() -> Schema {
    let count = json!({"type": "integer", "minimum": 0});
    let reasons: Vec<&str> = Ignored::ALL.iter().map(|reason| reason.as_str()).collect();
    json_schema!({
        "type": "object",
        "description":
            "What became of the updates; received = stored + edited + unsent + ignored.",
        "required": ["received", "stored", "edited", "unsent", "ignored", "reasons"],
        "properties": {
            "received": count,
            "stored": count,
            "edited": count,
            "unsent": count,
            "ignored": count,
            "reasons": {
                "type": "object",
                "description": "The ignored updates by reason.",
                "propertyNames": {"type": "string", "enum": reasons},
                "additionalProperties": {"type": "integer", "minimum": 1},
            },
        },
    })
}

fn elapsed_ms(clock: &Clock) -> u64 {
    u64::try_from(clock.stopwatch.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn metrics(taken: &Taken, now: Timestamp) -> Metrics {
    let mut metrics = Metrics::new(now);
    let duplicates = taken.ignored.get(&Ignored::Duplicate).copied().unwrap_or_default();
    metrics.add("Received", Unit::Count, taken.items);
    metrics.add("Stored", Unit::Count, taken.stored);
    metrics.add("Duplicate", Unit::Count, duplicates);
    metrics.add("Unsent", Unit::Count, taken.unsent);
    metrics.add("Edited", Unit::Count, taken.edited);
    metrics.observe("EventLagMs", Unit::Milliseconds, taken.lag_ms.clone());
    for (reason, count) in &taken.ignored {
        metrics.ignored(reason.as_str(), u64::try_from(*count).unwrap_or(u64::MAX));
    }
    metrics
}
