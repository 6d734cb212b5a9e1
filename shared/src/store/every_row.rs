//! Every row of `messages`, whoever it belongs to: read by scanning, in segments side by side.
//! Found by no key and no index, so nothing that an index misses is missed here.

use aws_sdk_dynamodb::types::Select;

use super::call::Call;
use super::expression::Placeholders;
use super::item::Item;
use super::messages::MessageKey;
use super::schema::{self, Table};
use super::sweep::{SWEPT, SweepRow, sweep_row};
use super::{Store, StoreError};
use crate::domain::ids::ConversationId;

/// Parts of the table that are read side by side.
pub const SEGMENTS: i32 = 8;
/// Rows of one page.
const PAGE: i32 = 1000;

/// Where a page ended.
#[derive(Debug, Clone)]
pub struct RowsAfter(Item);

/// A row, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRow {
    /// The conversation it is in.
    pub conversation: ConversationId,
    /// The row, without what is sealed.
    pub row: SweepRow,
}

impl FoundRow {
    /// Where it is.
    #[must_use]
    pub fn key(&self) -> MessageKey {
        let (conversation, message) = (self.conversation.clone(), self.row.message.clone());
        MessageKey { conversation, message }
    }
}

impl Store {
    /// A page of a segment's rows, and where to go on. May be a moment old. A row that cannot be
    /// read is an error in its place, and holds up no other.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn every_row(
        &self,
        segment: i32,
        after: Option<RowsAfter>,
    ) -> Result<(Vec<Result<FoundRow, StoreError>>, Option<RowsAfter>), StoreError> {
        let mut placeholders = Placeholders::default();
        let attributes = [&[schema::PK], SWEPT].concat();
        let call = Call::on(Table::Messages, "Scan");
        let request = self
            .client
            .scan()
            .table_name(self.tables.name(Table::Messages))
            .segment(segment)
            .total_segments(SEGMENTS)
            .set_projection_expression(placeholders.projection(&attributes))
            .set_expression_attribute_names(placeholders.take_names())
            .select(Select::SpecificAttributes)
            .limit(PAGE)
            .set_exclusive_start_key(after.map(|after| after.0.0))
            .set_return_consumed_capacity(call.asks());
        let answer = call.answer(request.send()).await?;
        call.consumed(answer.consumed_capacity());
        let items = answer.items.unwrap_or_default().into_iter().map(Item);
        let rows = items.map(|item| found(&item)).collect();
        Ok((rows, answer.last_evaluated_key.map(|key| RowsAfter(Item(key)))))
    }
}

fn found(item: &Item) -> Result<FoundRow, StoreError> {
    let conversation = item.parsed(schema::PK, ConversationId::parse)?;
    Ok(FoundRow { conversation, row: sweep_row(item)? })
}
