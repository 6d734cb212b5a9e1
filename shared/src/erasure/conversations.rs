//! How a sweep deletes messages: all conversations of a connection, with their contacts, or what
//! one contact sent until a moment.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;

use super::ErasureError;
use super::sweeper::{BATCH, CONVERSATIONS, Left, Outcome, PAGE, Sweeper, is_covered};
use crate::domain::ids::{ConnectionId, ContactId, ConversationId};
use crate::store::StoreError;
use crate::store::messages::MessageKey;
use crate::store::sweep::SweepRow;

impl Sweeper<'_> {
    /// Sweeps every contact of a connection with its conversation.
    pub(super) async fn sweep_connection(
        &mut self,
        connection: &ConnectionId,
    ) -> Result<Outcome, ErasureError> {
        let mut after = None;
        loop {
            let contacts = self.store.contacts_after(connection, after.as_ref()).await?;
            let Some(last) = contacts.last().cloned() else { break };
            if self.gather_contacts(connection, contacts).await? == Outcome::More {
                self.flush().await?;
                return Ok(Outcome::More);
            }
            after = Some(last);
        }
        self.flush().await?;
        Ok(Outcome::Done)
    }

    /// Gathers these contacts with their conversations, whose first pages are read at once.
    async fn gather_contacts(
        &mut self,
        connection: &ConnectionId,
        contacts: Vec<ContactId>,
    ) -> Result<Outcome, ErasureError> {
        let store = self.store;
        let pages = contacts.into_iter().map(async |contact| {
            let conversation = ConversationId { connection: connection.clone(), contact };
            let page = store.rows_after(&conversation, None, PAGE).await?;
            Ok::<_, StoreError>((conversation, page))
        });
        let pages: Vec<_> = pages.collect();
        let mut pages = stream::iter(pages).buffered(CONVERSATIONS);
        while let Some((conversation, page)) = pages.try_next().await? {
            let gathered = self.gather_rows(&conversation, Some(page), None).await?;
            if gathered == Outcome::More {
                return Ok(Outcome::More);
            }
            // All rows of the contact are gathered, so the contact goes after them.
            self.batch.contacts.push(conversation);
            if !(self.has_time)() {
                return Ok(Outcome::More);
            }
            if self.batch.contacts.len() >= BATCH {
                self.flush().await?;
            }
        }
        Ok(Outcome::Done)
    }

    /// Sweeps what a contact sent until a moment. Then the contact says that no sweep is to come,
    /// and this sweeps once more: until then, intake left rows to the sweep.
    pub(super) async fn sweep_contact(
        &mut self,
        conversation: &ConversationId,
        until: Timestamp,
    ) -> Result<Outcome, ErasureError> {
        self.left = Left::Nothing;
        let outcome = self.gather_rows(conversation, None, Some(until)).await?;
        self.flush().await?;
        if outcome == Outcome::More {
            return Ok(outcome);
        }
        match self.left {
            Left::Nothing => self.store.settle_contact(conversation, None).await?,
            Left::Message(newest) => {
                self.store.settle_contact(conversation, Some(newest)).await?;
            }
            Left::Other => {}
        }
        self.store.end_contact_erasure(conversation, &self.id).await?;
        let outcome = self.gather_rows(conversation, None, Some(until)).await?;
        self.flush().await?;
        Ok(outcome)
    }

    /// Gathers a conversation's rows, and deletes them whenever a batch is full. `page` is the
    /// first page, if it was read already.
    async fn gather_rows(
        &mut self,
        conversation: &ConversationId,
        page: Option<(Vec<SweepRow>, bool)>,
        until: Option<Timestamp>,
    ) -> Result<Outcome, ErasureError> {
        let (mut rows, mut more) = match page {
            Some(page) => page,
            None => self.store.rows_after(conversation, None, PAGE).await?,
        };
        loop {
            let last = rows.last().map(|row| row.message.clone());
            let (covered, left): (Vec<_>, Vec<_>) =
                rows.into_iter().partition(|row| is_covered(row, until));
            self.left = left.iter().map(Left::of).fold(self.left, Left::max);
            for row in covered {
                let conversation = conversation.clone();
                self.batch.messages.push(MessageKey { conversation, message: row.message });
                if self.batch.messages.len() >= BATCH {
                    self.flush().await?;
                }
            }
            let Some(last) = last.filter(|_| more) else { return Ok(Outcome::Done) };
            if !(self.has_time)() {
                return Ok(Outcome::More);
            }
            (rows, more) = self.store.rows_after(conversation, Some(&last), PAGE).await?;
        }
    }
}
