//! Names of what erasures keep beside their requests.

use super::ERASURES;

/// Of a subject: its request has ended.
pub(in crate::store) const ENDED: &str = "ended";
/// Of a contact: the request that set its mark last, until that has swept it.
pub(in crate::store) const ERASING: &str = "erasing";
/// Sort key of the request that is sweeping in a lane.
pub(in crate::store) const LANE: &str = "LANE";

pub(in crate::store) fn lane_pk(lane: &str) -> String {
    format!("LANE#{lane}")
}

/// Of a request in the ledger: its first entry, and those of what it was extended by.
pub(in crate::store) fn entry_sk(nth: usize) -> String {
    if nth == 0 { ERASURES.to_owned() } else { format!("{ERASURES}#{nth}") }
}
