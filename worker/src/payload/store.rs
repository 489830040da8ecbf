//! The payloads' port: what the claim check needs of S3.
//!
//! [`S3Payloads`] keeps them in S3, [`crate::memory::MemoryPayloads`] in memory. It must not decide
//! when a payload may go.

#[cfg(feature = "s3")]
mod s3;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

#[cfg(feature = "s3")]
pub use self::s3::S3Payloads;
use super::Pointer;
use crate::aws::CallError;

/// Larger payloads are not fetched: a worker holds as many in memory as it has slots.
pub const PAYLOAD_MAX_BYTES: usize = 256 * 1024 * 1024;

/// What lay where a pointer points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The payload.
    Text(String),
    /// Nothing.
    Missing,
    /// Something that cannot be a job's body, and why.
    Unfit(String),
}

/// Where payloads are kept.
#[async_trait]
pub trait Payloads: Send + Sync {
    /// Keeps a payload.
    async fn put(&self, pointer: &Pointer, payload: Bytes) -> Result<(), CallError>;

    /// Fetches a payload.
    async fn get(&self, pointer: &Pointer) -> Result<Fetched, CallError>;

    /// Removes a payload; that there is none is no error.
    async fn remove(&self, pointer: &Pointer) -> Result<(), CallError>;
}

/// The store on AWS, if this build has it.
#[cfg_attr(
    feature = "s3",
    expect(clippy::unnecessary_wraps, reason = "a build without S3 has none")
)]
pub(crate) fn on_aws(config: &aws_config::SdkConfig) -> Option<Arc<dyn Payloads>> {
    #[cfg(feature = "s3")]
    {
        Some(Arc::new(S3Payloads::new(config)))
    }
    #[cfg(not(feature = "s3"))]
    {
        let _ = config;
        None
    }
}
