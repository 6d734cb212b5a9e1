//! Tax records: `core`, `TAX#account` / `INVOICE#invoice`, sealed; and `TAX-DUE` /
//! `date#account#invoice`, by the last day on which each is kept, so that what is due is found
//! without reading what is not. They are no part of their account, and stay when that goes (R6.3).

use super::accounts::account_key;
use super::item::{Item, binary, day, text};
use super::read::Query;
use super::schema::{self, Table};
use super::write::Write;
use super::{Store, StoreError};
use crate::domain::account::AccountState;
use crate::domain::ids::{AccountId, InvoiceId};
use crate::domain::invoice::Jurisdiction;
use crate::domain::time::Day;

/// Records of one page of due ones.
const DUE_PAGE: i32 = 200;

/// An invoice as it is stored: what its keeping depends on is in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredInvoice {
    /// Which one.
    pub id: InvoiceId,
    /// When it was issued.
    pub issued_on: Day,
    /// Whose law it is kept for.
    pub jurisdiction: Jurisdiction,
    /// The last day on which it is kept.
    pub kept_until: Day,
    /// What it says, sealed.
    pub sealed: Vec<u8>,
}

/// A record whose last day is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRecord {
    /// Whose it is.
    pub account: AccountId,
    /// Which one.
    pub invoice: InvoiceId,
    /// The last day on which it was to be kept; of one that a hold kept, the day before it is
    /// looked at again.
    pub kept_until: Day,
}

/// Where a page of due records ended.
#[derive(Debug, Clone)]
pub struct DueRecordsAfter(Item);

impl Store {
    /// Stores an invoice of an account that is there; true when it is new. One that is there stays
    /// as it is: a tax record is never changed.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is no such account, or it is erased.
    //= R6.3
    pub async fn put_invoice(
        &self,
        account: &AccountId,
        invoice: &StoredInvoice,
    ) -> Result<bool, StoreError> {
        let due = DueRecord {
            account: account.clone(),
            invoice: invoice.id.clone(),
            kept_until: invoice.kept_until,
        };
        let is_not_erased = schema::STATE.is_not(text(AccountState::Erased.as_str()));
        let stored = self
            .transaction()
            .with(Write::put_new(Table::Core, item(account, invoice)))
            .with(Write::put(Table::Core, due_key(&due)))
            .require(Table::Core, account_key(account), schema::PK.exists().and(is_not_erased));
        if stored.run_if_met().await? {
            return Ok(true);
        }
        let is_there = self.invoice(account, &invoice.id).await?.is_some();
        if is_there { Ok(false) } else { Err(StoreError::Conflict) }
    }

    /// An invoice of an account, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invoice(
        &self,
        account: &AccountId,
        id: &InvoiceId,
    ) -> Result<Option<StoredInvoice>, StoreError> {
        let item = self.item(Table::Core, invoice_key(account, id)).await?;
        item.as_ref().map(invoice).transpose()
    }

    /// So many invoices of an account at most, the highest id first, from the one before `before`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invoices(
        &self,
        account: &AccountId,
        before: Option<&InvoiceId>,
        limit: i32,
    ) -> Result<Vec<StoredInvoice>, StoreError> {
        let latest = Query::partition(Table::Core, schema::account::tax_pk(account))
            .under(schema::account::INVOICE_PREFIX)
            .backwards()
            .from(before.map(|id| invoice_key(account, id)))
            .limit(limit);
        self.page(latest).await?.items.iter().map(invoice).collect()
    }

    /// Whether an account has any tax record left, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_invoices(&self, account: &AccountId) -> Result<bool, StoreError> {
        self.has_any(Query::partition(Table::Core, schema::account::tax_pk(account))).await
    }

    /// A page of the tax records whose last day was before this one, the oldest first, from the
    /// page that `after` came with; read consistently. One that cannot be read holds up no other.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.3
    pub async fn tax_records_due(
        &self,
        before: Day,
        after: Option<DueRecordsAfter>,
    ) -> Result<(Vec<Result<DueRecord, StoreError>>, Option<DueRecordsAfter>), StoreError> {
        let due = Query::partition(Table::Core, schema::account::TAX_DUE)
            .within(schema::SK.is_below(day(before)))
            .from(after.map(|after| after.0))
            .limit(DUE_PAGE);
        let page = self.page(due).await?;
        Ok((page.items.iter().map(due_record).collect(), page.next.map(DueRecordsAfter)))
    }

    /// Deletes a tax record.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.3
    pub async fn delete_invoice(&self, due: &DueRecord) -> Result<(), StoreError> {
        self.delete(Table::Core, invoice_key(&due.account, &due.invoice)).await
    }

    /// Forgets that a record is due: it is gone, with all that goes with it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_due_record(&self, due: &DueRecord) -> Result<(), StoreError> {
        self.delete(Table::Core, due_key(due)).await
    }

    /// Has a record that is due looked at again on another day. Done already, it changes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.7
    pub async fn put_off_tax_record(&self, due: &DueRecord, to: Day) -> Result<(), StoreError> {
        let next = DueRecord { kept_until: to, ..due.clone() };
        self.transaction()
            .with(Write::put(Table::Core, due_key(&next)))
            .with(Write::delete(Table::Core, due_key(due)).only_if(schema::PK.exists()))
            .run_if_met()
            .await
            .map(|_| ())
    }
}

fn invoice_key(account: &AccountId, id: &InvoiceId) -> Item {
    schema::key(schema::account::tax_pk(account), schema::account::invoice_sk(id))
}

fn due_key(due: &DueRecord) -> Item {
    let DueRecord { account, invoice, kept_until } = due;
    let sk = schema::account::due_sk(*kept_until, account, invoice);
    schema::key(schema::account::TAX_DUE, sk)
}

fn item(account: &AccountId, invoice: &StoredInvoice) -> Item {
    invoice_key(account, &invoice.id)
        .with(schema::account::ISSUED_ON, day(invoice.issued_on))
        .with(schema::account::JURISDICTION, text(invoice.jurisdiction.as_str()))
        .with(schema::account::KEPT_UNTIL, day(invoice.kept_until))
        .with(schema::SEALED, binary(invoice.sealed.clone()))
}

fn invoice(item: &Item) -> Result<StoredInvoice, StoreError> {
    Ok(StoredInvoice {
        id: item.parsed(schema::SK, schema::account::invoice_of)?,
        issued_on: item.day(schema::account::ISSUED_ON)?,
        jurisdiction: item.parsed(schema::account::JURISDICTION, Jurisdiction::parse)?,
        kept_until: item.day(schema::account::KEPT_UNTIL)?,
        sealed: item.bytes(schema::SEALED)?.to_vec(),
    })
}

fn due_record(item: &Item) -> Result<DueRecord, StoreError> {
    let (kept_until, account, invoice) = item.parsed(schema::SK, schema::account::due_of)?;
    Ok(DueRecord { account, invoice, kept_until })
}
