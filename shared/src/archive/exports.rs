//! Archives of exports in their bucket: written in parts, read through links that live for minutes,
//! and removed for good.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

use super::{ArchiveError, classify};
use crate::domain::export::{self, Export, Part};
use crate::domain::ids::AccountId;

/// How long a link to an archive lives (R5.4).
pub const LINK_LIFE: Duration = Duration::from_mins(5);
/// The time-out of a part. A part has some megabytes, so it may take longer than other calls.
const PART_TIMEOUT: Duration = Duration::from_secs(30);
const CONTENT_TYPE: &str = "application/zip";

/// The bucket.
#[derive(Debug, Clone)]
pub struct Exports {
    client: aws_sdk_s3::Client,
    bucket: String,
}

impl Exports {
    /// The archives in a bucket.
    #[must_use]
    pub const fn new(client: aws_sdk_s3::Client, bucket: String) -> Self {
        Self { client, bucket }
    }

    /// Begins an upload, and returns its name.
    pub async fn begin(&self, export: &Export) -> Result<String, ArchiveError> {
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(export.object_key())
            .content_type(CONTENT_TYPE)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        begun.upload_id.ok_or_else(|| ArchiveError::Unavailable("no upload".to_owned()))
    }

    /// Uploads a part, and returns its tag. It replaces an earlier part of the same number.
    ///
    /// # Errors
    /// [`ArchiveError::Denied`] if the upload is gone.
    pub async fn put_part(
        &self,
        key: &str,
        upload: &str,
        number: u32,
        bytes: Vec<u8>,
    ) -> Result<String, ArchiveError> {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(PART_TIMEOUT)
            .operation_timeout(PART_TIMEOUT.saturating_mul(2))
            .build();
        let put = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload)
            .part_number(i32::try_from(number).unwrap_or(i32::MAX))
            .body(ByteStream::from(bytes))
            .customize()
            .config_override(Builder::default().timeout_config(timeouts))
            .send()
            .await
            .map_err(|error| classify(&error))?;
        put.e_tag.ok_or_else(|| ArchiveError::Unavailable("no mark".to_owned()))
    }

    /// Makes one object of the parts. If that was done before, the object stays.
    ///
    /// # Errors
    /// [`ArchiveError::Denied`] if the parts are gone, or are others.
    pub async fn complete(
        &self,
        export: &Export,
        upload: &str,
        parts: &[Part],
    ) -> Result<(), ArchiveError> {
        let parts = parts.iter().map(|part| {
            let number = i32::try_from(part.number).unwrap_or(i32::MAX);
            CompletedPart::builder().part_number(number).e_tag(&part.etag).build()
        });
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let completed = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(export.object_key())
            .upload_id(upload)
            .multipart_upload(parts)
            .send()
            .await;
        match completed {
            Ok(_) => Ok(()),
            // If a worker died right after this call, the upload is gone and the object is there.
            Err(error) if error.code() == Some("NoSuchUpload") => {
                let len = self.len(export).await?;
                let is_it = len == Some(export.written.bytes);
                if is_it { Ok(()) } else { Err(ArchiveError::Denied) }
            }
            Err(error) if error.code() == Some("InvalidPart") => Err(ArchiveError::Denied),
            Err(error) => Err(classify(&error)),
        }
    }

    async fn len(&self, export: &Export) -> Result<Option<u64>, ArchiveError> {
        let head = self.client.head_object().bucket(&self.bucket).key(export.object_key());
        match head.send().await {
            Ok(head) => Ok(head.content_length.and_then(|len| u64::try_from(len).ok())),
            // The answer to a HEAD has no body that would say why.
            Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() < 500) => {
                Ok(None)
            }
            Err(error) => Err(classify(&error)),
        }
    }

    /// Removes an export's archive and its upload. The call may be repeated.
    //= R8.3, R5.4
    pub async fn discard(&self, export: &Export) -> Result<(), ArchiveError> {
        let key = export.object_key();
        if let Some(upload) = &export.upload {
            self.abort(&key, upload).await?;
        }
        self.delete(&key).await
    }

    /// Removes all archives and uploads of an account. The call may be repeated.
    //= R6.1
    pub async fn discard_all(&self, account: &AccountId) -> Result<(), ArchiveError> {
        let prefix = export::prefix(account);
        let uploads = self.client.list_multipart_uploads().bucket(&self.bucket).prefix(&prefix);
        let uploads = uploads.send().await.map_err(|error| classify(&error))?;
        for upload in uploads.uploads() {
            if let Some((key, id)) = upload.key().zip(upload.upload_id()) {
                self.abort(key, id).await?;
            }
        }
        let objects = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix);
        let objects = objects.send().await.map_err(|error| classify(&error))?;
        for key in objects.contents().iter().filter_map(|object| object.key()) {
            self.delete(key).await?;
        }
        Ok(())
    }

    async fn abort(&self, key: &str, upload: &str) -> Result<(), ArchiveError> {
        let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(key);
        match abort.upload_id(upload).send().await {
            Err(error) if error.code() != Some("NoSuchUpload") => Err(classify(&error)),
            _ => Ok(()),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), ArchiveError> {
        let delete = self.client.delete_object().bucket(&self.bucket).key(key);
        delete.send().await.map(|_| ()).map_err(|error| classify(&error))
    }

    /// Whether the bucket has nothing of an account: no archive, and no upload.
    pub async fn is_empty(&self, account: &AccountId) -> Result<bool, ArchiveError> {
        let prefix = export::prefix(account);
        let objects = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix);
        let objects = objects.max_keys(1).send().await.map_err(|error| classify(&error))?;
        let uploads = self.client.list_multipart_uploads().bucket(&self.bucket).prefix(&prefix);
        let uploads = uploads.max_uploads(1).send().await.map_err(|error| classify(&error))?;
        Ok(objects.contents().is_empty() && uploads.uploads().is_empty())
    }

    /// A link to an archive. Whoever has the link can download, as long as it lives.
    ///
    /// # Errors
    /// [`ArchiveError::Unavailable`] if the function has no credentials.
    //= R5.4
    pub async fn link(&self, export: &Export) -> Result<String, ArchiveError> {
        let failed = |_| ArchiveError::Unavailable("presigning".to_owned());
        let life = PresigningConfig::expires_in(LINK_LIFE).map_err(failed)?;
        let name = format!("attachment; filename=\"numib-export-{}.zip\"", export.id);
        let get = self.client.get_object().bucket(&self.bucket).key(export.object_key());
        let link = get.response_content_disposition(name).presigned(life).await;
        Ok(link.map_err(|error| classify(&error))?.uri().to_owned())
    }
}
