//! What changes in an account's own item: its sealed profile, the policies that it accepted, and
//! how many people it invited today.

use aws_sdk_dynamodb::types::AttributeValue;

use super::accounts::{account_key, change_active, is_active};
use super::expression::Changes;
use super::item::{Item, binary, day, milliseconds, number, text};
use super::schema::{self, Table};
use super::write::Write;
use super::{Store, StoreError};
use crate::domain::account::Acceptance;
use crate::domain::ids::AccountId;
use crate::domain::time::Day;

impl Store {
    /// Puts a sealed profile in the place of the one of this version; returns the new version. The
    /// old value is not kept.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the profile has another version by now, or the account is not
    /// active.
    //= R5.2
    pub async fn put_profile(
        &self,
        account: &AccountId,
        version: u64,
        sealed: Vec<u8>,
    ) -> Result<u64, StoreError> {
        let next = version.saturating_add(1);
        let is_as_read = match version {
            0 => schema::account::PROFILE_VERSION.is_absent(),
            _ => schema::account::PROFILE_VERSION.is(number(version)),
        };
        let put = Changes::new()
            .set(schema::account::PROFILE, binary(sealed))
            .set(schema::account::PROFILE_VERSION, number(next));
        let put = Write::update(Table::Core, account_key(account), put);
        self.write(put.only_if(is_active().and(is_as_read))).await?;
        Ok(next)
    }

    /// Counts an invitation that an account is about to send, if it has sent fewer than `max` on
    /// this day.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it has sent so many, or is not active.
    //= R4.3
    pub async fn count_invitation(
        &self,
        account: &AccountId,
        today: Day,
        max: u32,
    ) -> Result<(), StoreError> {
        let (on, sent) = (schema::account::INVITED_ON, schema::account::INVITATIONS);
        let change = |changes| Write::update(Table::Core, account_key(account), changes);
        let again = change(Changes::new().add(sent, number(1)));
        let again_today = on.is(day(today)).and(sent.is_below(number(max)));
        if self.write_if_met(again.only_if(is_active().and(again_today))).await? {
            return Ok(());
        }
        let first = change(Changes::new().set(on, day(today)).set(sent, number(1)));
        let first_today = on.is_absent().or(on.is_not(day(today)));
        self.write(first.only_if(is_active().and(first_today))).await
    }

    /// Notes that an account accepted a version of the privacy policy; one that it accepted before
    /// stays as it was. Each is kept, as long as the account.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the account is not active.
    //= R10.1
    pub async fn accept_policy(
        &self,
        account: &AccountId,
        Acceptance { version, effective_on, at, by }: &Acceptance,
    ) -> Result<(), StoreError> {
        let acceptance = Item::default()
            .with(schema::account::EFFECTIVE_ON, day(*effective_on))
            .with(schema::AT, milliseconds(*at))
            .with(schema::ACTOR, text(by.as_str()));
        let acceptance = AttributeValue::M(acceptance.0);
        let accepted = schema::account::ACCEPTED;
        let accept = Changes::new().set_once_under(accepted, version.to_string(), acceptance);
        self.write(change_active(account, accept)).await
    }
}
