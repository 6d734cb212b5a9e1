//! Reads of one item, and of partitions page by page. Reads are consistent, but where a query says
//! that it may be a moment behind, or goes through a global index.

use aws_sdk_dynamodb::operation::query::QueryOutput;
use aws_sdk_dynamodb::types::Select;

use futures_util::{FutureExt as _, TryFutureExt as _};

use super::Store;
use super::call::{Answer, Call};
use super::error::StoreError;
use super::expression::{Condition, Placeholders};
use super::item::{Item, text};
use super::schema::{Attribute, Index, PK, SK, Table};

/// A read of one item.
#[derive(Debug)]
pub(super) struct Get {
    table: Table,
    key: Item,
    only: &'static [Attribute],
    is_consistent: bool,
}

impl Get {
    pub(super) const fn of(table: Table, key: Item) -> Self {
        Self { table, key, only: &[], is_consistent: true }
    }

    /// Reads these attributes alone.
    pub(super) const fn only(mut self, attributes: &'static [Attribute]) -> Self {
        self.only = attributes;
        self
    }

    /// Whether what was written just now must be read.
    pub(super) const fn consistently(mut self, is_consistent: bool) -> Self {
        self.is_consistent = is_consistent;
        self
    }
}

/// A query of one partition: of a table, or of an index.
#[derive(Debug, Clone)]
pub(super) struct Query {
    table: Table,
    index: Option<&'static str>,
    condition: Condition,
    is_consistent: bool,
    only: &'static [Attribute],
    select: Option<Select>,
    is_backwards: bool,
    limit: Option<i32>,
    start: Option<Item>,
}

impl Query {
    /// What a partition of a table has, by its sort keys.
    pub(super) fn partition(table: Table, pk: impl Into<String>) -> Self {
        Self {
            table,
            index: None,
            condition: PK.is(text(pk)),
            is_consistent: true,
            only: &[],
            select: None,
            is_backwards: false,
            limit: None,
            start: None,
        }
    }

    /// What an index has under this value.
    pub(super) fn index(index: &Index, value: impl Into<String>) -> Self {
        Self {
            index: Some(index.name),
            condition: index.partition.is(text(value)),
            is_consistent: index.is_local,
            ..Self::partition(index.table, String::new())
        }
    }

    pub(super) const fn table(&self) -> Table {
        self.table
    }

    /// Only what the sort key is in the range for.
    pub(super) fn within(mut self, range: Condition) -> Self {
        self.condition = self.condition.and(range);
        self
    }

    /// Only what the sort key begins with this for.
    pub(super) fn under(self, prefix: impl Into<String>) -> Self {
        self.within(SK.begins_with(text(prefix)))
    }

    /// Only what comes after this sort key.
    pub(super) fn past(self, sk: impl Into<String>) -> Self {
        self.within(SK.is_above(text(sk)))
    }

    /// Reads these attributes alone.
    pub(super) const fn only(mut self, attributes: &'static [Attribute]) -> Self {
        self.only = attributes;
        self
    }

    /// The answer may be a moment behind: half the price.
    pub(super) const fn a_moment_behind(mut self) -> Self {
        self.is_consistent = false;
        self
    }

    /// From the end of the partition.
    pub(super) const fn backwards(mut self) -> Self {
        self.is_backwards = true;
        self
    }

    /// So many items of one page at most.
    pub(super) const fn limit(mut self, limit: i32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// From just past the item with this key.
    pub(super) fn from(mut self, start: Option<Item>) -> Self {
        self.start = start;
        self
    }
}

/// A page of a query, and where to go on; `None` at the end.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) items: Vec<Item>,
    pub(super) next: Option<Item>,
}

/// The pages of a query, one after the other.
#[derive(Debug)]
pub(super) struct Pages<'a> {
    store: &'a Store,
    /// `None` once the last page is read.
    query: Option<Query>,
}

