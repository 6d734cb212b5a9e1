//! Who may do what, decided on what the database says now.

use numib::domain::account::AccountState;
use numib::domain::role::Role;
use numib::edge::auth::Caller;
use numib::edge::problem::Problem;
use numib::store::Store;
use numib::store::accounts::Member;

use crate::call::Call;
use crate::who::Who;

const CLOSED: Problem =
    Problem::forbidden("The account is being deleted: until then only its owner gets in.");
/// Its owner gets in, and changes nothing.
pub(crate) const LOCKED: Problem =
    Problem::conflict("The account is being deleted: nothing of it changes until that is over.");

/// The member that calls, if the route is for it.
///
/// Both must agree: the membership in the database, which a removal changes at once, and the groups
/// the token was issued with.
//= R4.3
pub(crate) async fn member(store: &Store, caller: &Caller, who: &Who) -> Result<Member, Problem> {
    let member = store.member(&caller.member).await?;
    let may =
        |member: &Member| who.roles.contains(&member.role) && caller.groups.contains(&member.role);
    let member = member.filter(may).ok_or_else(|| who.refusal.clone())?;
    // Staff have no account.
    if member.role != Role::Operator {
        is_open(store, &member).await?;
    }
    Ok(member)
}

/// Whether the member's account serves this member: a locked one serves its owner, who may take the
/// deletion back.
//= R6.1
async fn is_open(store: &Store, member: &Member) -> Result<(), Problem> {
    let account = store.account(&member.account).await?;
    match account.map(|account| account.state) {
        Some(AccountState::Active) => Ok(()),
        Some(AccountState::Locked) if member.role == Role::Owner => Ok(()),
        Some(AccountState::Locked | AccountState::Erased) | None => Err(CLOSED),
    }
}

/// Whether the caller's account may be changed.
///
/// # Errors
/// 409 while it is being deleted.
pub(crate) async fn is_active(call: &Call<'_>) -> Result<(), Problem> {
    let account = call.app.store.account(call.account()).await?;
    let is_active = account.is_some_and(|account| account.state == AccountState::Active);
    if is_active { Ok(()) } else { Err(LOCKED) }
}
