//! S3: policy files in a versioned bucket.
//!
//! Reads objects and their versions. Which version is in force is `policies`' affair.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::primitives::DateTime;

use super::error::{Call, Endpoints, Failure};
use crate::model::UnixSeconds;
use crate::policies::{Address, Earlier, Edition, Listed, Mark, Shelf, Text, text};
use crate::ports::PortError;

/// A policy has a few kilobytes; what is larger than this is none, and is not fetched.
const POLICY_MAX_BYTES: i64 = 256 * 1024;
/// Pages of up to 1,000 versions that are listed of one policy, at most.
const PAGES_MAX: usize = 10;

/// Policies in a bucket.
pub struct Bucket {
    client: Client,
    endpoints: Endpoints,
    address: Address,
}

impl Bucket {
    /// What lies at `address`.
    ///
    /// # Errors
    /// No region.
    pub fn new(config: &SdkConfig, address: Address) -> Result<Self, PortError> {
        let endpoints = Endpoints::of_config(config)?;
        // Bucket names in the path work with every S3 there is, also without wildcard DNS.
        let config = aws_sdk_s3::config::Builder::from(config).force_path_style(true);
        Ok(Self {
            client: Client::from_conf(config.build()),
            endpoints,
            address,
        })
    }

    fn key_of<'a>(&self, file: &'a str) -> &'a str {
        let bucket = self.address.bucket.len() + "s3:///".len();
        file.get(bucket..).unwrap_or_default()
    }

    fn file_of(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.address.bucket)
    }

    fn failure<E>(&self, action: &'static str, file: &str, error: &SdkError<E>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let call = Call {
            action,
            subject: file,
            advice: "check --policy, and the region",
        };
        self.endpoints.explain(&call, error)
    }

    async fn page_of_versions(
        &self,
        key: &str,
        after: Option<&ListObjectVersionsOutput>,
    ) -> Result<ListObjectVersionsOutput, Failure> {
        let call = self.client.list_object_versions();
        let call = call.bucket(&self.address.bucket).prefix(key);
        let key_marker = after.and_then(|page| page.next_key_marker.clone());
        let id_marker = after.and_then(|page| page.next_version_id_marker.clone());
        call.set_key_marker(key_marker)
            .set_version_id_marker(id_marker)
            .send()
            .await
            .map_err(|error| self.failure("s3:ListBucketVersions", &self.file_of(key), &error))
    }
}

#[async_trait]
impl Shelf for Bucket {
    fn place(&self) -> String {
        self.address.to_string()
    }

    async fn list(&self) -> Result<Vec<Listed>, PortError> {
        let call = self.client.list_objects_v2();
        let call = call.bucket(&self.address.bucket).prefix(&self.address.key);
        let mut pages = call.delimiter("/").into_paginator().send();
        let mut listed = Vec::new();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| self.failure("s3:ListBucket", &self.place(), &error))?;
            for object in page.contents.unwrap_or_default() {
                let key = object.key.unwrap_or_default();
                if self.address.means(&key) {
                    listed.push(Listed {
                        file: self.file_of(&key),
                        stamp: object.e_tag.unwrap_or_default(),
                        written: moment(object.last_modified.as_ref()),
                    });
                }
            }
        }
        Ok(listed)
    }

    async fn newest(&self, file: &str) -> Result<Option<Edition>, PortError> {
        let call = self.client.get_object();
        let call = call.bucket(&self.address.bucket).key(self.key_of(file));
        let object = match call.send().await {
            Ok(object) => object,
            Err(error) if is_gone(&error) => return Ok(None),
            Err(error) => return Err(self.failure("s3:GetObject", file, &error).into()),
        };
        Ok(Some(Edition {
            mark: Mark {
                // S3's own word for what was written while a bucket kept no versions.
                id: object.version_id.clone().unwrap_or_else(|| "null".into()),
                written: moment(object.last_modified.as_ref()),
            },
            stamp: object.e_tag.clone().unwrap_or_default(),
            text: body(file, object).await?,
        }))
    }

    /// S3 lists a key's versions newest first, its delete markers apart from them (S3 API
    /// Reference, `ListObjectVersions`); a prefix may also match longer keys.
    async fn earlier(&self, file: &str, newest: &Mark) -> Result<Earlier, PortError> {
        let key = self.key_of(file);
        let mut earlier = Earlier::default();
        let mut removed_at = f64::NEG_INFINITY;
        let mut page = self.page_of_versions(key, None).await?;
        for _ in 0..PAGES_MAX {
            for marker in page.delete_markers() {
                if marker.key() == Some(key) {
                    removed_at = removed_at.max(moment(marker.last_modified()).0);
                }
            }
            for version in page.versions() {
                let mark = Mark {
                    id: version.version_id().unwrap_or_default().to_owned(),
                    written: moment(version.last_modified()),
                };
                if version.key() == Some(key) && mark.id != newest.id {
                    earlier.versions.push(mark);
                }
            }
            if page.is_truncated != Some(true) || page.next_key_marker() != Some(key) {
                break;
            }
            page = self.page_of_versions(key, Some(&page)).await?;
        }
        earlier.removed_before = removed_at.is_finite();
        earlier.versions.retain(|mark| mark.written.0 > removed_at);
        Ok(earlier)
    }

    async fn read(&self, file: &str, version: &Mark) -> Result<Text, PortError> {
        let call = self.client.get_object().bucket(&self.address.bucket);
        let call = call.key(self.key_of(file)).version_id(&version.id);
        let object = call.send().await;
        let object = object.map_err(|error| self.failure("s3:GetObjectVersion", file, &error))?;
        body(file, object).await
    }
}

async fn body(file: &str, object: GetObjectOutput) -> Result<Text, PortError> {
    let bytes = object.content_length.unwrap_or(0);
    if bytes > POLICY_MAX_BYTES {
        let found = format!("an object of {bytes} bytes (a policy has at most {POLICY_MAX_BYTES})");
        return Ok(Err(found));
    }
    let body = object.body.collect().await;
    let body = body.map_err(|error| PortError::Unavailable {
        what: format!("{file} broke off while it was read"),
        source: Box::new(error),
    })?;
    Ok(text(body.to_vec()))
}

fn is_gone(error: &SdkError<GetObjectError>) -> bool {
    (error.as_service_error()).is_some_and(GetObjectError::is_no_such_key)
}

fn moment(at: Option<&DateTime>) -> UnixSeconds {
    UnixSeconds(at.map_or(0.0, DateTime::as_secs_f64))
}
