//! The proof that ends every erasure: nothing of its targets is left.

use super::kinds::is_left;
use super::{Eraser, ErasureError};
use crate::domain::data_kind::{DataKind, Fate};
use crate::domain::erasure::Target;

/// Whether nothing of a target can be found in any table or index.
//= R8.3
pub(super) async fn is_clean(eraser: &Eraser, target: &Target) -> Result<bool, ErasureError> {
    for kind in DataKind::ALL {
        match kind.fate(target.scope()) {
            Fate::Untouched => {}
            Fate::Shredded | Fate::Swept | Fate::Kept(_) => {
                if is_left(eraser, *kind, target).await? {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}
