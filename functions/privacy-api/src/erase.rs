//! What every door of an account does: begin the erasure, and say where to follow it.

use numib::api::done::Done;
use numib::api::erase::{accepted, begin};
use numib::edge::problem::Problem;
use numib::erasure::Asked;

use crate::app::Call;

/// Makes unreadable what is asked for, or finds the request that is under way for it.
pub(crate) async fn erase(call: &Call<'_>, asked: Asked) -> Result<Done, Problem> {
    let erasure = begin(&call.app.store, &call.app.queue, asked, call.now).await?;
    Ok(accepted(&erasure, call.app.public_url.as_deref(), call.request))
}
