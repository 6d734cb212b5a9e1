//! S3: the attestations, which people fetch, and the archives of exports, with their bucket and
//! format.

pub mod attestations;
mod csv_row;
pub mod exports;
pub mod manifest;
mod pages;
pub mod part;
pub mod record;
pub mod summary;
pub mod zip;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// Why a call to S3 failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// S3 did not answer, or failed. The call may be tried again later.
    #[error("S3 did not answer ({0})")]
    Unavailable(String),
    /// The role may not do this, or there is nothing under that name. S3 tells the two apart only
    /// to roles that may list.
    #[error("the role may not do this, or there is nothing of that name")]
    Denied,
}

fn classify<E, R>(error: &SdkError<E, R>) -> ArchiveError
where
    E: ProvideErrorMetadata,
{
    match error.code() {
        // The error's own words name the stage that failed, and nothing of the request.
        None => ArchiveError::Unavailable(error.to_string()),
        Some("AccessDenied" | "NoSuchKey" | "NoSuchUpload") => ArchiveError::Denied,
        Some(code) => ArchiveError::Unavailable(code.to_owned()),
    }
}
