//! Invites people by e-mail to be members.

use std::time::Duration;

use crate::domain::ids::MemberId;
use crate::domain::personal::Personal;
use crate::domain::work::Work;
use crate::edge::problem::Problem;
use crate::edge::queue::WorkQueue;
use crate::identity::{IdentityError, Invited, UserPool};
use crate::store::Store;
use crate::store::accounts::Member;

/// So long until a call that invited someone has made them a member, or never will.
const DECIDED: Duration = Duration::from_mins(1);

/// Has someone invited who is nobody's member, and puts them into the group of their role; `None`
/// where they cannot be. The group comes before the membership: a call that dies in between may be
/// repeated, and if it is not, a worker removes the identity that it made.
///
/// # Errors
/// 500 where that failed.
pub async fn invite(
    store: &Store,
    queue: &WorkQueue,
    user_pool: &UserPool,
    address: &Personal<String>,
    to_be: &Member,
) -> Result<Option<MemberId>, Problem> {
    let invited = user_pool.invite(address).await.map_err(unreached)?;
    let Some(Invited { member, is_new }) = invited else { return Ok(None) };
    if is_new {
        let account = to_be.account.clone();
        let work = Work::ForgetUnlessMember { member: member.clone(), account };
        queue.put_after(work, DECIDED).await?;
    } else if store.member(&member).await?.is_some() {
        return Ok(None);
    }
    user_pool.set_role(&member, to_be.role).await.map_err(unreached)?;
    Ok(Some(member))
}

/// The user pool failed: our fault, and told in the log.
#[expect(clippy::needless_pass_by_value, reason = "the shape `map_err` takes")]
#[must_use]
pub fn unreached(error: IdentityError) -> Problem {
    tracing::error!(error = %error, "the user pool failed");
    Problem::internal()
}
