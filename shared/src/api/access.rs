//! Who is let in. The database decides, as it is now.

use lambda_http::Request;

use super::call::Call;
use super::route::Route;
use super::who::Who;
use crate::domain::account::AccountState;
use crate::domain::ids::AccountId;
use crate::domain::role::Role;
use crate::edge::auth::{self, Caller};
use crate::edge::clock::Clock;
use crate::edge::problem::Problem;
use crate::store::Store;
use crate::store::accounts::Member;

const CLOSED: Problem = Problem::forbidden(
    "The account is being deleted, so only its owner gets in. Please ask its owner.",
);
const NOT_ACTIVE: Problem =
    Problem::forbidden("The account is being deleted. Please ask its owner.");
/// The account is locked: its owner gets in, and changes nothing.
pub const LOCKED: Problem = Problem::conflict(
    "The account is being deleted, so nothing in it can change. Its owner can cancel the deletion.",
);

/// Lets a caller in, if there is a route and the route is for them.
///
/// # Errors
/// 404 if there is no route, 403 if the route is not for the caller, 401 if it takes a fresh
/// sign-in.
pub async fn admit<'a, A: Sync, H: Sync>(
    (app, store): (&'a A, &Store),
    request: &'a Request,
    route: Option<&'static Route<H>>,
    clock: &Clock,
) -> Result<(&'static Route<H>, Call<'a, A>), Problem> {
    let caller = auth::caller(request)?;
    let route = route.ok_or(Problem::not_found())?;
    let member = member(store, &caller, &route.who).await?;
    let (now, stopwatch) = (clock.began, clock.stopwatch);
    if route.who.needs_fresh_sign_in {
        caller.has_just_signed_in(now)?;
    }
    Ok((route, Call { app, request, caller, member, now, stopwatch }))
}

/// The member that calls, if the route is for it.
///
/// Both must agree: the membership in the database, which a removal changes at once, and the groups
/// the token was issued with.
//= R4.3
async fn member(store: &Store, caller: &Caller, who: &Who) -> Result<Member, Problem> {
    let member = store.member(&caller.member).await?;
    let may =
        |member: &Member| who.roles.contains(&member.role) && caller.groups.contains(&member.role);
    let member = member.filter(may).ok_or_else(|| who.refusal.clone())?;
    // Staff have no account.
    if member.role != Role::Operator {
        is_open(store, &member, who).await?;
    }
    Ok(member)
}

/// Whether the account serves this member. A locked account serves its owner, who may take the
/// deletion back.
//= R6.1
async fn is_open(store: &Store, member: &Member, who: &Who) -> Result<(), Problem> {
    let account = store.account(&member.account).await?;
    match account.map(|account| account.state) {
        Some(AccountState::Active) => Ok(()),
        Some(AccountState::Locked | AccountState::Erased) | None if who.needs_active_account => {
            Err(NOT_ACTIVE)
        }
        Some(AccountState::Locked) if member.role == Role::Owner => Ok(()),
        Some(AccountState::Locked | AccountState::Erased) | None => Err(CLOSED),
    }
}

/// Whether an account may be changed.
///
/// # Errors
/// 409 while it is being deleted.
pub async fn is_active(store: &Store, account: &AccountId) -> Result<(), Problem> {
    let account = store.account(account).await?;
    let is_active = account.is_some_and(|account| account.state == AccountState::Active);
    if is_active { Ok(()) } else { Err(LOCKED) }
}
