//! The receipt: a signed statement of what was erased, when, and what is kept and why.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ErasureError;
use crate::domain::data_kind::{DataKind, Fate};
use crate::domain::erasure::{Request, State, Target};
use crate::domain::policy::BACKUPS;
use crate::seal::receipt::{self, SigningKey};
use crate::store::Store;

/// The issuer of receipts.
const ISSUER: &str = "tag:numib.app,2026:erasure";

/// Completes a verified request: signs its receipt, and lets its subject ask anew. Both come before
/// the last save: if a worker dies in between, another one follows, but nobody comes back to a
/// completed request. A receipt that was signed and not saved is signed again. Only one is kept.
//= R8.5
pub(super) async fn complete(
    store: &Store,
    receipts: &SigningKey,
    mut request: Request,
    now: Timestamp,
) -> Result<Request, ErasureError> {
    let key = receipts.public().await?;
    request.completed_at = Some(now);
    request.receipt = Some(receipts.sign(&key, &claims(&request)).await?);
    request.state = request.state.to(State::Completed)?;
    store.end_request(&request).await?;
    Ok(store.save_progress(request).await?)
}

/// Until when backups have ciphertext that a key still opens. The keys of an erased connection are
/// gone, so connections do not count.
//= R6.6
fn in_backups_until(request: &Request) -> Option<Timestamp> {
    let keeps_keys = |target: &Target| !matches!(target, Target::Connection { .. });
    let shredded_at = request.shredded_at.filter(|_| request.targets.iter().any(keeps_keys))?;
    shredded_at.saturating_add(BACKUPS).ok()
}

/// How many keys a request destroyed.
fn keys_destroyed(request: &Request) -> u64 {
    let is_key = |kind: DataKind| {
        request.targets.iter().any(|target| kind.fate(target.scope()) == Fate::Shredded)
    };
    let keys = request.counts.iter().filter(|(kind, _)| is_key(**kind));
    keys.fold(0, |sum, (_, count)| sum.saturating_add(*count))
}

/// What a receipt says. It names targets by digests, which we can compute again from the ledger.
/// Nobody else can tell the account of a target, or whether two receipts are about the same one.
fn claims(request: &Request) -> Value {
    let seconds = |at: Option<Timestamp>| at.map(Timestamp::as_second);
    let target = |target: &Target| {
        let digest = receipt::target_digest(request.id.as_str(), &target.to_string());
        json!({ "kind": target.scope().as_str(), "digest": digest })
    };
    let targets: Vec<Value> = request.targets.iter().map(target).collect();
    let kept: Vec<Value> = request
        .kept()
        .into_iter()
        .map(|(kind, reason)| json!({ "kind": kind.as_str(), "basis": reason.as_str() }))
        .collect();
    json!({
        "iss": ISSUER,
        "jti": request.id.as_str(),
        "iat": seconds(request.completed_at),
        "source": request.source.public().as_str(),
        "targets": targets,
        "requested_at": request.requested_at.as_second(),
        "shredded_at": seconds(request.shredded_at),
        "completed_at": seconds(request.completed_at),
        "removed": request.counts,
        "keys_destroyed": keys_destroyed(request),
        "kept": kept,
        "in_backups_until": seconds(in_backups_until(request)),
        "ledger_position": request.ledger_position,
    })
}
