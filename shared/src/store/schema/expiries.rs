//! What is found by the day on which it goes.

/// Index of `keys`: by the day on which they are destroyed.
pub(in crate::store) const BY_SHRED_DATE: &str = "by_shred_date";
/// Of a day key: that day.
pub(in crate::store) const SHRED_ON: &str = "shred_on";
/// Index of `core`: contacts by the day on which their oldest rows are swept.
pub(in crate::store) const BY_SWEEP_DATE: &str = "by_sweep_date";
/// Of a contact: the day on which its rows are looked at for what time to live has left. Not after
/// the day of any, so a contact without one has no message.
pub(in crate::store) const SWEEP_ON: &str = "sweep_on";
