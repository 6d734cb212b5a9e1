//! Operators lodge requests for people: a deletion that they asked for, a report about a minor.

use numib::api::body;
use numib::api::done::Done;
use numib::api::erase::{self, accepted, begin};
use numib::api::who::OPERATORS;
use numib::domain::audit::Action;
use numib::domain::erasure::Source;
use numib::domain::reference::is_reference;
use numib::edge::problem::Problem;
use numib::erasure::{Asked, targets};
use numib::meta::deletion_list::meta_id;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::app::{Call, Route};

pub(crate) const BAD_REFERENCE: Problem = Problem::field(
    "reference",
    "`reference` must be the case's number: 1 to 100 of A–Z a–z 0–9 - _ . / : # and inner spaces.",
);
/// The pattern of a case's number, without blanks at its ends.
pub(crate) const REFERENCE: &str = "^[A-Za-z0-9_./:#-]([A-Za-z0-9 _./:#-]*[A-Za-z0-9_./:#-])?$";

const BAD_ID: Problem =
    Problem::field("id", "`id` must be a Meta id: at most 64 decimal digits, not all zero.");
const BAD_SOURCE: Problem = Problem::field("source", "`source` must be `operator` or `minor`.");

/// What an operator lodges for a person.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewRequest")]
struct Lodged {
    /// A Meta id.
    #[schemars(regex(pattern = "^[0-9]{1,64}$"))]
    id: String,
    /// A report that someone is a minor is shown as `operator`.
    #[schemars(regex(pattern = "^(operator|minor)$"))]
    source: String,
    #[schemars(length(max = 100), regex(pattern = REFERENCE))]
    reference: String,
}

pub(crate) static LODGE: Route = Route {
    key: "POST /v1/operator/requests",
    name: "lodgeRequest",
    summary: "Lodge the erasure that a person asked for",
    who: OPERATORS,
    action: Some(Action::LodgeRequest),
    describe: |of| erase::describe(of).takes::<Lodged>(of),
    handler: |call| Box::pin(lodge(call)),
};

/// Lodges the erasure of all that is held of a person, by Meta id.
//= R5.7, R9.1, R8.3
async fn lodge(call: &Call<'_>) -> Result<Done, Problem> {
    let &Call { app, request, now, .. } = call;
    let Lodged { id, source, reference } =
        body::json(request, &[BAD_ID, BAD_SOURCE, BAD_REFERENCE])?;
    let id = meta_id(&id).ok_or(BAD_ID)?;
    let lodges = |source: &Source| matches!(source, Source::Operator | Source::Minor);
    let source = Source::parse(&source).filter(lodges).ok_or(BAD_SOURCE)?;
    if !is_reference(&reference) {
        return Err(BAD_REFERENCE);
    }
    let secrets = app.secrets.get().await?;
    let targets = targets::of_person(&app.store, &secrets.pepper, &id, None, now).await?;
    let subject = format!("person {}", secrets.pepper.person(&id));
    let asked_for = targets.clone();
    let asked = Asked { source, reference: Some(reference), subject, targets, due_at: None };
    let erasure = begin(&app.store, &app.queue, asked, now).await?;
    let done = accepted(&erasure, app.public_url.as_deref(), request);
    // Accounts are told of what a hold keeps, too.
    Ok(done.erasing(Some(erasure.id), asked_for))
}
