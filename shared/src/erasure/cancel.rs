//! Taking back what has not been carried out yet.

use super::ErasureError;
use crate::domain::erasure::{Request, State};
use crate::domain::ids::RequestId;
use crate::store::Store;

/// Why a request was not taken back.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// It is not one to be taken back, or is being carried out.
    #[error("the request cannot be taken back any more")]
    TooLate,
    /// It may be tried again.
    #[error(transparent)]
    Failed(#[from] ErasureError),
}

/// Takes a request back; the account that it was to erase serves again. One that is taken back
/// already stays so.
///
/// # Errors
/// [`CancelError`].
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
    // A worker that has begun meanwhile has saved that it has: then this is a conflict.
    Ok(store.cancel_request(request).await.map_err(ErasureError::Store)?)
}
