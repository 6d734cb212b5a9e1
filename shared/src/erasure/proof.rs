//! The negative proof, which every erasure ends with.

use super::archives;
use super::sweeper::{PAGE, is_covered};
use super::{Eraser, ErasureError};
use crate::domain::account::Use;
use crate::domain::connection::ConnectionState;
use crate::domain::erasure::Target;
use crate::store::messages::MessageKey;

/// Whether nothing of a target can be found in any table or index.
//= R8.3
pub(super) async fn is_clean(eraser: &Eraser, target: &Target) -> Result<bool, ErasureError> {
    let store = &eraser.store;
    match target {
        Target::Account { account } => Ok(store.account(account).await?.is_none()
            && !store.has_account_key(account, Use::Profile).await?
            && (store.has_invoices(account).await?
                || !store.has_account_key(account, Use::TaxRecords).await?)
            && store.account_members(account).await?.is_empty()
            && store.decisions(account).await?.is_empty()
            && store.account_connections(account).await?.is_empty()
            && archives::is_clean(eraser, account).await?),
        Target::Member { account, member } => {
            let of = store.member(member).await?;
            Ok(of.is_none_or(|of| of.account != *account)
                && !store.has_member(account, member).await?)
        }
        Target::Connection { route, connection, .. } => {
            let erased = store.connection(route, true).await?.is_none_or(|current| {
                current.id != *connection || current.state == ConnectionState::Erased
            });
            Ok(erased
                && store.day_key_days(connection).await?.is_empty()
                && !store.has_index_key(route, connection).await?
                && store.contacts_after(connection, None).await?.is_empty()
                && store.inbox(connection, None, 1).await?.is_empty())
        }
        Target::Contact { conversation, until, .. } => {
            let mut after = None;
            loop {
                let (rows, more) = store.rows_after(conversation, after.as_ref(), PAGE).await?;
                if rows.iter().any(|row| is_covered(row, Some(*until))) {
                    return Ok(false);
                }
                let last = rows.last().map(|row| row.message.clone());
                let Some(last) = last.filter(|_| more) else { return Ok(true) };
                after = Some(last);
            }
        }
        Target::Message { conversation, message, .. } => {
            let (conversation, message) = (conversation.clone(), message.clone());
            let row = store.find_row(&MessageKey { conversation, message }).await?;
            Ok(row.is_none_or(|row| row.unsent))
        }
    }
}
