//! Tax records of an account (R6.3), which operators file and read.

use lambda_http::http::StatusCode;
use numib::api::described::Described;
use numib::api::done::Done;
use numib::api::who::OPERATORS;
use numib::api::{account_keys, body, invoices};
use numib::domain::account::Use;
use numib::domain::audit::Action;
use numib::domain::ids::{AccountId, InvoiceId};
use numib::domain::invoice::{
    Content, Fel, Field, Jurisdiction, LINE_LEN_MAX, LINES_MAX, NUMBER_LEN_MAX, TOTAL_MAX,
};
use numib::domain::time::Day;
use numib::edge::problem::Problem;
use numib::seal::account::{open_invoice, seal_invoice};
use numib::seal::key_pair::Sealer;
use numib::store::StoreError;
use numib::store::invoices::StoredInvoice;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{Call, Route};

const NO_ACCOUNT: Problem =
    Problem::conflict("This account does not exist, or is erased. Please check its id.");
const BAD_JURISDICTION: Problem =
    Problem::field("jurisdiction", "`jurisdiction` must be GT: no other is known yet.");
const BAD_DAY: Problem = Problem::field(
    "issued_on",
    "`issued_on` is a day, YYYY-MM-DD: not in the future, and not so long ago that nothing has to \
     be kept of it.",
);
const OTHER: Problem = Problem::conflict(
    "There is another invoice with this id. Tax records never change: please file a new one.",
);

/// An invoice, as it is filed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewInvoice {
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
struct Stored {
    account: String,
    invoice: String,
    /// The last day on which it is kept.
    kept_until: String,
}

pub(crate) static FILE: Route = Route {
    key: "PUT /v1/operator/accounts/{account_id}/invoices/{invoice_id}",
    name: "fileInvoice",
    summary: "File an invoice of an account",
    who: OPERATORS,
    action: Some(Action::FileInvoice),
    describe: |of| {
        let described = Described::gives::<Stored>(of, 201, "It is filed.");
        let described = described.or_gives::<Stored>(of, 200, "It was there.");
        described.takes::<NewInvoice>(of).refuses(&[409])
    },
    handler: |call| Box::pin(file(call)),
};

/// Files an invoice. Filing the same invoice again changes nothing.
//= R6.3
async fn file(call: &Call<'_>) -> Result<Done, Problem> {
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
    // In the first time zones it is tomorrow already.
    if issued_on > today.plus(1) || kept_until < today {
        return Err(BAD_DAY);
    }
    let NewInvoice { number, currency, total_minor, fel, lines, .. } = filed;
    let content = Content { number, currency, total_minor, fel, lines };
    let content = content.checked().map_err(unsound)?;

    let found = call.app.store.account(&account).await?.ok_or(NO_ACCOUNT)?;
    let key = account_keys::public(call.app.sealed(), &found, Use::TaxRecords).await?;
    let to = (&account, &key);
    let sealed =
        seal_invoice(&mut Sealer::default(), to, &id, &content).map_err(account_keys::failed)?;
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
    Ok(Done::json(status, &body).to_account(account))
}

/// Whether the stored invoice says the same as the one that was filed again.
async fn is_the_same(
    call: &Call<'_>,
    account: &AccountId,
    filed: &StoredInvoice,
    content: &Content,
) -> Result<(), Problem> {
    let stored = call.app.store.invoice(account, &filed.id).await?.ok_or(OTHER)?;
    let mut opener = account_keys::opener(call.app.sealed(), account, Use::TaxRecords).await?;
    let opener = opener.as_mut().ok_or(OTHER)?;
    let place = (account, &stored.id);
    let said = open_invoice(opener, place, &stored.sealed).map_err(account_keys::failed)?;
    let is_same = said == *content
        && stored.issued_on == filed.issued_on
        && stored.jurisdiction == filed.jurisdiction;
    if is_same { Ok(()) } else { Err(OTHER) }
}

pub(crate) static READ: Route = Route {
    key: "GET /v1/operator/accounts/{account_id}/invoices",
    name: "readInvoices",
    summary: "Read the invoices of an account, erased ones included, for tax purposes",
    who: OPERATORS.just_signed_in(),
    action: Some(Action::ReadInvoices),
    describe: invoices::describe,
    handler: |call| Box::pin(read(call)),
};

/// Reads the invoices of an account. The account may be erased by now: tax records are kept for
/// whoever the law lets ask for them.
//= R6.3
async fn read(call: &Call<'_>) -> Result<Done, Problem> {
    let account = call.parameter("account_id", AccountId::parse)?;
    let done = invoices::show(call.app.sealed(), &account, call.request).await?;
    Ok(done.to_account(account))
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
