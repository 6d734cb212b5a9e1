//! What an erasure does with each kind of stored data: it counts and destroys keys, removes items,
//! and looks for what is left. An erasure does nothing else, so a new kind of data, or of target,
//! does not compile until each of these functions covers it.

use jiff::Timestamp;

use super::sweeper::{Outcome, PAGE, Sweeper, is_covered};
use super::{Eraser, ErasureError, archives};
use crate::domain::account::Use;
use crate::domain::connection::ConnectionState;
use crate::domain::data_kind::DataKind as Kind;
use crate::domain::erasure::Target;
use crate::domain::ids::{AccountId, ConnectionId, ConversationId, RouteId};
use crate::store::messages::MessageKey;
use crate::store::{Store, StoreError};

/// The keys of one kind that a target has.
enum Keys<'a> {
    Days(&'a ConnectionId),
    Index(&'a RouteId, &'a ConnectionId),
    Profile(&'a AccountId),
}

/// The keys of a kind that erasing a target destroys. `None` if it destroys no key of the kind.
const fn keys_of(kind: Kind, target: &Target) -> Option<Keys<'_>> {
    match (kind, target) {
        (Kind::DayKey, Target::Connection { connection, .. }) => Some(Keys::Days(connection)),
        (Kind::IndexKey, Target::Connection { route, connection, .. }) => {
            Some(Keys::Index(route, connection))
        }
        (Kind::AccountKey, Target::Account { account }) => Some(Keys::Profile(account)),
        (
            Kind::Export
            | Kind::Message
            | Kind::Contact
            | Kind::DayKey
            | Kind::IndexKey
            | Kind::Connection
            | Kind::Member
            | Kind::Answer
            | Kind::Consent
            | Kind::Account
            | Kind::AccountKey
            | Kind::Invoice
            | Kind::TaxKey
            | Kind::PolicyVersion
            | Kind::PolicyNotice
            | Kind::Request
            | Kind::Hold
            | Kind::LedgerEntry
            | Kind::AuditEvent,
            Target::Account { .. }
            | Target::Member { .. }
            | Target::Connection { .. }
            | Target::Contact { .. }
            | Target::Message { .. },
        ) => None,
    }
}

/// How many keys of a kind a target has.
pub(super) async fn keys(store: &Store, kind: Kind, target: &Target) -> Result<usize, StoreError> {
    Ok(match keys_of(kind, target) {
        Some(Keys::Days(connection)) => store.day_key_days(connection).await?.len(),
        Some(Keys::Index(route, connection)) => {
            store.has_index_key(route, connection).await?.into()
        }
        Some(Keys::Profile(account)) => store.has_account_key(account, Use::Profile).await?.into(),
        None => 0,
    })
}

/// Destroys a target's keys of a kind. What they open is unreadable from then on.
//= R8.3
pub(super) async fn destroy(store: &Store, kind: Kind, target: &Target) -> Result<(), StoreError> {
    match keys_of(kind, target) {
        Some(Keys::Days(connection)) => destroy_day_keys(store, connection).await.map(|_| ()),
        Some(Keys::Index(route, connection)) => {
            store.delete_index_key(route, connection).await.map(|_| ())
        }
        Some(Keys::Profile(account)) => store.delete_account_key(account, Use::Profile).await,
        None => Ok(()),
    }
}

/// Destroys all day keys of a connection, and returns how many there were.
async fn destroy_day_keys(store: &Store, connection: &ConnectionId) -> Result<usize, StoreError> {
    let days = store.day_key_days(connection).await?;
    store.delete_day_keys(connection, &days).await?;
    Ok(days.len())
}

