//! Tells each owner of an account once that there is a new version of the privacy policy. The
//! worker sends the e-mail, and then notes that the owner was told. If it dies in between, that
//! owner is told again.
//!
//! A failure with one owner holds up no other. It is counted, and an alarm rings. When the version
//! is published again, the owners are told who were not.

use jiff::Timestamp;
use numib::domain::account::AccountState;
use numib::domain::ids::{MemberId, PolicyVersion};
use numib::domain::personal::Personal;
use numib::domain::role::Role;
use numib::domain::time::Day;
use numib::edge::mail::{Mail, MailError, Mailer};
use numib::edge::telemetry::{Metrics, Unit};
use numib::identity::{IdentityError, Page};
use numib::store::{Store, StoreError};

use crate::App;

/// Why not all owners were told. The message comes again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnnounceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// How many owners were told, or not.
#[derive(Debug, Default)]
struct Tally {
    told: u64,
    failed: u64,
    /// Owners without a verified address, and owners of an account that is being deleted.
    passed_over: u64,
}

/// Tells every owner who was not told, from a page of owners on, while there is time. Returns the
/// page to go on with, if some are left. The user pool lists the owners with their addresses.
//= R10.1
pub(crate) async fn run(
    app: &App,
    version: &PolicyVersion,
    mut page: Option<Page>,
    now: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<Option<Page>, AnnounceError> {
    let store = &app.eraser.store;
    let Some(mailer) = &app.mailer else { return Ok(None) };
    let Some(effective_on) = store.policy_version(version).await? else { return Ok(None) };
    let mail = mail(version, effective_on, &app.public_url);
    let mut tally = Tally::default();
    loop {
        let (owners, next) = app.eraser.user_pool.owners(page).await?;
        for (id, address) in owners {
            let count = match state_of_owned(store, &id).await? {
                Some(_) if store.was_told(&id, version).await? => continue,
                Some(AccountState::Active) => match &address {
                    Some(address) => {
                        match tell(store, mailer, &id, address, version, &mail, now).await {
                            Ok(()) => &mut tally.told,
                            Err(error) => {
                                tracing::error!(error = %error, "an owner was not told");
                                &mut tally.failed
                            }
                        }
                    }
                    None => &mut tally.passed_over,
                },
                Some(AccountState::Locked) => &mut tally.passed_over,
                Some(AccountState::Erased) | None => continue,
            };
            *count = count.saturating_add(1);
        }
        page = next;
        if page.is_none() || !has_time() {
            break;
        }
    }
    report(version, &tally, now);
    Ok(page)
}

#[derive(Debug, thiserror::Error)]
enum TellError {
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

async fn tell(
    store: &Store,
    mailer: &Mailer,
    id: &MemberId,
    address: &Personal<String>,
    version: &PolicyVersion,
    mail: &Mail,
    now: Timestamp,
) -> Result<(), TellError> {
    mailer.send(address, mail).await?;
    Ok(store.put_told(id, version, now).await?)
}

/// The state of the account that a user of the owners' group owns; `None` if they own none.
async fn state_of_owned(store: &Store, id: &MemberId) -> Result<Option<AccountState>, StoreError> {
    let Some(member) = store.member(id).await? else { return Ok(None) };
    let account = store.account(&member.account).await?;
    Ok(account.filter(|_| member.role == Role::Owner).map(|account| account.state))
}

fn report(version: &PolicyVersion, tally: &Tally, now: Timestamp) {
    let &Tally { told, failed, passed_over } = tally;
    tracing::info!(version = %version, told, failed, passed_over, "owners told of a policy");
    let mut metrics = Metrics::new(now);
    metrics.add("OwnersTold", Unit::Count, told);
    metrics.add("OwnersPassedOver", Unit::Count, passed_over);
    metrics.add("NoticesFailed", Unit::Count, failed);
    metrics.emit();
}

fn mail(version: &PolicyVersion, effective_on: Day, url: &str) -> Mail {
    let subject =
        "NUMIB's privacy policy is changing / La política de privacidad de NUMIB va a cambiar";
    let english = format!(
        "There is a new version of our privacy policy, {version}. It is in force from \
         {effective_on} on. Please read it, and accept it in your account's settings."
    );
    let spanish = format!(
        "Hay una nueva versión de nuestra política de privacidad, {version}. Estará en vigor \
         desde el {effective_on}. Léala y acéptela en la configuración de su cuenta."
    );
    Mail { subject: subject.to_owned(), text: format!("{english}\n\n{spanish}\n\n{url}\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= R10.1
    #[test]
    fn the_e_mail_names_the_version_and_its_day_in_both_languages() {
        let version = PolicyVersion::parse("2027-1").unwrap();
        let mail = mail(&version, Day::parse("2027-01-15").unwrap(), "https://numib.app");
        let paragraphs: Vec<&str> = mail.text.trim_end().split("\n\n").collect();
        let [english, spanish, url] = paragraphs.as_slice() else { panic!("{mail:?}") };
        assert!(english.is_ascii() && !spanish.is_ascii());
        for paragraph in [english, spanish] {
            assert!(paragraph.contains("2027-1.") || paragraph.contains("2027-1,"));
            assert!(paragraph.contains("2027-01-15"), "{paragraph}");
        }
        assert_eq!((*url, mail.subject.split(" / ").count()), ("https://numib.app", 2));
    }
}
