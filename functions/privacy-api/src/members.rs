//! Who belongs to an account, and as what (R4.3). Their addresses are in the user pool alone.

use lambda_http::http::StatusCode;
use numib::api::described::Described;
use numib::api::done::Done;
use numib::api::invite::{invite, unreached};
use numib::api::{access, body, erase, page, version};
use numib::concurrent::try_all;
use numib::domain::audit::Action;
use numib::domain::erasure::{Source, Target};
use numib::domain::ids::MemberId;
use numib::domain::personal::Personal;
use numib::domain::profile::{self, EMAIL_LEN_MAX};
use numib::domain::role::Role;
use numib::domain::time::Day;
use numib::edge::problem::Problem;
use numib::erasure::Asked;
use numib::store::StoreError;
use numib::store::accounts::Member;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::{Call, Route};
use crate::erase::erase;
use crate::who::{ADMINS, DECIDERS, ERASERS};

/// Addresses that are asked for at once.
const AT_ONCE: usize = 8;

/// Members of an account, those included who are being erased.
const MEMBERS_MAX: usize = 100;
/// People whom an account invites in a day.
const INVITATIONS_MAX: u32 = 50;

/// The roles that a member of an account may have.
const ROLES: &str = "^(owner|admin|agent|privacy)$";

const BAD_EMAIL: Problem = Problem::field("email", "`email` must be an e-mail address.");
const BAD_ROLE: Problem =
    Problem::field("role", "`role` must be `owner`, `admin`, `agent` or `privacy`.");
const NOT_ADDED: Problem =
    Problem::conflict("This person cannot join the account. Please invite another address.");
const TOO_MANY: Problem =
    Problem::conflict("An account has 100 members at most. Please remove one first.");
const TOO_OFTEN: Problem = Problem::new(
    StatusCode::TOO_MANY_REQUESTS,
    "too-many-requests",
    "An account can invite 50 people a day. Please go on tomorrow (UTC).",
);
const LAST_OWNER: Problem = Problem::conflict(
    "This is the account's last owner. Please make another member an owner first.",
);
const NOT_YOURS: Problem = Problem::forbidden(
    "Only an owner can make or change owners, admins and data-protection officers.",
);

