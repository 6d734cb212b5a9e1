//! Keys of audit chains.

use super::{day_of, day_sk, position_sk};
use crate::domain::ids::AccountId;
use crate::domain::time::Day;

pub(in crate::store) fn pk(account: &AccountId) -> String {
    format!("AUDIT#{account}")
}

/// An audit event's place as a sort key: its order is that of the chain.
pub(in crate::store) fn sk(day: Day, number: u64) -> String {
    format!("{}#{}", day_sk(day), position_sk(number))
}

/// The place named by a sort key.
pub(in crate::store) fn place_of(sk: &str) -> Option<(Day, u64)> {
    let (day, number) = sk.rsplit_once('#')?;
    Some((day_of(day)?, number.parse().ok()?))
}

pub(in crate::store) fn audited_sk(day: Day, account: &AccountId) -> String {
    format!("{day}#{account}")
}

/// After every account of a day, and before the next day.
pub(in crate::store) fn audited_until_sk(day: Day) -> String {
    format!("{day}#~")
}

/// The day and account named by a sort key.
pub(in crate::store) fn audited_of(sk: &str) -> Option<(Day, AccountId)> {
    let (day, account) = sk.split_once('#')?;
    Some((Day::parse(day)?, AccountId::parse(account)?))
}
