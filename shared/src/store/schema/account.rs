//! Names of what is an account's own: its keys, its profile, its tax records, and the policies that
//! it accepts.

use super::Attribute;
use crate::domain::ids::{AccountId, InvoiceId, PolicyVersion};
use crate::domain::time::Day;

/// Public half of an account's key, to which its profile is sealed.
pub(in crate::store) const ACCOUNT_KEY: Attribute = Attribute::new("account_key");
/// Public half of an account's key, to which its tax records are sealed.
pub(in crate::store) const TAX_KEY: Attribute = Attribute::new("tax_key");
pub(in crate::store) const PROFILE: Attribute = Attribute::new("profile");
pub(in crate::store) const PROFILE_VERSION: Attribute = Attribute::new("profile_version");
/// Prefix of the attributes that say which versions of the privacy policy it accepted, one each.
pub(in crate::store) const ACCEPTED: Attribute = Attribute::reserved("accepted#");
/// The last day on which an account invited somebody, and how many it invited on that day.
pub(in crate::store) const INVITED_ON: Attribute = Attribute::new("invited_on");
pub(in crate::store) const INVITATIONS: Attribute = Attribute::new("invitations");
/// From which day on a version of the privacy policy is in force.
pub(in crate::store) const EFFECTIVE_ON: Attribute = Attribute::new("effective_on");
pub(in crate::store) const ISSUED_ON: Attribute = Attribute::new("issued_on");
pub(in crate::store) const JURISDICTION: Attribute = Attribute::new("jurisdiction");
/// The last day on which a tax record is kept.
pub(in crate::store) const KEPT_UNTIL: Attribute = Attribute::new("kept_until");
/// Sort key of a wrapped key of an account.
pub(in crate::store) const KEY: &str = "KEY";
/// Partition of the list of versions of the privacy policy.
pub(in crate::store) const POLICIES: &str = "POLICIES";
/// Sort key of a version of the privacy policy.
pub(in crate::store) const POLICY: &str = "POLICY";
/// Partition of the last days of tax records.
pub(in crate::store) const TAX_DUE: &str = "TAX-DUE";
/// Prefix of an account's invoices.
pub(in crate::store) const INVOICE_PREFIX: &str = "INVOICE#";

pub(in crate::store) fn policy_pk(version: &PolicyVersion) -> String {
    format!("POLICY#{version}")
}

/// Its order is that of the days from which they are in force.
pub(in crate::store) fn policy_place(version: &PolicyVersion, effective_on: Day) -> String {
    format!("{effective_on}#{version}")
}

/// The version and day named by a sort key.
pub(in crate::store) fn policy_of(sk: &str) -> Option<(PolicyVersion, Day)> {
    let (effective_on, version) = sk.split_once('#')?;
    Some((PolicyVersion::parse(version)?, Day::parse(effective_on)?))
}

pub(in crate::store) fn tax_pk(account: &AccountId) -> String {
    format!("TAX#{account}")
}

/// The invoice named by a sort key.
pub(in crate::store) fn invoice_of(sk: &str) -> Option<InvoiceId> {
    InvoiceId::parse(sk.strip_prefix(INVOICE_PREFIX)?)
}

pub(in crate::store) fn invoice_sk(invoice: &InvoiceId) -> String {
    format!("{INVOICE_PREFIX}{invoice}")
}

/// Its order is that of the days on which tax records end.
pub(in crate::store) fn due_sk(last: Day, account: &AccountId, invoice: &InvoiceId) -> String {
    format!("{last}#{account}#{invoice}")
}

/// The last day, the account and the invoice named by a sort key.
pub(in crate::store) fn due_of(sk: &str) -> Option<(Day, AccountId, InvoiceId)> {
    let mut parts = sk.split('#');
    let last = Day::parse(parts.next()?)?;
    let (account, invoice) = (parts.next()?, parts.next()?);
    let due = (last, AccountId::parse(account)?, InvoiceId::parse(invoice)?);
    parts.next().is_none().then_some(due)
}
