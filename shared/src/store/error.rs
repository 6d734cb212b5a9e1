//! Why the database did not do what was asked, by what the caller can do about it.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// Why the database did not do what was asked, by what the caller can do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Someone else changed the item in the meantime; read again and decide again.
    #[error("the item changed in the meantime")]
    Conflict,
    /// Out of capacity after the SDK's retries; come back later.
    #[error("the table is throttling")]
    Throttled,
    /// No answer, or a failure of the service.
    #[error("the database did not answer ({0})")]
    Unavailable(String),
    /// The role may not do this: a defect of the template.
    #[error("the role may not do this")]
    Denied,
    /// A stored item is not as this code writes it.
    #[error("the stored item `{row}` has no readable `{attribute}`")]
    Corrupt {
        /// The item's key, a pseudonym: as much of the key as was read.
        row: String,
        /// The attribute.
        attribute: &'static str,
    },
    /// The request itself was refused: a defect of this code.
    #[error("the request was refused ({0})")]
    Refused(String),
}

impl StoreError {
    /// Whether it speaks of one item only, so that others are still worth trying.
    #[must_use]
    pub const fn is_of_one_item(&self) -> bool {
        match self {
            Self::Conflict | Self::Corrupt { .. } | Self::Refused(_) => true,
            Self::Throttled | Self::Unavailable(_) | Self::Denied => false,
        }
    }
}

/// Whether the condition of a write was met: a condition that was not met is an answer, not an
/// error.
pub(super) fn met(written: Result<(), StoreError>) -> Result<bool, StoreError> {
    match written {
        Ok(()) => Ok(true),
        Err(StoreError::Conflict) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a transaction was cancelled for want of capacity alone. One that met another at the same
/// item is a conflict like any other: read again, and decide again.
fn is_out_of_capacity(message: Option<&str>) -> bool {
    message.is_some_and(|message| {
        let is_throttled = ["ThrottlingError", "ProvisionedThroughputExceeded"]
            .iter()
            .any(|reason| message.contains(reason));
        is_throttled
            && !message.contains("ConditionalCheckFailed")
            && !message.contains("TransactionConflict")
    })
}

/// The one place where SDK errors get a meaning.
pub(super) fn classify<E, R>(error: &SdkError<E, R>) -> StoreError
where
    E: ProvideErrorMetadata,
{
    let Some(code) = error.code() else {
        // Its own words name the stage it failed at, and nothing of the request.
        return StoreError::Unavailable(error.to_string());
    };
    match code {
        // Its message lists a reason for each write.
        "TransactionCanceledException" if is_out_of_capacity(error.message()) => {
            StoreError::Throttled
        }
        "ConditionalCheckFailedException"
        | "TransactionCanceledException"
        | "TransactionConflictException" => StoreError::Conflict,
        "ProvisionedThroughputExceededException"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "LimitExceededException" => StoreError::Throttled,
        "AccessDeniedException" => StoreError::Denied,
        "ValidationException" | "ResourceNotFoundException" | "SerializationException" => {
            StoreError::Refused(code.to_owned())
        }
        _ => StoreError::Unavailable(code.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_transaction_is_a_conflict_unless_it_wanted_for_capacity_alone() {
        let throttled = |reasons: &str| {
            let text = "Transaction cancelled, please refer cancellation reasons for specific \
                        reasons";
            is_out_of_capacity(Some(&format!("{text} [{reasons}]")))
        };
        assert!(throttled("None, ThrottlingError"));
        assert!(throttled("ProvisionedThroughputExceeded, None"));
        assert!(!throttled("TransactionConflict, None"));
        assert!(!throttled("ConditionalCheckFailed, ThrottlingError"));
        assert!(!is_out_of_capacity(None));
    }
}
