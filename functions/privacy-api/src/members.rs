//! Who belongs to an account, and as what (R4.3). Their addresses are in the user pool alone.

use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use numib::domain::erasure::{Source, Target};
use numib::domain::ids::MemberId;
use numib::domain::personal::Personal;
use numib::domain::profile::{self, EMAIL_LEN_MAX};
use numib::domain::role::Role;
use numib::edge::problem::{Problem, json};
use numib::erasure::Asked;
use numib::identity::IdentityError;
use numib::store::StoreError;
use numib::store::accounts::Member;
use numib::store::concurrent::try_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::erase::erase;
use crate::{body, page, version};

/// Addresses that are asked for at once.
const AT_ONCE: usize = 8;

/// The roles that a member of an account may have.
const ROLES: &str = "^(owner|admin|agent|privacy)$";

const BAD_EMAIL: Problem = Problem::field("email", "`email` is an e-mail address.");
const BAD_ROLE: Problem =
    Problem::field("role", "`role` is `owner`, `admin`, `agent` or `privacy`.");
const NOT_ADDED: Problem = Problem::conflict("This person cannot be added to the account.");
const LAST_OWNER: Problem =
    Problem::conflict("This is the account's last owner: make somebody else one first.");
const NOT_YOURS: Problem =
    Problem::forbidden("Owners and admins are for an owner to make and to change.");

/// A page of an account's members.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Members {
    members: Vec<Shown>,
    /// Where the next page starts; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// A member, with their address: so it is never printed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Member")]
struct Shown {
    member: String,
    /// `owner`, `admin`, `agent` or `privacy`.
    role: &'static str,
    /// As the user pool has it; null where it has none any more.
    email: Option<String>,
    /// What `If-Match` takes to change the role.
    etag: String,
}

/// A member's role, and whose it is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MemberRole")]
pub(crate) struct Changed {
    member: String,
    role: &'static str,
}

/// A member who was added.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AddedMember")]
pub(crate) struct Added {
    member: String,
}

/// `GET /v1/members`: the members, in no particular order that lasts.
pub(crate) async fn list(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let limit = usize::try_from(page::limit(call)?).unwrap_or_default();
    let after = page::cursor(call, MemberId::parse)?;
    let mut ids = call.app.store.account_members(call.account()).await?;
    ids.retain(|id| after.as_ref().is_none_or(|after| id > after));
    ids.sort();
    let is_more = ids.len() > limit;
    ids.truncate(limit);
    let shown = try_all(ids.iter().map(|id| shown(call, id)), AT_ONCE).await?;
    let cursor = ids.last().filter(|_| is_more).map(ToString::to_string);
    let body = Members { members: shown.into_iter().flatten().collect(), cursor };
    Ok(json(StatusCode::OK, "application/json", &body))
}

/// A member with their address; `None` for one who is being erased.
async fn shown(call: &Call<'_>, id: &MemberId) -> Result<Option<Shown>, Problem> {
    let Some(member) = call.app.store.member(id).await? else { return Ok(None) };
    if member.account != *call.account() {
        return Ok(None);
    }
    let address = call.app.user_pool.email(id).await.map_err(unreached)?;
    let role = member.role.as_str();
    Ok(Some(Shown {
        member: id.to_string(),
        role,
        email: address.as_ref().map(Personal::expose).cloned(),
        // A role is all that changes of a member, so it is the version too.
        etag: format!("\"{role}\""),
    }))
}

/// Who is invited, and as what.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewMember")]
pub(crate) struct Invited {
    #[schemars(email, length(max = EMAIL_LEN_MAX))]
    email: String,
    #[schemars(regex(pattern = ROLES))]
    role: String,
}

/// `POST /v1/members`: invites someone by e-mail. Whether they are a member elsewhere, or here, is
/// not told.
//= R4.3, R1.2
pub(crate) async fn add(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let Invited { email, role } = body::json(call.request)?;
    let address = profile::email(&email).ok_or(BAD_EMAIL)?;
    let role = role_of(&role)?;
    may(call, role)?;
    let app = call.app;
    let id = app.user_pool.invite(&address).await.map_err(unreached)?;
    if app.store.member(&id).await?.is_some() {
        return Err(NOT_ADDED);
    }
    // The group first: a call that dies here may be repeated.
    app.user_pool.set_role(&id, role).await.map_err(unreached)?;
    let member = Member { account: call.account().clone(), role };
    match app.store.add_member(&id, &member).await {
        Err(StoreError::Conflict) => return Err(NOT_ADDED),
        added => added?,
    }
    Ok(json(StatusCode::CREATED, "application/json", &Added { member: id.to_string() }))
}

