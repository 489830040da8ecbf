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
use crate::lease::{Claim, Claimed, Ending, Finish, Held, RESULT_MAX_BYTES, Reopen, Reopened};

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
    /// The result does not fit into a record, and never will.
    #[error(
        "the result has {bytes} bytes, and a job record holds at most {RESULT_MAX_BYTES}: keep it \
         elsewhere, such as in S3, and return where it is"
    )]
    ResultTooLong {
        /// The result's length in UTF-8.
        bytes: usize,
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
    /// call whose answer was lost is safe: its own write is told from another's by the token.
    async fn finish(
        &self,
        finish: &Finish,
        writes: &[TransactWriteItem],
    ) -> Result<Held, JobsError>;

    /// Lets a job that was given up be claimed again, as if for the first time. Repeating a call
    /// whose answer was lost is safe.
    async fn reopen(&self, reopen: &Reopen) -> Result<Reopened, JobsError>;

    /// Makes a handler's writes in one transaction, without a record: either all or none. Repeated
    /// with the same token within ten minutes they are made once (DynamoDB API Reference,
    /// `TransactWriteItems`, `ClientRequestToken`).
    async fn write(&self, token: &str, writes: &[TransactWriteItem]) -> Result<(), JobsError>;

    /// Reads a record, strongly consistent.
    async fn get(&self, job_id: &str) -> Result<Option<JobRecord>, JobsError>;
}

/// Refuses what no table would take.
pub(crate) fn check_fits(finish: &Finish) -> Result<(), JobsError> {
    match &finish.ending {
        Ending::Succeeded { result } if result.len() > RESULT_MAX_BYTES => {
            Err(JobsError::ResultTooLong {
                bytes: result.len(),
            })
        }
        _ => Ok(()),
    }
}
