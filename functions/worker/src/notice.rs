//! Tells the owners of an account by e-mail about erasures of its data, in both languages. The
//! e-mails name nobody.

use jiff::Timestamp;
use numib::domain::deadline::is_at_risk;
use numib::domain::erasure::{Request, Source, State, Target};
use numib::domain::ids::AccountId;
use numib::domain::role::Role;
use numib::domain::time::Day;
use numib::edge::mail::{Mail, MailError, Mailer};
use numib::edge::telemetry::{Metrics, Unit};
use numib::erasure;
use numib::identity::IdentityError;
use numib::store::StoreError;
use numib::store::requests::Told;

use crate::App;

/// What there is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Notice {
    /// The account is locked, and will be erased at this time unless an owner takes that back.
    Locked(Timestamp),
    /// The account is erased now.
    Ending,
    /// A disconnected channel is erased.
    ChannelErased,
    /// What the account asked for is not done, and its last day is near.
    AtRisk(Day),
}

impl Notice {
    /// What is noted on the request, so that its owners are told once; `None` if nothing is noted.
    const fn told(self) -> Option<Told> {
        match self {
            Self::Locked(_) => Some(Told::Locked),
            Self::Ending => Some(Told::Ending),
            Self::AtRisk(_) => Some(Told::AtRisk),
            // A request is completed once.
            Self::ChannelErased => None,
        }
    }
}

/// Tells the owners, once, that what their account asked for may be late. What others asked for is
/// told by the operators, and an alarm tells them.
//= R5.8
pub(crate) async fn tell_at_risk(app: &App, request: &Request, now: Timestamp) {
    let Some(account) = request.targets.first().map(Target::account) else { return };
    let asked_by_account =
        matches!(request.source, Source::Disconnect | Source::AccountDeletion | Source::Account);
    let day = request.deadline;
    if asked_by_account && request.is_work(now) && is_at_risk(day, now) {
        tell(app, account, request, Notice::AtRisk(day), now).await;
    }
}

/// Tells the owners, once each, that a request is about to end their account. Afterwards nobody
/// would know their addresses.
pub(crate) async fn tell_before(app: &App, request: &Request, now: Timestamp) {
    let is_before = matches!(request.state, State::Requested | State::Held | State::Shredded);
    if let [target @ Target::Account { account }] = request.targets.as_slice()
        && is_before
    {
        let notice = match request.due_at.filter(|_| request.is_early(now)) {
            Some(due_at) => Notice::Locked(due_at),
            // An account that a hold keeps does not end yet. Its owners are told when it does.
            None if is_held(app, target).await => return,
            None => Notice::Ending,
        };
        tell(app, account, request, notice, now).await;
    }
}

/// Whether a hold keeps a target. If that cannot be read, the erasure itself fails, too.
async fn is_held(app: &App, target: &Target) -> bool {
    erasure::is_held(&app.eraser.store, target).await.unwrap_or(true)
}

/// Tells the owners that the channel is erased which their account disconnected.
pub(crate) async fn tell_after(app: &App, request: &Request, now: Timestamp) {
    if let [Target::Connection { account, .. }] = request.targets.as_slice()
        && request.source == Source::Disconnect
    {
        tell(app, account, request, Notice::ChannelErased, now).await;
    }
}

/// Tells the owners something, unless they were told before. This is noted before the e-mail is
/// sent: owners who miss an e-mail because it failed still find it all on the request's page.
async fn tell(app: &App, account: &AccountId, request: &Request, notice: Notice, now: Timestamp) {
    if let Some(told) = notice.told() {
        match app.eraser.store.note_told(&request.id, told, now).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return tracing::error!(error = %error, "the owners were not told"),
        }
    }
    send_counted(app, account, request, notice, now).await;
}

/// Sends the e-mail. It is a courtesy: a failure is counted, and holds up no erasure.
async fn send_counted(
    app: &App,
    account: &AccountId,
    request: &Request,
    notice: Notice,
    now: Timestamp,
) {
    let Some(mailer) = &app.mailer else { return };
    let url = format!("{}/data-deletion/{}", app.public_url, request.id);
    let failed = match send(app, mailer, account, &mail(notice, &url)).await {
        Ok(()) => 0,
        Err(error) => {
            tracing::error!(error = %error, "the owners were not told");
            1
        }
    };
    let mut metrics = Metrics::new(now);
    metrics.add("NoticesFailed", Unit::Count, failed);
    metrics.emit();
}

