//! An account's invoices, as its owner sees them (R6.3).

use numib::api::done::Done;
use numib::api::invoices;
use numib::edge::problem::Problem;

use crate::app::{Call, Route};
use crate::who::OWNER;

pub(crate) static LIST: Route = Route {
    key: "GET /v1/invoices",
    name: "listInvoices",
    summary: "The account's invoices",
    who: OWNER,
    action: None,
    describe: invoices::describe,
    handler: |call| Box::pin(list(call)),
};

/// Lists the invoices, the highest id first.
//= R6.3
async fn list(call: &Call<'_>) -> Result<Done, Problem> {
    invoices::show(call.app.sealed(), call.account(), call.request).await
}
