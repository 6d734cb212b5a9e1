//! Who may erase what, decided on what the database says now.

use numib::domain::account::AccountState;
use numib::domain::erasure::Request as Erasure;
use numib::domain::ids::AccountId;
use numib::domain::role::Role;
use numib::edge::auth::Caller;
use numib::edge::problem::Problem;
use numib::store::Store;
use numib::store::accounts::Member;

const NOT_AN_ADMIN: Problem =
    Problem::forbidden("Disconnecting a channel takes the role owner or admin of an account.");
const NO_ERASER: Problem =
    Problem::forbidden("Erasing takes the role owner, admin or privacy of an account.");
const NO_FOLLOWER: Problem =
    Problem::forbidden("Requests are shown to the roles owner, admin, privacy and operator.");
const NO_OWNER: Problem =
    Problem::forbidden("Deleting an account, or taking that back, takes the role owner.");
const LOCKED: Problem =
    Problem::forbidden("The account is being deleted: until then only its owner gets in.");
const NO_OPERATOR: Problem = Problem::forbidden("This takes the role operator.");

/// The account that the caller may have deleted.
pub(crate) async fn owner(store: &Store, caller: &Caller) -> Result<AccountId, Problem> {
    Ok(member(store, caller, |role| role == Role::Owner, NO_OWNER).await?.account)
}

/// The account whose channels the caller may disconnect.
pub(crate) async fn admin(store: &Store, caller: &Caller) -> Result<AccountId, Problem> {
    Ok(member(store, caller, Role::disconnects, NOT_AN_ADMIN).await?.account)
}

/// The account whose contacts and messages the caller may erase.
pub(crate) async fn eraser(store: &Store, caller: &Caller) -> Result<AccountId, Problem> {
    Ok(member(store, caller, Role::erases, NO_ERASER).await?.account)
}

/// The member who may be shown requests: an operator any, others those of their account.
pub(crate) async fn follower(store: &Store, caller: &Caller) -> Result<Member, Problem> {
    let follows = |role: Role| role.erases() || role == Role::Operator;
    member(store, caller, follows, NO_FOLLOWER).await
}

/// Staff.
pub(crate) async fn operator(store: &Store, caller: &Caller) -> Result<(), Problem> {
    member(store, caller, |role| role == Role::Operator, NO_OPERATOR).await.map(|_| ())
}

/// Both must agree: the membership in the database, which a removal changes at once, and the groups
/// the token was issued with.
//= R4.3
async fn member(
    store: &Store,
    caller: &Caller,
    may: impl Fn(Role) -> bool,
    refusal: Problem,
) -> Result<Member, Problem> {
    let member = store.member(&caller.member).await?;
    let allowed = |member: &Member| may(member.role) && caller.groups.contains(&member.role);
    let member = member.filter(allowed).ok_or(refusal)?;
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
        Some(AccountState::Locked | AccountState::Erased) | None => Err(LOCKED),
    }
}

/// Whether a request is about this account and no other: what several have of a person is none of
/// theirs to know.
pub(crate) fn is_of(request: &Erasure, account: &AccountId) -> bool {
    !request.targets.is_empty() && request.targets.iter().all(|one| one.account() == account)
}