#[derive(Debug, thiserror::Error)]
enum NoticeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Mail(#[from] MailError),
}

/// Sends an e-mail to every owner who has an address. Most accounts have one or two owners.
async fn send(
    app: &App,
    mailer: &Mailer,
    account: &AccountId,
    mail: &Mail,
) -> Result<(), NoticeError> {
    let store = &app.eraser.store;
    for id in store.account_members(account).await? {
        let member = store.member(&id).await?;
        if member.is_some_and(|member| member.role == Role::Owner)
            && let Some(address) = app.eraser.user_pool.email(&id).await?
        {
            mailer.send(&address, mail).await?;
        }
    }
    Ok(())
}

fn mail(notice: Notice, url: &str) -> Mail {
    let (subject, english, spanish) = match notice {
        Notice::Locked(due_at) => (
            "Your NUMIB account will be deleted / Su cuenta de NUMIB se eliminará",
            format!(
                "An owner of your account asked for its deletion. Messages and contacts are \
                 unreadable already. The account itself is locked, and will be erased on \
                 {due_at}. Until then an owner can sign in and take that back."
            ),
            format!(
                "Una persona propietaria de su cuenta pidió que se elimine. Los mensajes y \
                 contactos ya son ilegibles. La cuenta está bloqueada y se eliminará el \
                 {due_at}. Hasta entonces, una persona propietaria puede entrar y cancelarlo."
            ),
        ),
        Notice::Ending => (
            "Your NUMIB account is being deleted / Su cuenta de NUMIB se está eliminando",
            "The account and all its members are being erased now. This is the last e-mail about \
             it; the page below will have the signed receipt."
                .to_owned(),
            "La cuenta y todos sus miembros se están eliminando. Este es el último correo al \
             respecto; la página siguiente tendrá el recibo firmado."
                .to_owned(),
        ),
        Notice::AtRisk(day) => (
            "A deletion takes longer than it should / Una eliminación tarda más de lo debido",
            format!(
                "Your account asked for a deletion that is not complete yet, and its last day is \
                 {day}. Its messages and contacts are unreadable already. We have been alerted, \
                 and are looking into it."
            ),
            format!(
                "Su cuenta pidió una eliminación que todavía no está completa, y su último día \
                 es el {day}. Sus mensajes y contactos ya son ilegibles. Ya estamos alertados e \
                 investigando la causa."
            ),
        ),
        Notice::ChannelErased => (
            "A channel's data is deleted / Se eliminaron los datos de un canal",
            "A channel of your account was disconnected, and all its messages and contacts are \
             deleted. The page below has the signed receipt."
                .to_owned(),
            "Se desconectó un canal de su cuenta y se eliminaron todos sus mensajes y contactos. \
             La página siguiente tiene el recibo firmado."
                .to_owned(),
        ),
    };
    let text = format!("{english}\n\n{spanish}\n\n{url}\n");
    Mail { subject: subject.to_owned(), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_e_mail_says_in_both_languages_what_happens_and_where_to_follow_it() {
        let due_at: Timestamp = "2026-12-08T08:03:00Z".parse().unwrap();
        let day = Day::of(due_at);
        let notices =
            [Notice::Locked(due_at), Notice::Ending, Notice::ChannelErased, Notice::AtRisk(day)];
        for notice in notices {
            let mail = mail(notice, "https://numib.app/data-deletion/code");
            let paragraphs: Vec<&str> = mail.text.trim_end().split("\n\n").collect();
            let [english, spanish, url] = paragraphs.as_slice() else { panic!("{mail:?}") };
            assert_eq!(*url, "https://numib.app/data-deletion/code");
            assert!(english.is_ascii() && !spanish.is_ascii(), "{mail:?}");
            assert_eq!(mail.subject.split(" / ").count(), 2);
            let says_when = matches!(notice, Notice::Locked(_) | Notice::AtRisk(_));
            for text in [english, spanish] {
                assert_eq!(text.contains("2026-12-08"), says_when, "{text}");
            }
        }
    }
}
