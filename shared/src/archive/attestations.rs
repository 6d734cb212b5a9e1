//! Attestations: `attestations/YYYY/MM/DD/` has one object for each form. An object is written
//! once. The bucket's lock keeps it from being deleted, and the condition of the write keeps it
//! from being replaced.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;

use super::{ArchiveError, classify};
use crate::domain::time::Day;

/// A form in which a day's attestation is filed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For programs.
    Report,
    /// The same report, signed: a JWS.
    Signed,
    /// For people.
    Page,
}

/// Where attestations are filed.
#[derive(Debug, Clone)]
pub struct Attestations {
    client: aws_sdk_s3::Client,
    bucket: String,
}

impl Form {
    const fn name(self) -> &'static str {
        match self {
            Self::Report => "report.json",
            Self::Signed => "report.jws",
            Self::Page => "report.html",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Report => "application/json",
            Self::Signed => "application/jose",
            Self::Page => "text/html; charset=utf-8",
        }
    }

    /// The object's key in the bucket.
    #[must_use]
    pub fn key(self, day: Day) -> String {
        format!("attestations/{}/{}", day.to_string().replace('-', "/"), self.name())
    }
}

impl Attestations {
    /// The attestations in a bucket.
    #[must_use]
    pub const fn new(client: aws_sdk_s3::Client, bucket: String) -> Self {
        Self { client, bucket }
    }

    /// Files a form of a day's attestation. False if it was filed before: then it stays as it is.
    pub async fn file(&self, day: Day, form: Form, bytes: Vec<u8>) -> Result<bool, ArchiveError> {
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(form.key(day))
            .content_type(form.content_type())
            .if_none_match("*")
            .body(ByteStream::from(bytes))
            .send()
            .await;
        match put {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some("PreconditionFailed") => Ok(false),
            Err(error) => Err(classify(&error)),
        }
    }

    /// Reads what was filed.
    ///
    /// # Errors
    /// [`ArchiveError::Denied`] if nothing was filed.
    pub async fn filed(&self, day: Day, form: Form) -> Result<Vec<u8>, ArchiveError> {
        let get = self.client.get_object().bucket(&self.bucket).key(form.key(day));
        let answer = get.send().await.map_err(|error| classify(&error))?;
        let body = answer.body.collect().await;
        let body = body.map_err(|error| ArchiveError::Unavailable(error.to_string()))?;
        Ok(body.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_days_forms_are_in_a_folder_of_its_date() {
        let day = Day::parse("2028-02-29").unwrap();
        let keys = [Form::Report, Form::Signed, Form::Page].map(|form| form.key(day));
        let folder = "attestations/2028/02/29";
        let names = ["report.json", "report.jws", "report.html"];
        assert_eq!(keys, names.map(|name| format!("{folder}/{name}")));
    }
}
