//! What an account erases of its own: a channel, a contact, a message (R5.3).

use jiff::Timestamp;
use lambda_http::{Body, Request, RequestExt as _, Response};
use numib::domain::erasure::{Source, Target};
use numib::domain::ids::{AccountId, ConnectionId, ConversationId, MessageId};
use numib::edge::auth::Caller;
use numib::edge::problem::Problem;
use numib::erasure::Asked;
use numib::store::messages::MessageKey;

use crate::erase::{accepted, erase};
use crate::{App, access};

/// `DELETE /v1/connections/{id}`: disconnects a channel.
//= R5.3, R8.3
pub(crate) async fn connection(
    app: &App,
    request: &Request,
    caller: &Caller,
    now: Timestamp,
) -> Result<Response<Body>, Problem> {
    let account = access::admin(&app.store, caller).await?;
    let id = parameter(request, "id", ConnectionId::parse)?;
    let subject = format!("connection {id}");
    match app.store.account_connection(&account, &id).await? {
        Some(route) => {
            let target = Target::Connection { account, route, connection: id };
            erase(app, request, asked(Source::Disconnect, target), now).await
        }
        None => under_way(app, request, &subject, &account, now).await,
    }
}

/// `DELETE /v1/conversations/{id}`: erases a contact with all that was sent until now.
//= R5.3
pub(crate) async fn contact(
    app: &App,
    request: &Request,
    caller: &Caller,
    now: Timestamp,
) -> Result<Response<Body>, Problem> {
    let account = access::eraser(&app.store, caller).await?;
    let conversation = parameter(request, "id", ConversationId::parse)?;
    let subject = format!("contact {conversation}");
    match app.store.account_conversation(&account, &conversation).await? {
        Some((_, contact)) if contact.is_known => {
            let target = Target::Contact { account, conversation, until: now };
            erase(app, request, asked(Source::Account, target), now).await
        }
        // Erased, and silent since; or never there.
        Some(_) | None => under_way(app, request, &subject, &account, now).await,
    }
}

/// `DELETE /v1/conversations/{id}/messages/{message_id}`: erases a message.
//= R5.3
pub(crate) async fn message(
    app: &App,
    request: &Request,
    caller: &Caller,
    now: Timestamp,
) -> Result<Response<Body>, Problem> {
    let account = access::eraser(&app.store, caller).await?;
    let conversation = parameter(request, "id", ConversationId::parse)?;
    let message = parameter(request, "message_id", MessageId::parse)?;
    let subject = format!("message {conversation} {message}");
    let known = app.store.account_conversation(&account, &conversation).await?.is_some();
    let key = MessageKey { conversation, message };
    let row = if known { app.store.find_row(&key).await? } else { None };
    if row.is_none_or(|row| row.unsent) {
        return under_way(app, request, &subject, &account, now).await;
    }
    let MessageKey { conversation, message } = key;
    let target = Target::Message { account, conversation, message };
    erase(app, request, asked(Source::Account, target), now).await
}

fn asked(source: Source, target: Target) -> Asked {
    let subject = target.subject();
    Asked { source, reference: None, subject, targets: vec![target], due_at: None }
}

/// An id of the path; whatever is none is nobody's.
fn parameter<T>(
    request: &Request,
    name: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, Problem> {
    request.path_parameters().first(name).and_then(parse).ok_or(Problem::not_found())
}

/// The request that has erased what is gone already, while it is under way.
///
/// # Errors
/// 404 when it was another account's, or never was: the same for all of them.
async fn under_way(
    app: &App,
    request: &Request,
    subject: &str,
    account: &AccountId,
    now: Timestamp,
) -> Result<Response<Body>, Problem> {
    let id = app.store.request_under_way(subject).await?.ok_or(Problem::not_found())?;
    let found = app.store.request(&id).await?.map(|stored| stored.request);
    let own = found.filter(|found| access::is_of(found, account)).ok_or(Problem::not_found())?;
    // Whoever asked first may not have had it queued.
    app.queue.carry_on(&own, now).await?;
    Ok(accepted(app, request, &own))
}
