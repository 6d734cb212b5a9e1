//! The registry of everything that is stored. Erasure, export, retention and holds `match` on it
//! without a catch-all, so a new kind of data that one of them does not cover does not compile.

use std::collections::BTreeMap;

use super::erasure::Target;

words! {
    /// A kind of stored data.
    DataKind {
        /// A sealed message with its edit, a waiting edit, or a tombstone.
        Message = "message",
        /// A contact of a connection, with its marks.
        Contact = "contact",
        /// A connected channel, with its public keys.
        Connection = "connection",
        /// The key under which a connection's ids become pseudonyms.
        IndexKey = "index-key",
        /// A wrapped day key.
        DayKey = "day-key",
        /// An account, with its plan and its sealed profile.
        Account = "account",
        /// The wrapped key that opens an account's profile.
        AccountKey = "account-key",
        /// A person's membership of an account.
        Member = "member",
        /// A sealed invoice of an account.
        Invoice = "invoice",
        /// The wrapped key that opens an account's invoices.
        TaxKey = "tax-key",
        /// A decision about an optional purpose.
        Consent = "consent",
        /// The answer to a member's request, for when the member repeats the request.
        Answer = "answer",
        /// A version of the privacy policy.
        PolicyVersion = "policy-version",
        /// A note that an owner was told of a version of the privacy policy.
        PolicyNotice = "policy-notice",
        /// An erasure request.
        Request = "request",
        /// A legal hold.
        Hold = "hold",
        /// An entry of the erasure ledger.
        LedgerEntry = "ledger-entry",
        /// A link of an account's audit chain.
        AuditEvent = "audit-event",
        /// A data export: its record, and its archive while the archive is kept.
        Export = "export",
    }
}

// Counts by kind are written as they are.
as_text!(DataKind);

/// What an erasure does with a kind of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Deleted before the request is answered: what it opens is unreadable from then on.
    Shredded,
    /// Hidden by a mark before the request is answered, and deleted after it.
    Swept,
    /// Not part of what this erases.
    Untouched,
    /// Kept, and said to be kept, for this reason.
    Kept(Reason),
}

words! {
    /// Why something survives an erasure that covers its subject.
    Reason {
        /// A mark without content keeps late redeliveries out for 40 days (R8.3).
        SuppressionMark = "suppression-mark",
        /// A tax record, for as long as its jurisdiction demands (R6.3).
        TaxRecord = "tax-record",
        /// A record of who did what, for 90 days (R6.4): pseudonyms and times.
        SecurityRecord = "security-record",
        /// Proof that the erasure was done (R8.5, R8.6): pseudonyms, times and counts.
        ProofOfErasure = "proof-of-erasure",
    }
}

impl DataKind {
    /// Adds so many of this kind to the counts; of a kind without any there is no count.
    pub fn count(self, counts: &mut BTreeMap<Self, u64>, number: u64) {
        if number > 0 {
            let sum = counts.entry(self).or_default();
            *sum = sum.saturating_add(number);
        }
    }

    /// What erasing a target does with this kind of data. The connections of an account are targets
    /// of their own.
    //= R8.3, R6.3, R9.1
    #[must_use]
    pub const fn fate(self, target: &Target) -> Fate {
        use Target::{Account, Connection, Contact, Member, Message};
        match self {
            Self::Message => match target {
                Connection { .. } | Contact { .. } | Message { .. } => Fate::Swept,
                Account { .. } | Member { .. } => Fate::Untouched,
            },
            Self::Contact => match target {
                Connection { .. } => Fate::Swept,
                Contact { .. } => Fate::Kept(Reason::SuppressionMark),
                Account { .. } | Member { .. } | Message { .. } => Fate::Untouched,
            },
            Self::Connection => match target {
                Connection { .. } => Fate::Kept(Reason::SuppressionMark),
                Account { .. } | Member { .. } | Contact { .. } | Message { .. } => Fate::Untouched,
            },
            Self::IndexKey | Self::DayKey => match target {
                Connection { .. } => Fate::Shredded,
                Account { .. } | Member { .. } | Contact { .. } | Message { .. } => Fate::Untouched,
            },
            Self::Account | Self::Consent => of_account(target, Fate::Swept),
            Self::AccountKey => of_account(target, Fate::Shredded),
            Self::Invoice | Self::TaxKey => of_account(target, Fate::Kept(Reason::TaxRecord)),
            Self::Member | Self::Answer => match target {
                Account { .. } | Member { .. } => Fate::Swept,
                Connection { .. } | Contact { .. } | Message { .. } => Fate::Untouched,
            },
            Self::AuditEvent | Self::PolicyNotice => match target {
                Account { .. } | Member { .. } => Fate::Kept(Reason::SecurityRecord),
                Connection { .. } | Contact { .. } | Message { .. } => Fate::Untouched,
            },
            Self::Request | Self::LedgerEntry => Fate::Kept(Reason::ProofOfErasure),
            Self::Hold | Self::PolicyVersion => Fate::Untouched,
            // Archives are copies of whatever is erased.
            Self::Export => Fate::Swept,
        }
    }
}