/// The role that a member gets.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WantedRole")]
pub(crate) struct Wanted {
    #[schemars(regex(pattern = ROLES))]
    role: String,
}

/// `PATCH /v1/members/{id}`: gives a member another role. Their sessions end, for their tokens say
/// the old one. With the role that they have, it only does that again.
//= R4.3
pub(crate) async fn change(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    let id = call.parameter("id", MemberId::parse)?;
    let Wanted { role } = body::json(call.request)?;
    let to = role_of(&role)?;
    let from = role_in_account(call, &id).await?.ok_or(Problem::not_found())?;
    version::matches(call.request, from.as_str())?;
    may(call, from)?;
    may(call, to)?;
    let app = call.app;
    if from != to {
        let other = other_owner(call, &id, from).await?;
        let of = (call.account(), &id);
        match app.store.change_role(of, (from, to), other.as_ref()).await {
            Err(StoreError::Conflict) => return Err(version::STALE),
            changed => changed?,
        }
    }
    app.user_pool.set_role(&id, to).await.map_err(unreached)?;
    app.user_pool.sign_out(&id).await.map_err(unreached)?;
    let body = Changed { member: id.to_string(), role: to.as_str() };
    Ok(version::tagged(json(StatusCode::OK, "application/json", &body), to.as_str()))
}

/// `DELETE /v1/members/{id}`: shuts a member out, and has their identity erased.
//= R4.3, R5.3
pub(crate) async fn remove(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    erase_member(call, Source::Account).await
}

/// `POST /v1/members/{id}/minor-report`: erases a member who is a minor.
//= R9.1
pub(crate) async fn report_minor(call: &Call<'_>) -> Result<Response<Body>, Problem> {
    erase_member(call, Source::Minor).await
}

/// Nothing serves them from here on; a legal hold keeps at most their identity and their place.
async fn erase_member(call: &Call<'_>, source: Source) -> Result<Response<Body>, Problem> {
    let id = call.parameter("id", MemberId::parse)?;
    let (app, account) = (call.app, call.account().clone());
    if !app.store.has_member(&account, &id).await? {
        return Err(Problem::not_found());
    }
    // Else a call before this one has died after it had shut them out.
    if let Some(role) = role_in_account(call, &id).await? {
        if source != Source::Minor {
            may(call, role)?;
        }
        let other = other_owner(call, &id, role).await?;
        match app.store.shut_out((&account, &id), role, other.as_ref()).await {
            Err(StoreError::Conflict) => return Err(version::STALE),
            out => out?,
        }
    }
    app.user_pool.sign_out(&id).await.map_err(unreached)?;
    let target = Target::Member { account, member: id };
    let subject = target.subject();
    let targets = vec![target];
    erase(call, Asked { source, reference: None, subject, targets, due_at: None }).await
}

/// What a member of the caller's account is there.
async fn role_in_account(call: &Call<'_>, id: &MemberId) -> Result<Option<Role>, Problem> {
    let member = call.app.store.member(id).await?;
    Ok(member.filter(|member| member.account == *call.account()).map(|member| member.role))
}

/// Another owner, where this one is about to be none.
async fn other_owner(
    call: &Call<'_>,
    id: &MemberId,
    role: Role,
) -> Result<Option<MemberId>, Problem> {
    if role != Role::Owner {
        return Ok(None);
    }
    let other = call.app.store.another_owner(call.account(), id).await?;
    other.map(Some).ok_or(LAST_OWNER)
}

fn role_of(text: &str) -> Result<Role, Problem> {
    Role::parse(text).filter(|role| Role::Owner.may_make(*role)).ok_or(BAD_ROLE)
}

fn may(call: &Call<'_>, role: Role) -> Result<(), Problem> {
    if call.member.role.may_make(role) { Ok(()) } else { Err(NOT_YOURS) }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape `map_err` takes")]
pub(crate) fn unreached(error: IdentityError) -> Problem {
    tracing::error!(error = %error, "the user pool failed");
    Problem::internal()
}
