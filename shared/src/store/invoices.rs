//! Tax records: `core`, `TAX#account` / `INVOICE#invoice`, sealed; and `TAX-DUE` /
//! `date#account#invoice`, by the last day on which each is kept, so that what is due is found
//! without reading what is not. They are no part of their account, and stay when that goes (R6.3).

use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem};

use super::accounts::account_key;
use super::schema::{self, Item};
use super::{Store, StoreError, classify, unless_refused};
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
        let core = &self.tables.core;
        let refused = |_| StoreError::Refused("invoice".to_owned());
        let record = Put::builder()
            .table_name(core)
            .set_item(Some(item(account, invoice)))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(refused)?;
        let due = DueRecord {
            account: account.clone(),
            invoice: invoice.id.clone(),
            kept_until: invoice.kept_until,
        };
        let due = Put::builder().table_name(core).set_item(Some(due_key(&due)));
        let owner = ConditionCheck::builder()
            .table_name(core)
            .set_key(Some(account_key(account)))
            .condition_expression("attribute_exists(pk) AND #state <> :erased")
            .expression_attribute_names("#state", schema::STATE)
            .expression_attribute_values(":erased", schema::text(AccountState::Erased.as_str()))
            .build()
            .map_err(refused)?;
        let stored = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(record).build())
            .transact_items(TransactWriteItem::builder().put(due.build().map_err(refused)?).build())
            .transact_items(TransactWriteItem::builder().condition_check(owner).build())
            .send()
            .await;
        match stored.map_err(|error| classify(&error)) {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict) if self.invoice(account, &invoice.id).await?.is_some() => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
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
        let item = self.item(&self.tables.core, invoice_key(account, id)).await?;
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
        let answer = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .scan_index_forward(false)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", schema::text(schema::account::tax_pk(account)))
            .expression_attribute_values(":prefix", schema::text(schema::account::INVOICE_PREFIX))
            .set_exclusive_start_key(before.map(|id| invoice_key(account, id)))
            .limit(limit)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        answer.items.unwrap_or_default().iter().map(invoice).collect()
    }

    /// Whether an account has any tax record left, read consistently.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_invoices(&self, account: &AccountId) -> Result<bool, StoreError> {
        self.has_items(schema::account::tax_pk(account)).await
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
        let answer = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk < :day")
            .expression_attribute_values(":pk", schema::text(schema::account::TAX_DUE))
            .expression_attribute_values(":day", schema::text(before.to_string()))
            .set_exclusive_start_key(after.map(|after| after.0))
            .limit(DUE_PAGE)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let records = answer.items.unwrap_or_default().iter().map(due_record).collect();
        Ok((records, answer.last_evaluated_key.map(DueRecordsAfter)))
    }

    /// Deletes a tax record.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.3
    pub async fn delete_invoice(&self, due: &DueRecord) -> Result<(), StoreError> {
        self.delete_core(invoice_key(&due.account, &due.invoice)).await
    }

    /// Forgets that a record is due: it is gone, with all that goes with it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_due_record(&self, due: &DueRecord) -> Result<(), StoreError> {
        self.delete_core(due_key(due)).await
    }

    /// Has a record that is due looked at again on another day. Done already, it changes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    //= R6.7
    pub async fn put_off_tax_record(&self, due: &DueRecord, to: Day) -> Result<(), StoreError> {
        let refused = |_| StoreError::Refused("due".to_owned());
        let core = &self.tables.core;
        let next = DueRecord { kept_until: to, ..due.clone() };
        let put = Put::builder().table_name(core).set_item(Some(due_key(&next))).build();
        let delete = Delete::builder()
            .table_name(core)
            .set_key(Some(due_key(due)))
            .condition_expression("attribute_exists(pk)")
            .build();
        let moved = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(put.map_err(refused)?).build())
            .transact_items(TransactWriteItem::builder().delete(delete.map_err(refused)?).build())
            .send()
            .await;
        unless_refused(moved.map(|_| ()).map_err(|error| classify(&error)))
    }
}

fn invoice_key(account: &AccountId, id: &InvoiceId) -> Item {
    schema::key(schema::account::tax_pk(account), schema::account::invoice_sk(id))
}

fn due_key(due: &DueRecord) -> Item {
    let DueRecord { account, invoice, kept_until } = due;
    schema::key(schema::account::TAX_DUE.to_owned(), format!("{kept_until}#{account}#{invoice}"))
}

fn item(account: &AccountId, invoice: &StoredInvoice) -> Item {
    let mut item = invoice_key(account, &invoice.id);
    item.extend([
        (schema::account::ISSUED_ON.to_owned(), schema::text(invoice.issued_on.to_string())),
        (schema::account::JURISDICTION.to_owned(), schema::text(invoice.jurisdiction.as_str())),
        (schema::account::KEPT_UNTIL.to_owned(), schema::text(invoice.kept_until.to_string())),
        (schema::SEALED.to_owned(), schema::binary(invoice.sealed.clone())),
    ]);
    item
}

fn invoice(item: &Item) -> Result<StoredInvoice, StoreError> {
    let id = schema::get_text(item, schema::SK)?.strip_prefix(schema::account::INVOICE_PREFIX);
    Ok(StoredInvoice {
        id: id.and_then(InvoiceId::parse).ok_or(StoreError::Corrupt(schema::SK))?,
        issued_on: schema::get_day(item, schema::account::ISSUED_ON)?,
        jurisdiction: Jurisdiction::parse(schema::get_text(item, schema::account::JURISDICTION)?)
            .ok_or(StoreError::Corrupt(schema::account::JURISDICTION))?,
        kept_until: schema::get_day(item, schema::account::KEPT_UNTIL)?,
        sealed: schema::get_bytes(item, schema::SEALED)?.to_vec(),
    })
}

fn due_record(item: &Item) -> Result<DueRecord, StoreError> {
    let parts: Vec<&str> = schema::get_text(item, schema::SK)?.split('#').collect();
    let read = || {
        let [day, account, invoice] = parts.as_slice() else { return None };
        Some(DueRecord {
            kept_until: Day::parse(day)?,
            account: AccountId::parse(account)?,
            invoice: InvoiceId::parse(invoice)?,
        })
    };
    read().ok_or(StoreError::Corrupt(schema::SK))
}
