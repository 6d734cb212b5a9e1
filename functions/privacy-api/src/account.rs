//! What an account erases of its own: a channel, a contact, a message (R5.3).

use numib::api::done::Done;
use numib::api::erase::{self, accepted};
use numib::domain::audit::Action;
use numib::domain::erasure::{Source, Target};
use numib::domain::ids::{ConnectionId, ConversationId, MessageId};
use numib::edge::problem::Problem;
use numib::erasure::Asked;
use numib::store::messages::MessageKey;

use crate::app::{Call, Route};
use crate::erase::erase;
use crate::who::{ADMINS, ERASERS};

pub(crate) static DISCONNECT: Route = Route {
    key: "DELETE /v1/connections/{id}",
    name: "disconnect",
    summary: "Disconnect a channel, and erase all that came through it",
    who: ADMINS,
    action: Some(Action::Disconnect),
    describe: erase::describe,
    handler: |call| Box::pin(disconnect(call)),
};

/// Disconnects a channel.
//= R5.3, R8.3
async fn disconnect(call: &Call<'_>) -> Result<Done, Problem> {
    let (app, account) = (call.app, call.account().clone());
    let id = call.parameter("id", ConnectionId::parse)?;
    let subject = format!("connection {id}");
    match app.store.account_connection(&account, &id).await? {
        Some(route) => {
            let target = Target::Connection { account, route, connection: id };
            erase(call, asked(Source::Disconnect, target)).await
        }
        None => under_way(call, &subject).await,
    }
}

pub(crate) static ERASE_CONTACT: Route = Route {
    key: "DELETE /v1/conversations/{id}",
    name: "eraseContact",
    summary: "Erase a contact with all that was sent until now",
    who: ERASERS,
    action: Some(Action::EraseContact),
    describe: erase::describe,
    handler: |call| Box::pin(contact(call)),
};

/// Erases a contact with all that was sent until now.
//= R5.3
async fn contact(call: &Call<'_>) -> Result<Done, Problem> {
    erase_contact(call, Source::Account).await
}

/// Erases a contact, for whoever asked for it.
pub(crate) async fn erase_contact(call: &Call<'_>, source: Source) -> Result<Done, Problem> {
    let (app, account) = (call.app, call.account().clone());
    let conversation = call.parameter("id", ConversationId::parse)?;
    let subject = format!("contact {conversation}");
    match app.store.account_conversation(&account, &conversation).await? {
        Some((_, contact)) if contact.is_known => {
            let target = Target::Contact { account, conversation, until: call.now };
            erase(call, asked(source, target)).await
        }
        // Erased, and silent since; or never there.
        Some(_) | None => under_way(call, &subject).await,
    }
}

pub(crate) static ERASE_MESSAGE: Route = Route {
    key: "DELETE /v1/conversations/{id}/messages/{message_id}",
    name: "eraseMessage",
    summary: "Erase a message",
    who: ERASERS,
    action: Some(Action::EraseMessage),
    describe: erase::describe,
    handler: |call| Box::pin(message(call)),
};

/// Erases a message.
//= R5.3
async fn message(call: &Call<'_>) -> Result<Done, Problem> {
    let (app, account) = (call.app, call.account().clone());
    let conversation = call.parameter("id", ConversationId::parse)?;
    let message = call.parameter("message_id", MessageId::parse)?;
    let subject = format!("message {conversation} {message}");
    let known = app.store.account_conversation(&account, &conversation).await?.is_some();
    let key = MessageKey { conversation, message };
    let row = if known { app.store.find_row(&key).await? } else { None };
    if row.is_none_or(|row| row.unsent) {
        return under_way(call, &subject).await;
    }
    let MessageKey { conversation, message } = key;
    let target = Target::Message { account, conversation, message };
    erase(call, asked(Source::Account, target)).await
}

fn asked(source: Source, target: Target) -> Asked {
    let subject = target.subject();
    Asked { source, reference: None, subject, targets: vec![target], due_at: None }
}

/// The request that has erased what is gone already, while it is under way.
///
/// # Errors
/// 404 when it was another account's, or never was: the same for all of them.
async fn under_way(call: &Call<'_>, subject: &str) -> Result<Done, Problem> {
    let app = call.app;
    let id = app.store.request_under_way(subject).await?.ok_or(Problem::not_found())?;
    let found = app.store.request(&id).await?.map(|stored| stored.request);
    let own = found.filter(|found| found.is_of(call.account())).ok_or(Problem::not_found())?;
    // Whoever asked first may not have had it queued.
    app.queue.carry_on(&own, call.now).await?;
    Ok(accepted(&own, app.public_url.as_deref(), call.request))
}