impl Sweeper<'_> {
    /// Removes what a target has of a kind. Of a kind that was shredded, this removes what came
    /// during the shredding. Of a kind that is kept, it removes what the reason for keeping does
    /// not cover.
    pub(super) async fn remove(
        &mut self,
        kind: Kind,
        target: &Target,
    ) -> Result<Outcome, ErasureError> {
        let store = self.store;
        match (kind, target) {
            (Kind::Export, Target::Account { account }) => {
                archives::remove_all(self.eraser, account).await?;
            }
            (Kind::Export, _) => archives::discard(self.eraser, target.account()).await?,
            (Kind::Message, Target::Connection { connection, .. }) => {
                return self.sweep_connection(connection).await;
            }
            (Kind::Message, Target::Contact { conversation, until, .. }) => {
                return self.sweep_contact(conversation, *until).await;
            }
            // Keys that provisioning made while the connection was being shredded.
            (Kind::DayKey, Target::Connection { connection, .. }) => {
                let late = destroy_day_keys(store, connection).await?;
                self.count(Kind::DayKey, late);
            }
            (Kind::IndexKey, Target::Connection { .. }) => destroy(store, kind, target).await?,
            // The mark stays, under the route.
            (Kind::Connection, Target::Connection { account, connection, .. }) => {
                store.delete_place(account, connection).await?;
            }
            (Kind::Connection, Target::Account { account }) => {
                return self.sweep_channels(account).await;
            }
            (Kind::Member, Target::Account { account }) => {
                return self.sweep_members(account).await;
            }
            (Kind::Member, Target::Member { account, member }) => {
                self.sweep_member(account, member).await?;
            }
            (Kind::Consent, Target::Account { account }) => {
                store.delete_decisions(account).await?;
            }
            (Kind::Account, Target::Account { account }) => store.delete_account(account).await?,
            // Without a tax record, the key opens nothing. The account is gone by now, so no record
            // is added after this look.
            (Kind::TaxKey, Target::Account { account }) => {
                if !store.has_invoices(account).await? {
                    store.delete_account_key(account, Use::TaxRecords).await?;
                }
            }
            // Items that go with their connection, their member or their marks, and items that
            // stay.
            (
                Kind::Message
                | Kind::Contact
                | Kind::DayKey
                | Kind::IndexKey
                | Kind::Connection
                | Kind::Member
                | Kind::Answer
                | Kind::Consent
                | Kind::Account
                | Kind::AccountKey
                | Kind::Invoice
                | Kind::TaxKey
                | Kind::PolicyVersion
                | Kind::PolicyNotice
                | Kind::Request
                | Kind::Hold
                | Kind::LedgerEntry
                | Kind::AuditEvent,
                Target::Account { .. }
                | Target::Member { .. }
                | Target::Connection { .. }
                | Target::Contact { .. }
                | Target::Message { .. },
            ) => {}
        }
        Ok(Outcome::Done)
    }
}

/// Whether more is left of a kind than an erasure of the target may leave.
//= R8.3
pub(super) async fn is_left(
    eraser: &Eraser,
    kind: Kind,
    target: &Target,
) -> Result<bool, ErasureError> {
    let store = &eraser.store;
    Ok(match (kind, target) {
        (Kind::Export, Target::Account { account }) => !archives::is_clean(eraser, account).await?,
        (Kind::Message, Target::Contact { conversation, until, .. }) => {
            is_any_covered(store, conversation, *until).await?
        }
        (Kind::Message, Target::Message { conversation, message, .. }) => {
            let (conversation, message) = (conversation.clone(), message.clone());
            let row = store.find_row(&MessageKey { conversation, message }).await?;
            row.is_some_and(|row| !row.unsent)
        }
        // No contact leaves before its rows: `erasure/sweep.rs` has the argument.
        (Kind::Contact, Target::Connection { connection, .. }) => {
            !store.contacts_after(connection, None).await?.is_empty()
                || !store.inbox(connection, None, 1).await?.is_empty()
        }
        (Kind::DayKey | Kind::IndexKey | Kind::AccountKey, _) => {
            keys(store, kind, target).await? > 0
        }
        (Kind::Connection, Target::Connection { route, connection, .. }) => {
            store.connection(route, true).await?.is_some_and(|current| {
                current.id == *connection && current.state != ConnectionState::Erased
            })
        }
        (Kind::Connection, Target::Account { account }) => {
            !store.account_connections(account).await?.is_empty()
        }
        (Kind::Member, Target::Account { account }) => {
            !store.account_members(account).await?.is_empty()
        }
        (Kind::Member, Target::Member { account, member }) => {
            let of = store.member(member).await?;
            of.is_some_and(|of| of.account == *account)
                || store.has_member_place(account, member).await?
        }
        (Kind::Consent, Target::Account { account }) => !store.decisions(account).await?.is_empty(),
        (Kind::Account, Target::Account { account }) => store.account(account).await?.is_some(),
        (Kind::TaxKey, Target::Account { account }) => {
            !store.has_invoices(account).await?
                && store.has_account_key(account, Use::TaxRecords).await?
        }
        // Items that go with their connection, their member or their marks, and items that stay.
        (
            Kind::Export
            | Kind::Message
            | Kind::Contact
            | Kind::Connection
            | Kind::Member
            | Kind::Answer
            | Kind::Consent
            | Kind::Account
            | Kind::Invoice
            | Kind::TaxKey
            | Kind::PolicyVersion
            | Kind::PolicyNotice
            | Kind::Request
            | Kind::Hold
            | Kind::LedgerEntry
            | Kind::AuditEvent,
            Target::Account { .. }
            | Target::Member { .. }
            | Target::Connection { .. }
            | Target::Contact { .. }
            | Target::Message { .. },
        ) => false,
    })
}

/// Whether a conversation has a row that the erasure of its contact until then covers.
async fn is_any_covered(
    store: &Store,
    conversation: &ConversationId,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let mut after = None;
    loop {
        let (rows, more) = store.rows_after(conversation, after.as_ref(), PAGE).await?;
        if rows.iter().any(|row| is_covered(row, Some(until))) {
            return Ok(true);
        }
        let last = rows.last().map(|row| row.message.clone());
        let Some(last) = last.filter(|_| more) else { return Ok(false) };
        after = Some(last);
    }
}
