//! The registry of everything that is stored. Erasure, export and retention go through it, kind by
//! kind, and `match` on it without a catch-all: a new kind of data that one of them does not cover
//! does not compile.

use std::collections::BTreeMap;

words! {
    /// A kind of stored data. A sweep removes the kinds in this order: copies first, then each kind
    /// before the kind that leads to it.
    DataKind {
        /// A data export: its record, and its archive while the archive is kept.
        Export = "export",
        /// A sealed message with its edit, a waiting edit, or a tombstone.
        Message = "message",
        /// A contact of a connection, with its marks.
        Contact = "contact",
        /// A wrapped day key.
        DayKey = "day-key",
        /// The key under which a connection's ids become pseudonyms.
        IndexKey = "index-key",
        /// A connected channel, with its public keys.
        Connection = "connection",
        /// A person's membership of an account.
        Member = "member",
        /// The answer to a member's request, for when the member repeats the request.
        Answer = "answer",
        /// A decision about an optional purpose.
        Consent = "consent",
        /// An account, with its plan and its sealed profile.
        Account = "account",
        /// The wrapped key that opens an account's profile.
        AccountKey = "account-key",
        /// A sealed invoice of an account.
        Invoice = "invoice",
        /// The wrapped key that opens an account's invoices.
        TaxKey = "tax-key",
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
    }
}

words! {
    /// What an erasure is of.
    Scope {
        /// An account: its profile, its members, and its channels by requests of their own.
        Account = "account",
        /// A member of an account.
        Member = "member",
        /// A connected channel, with everything in it.
        Connection = "connection",
        /// A contact, with what it sent until a moment.
        Contact = "contact",
        /// A single message.
        Message = "message",
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

    /// What an erasure of this scope does with this kind of data. Of an account, whatever is in a
    /// channel goes with the channel, which a request of its own erases.
    //= R8.3, R6.3, R9.1
    #[must_use]
    pub const fn fate(self, scope: Scope) -> Fate {
        use Scope::{Account, Connection, Contact, Member, Message};
        match self {
            // Archives are copies of whatever is erased.
            Self::Export => Fate::Swept,
            Self::Message => match scope {
                Connection | Contact | Message => Fate::Swept,
                Account | Member => Fate::Untouched,
            },
            Self::Contact => match scope {
                Connection => Fate::Swept,
                Contact => Fate::Kept(Reason::SuppressionMark),
                Account | Member | Message => Fate::Untouched,
            },
            Self::DayKey | Self::IndexKey => match scope {
                Connection => Fate::Shredded,
                Account | Member | Contact | Message => Fate::Untouched,
            },
            Self::Connection => match scope {
                Account => Fate::Swept,
                Connection => Fate::Kept(Reason::SuppressionMark),
                Member | Contact | Message => Fate::Untouched,
            },
            Self::Member | Self::Answer => match scope {
                Account | Member => Fate::Swept,
                Connection | Contact | Message => Fate::Untouched,
            },
            Self::Consent | Self::Account => of_account(scope, Fate::Swept),
            Self::AccountKey => of_account(scope, Fate::Shredded),
            Self::Invoice | Self::TaxKey => of_account(scope, Fate::Kept(Reason::TaxRecord)),
            Self::PolicyNotice | Self::AuditEvent => match scope {
                Account | Member => Fate::Kept(Reason::SecurityRecord),
                Connection | Contact | Message => Fate::Untouched,
            },
            Self::Request | Self::LedgerEntry => Fate::Kept(Reason::ProofOfErasure),
            Self::Hold | Self::PolicyVersion => Fate::Untouched,
        }
    }
}

/// The fate of what is an account's own, and no part of its channels or members.
const fn of_account(scope: Scope, fate: Fate) -> Fate {
    match scope {
        Scope::Account => fate,
        Scope::Member | Scope::Connection | Scope::Contact | Scope::Message => Fate::Untouched,
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

#[cfg(test)]
mod tests {
    use super::*;

    //= R8.3
    #[test]
    fn erasing_a_connection_destroys_every_key_that_opens_it() {
        for kind in [DataKind::DayKey, DataKind::IndexKey] {
            assert_eq!(kind.fate(Scope::Connection), Fate::Shredded);
        }
        for kind in [DataKind::Message, DataKind::Contact] {
            assert_eq!(kind.fate(Scope::Connection), Fate::Swept);
        }
    }

    //= R6.1, R6.3
    #[test]
    fn erasing_an_account_destroys_the_key_of_its_profile_and_keeps_its_tax_records() {
        assert_eq!(DataKind::AccountKey.fate(Scope::Account), Fate::Shredded);
        for kind in [DataKind::Invoice, DataKind::TaxKey] {
            assert_eq!(kind.fate(Scope::Account), Fate::Kept(Reason::TaxRecord));
        }
    }

    #[test]
    fn erasing_a_contact_leaves_the_keys_of_everyone_else() {
        assert_eq!(DataKind::DayKey.fate(Scope::Contact), Fate::Untouched);
        assert_eq!(DataKind::Message.fate(Scope::Contact), Fate::Swept);
    }

    #[test]
    fn a_kind_reads_back_what_it_wrote() {
        for kind in DataKind::ALL {
            assert_eq!(DataKind::parse(kind.as_str()), Some(*kind));
        }
    }
}
