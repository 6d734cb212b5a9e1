//! The account's own data, besides its channels' messages. What is sealed is opened.

use numib::archive::part::PartError;
use numib::archive::record;
use numib::domain::account::{Account, Use};
use numib::domain::export::Export;
use numib::domain::ids::AccountId;
use numib::domain::profile::Profile;
use numib::seal::account::{open_invoice, open_profile};
use numib::seal::key_name::KeyName;
use numib::seal::key_pair::Opener;
use numib::store::invoices::StoredInvoice;
use serde_json::Value;

use crate::writer::WriteError;
use crate::{App, ExportError};

/// Items of one page.
const PAGE: i32 = 100;
/// Requests, and invoices, of an archive at most.
const RECORDS_MAX: usize = 10_000;

/// The account with its profile, and the versions of the privacy policy that it accepted.
pub(crate) async fn of_itself(app: &App, account: &Account) -> Result<Value, ExportError> {
    let mut profile = Profile::default();
    // The key goes with the account, and then no archive has the account.
    if let Some(sealed) = &account.profile
        && let Some(mut opener) = opener(app, &account.id, Use::Profile).await?
    {
        profile = open_profile(&mut opener, &account.id, sealed).map_err(WriteError::from)?;
    }
    let acceptances = app.store.acceptances(&account.id).await?;
    Ok(record::account(account, &profile, &acceptances))
}

/// The members, with their addresses from the user pool.
pub(crate) async fn members(app: &App, account: &AccountId) -> Result<Vec<Value>, ExportError> {
    let mut members = Vec::new();
    for id in app.store.account_members(account).await? {
        if let Some(member) = app.store.member(&id).await?
            && member.account == *account
        {
            let email = app.user_pool.email(&id).await?;
            members.push(record::member(&id, member.role, email.as_ref()));
        }
    }
    Ok(members)
}

/// The decisions about optional purposes.
pub(crate) async fn consents(app: &App, account: &AccountId) -> Result<Vec<Value>, ExportError> {
    Ok(app.store.decisions(account).await?.iter().map(record::decision).collect())
}

/// The invoices, opened.
//= R6.3
pub(crate) async fn invoices(app: &App, account: &AccountId) -> Result<Vec<Value>, ExportError> {
    let mut invoices = Vec::new();
    let mut before = None;
    let mut key = None;
    while invoices.len() < RECORDS_MAX {
        let page = app.store.invoices(account, before.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.id.clone());
        if key.is_none() {
            key = opener(app, account, Use::TaxRecords).await?;
        }
        let Some(opener) = &mut key else { break };
        for invoice in &page {
            let place = (account, &invoice.id);
            let content = open_invoice(opener, place, &invoice.sealed).map_err(WriteError::from)?;
            let StoredInvoice { id, issued_on, kept_until, jurisdiction, .. } = invoice;
            let invoice = record::invoice(id, *issued_on, *kept_until, *jurisdiction, &content);
            invoices.push(invoice.map_err(PartError::from).map_err(WriteError::from)?);
        }
    }
    Ok(invoices)
}

/// The requests about the account that were made before the export, the latest first.
pub(crate) async fn requests(app: &App, export: &Export) -> Result<Vec<Value>, ExportError> {
    let mut requests = Vec::new();
    let mut after = None;
    while requests.len() < RECORDS_MAX {
        let page = app.store.account_requests(&export.account, after.as_ref(), PAGE).await?.0;
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        for place in page.iter().filter(|place| place.asked_at <= export.asked_at) {
            let found = app.store.request(&place.request).await?;
            // The request may be about several accounts by now: it took others in while it waited.
            if let Some(found) = found.filter(|found| found.request.is_of(&export.account)) {
                requests.push(record::request(&found.request));
            }
        }
    }
    Ok(requests)
}

/// The opener for what is sealed to a key of the account; `None` if there is no such key.
async fn opener(app: &App, account: &AccountId, of: Use) -> Result<Option<Opener>, ExportError> {
    let Some(wrapped) = app.store.wrapped_account_key(account, of).await? else { return Ok(None) };
    let name = KeyName::of_account(account, of);
    let key = app.keys.unwrap(name, &wrapped).await?;
    Ok(Some(Opener::new(name, key)))
}
