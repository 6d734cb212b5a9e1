//! Tax records of an account (R6.3): filed by operators, listed for its owner.

use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use numib::domain::account::Use;
use numib::domain::ids::{AccountId, InvoiceId};
use numib::domain::invoice::{
    Content, Fel, Field, Jurisdiction, LINE_LEN_MAX, LINES_MAX, NUMBER_LEN_MAX, TOTAL_MAX,
};
use numib::domain::time::Day;
use numib::edge::problem::{Problem, json};
use numib::seal::account::{open_invoice, seal_invoice};
use numib::seal::key_pair::Sealer;
use numib::store::StoreError;
use numib::store::invoices::StoredInvoice;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::{body, keys, page};

const NO_ACCOUNT: Problem = Problem::conflict("There is no such account, or it is erased.");
const BAD_JURISDICTION: Problem =
    Problem::field("jurisdiction", "`jurisdiction` is one whose term is known: GT.");
const BAD_DAY: Problem = Problem::field(
    "issued_on",
    "`issued_on` is a day, YYYY-MM-DD: not in the future, and not so long ago that nothing has to \
     be kept of it.",
);
const OTHER: Problem =
    Problem::conflict("There is another invoice of this id. A tax record is never changed.");

/// An invoice, as it is filed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInvoice {
    /// Not in the future, and not so long ago that it need not be kept.
    #[schemars(extend("format" = "date"))]
    issued_on: String,
    /// Whose tax law it is kept for.
    #[schemars(regex(pattern = "^GT$"))]
    jurisdiction: String,
    #[schemars(length(min = 1, max = NUMBER_LEN_MAX))]
    number: String,
    /// Three letters (ISO 4217).
    #[schemars(regex(pattern = "^[A-Z]{3}$"))]
    currency: String,
    /// In the currency's minor unit.
    #[schemars(range(max = TOTAL_MAX))]
    total_minor: u64,
    #[serde(default)]
    fel: Option<Fel>,
    #[schemars(length(min = 1, max = LINES_MAX), inner(length(min = 1, max = LINE_LEN_MAX)))]
    lines: Vec<String>,
}

/// Where an invoice was filed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FiledInvoice")]
pub(crate) struct Stored {
    account: String,
    invoice: String,
    /// The last day on which it is kept.
    kept_until: String,
}

/// A page of an account's invoices, the highest id first.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Invoices {
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

/// `PUT /v1/operator/accounts/{account_id}/invoices/{invoice_id}`: files an invoice. Filed again as
/// it is, it stays as it is.
//= R6.3
pub(crate) async fn file(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let id = call.parameter("invoice_id", InvoiceId::parse)?;
    let account = call.parameter("account_id", AccountId::parse)?;
    let optional = [unsound(Field::Fel)];
    let needed = [Field::Number, Field::Currency, Field::TotalMinor, Field::Lines].map(unsound);
    let needed = [&[BAD_DAY, BAD_JURISDICTION][..], &needed].concat();
    let rules = body::Rules { needed: &needed, optional: &optional };
    let filed: NewInvoice = body::json_by(call.request, rules)?;
    let jurisdiction = Jurisdiction::parse(&filed.jurisdiction).ok_or(BAD_JURISDICTION)?;
    let issued_on = Day::parse(&filed.issued_on).ok_or(BAD_DAY)?;
    let kept_until = jurisdiction.kept_until(issued_on);
    let today = Day::of(call.now);
    // Where the sun rises first it is tomorrow already.
    if issued_on > today.plus(1) || kept_until < today {
        return Err(BAD_DAY);
    }
    let NewInvoice { number, currency, total_minor, fel, lines, .. } = filed;
    let content = Content { number, currency, total_minor, fel, lines };
    let content = content.checked().map_err(unsound)?;

    let found = call.app.store.account(&account).await?.ok_or(NO_ACCOUNT)?;
    let key = keys::public(call.app, &found, Use::TaxRecords).await?;
    let to = (&account, &key);
    let sealed = seal_invoice(&mut Sealer::default(), to, &id, &content).map_err(keys::failed)?;
    let invoice = StoredInvoice { id, issued_on, jurisdiction, kept_until, sealed };
    let is_new = match call.app.store.put_invoice(&account, &invoice).await {
        Err(StoreError::Conflict) => return Err(NO_ACCOUNT),
        put => put?,
    };
    if !is_new {
        is_the_same(call, &account, &invoice, &content).await?;
    }
    let body = Stored {
        account: account.to_string(),
        invoice: invoice.id.to_string(),
        kept_until: kept_until.to_string(),
    };
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json(status, "application/json", &body))
}

/// Whether the one that is stored says what was filed again.
async fn is_the_same(
    call: &Call<'_>,
    account: &AccountId,
    filed: &StoredInvoice,
    content: &Content,
) -> Result<(), Problem> {
    let stored = call.app.store.invoice(account, &filed.id).await?.ok_or(OTHER)?;
    let mut opener = keys::opener(call.app, account, Use::TaxRecords).await?;
    let opener = opener.as_mut().ok_or(OTHER)?;
    let place = (account, &stored.id);
    let said = open_invoice(opener, place, &stored.sealed).map_err(keys::failed)?;
    let is_same = said == *content
        && stored.issued_on == filed.issued_on
        && stored.jurisdiction == filed.jurisdiction;
    if is_same { Ok(()) } else { Err(OTHER) }
}

/// `GET /v1/invoices`: the account's invoices, the highest id first.
//= R6.3
pub(crate) async fn list(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    listed(call, call.account()).await
}

/// `GET /v1/operator/accounts/{account_id}/invoices`: the same, for staff. The account may be
/// erased by now: its tax records are kept for whoever the law lets ask for them.
//= R6.3
pub(crate) async fn read(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    listed(call, &call.parameter("account_id", AccountId::parse)?).await
}

async fn listed(call: &Call<'_>, account: &AccountId) -> Result<Response<Body>, Problem> {
    let limit = page::limit(call)?;
    let before = page::cursor(call, InvoiceId::parse)?;
    let stored = call.app.store.invoices(account, before.as_ref(), limit).await?;
    let cursor = stored.last().filter(|_| usize::try_from(limit) == Ok(stored.len()));
    let cursor = cursor.map(|invoice| invoice.id.to_string());
    let mut invoices = Vec::with_capacity(stored.len());
    if !stored.is_empty() {
        let mut opener = keys::opener(call.app, account, Use::TaxRecords).await?;
        let opener = opener.as_mut().ok_or(Problem::not_found())?;
        for invoice in stored {
            let place = (account, &invoice.id);
            let content = open_invoice(opener, place, &invoice.sealed).map_err(keys::failed)?;
            invoices.push(shown(&invoice, content));
        }
    }
    let body = Invoices { invoices, cursor };
    Ok(json(StatusCode::OK, "application/json", &body))
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

const fn unsound(field: Field) -> Problem {
    let detail = match field {
        Field::Number => "`number` is one line of 1 to 40 characters.",
        Field::Currency => "`currency` is three capitals (ISO 4217).",
        Field::TotalMinor => "`total_minor` is a whole number of minor units, below 2^53.",
        Field::Fel => "`fel` has a `uuid`, a `serie` and a `numero` of 1 to 40 characters.",
        Field::Lines => "`lines` are 1 to 50, each one line of 1 to 200 characters.",
    };
    Problem::field(field.as_str(), detail)
}
