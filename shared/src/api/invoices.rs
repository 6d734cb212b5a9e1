//! An account's invoices, a page at a time, for its owner and for staff.

use lambda_http::Request;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;

use super::described::Described;
use super::done::Done;
use super::{account_keys, page};
use crate::domain::account::Use;
use crate::domain::ids::{AccountId, InvoiceId};
use crate::domain::invoice::Content;
use crate::edge::problem::Problem;
use crate::seal::account::open_invoice;
use crate::seal::kms::DataKeys;
use crate::store::Store;
use crate::store::invoices::StoredInvoice;

/// A page of an account's invoices, the highest id first.
#[derive(Debug, Serialize, JsonSchema)]
struct Invoices {
    invoices: Vec<ShownInvoice>,
    /// Where the next page starts; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// An invoice, and until when it is kept.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Invoice")]
struct ShownInvoice {
    invoice: String,
    /// A date.
    issued_on: String,
    /// Whose tax law it is kept for.
    jurisdiction: &'static str,
    /// The last day on which it is kept.
    kept_until: String,
    #[serde(flatten)]
    content: Content,
}

/// Shows the page that the request asks for.
///
/// # Errors
/// 400 where the request cannot be read, 404 where the key of the invoices is destroyed.
//= R6.3
pub async fn show(
    (store, keys): (&Store, &DataKeys),
    account: &AccountId,
    request: &Request,
) -> Result<Done, Problem> {
    let limit = page::limit(request)?;
    let before = page::cursor(request, InvoiceId::parse)?;
    let stored = store.invoices(account, before.as_ref(), limit).await?;
    let cursor = stored.last().filter(|_| usize::try_from(limit) == Ok(stored.len()));
    let cursor = cursor.map(|invoice| invoice.id.to_string());
    let mut invoices = Vec::with_capacity(stored.len());
    if !stored.is_empty() {
        let mut opener = account_keys::opener((store, keys), account, Use::TaxRecords).await?;
        let opener = opener.as_mut().ok_or(Problem::not_found())?;
        for invoice in stored {
            let place = (account, &invoice.id);
            let content = open_invoice(opener, place, &invoice.sealed);
            invoices.push(shown(&invoice, content.map_err(account_keys::failed)?));
        }
    }
    Ok(Done::ok(&Invoices { invoices, cursor }))
}

fn shown(invoice: &StoredInvoice, content: Content) -> ShownInvoice {
    ShownInvoice {
        invoice: invoice.id.to_string(),
        issued_on: invoice.issued_on.to_string(),
        jurisdiction: invoice.jurisdiction.as_str(),
        kept_until: invoice.kept_until.to_string(),
        content,
    }
}

/// A route that answers [`show`].
pub fn describe(of: &mut SchemaGenerator) -> Described {
    page::describe::<Invoices>(of).refuses(&[404])
}
