//! Keys of what an account has many of, in the order of time.

use jiff::Timestamp;

use crate::domain::consent::Purpose;
use crate::domain::ids::{AccountId, RequestId};

pub(in crate::store) fn requests_pk(account: &AccountId) -> String {
    format!("REQUESTS#{account}")
}

/// Its order is that of time.
pub(in crate::store) fn place_sk(at: Timestamp, request: &RequestId) -> String {
    format!("{}.{request}", time(at))
}

/// The time and request named by a sort key.
pub(in crate::store) fn place_of(sk: &str) -> Option<(Timestamp, RequestId)> {
    let (at, request) = sk.split_once('.')?;
    Some((time_of(at)?, RequestId::parse(request)?))
}

pub(in crate::store) fn consents_pk(account: &AccountId) -> String {
    format!("CONSENTS#{account}")
}

/// Before every decision about a purpose.
pub(in crate::store) fn consent_prefix(purpose: Purpose) -> String {
    format!("{}#", purpose.as_str())
}

pub(in crate::store) fn consent_sk(purpose: Purpose, at: Timestamp) -> String {
    format!("{}{}", consent_prefix(purpose), time(at))
}

/// The purpose and time named by a sort key.
pub(in crate::store) fn consent_of(sk: &str) -> Option<(Purpose, Timestamp)> {
    let (purpose, at) = sk.split_once('#')?;
    Some((Purpose::parse(purpose)?, time_of(at)?))
}

/// Epoch milliseconds, as wide as any until the year 5138: text sorts as time does.
fn time(at: Timestamp) -> String {
    format!("{:014}", at.as_millisecond())
}

fn time_of(text: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(text.parse().ok()?).ok()
}
