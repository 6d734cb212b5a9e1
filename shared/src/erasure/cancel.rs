//! Taking back a request that has not been carried out yet.

use super::ErasureError;
use crate::domain::erasure::{Request, State};
use crate::domain::ids::RequestId;
use crate::store::Store;

/// Why a request was not taken back.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// Nobody can take the request back, or it is being carried out by now.
    #[error("the request cannot be taken back any more")]
    TooLate,
    /// The step failed, and may be tried again.
    #[error(transparent)]
    Failed(#[from] ErasureError),
}

/// Takes a request back. The account that it would have erased serves again. A request that is
/// taken back already stays so.
//= R6.1
pub async fn cancel(store: &Store, id: &RequestId) -> Result<Request, CancelError> {
    let found = store.request(id).await.map_err(ErasureError::Store)?;
    let mut request = found.ok_or(ErasureError::Unknown)?.request;
    if request.state == State::Cancelled {
        return Ok(request);
    }
    if !request.is_revocable() {
        return Err(CancelError::TooLate);
    }
    request.state = request.state.to(State::Cancelled).map_err(ErasureError::Transition)?;
    // If a worker began meanwhile, it has saved the request, and this is a conflict.
    Ok(store.cancel_request(request).await.map_err(ErasureError::Store)?)
}
