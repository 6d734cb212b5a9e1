//! People who write to an account: looked for, restricted, reported to be minors.

use std::collections::BTreeSet;

use numib::api::described::Described;
use numib::api::done::Done;
use numib::api::{body, erase};
use numib::domain::audit::Action;
use numib::domain::connection::Connection;
use numib::domain::erasure::Source;
use numib::domain::ids::ConversationId;
use numib::domain::row::{CONTACT_SLACK, SUPPRESSION};
use numib::edge::problem::Problem;
use numib::meta::deletion_list::meta_id;
use numib::store::contacts::Contact;
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::account;
use crate::app::{Call, Route};
use crate::who::ERASERS;

const BAD_META_ID: Problem = Problem::field(
    "meta_id",
    "`meta_id` must be a Meta id: at most 64 decimal digits, not all zero.",
);

/// Whom to look for. In a body, for ids of people are never in URLs, which are logged everywhere.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ContactSearch {
    /// A PSID or IGSID.
    #[schemars(regex(pattern = "^[0-9]{1,64}$"))]
    meta_id: String,
}

/// Who was found.
#[derive(Debug, Serialize, JsonSchema)]
struct FoundContacts {
    contacts: Vec<ShownContact>,
}

/// A contact.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Contact")]
struct ShownContact {
    /// Its id is that of its conversation.
    conversation: String,
    connection_id: String,
    /// RFC 3339, UTC: what it sends from then on is dropped.
    restricted_at: Option<String>,
}

impl ShownContact {
    fn new(conversation: &ConversationId, contact: &Contact) -> Self {
        Self {
            conversation: conversation.to_string(),
            connection_id: conversation.connection.to_string(),
            restricted_at: contact.marks.restricted_at.map(|at| at.to_string()),
        }
    }
}

pub(crate) static SEARCH: Route = Route {
    key: "POST /v1/contacts/search",
    name: "searchContacts",
    summary: "Find the conversations with a person by their Meta id",
    who: ERASERS,
    action: Some(Action::SearchContacts),
    describe: |of| {
        let described = Described::gives::<FoundContacts>(of, 200, "Who was found.");
        described.takes::<ContactSearch>(of)
    },
    handler: |call| Box::pin(search(call)),
};

/// The conversations of this account with a person. Names are not
/// stored, so nobody is found by one.
//= R5.3
async fn search(call: &Call<'_>) -> Result<Done, Problem> {
    let ContactSearch { meta_id: id } = body::json(call.request, &[BAD_META_ID])?;
    let id = meta_id(&id).ok_or(BAD_META_ID)?;
    let store = &call.app.store;
    let person = call.app.secrets.get().await?.pepper.person(&id);
    let contacts = store.person(&person).await?.contacts.into_iter();
    let own = contacts.filter(|(account, _)| account == call.account());
    let own: BTreeSet<_> = own.map(|(_, conversation)| conversation).collect();
    // The index may be a moment old.
    let sight = store.look_again(&BTreeSet::new(), &own).await?;
    let known = sight.contacts.iter().filter(|(_, contact)| contact.is_known);
    let contacts = known.map(|(conversation, contact)| ShownContact::new(conversation, contact));
    let body = FoundContacts { contacts: contacts.collect() };
    Ok(Done::ok(&body))
}

pub(crate) static RESTRICT: Route = Route {
    key: "PUT /v1/conversations/{id}/restriction",
    name: "restrictContact",
    summary: "Drop what a contact sends from now on",
    who: ERASERS,
    action: Some(Action::RestrictContact),
    describe: describe_contact,
    handler: |call| Box::pin(restrict(call)),
};

/// What the contact sends from now on is dropped.
//= R2.3
async fn restrict(call: &Call<'_>) -> Result<Done, Problem> {
    let (conversation, _) = known(call).await?;
    call.app.store.restrict_contact(&conversation, call.now).await?;
    shown(call).await
}

pub(crate) static LIFT: Route = Route {
    key: "DELETE /v1/conversations/{id}/restriction",
    name: "liftRestriction",
    summary: "Store again what a contact sends from now on",
    who: ERASERS,
    action: Some(Action::LiftRestriction),
    describe: describe_contact,
    handler: |call| Box::pin(lift(call)),
};

/// What the contact sends from now on is stored.
//= R2.3
async fn lift(call: &Call<'_>) -> Result<Done, Problem> {
    let (conversation, connection) = known(call).await?;
    // As long as its messages, and as the mark of its erasure, if it has one.
    let kept = connection.plan.expires_at(call.now, call.now);
    let kept = kept.max(call.now.saturating_add(SUPPRESSION).unwrap_or(kept));
    let kept = kept.saturating_add(CONTACT_SLACK).unwrap_or(kept);
    call.app.store.lift_restriction(&conversation, kept).await?;
    shown(call).await
}

pub(crate) static REPORT_MINOR: Route = Route {
    key: "POST /v1/conversations/{id}/minor-report",
    name: "reportMinor",
    summary: "Report that a contact is a minor, and have it erased",
    who: ERASERS,
    action: Some(Action::ReportMinor),
    describe: erase::describe,
    handler: |call| Box::pin(report_minor(call)),
};

/// Erases the contact, as one who is a minor.
//= R9.1
async fn report_minor(call: &Call<'_>) -> Result<Done, Problem> {
    account::erase_contact(call, Source::Minor).await
}

/// A conversation of this account, whose contact is known or restricted.
async fn known(call: &Call<'_>) -> Result<(ConversationId, Connection), Problem> {
    let id = call.parameter("id", ConversationId::parse)?;
    let found = call.app.store.account_conversation(call.account(), &id).await?;
    let is_there = |contact: &Contact| contact.is_known || contact.marks.restricted_at.is_some();
    let found = found.filter(|(_, contact)| is_there(contact)).ok_or(Problem::not_found())?;
    Ok((id, found.0))
}

async fn shown(call: &Call<'_>) -> Result<Done, Problem> {
    let id = call.parameter("id", ConversationId::parse)?;
    let found = call.app.store.account_conversation(call.account(), &id).await?;
    let (_, contact) = found.ok_or(Problem::not_found())?;
    Ok(Done::ok(&ShownContact::new(&id, &contact)))
}

fn describe_contact(of: &mut SchemaGenerator) -> Described {
    Described::gives::<ShownContact>(of, 200, "The contact.")
}