/// The fate of what is an account's own, and no part of its channels or members.
const fn of_account(target: &Target, fate: Fate) -> Fate {
    match target {
        Target::Account { .. } => fate,
        Target::Member { .. }
        | Target::Connection { .. }
        | Target::Contact { .. }
        | Target::Message { .. } => Fate::Untouched,
    }
}

/// Whether an account takes a kind of data away with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exported {
    /// It does, in files of this name.
    In(&'static str),
    /// It does not, for this reason.
    Excluded(Exclusion),
}

words! {
    /// Why an archive is without a kind of data.
    Exclusion {
        /// Keys: they are no data about anybody, and whoever has one reads what is sealed to it
        /// (GDPR, art. 32).
        Security = "security",
        /// To tell of a legal hold may defeat it (GDPR, art. 23(1)(f) and (j)).
        LegalProceedings = "legal-proceedings",
        /// Pseudonyms that repeat what the records of requests say, kept to apply erasures again
        /// (GDPR, art. 11(2)).
        Pseudonymous = "pseudonymous",
        /// A copy of what is exported.
        Copy = "copy",
        /// It is published, and about nobody.
        Public = "public",
    }
}

impl Exclusion {
    /// The text that it follows from.
    #[must_use]
    pub const fn legal_basis(self) -> &'static str {
        match self {
            Self::Security => "GDPR, art. 32(1): a key opens what is sealed to it",
            Self::LegalProceedings => "GDPR, art. 23(1)(f) and (j)",
            Self::Pseudonymous => "GDPR, art. 11(2): pseudonyms of what the requests say",
            Self::Copy => "GDPR, art. 15(3): one copy of the data",
            Self::Public => "GDPR, art. 4(1): no personal data",
        }
    }
}

impl DataKind {
    /// Whether an export has it, and where.
    //= R5.1, R5.4
    #[must_use]
    pub const fn export(self) -> Exported {
        match self {
            Self::Message => Exported::In("messages"),
            Self::Contact => Exported::In("contacts"),
            Self::Connection => Exported::In("connections"),
            Self::Account => Exported::In("account"),
            Self::Member => Exported::In("members"),
            Self::AuditEvent => Exported::In("audit-events"),
            Self::Request => Exported::In("requests"),
            Self::Consent => Exported::In("consents"),
            Self::Invoice => Exported::In("invoices"),
            Self::IndexKey | Self::DayKey | Self::AccountKey | Self::TaxKey => {
                Exported::Excluded(Exclusion::Security)
            }
            Self::PolicyVersion => Exported::Excluded(Exclusion::Public),
            Self::Hold => Exported::Excluded(Exclusion::LegalProceedings),
            Self::LedgerEntry => Exported::Excluded(Exclusion::Pseudonymous),
            // A notice is the owner's e-mail.
            Self::Export | Self::Answer | Self::PolicyNotice => Exported::Excluded(Exclusion::Copy),
        }
    }
}

/// What an erasure of these targets keeps, and on which ground.
#[must_use]
pub fn kept(targets: &[Target]) -> Vec<(DataKind, Reason)> {
    let reason = |kind: &DataKind| {
        targets.iter().find_map(|target| match kind.fate(target) {
            Fate::Kept(reason) => Some((*kind, reason)),
            Fate::Shredded | Fate::Swept | Fate::Untouched => None,
        })
    };
    DataKind::ALL.iter().filter_map(reason).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    //= R8.3
    #[test]
    fn erasing_a_connection_destroys_every_key_that_opens_it() {
        let connection = Target::parse("connection a r c").unwrap();
        for kind in [DataKind::DayKey, DataKind::IndexKey] {
            assert_eq!(kind.fate(&connection), Fate::Shredded);
        }
        for kind in [DataKind::Message, DataKind::Contact] {
            assert_eq!(kind.fate(&connection), Fate::Swept);
        }
    }

    //= R6.1, R6.3
    #[test]
    fn erasing_an_account_destroys_the_key_of_its_profile_and_keeps_its_tax_records() {
        let account = Target::parse("account a").unwrap();
        assert_eq!(DataKind::AccountKey.fate(&account), Fate::Shredded);
        for kind in [DataKind::Invoice, DataKind::TaxKey] {
            assert_eq!(kind.fate(&account), Fate::Kept(Reason::TaxRecord));
        }
    }

    #[test]
    fn erasing_a_contact_leaves_the_keys_of_everyone_else() {
        let contact = Target::parse("contact a c.p 1").unwrap();
        assert_eq!(DataKind::DayKey.fate(&contact), Fate::Untouched);
        assert_eq!(DataKind::Message.fate(&contact), Fate::Swept);
    }

    #[test]
    fn a_kind_reads_back_what_it_wrote() {
        for kind in DataKind::ALL {
            assert_eq!(DataKind::parse(kind.as_str()), Some(*kind));
        }
    }
}
