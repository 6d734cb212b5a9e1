//! Tells the owners of accounts that there is a new version of the privacy policy, each once. Who
//! was told is written down after the e-mail: a worker that dies in between tells one owner again.

use jiff::Timestamp;
use numib::domain::account::AccountState;
use numib::domain::ids::{MemberId, PolicyVersion};
use numib::domain::personal::Personal;
use numib::domain::role::Role;
use numib::domain::time::Day;
use numib::edge::mail::{Mail, MailError, Mailer};
use numib::edge::telemetry::{Metrics, Unit};
use numib::identity::IdentityError;
use numib::store::{Store, StoreError};

use crate::App;

/// Why the owners, or some of them, were not told. The message comes again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnnounceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("some of the owners were not told")]
    Untold,
}

/// Tells every owner who has not been told, while there is time; false where some are left. Owners
/// are found in the user pool, which has their addresses, page by page and from the start: who was
/// told is passed over.
//= R10.1
pub(crate) async fn run(
    app: &App,
    version: &PolicyVersion,
    now: Timestamp,
    has_time: &(dyn Fn() -> bool + Sync),
) -> Result<bool, AnnounceError> {
    let store = &app.eraser.store;
    let Some(mailer) = &app.mailer else { return Ok(true) };
    let Some(effective_on) = store.policy_version(version).await? else { return Ok(true) };
    let mail = mail(version, effective_on, &app.public_url);
    let (mut told, mut failed) = (0_u64, 0_u64);
    let mut page = None;
    let is_complete = loop {
        let (owners, next) = app.eraser.user_pool.owners(page).await?;
        for (id, address) in owners {
            let Some(address) = address else { continue };
            if store.was_told(&id, version).await? || !owns(store, &id).await? {
                continue;
            }
            match tell(store, mailer, (&id, version), (&address, &mail), now).await {
                Ok(()) => told = told.saturating_add(1),
                Err(error) => {
                    tracing::error!(error = %error, "an owner was not told");
                    failed = failed.saturating_add(1);
                }
            }
        }
        page = next;
        match page {
            None => break true,
            Some(_) if !has_time() => break false,
            Some(_) => {}
        }
    };
    report(version, told, failed, now);
    if failed > 0 { Err(AnnounceError::Untold) } else { Ok(is_complete) }
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
    (id, version): (&MemberId, &PolicyVersion),
    (address, mail): (&Personal<String>, &Mail),
    now: Timestamp,
) -> Result<(), TellError> {
    mailer.send(address, mail).await?;
    Ok(store.put_told(id, version, now).await?)
}

/// Whether somebody in the owners' group owns an account that serves.
async fn owns(store: &Store, id: &MemberId) -> Result<bool, StoreError> {
    let Some(member) = store.member(id).await? else { return Ok(false) };
    let account = store.account(&member.account).await?;
    let is_active = account.is_some_and(|account| account.state == AccountState::Active);
    Ok(is_active && member.role == Role::Owner)
}

fn report(version: &PolicyVersion, told: u64, failed: u64, now: Timestamp) {
    tracing::info!(version = %version, told, failed, "owners told of a policy version");
    let mut metrics = Metrics::new(now);
    metrics.add("OwnersTold", Unit::Count, told);
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
