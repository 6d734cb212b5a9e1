//! One call of DynamoDB: its span with what the call consumed, and what its error means.
//!
//! What sends requests returns boxed futures: the compiler sees through all others, from a
//! function's `main` down to the SDK, and gives up at some depth.
//!
//! Spans are at the level `debug`. Where nobody sees them, a call asks for no consumed capacity.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};
use futures_util::TryFutureExt as _;
use futures_util::future::BoxFuture;
use tracing::field::Empty;
use tracing::instrument::Instrumented;
use tracing::{Instrument as _, Span};

use super::error::{StoreError, classify};
use super::schema::Table;

/// What the database answers, to come.
pub(super) type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// A call that is made inside of its span.
#[derive(Debug)]
pub(super) struct Call(Span);

impl Call {
    /// A call of this operation, named as DynamoDB names it, on one table.
    pub(super) fn on(table: Table, operation: &'static str) -> Self {
        let table = table.as_str();
        Self(tracing::debug_span!("dynamodb", operation, table, capacity_units = Empty))
    }

    /// A call of this operation on whatever tables its parts name.
    pub(super) fn on_several(operation: &'static str) -> Self {
        Self(tracing::debug_span!("dynamodb", operation, capacity_units = Empty))
    }

    /// Asks what the call consumes, where somebody sees the span.
    pub(super) fn asks(&self) -> Option<ReturnConsumedCapacity> {
        (!self.0.is_disabled()).then_some(ReturnConsumedCapacity::Total)
    }

    /// The answer to a request.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) fn answer<T, E, R>(
        &self,
        request: impl Future<Output = Result<T, SdkError<E, R>>>,
    ) -> impl Future<Output = Result<T, StoreError>>
    where
        E: ProvideErrorMetadata,
    {
        self.send(request).map_err(|error| classify(&error))
    }

    /// As [`Self::answer`], with the SDK's own error.
    pub(super) fn send<F: Future>(&self, request: F) -> Instrumented<F> {
        request.instrument(self.0.clone())
    }

    /// Records what the call consumed, as its answer says.
    pub(super) fn consumed<'a>(&self, capacity: impl IntoIterator<Item = &'a ConsumedCapacity>) {
        if self.0.is_disabled() {
            return;
        }
        let units: f64 = capacity.into_iter().filter_map(ConsumedCapacity::capacity_units).sum();
        self.0.record("capacity_units", units);
        self.0.in_scope(|| tracing::debug!("answered"));
    }
}
