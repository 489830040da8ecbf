//! Payloads in S3. It translates and bounds calls in time; it must not retry past the SDK.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use super::{Fetched, PAYLOAD_MAX_BYTES, Payloads};
use crate::aws::{CallError, call_error};
use crate::payload::Pointer;

/// A quarter of a gigabyte at four megabytes a second.
const TRANSFER_LIMIT: Duration = Duration::from_mins(1);

/// A deletion moves nothing.
const REMOVE_LIMIT: Duration = Duration::from_secs(5);

/// Payloads in S3.
#[derive(Clone, Debug)]
pub struct S3Payloads {
    client: Client,
}

impl S3Payloads {
    /// With the SDK's configuration.
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        // Bucket names in the path work with every S3 there is, also without wildcard DNS.
        let config = aws_sdk_s3::config::Builder::from(config).force_path_style(true);
        Self {
            client: Client::from_conf(config.build()),
        }
    }
}

#[async_trait]
impl Payloads for S3Payloads {
    async fn put(&self, pointer: &Pointer, payload: Bytes) -> Result<(), CallError> {
        let call = async {
            self.client
                .put_object()
                .bucket(&pointer.bucket)
                .key(&pointer.key)
                .content_type("text/plain; charset=utf-8")
                .body(ByteStream::from(payload))
                .send()
                .await
                .map(drop)
                .map_err(|error| call_error("PutObject", &thing(pointer), &error))
        };
        bounded("PutObject", pointer, TRANSFER_LIMIT, call).await
    }

    async fn get(&self, pointer: &Pointer) -> Result<Fetched, CallError> {
        let call = async {
            let answer = self
                .client
                .get_object()
                .bucket(&pointer.bucket)
                .key(&pointer.key)
                .send()
                .await;
            match answer {
                Ok(object) => read(object, pointer).await,
                // Said only to those who may list the bucket; others are told AccessDenied (S3 API
                // Reference, `GetObject`, "Permissions").
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(GetObjectError::is_no_such_key) =>
                {
                    Ok(Fetched::Missing)
                }
                Err(error) => Err(call_error("GetObject", &thing(pointer), &error)),
            }
        };
        bounded("GetObject", pointer, TRANSFER_LIMIT, call).await
    }

    async fn remove(&self, pointer: &Pointer) -> Result<(), CallError> {
        let call = async {
            self.client
                .delete_object()
                .bucket(&pointer.bucket)
                .key(&pointer.key)
                .send()
                .await
                .map(drop)
                .map_err(|error| call_error("DeleteObject", &thing(pointer), &error))
        };
        bounded("DeleteObject", pointer, REMOVE_LIMIT, call).await
    }
}

async fn read(object: GetObjectOutput, pointer: &Pointer) -> Result<Fetched, CallError> {
    let bytes = object.content_length.unwrap_or(0);
    if usize::try_from(bytes).is_ok_and(|bytes| bytes > PAYLOAD_MAX_BYTES) {
        let why = format!("it has {bytes} bytes, and at most {PAYLOAD_MAX_BYTES} are fetched");
        return Ok(Fetched::Unfit(why));
    }
    let body = object.body.collect().await;
    let body = body.map_err(|error| CallError::Unavailable {
        what: format!(
            "GetObject on {}: {}",
            thing(pointer),
            DisplayErrorContext(error)
        ),
    })?;
    Ok(match String::from_utf8(body.to_vec()) {
        Ok(text) => Fetched::Text(text),
        Err(_) => Fetched::Unfit("it is not UTF-8 text".into()),
    })
}

fn thing(pointer: &Pointer) -> String {
    format!("s3://{}/{}", pointer.bucket, pointer.key)
}

async fn bounded<T>(
    operation: &str,
    pointer: &Pointer,
    limit: Duration,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    tokio::time::timeout(limit, Box::pin(call))
        .await
        .unwrap_or_else(|_| {
            let (thing, seconds) = (thing(pointer), limit.as_secs());
            let what = format!("{operation} on {thing}: no answer in {seconds} s");
            Err(CallError::Unavailable { what })
        })
}