impl Pages<'_> {
    /// The items of the next page; `None` at the end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Item>>, StoreError> {
        let Some(query) = self.query.take() else { return Ok(None) };
        let Page { items, next } = self.store.page(query.clone()).await?;
        self.query = next.map(|next| query.from(Some(next)));
        Ok(Some(items))
    }
}

impl Store {
    /// A whole item; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn item(&self, table: Table, key: Item) -> Answer<'_, Option<Item>> {
        self.get(Get::of(table, key))
    }

    /// An item; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn get(&self, get: Get) -> Answer<'_, Option<Item>> {
        self.send_get(get).boxed()
    }

    async fn send_get(&self, get: Get) -> Result<Option<Item>, StoreError> {
        let Get { table, key, only, is_consistent } = get;
        let mut placeholders = Placeholders::default();
        let call = Call::on(table, "GetItem");
        let request = self
            .client
            .get_item()
            .table_name(self.tables.name(table))
            .set_key(Some(key.0))
            .set_projection_expression(placeholders.projection(only))
            .set_expression_attribute_names(placeholders.take_names())
            .consistent_read(is_consistent)
            .set_return_consumed_capacity(call.asks());
        let answer = call.answer(request.send()).await?;
        call.consumed(answer.consumed_capacity());
        Ok(answer.item.map(Item))
    }

    /// One page of a query.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn page(&self, query: Query) -> Answer<'_, Page> {
        let page = |answer: QueryOutput| {
            let items = answer.items.unwrap_or_default().into_iter().map(Item).collect();
            Page { items, next: answer.last_evaluated_key.map(Item) }
        };
        self.send_query(query).map_ok(page).boxed()
    }

    /// The pages of a query: read when they are asked for.
    pub(super) const fn pages(&self, query: Query) -> Pages<'_> {
        Pages { store: self, query: Some(query) }
    }

    /// All items of a query, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn all(&self, query: Query) -> Answer<'_, Vec<Item>> {
        let mut pages = self.pages(query);
        let all = async move {
            let mut all = Vec::new();
            while let Some(mut items) = pages.next().await? {
                all.append(&mut items);
            }
            Ok(all)
        };
        all.boxed()
    }

    /// How many items a query finds, page by page, without reading them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn count(&self, mut query: Query) -> Result<u64, StoreError> {
        query.select = Some(Select::Count);
        let mut sum = 0_u64;
        loop {
            let answer = self.send_query(query.clone()).await?;
            sum = sum.saturating_add(u64::try_from(answer.count).unwrap_or_default());
            let Some(next) = answer.last_evaluated_key else { return Ok(sum) };
            query.start = Some(Item(next));
        }
    }

    /// The keys of all items of a query.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn keys(&self, query: Query) -> Answer<'_, Vec<Item>> {
        self.all(query.only(&[PK, SK]))
    }

    /// Whether a query finds any item.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn has_any(&self, query: Query) -> Answer<'_, bool> {
        let page = self.page(query.only(&[SK]).limit(1));
        page.map_ok(|page| !page.items.is_empty()).boxed()
    }

    async fn send_query(&self, query: Query) -> Result<QueryOutput, StoreError> {
        let mut placeholders = Placeholders::default();
        let call = Call::on(query.table, "Query");
        let request = self
            .client
            .query()
            .table_name(self.tables.name(query.table))
            .set_index_name(query.index.map(str::to_owned))
            .key_condition_expression(placeholders.condition(query.condition))
            .set_projection_expression(placeholders.projection(query.only))
            .set_select(query.select)
            .set_expression_attribute_names(placeholders.take_names())
            .set_expression_attribute_values(placeholders.take_values())
            .set_consistent_read(query.is_consistent.then_some(true))
            .set_scan_index_forward(query.is_backwards.then_some(false))
            .set_limit(query.limit)
            .set_exclusive_start_key(query.start.map(|start| start.0))
            .set_return_consumed_capacity(call.asks());
        let answer = call.answer(request.send()).await?;
        call.consumed(answer.consumed_capacity());
        Ok(answer)
    }
}