/// A page of an account's members.
#[derive(Serialize, JsonSchema)]
struct Members {
    members: Vec<ShownMember>,
    /// Where the next page starts; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// A member, with their address: so it is never printed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Member")]
struct ShownMember {
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
struct Changed {
    member: String,
    role: &'static str,
    /// What it was before; the same, where they had it already.
    previous_role: &'static str,
}

/// A member who was added.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AddedMember")]
struct Added {
    member: String,
    role: &'static str,
}

pub(crate) static LIST: Route = Route {
    key: "GET /v1/members",
    name: "listMembers",
    summary: "The account's members",
    who: ERASERS,
    action: None,
    describe: page::describe::<Members>,
    handler: |call| Box::pin(list(call)),
};

/// Lists the members, in no particular order that lasts.
async fn list(call: &Call<'_>) -> Result<Done, Problem> {
    let limit = usize::try_from(page::limit(call.request)?).unwrap_or_default();
    let after = page::cursor(call.request, MemberId::parse)?;
    let mut ids = call.app.store.account_members(call.account()).await?;
    ids.retain(|id| after.as_ref().is_none_or(|after| id > after));
    ids.sort();
    let is_more = ids.len() > limit;
    ids.truncate(limit);
    let shown = try_all(ids.iter().map(|id| shown(call, id)), AT_ONCE).await?;
    let cursor = ids.last().filter(|_| is_more).map(ToString::to_string);
    let body = Members { members: shown.into_iter().flatten().collect(), cursor };
    Ok(Done::ok(&body))
}

/// A member with their address; `None` for one who is being erased.
async fn shown(call: &Call<'_>, id: &MemberId) -> Result<Option<ShownMember>, Problem> {
    let Some(member) = call.app.store.member(id).await? else { return Ok(None) };
    if member.account != *call.account() {
        return Ok(None);
    }
    let address = call.app.user_pool.email(id).await.map_err(unreached)?;
    let role = member.role.as_str();
    Ok(Some(ShownMember {
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
struct NewMember {
    #[schemars(email, length(max = EMAIL_LEN_MAX))]
    email: String,
    #[schemars(regex(pattern = ROLES))]
    role: String,
}

pub(crate) static ADD: Route = Route {
    key: "POST /v1/members",
    name: "addMember",
    summary: "Invite someone to be a member",
    who: ADMINS.just_signed_in(),
    action: Some(Action::AddMember),
    describe: |of| {
        let described = Described::gives::<Added>(of, 201, "They are invited.");
        described.takes::<NewMember>(of)
    },
    handler: |call| Box::pin(add(call)),
};

/// Invites someone by e-mail. Whether somebody who cannot be added is a member
/// elsewhere, or here, is not told.
//= R4.3, R1.2
async fn add(call: &Call<'_>) -> Result<Done, Problem> {
    let NewMember { email, role } = body::json(call.request, &[BAD_EMAIL, BAD_ROLE])?;
    let address = profile::email(&email).ok_or(BAD_EMAIL)?;
    let role = role_of(&role)?;
    may(call, role)?;
    has_room(call).await?;
    let (app, member) = (call.app, Member { account: call.account().clone(), role });
    let id = invite(&app.store, &app.queue, &app.user_pool, &address, &member).await?;
    let id = id.ok_or(NOT_ADDED)?;
    match app.store.add_member(&id, &member).await {
        Err(StoreError::Conflict) => return Err(NOT_ADDED),
        added => added?,
    }
    let role = role.as_str();
    let done = Done::json(StatusCode::CREATED, &Added { member: id.to_string(), role });
    Ok(done.about("member", id).about("role", role))
}

/// Whether the account may invite one more: nobody gets an e-mail from one that is being deleted,
/// and none sends any number of them. Counted before, so that of many at once none is too many.
async fn has_room(call: &Call<'_>) -> Result<(), Problem> {
    let store = &call.app.store;
    access::is_active(&call.app.store, call.account()).await?;
    if store.account_members(call.account()).await?.len() >= MEMBERS_MAX {
        return Err(TOO_MANY);
    }
    let today = Day::of(call.now);
    match store.count_invitation(call.account(), today, INVITATIONS_MAX).await {
        Err(StoreError::Conflict) => Err(TOO_OFTEN),
        counted => Ok(counted?),
    }
}

/// The role that a member gets.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WantedRole {
    #[schemars(regex(pattern = ROLES))]
    role: String,
}

pub(crate) static CHANGE: Route = Route {
    key: "PATCH /v1/members/{id}",
    name: "changeRole",
    summary: "Give a member another role",
    who: ADMINS.just_signed_in(),
    action: Some(Action::ChangeRole),
    describe: |of| {
        let described = Described::gives::<Changed>(of, 200, "The role they have now.");
        described.takes::<WantedRole>(of).tagged().conditional().refuses(&[409])
    },
    handler: |call| Box::pin(change(call)),
};

/// Gives a member another role. Their sessions end, for their tokens say
/// the old one. With the role that they have, it only does that again.
//= R4.3
async fn change(call: &Call<'_>) -> Result<Done, Problem> {
    let id = call.parameter("id", MemberId::parse)?;
    let WantedRole { role } = body::json(call.request, &[BAD_ROLE])?;
    let to = role_of(&role)?;
    let from = role_in_account(call, &id).await?.ok_or(Problem::not_found())?;
    // A call that died once the database had the role is repeated with the version from before it.
    if from == to {
        version::named(call.request)?;
    } else {
        version::matches(call.request, from.as_str())?;
    }
    may(call, from)?;
    may(call, to)?;
    access::is_active(&call.app.store, call.account()).await?;
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
    let (member, role, previous_role) = (id.to_string(), to.as_str(), from.as_str());
    let body = Changed { member, role, previous_role };
    Ok(Done::ok(&body).tagged(role).about("was", previous_role).about("role", role))
}

pub(crate) static REMOVE: Route = Route {
    key: "DELETE /v1/members/{id}",
    name: "removeMember",
    summary: "Shut a member out, and erase them",
    who: ADMINS.just_signed_in(),
    action: Some(Action::RemoveMember),
    describe: |of| erase::describe(of).refuses(&[409, 412]),
    handler: |call| Box::pin(remove(call)),
};

/// Shuts a member out, and has their identity erased.
//= R4.3, R5.3
async fn remove(call: &Call<'_>) -> Result<Done, Problem> {
    erase_member(call, Source::Account).await
}

pub(crate) static REPORT_MINOR: Route = Route {
    key: "POST /v1/members/{id}/minor-report",
    name: "reportMinorMember",
    summary: "Erase a member who is a minor",
    who: DECIDERS.just_signed_in(),
    action: Some(Action::ReportMinorMember),
    describe: |of| erase::describe(of).refuses(&[409, 412]),
    handler: |call| Box::pin(report_minor(call)),
};

/// Erases a member who is a minor.
//= R9.1
async fn report_minor(call: &Call<'_>) -> Result<Done, Problem> {
    erase_member(call, Source::Minor).await
}

/// Nothing serves them from here on; a legal hold keeps at most their identity and their place.
async fn erase_member(call: &Call<'_>, source: Source) -> Result<Done, Problem> {
    let id = call.parameter("id", MemberId::parse)?;
    let (app, account) = (call.app, call.account().clone());
    if !app.store.has_member_place(&account, &id).await? {
        return Err(Problem::not_found());
    }
    // Else a call before this one has died after it had shut them out.
    if let Some(role) = role_in_account(call, &id).await? {
        // Whoever reports a minor need not be who makes members, but nobody gets rid of those
        // above them this way.
        if source != Source::Minor || matches!(role, Role::Owner | Role::Admin) {
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
