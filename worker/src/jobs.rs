//! The job records' port: who may finish a job, and how it ended, kept where it outlives a worker.
//!
//! [`DynamoJobs`] keeps them in DynamoDB, [`crate::memory::MemoryJobs`] in memory; the rules they
//! both follow are [`crate::lease`]'s. It must not touch messages.

mod dynamo;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::TransactWriteItem;
use weir_protocol::JobRecord;

pub use self::dynamo::DynamoJobs;
use crate::aws::CallError;
use crate::lease::{Claim, Claimed, Finish, Held, Reopen, Reopened};

/// Why a job's record could not be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobsError {
    /// The call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// One of the handler's own writes failed its condition, so nothing was written.
    #[error("a write of the handler was refused: {detail}")]
    WriteRefused {
        /// Which, and DynamoDB's words.
        detail: String,
    },
}

/// The job records.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Takes the lease of a job, if it is free.
    async fn claim(&self, claim: &Claim) -> Result<Claimed, JobsError>;

    /// Moves the end of a lease to `lease_until`, Unix seconds.
    async fn extend(&self, job_id: &str, token: &str, lease_until: f64) -> Result<Held, JobsError>;

    /// Ends an attempt; `writes` go through in the same transaction or not at all. Repeating a
    /// call whose answer was lost is safe.
    async fn finish(
        &self,
        finish: &Finish,
        writes: &[TransactWriteItem],
    ) -> Result<Held, JobsError>;

    /// Lets a job that was given up be claimed again, as if for the first time. Repeating a call
    /// whose answer was lost is safe.
    async fn reopen(&self, reopen: &Reopen) -> Result<Reopened, JobsError>;

    /// Reads a record, strongly consistent.
    async fn get(&self, job_id: &str) -> Result<Option<JobRecord>, JobsError>;
}
