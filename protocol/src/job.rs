//! The record of one job in the jobs table: who may finish it, and how it ended.
//!
//! `absent → running(token, attempt, lease_until) → succeeded(result) | failed(reason)`; a failed
//! attempt that will be retried goes back to `waiting`. An attempt that ran without a claim goes
//! to the same ends straight from `absent`. This module owns the item's shape; the conditional
//! writes that move it between states are the worker's.

use serde::{Deserialize, Serialize};

/// Where a job stands. A job that no worker has claimed, or ended without a claim, has no record at
/// all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// An attempt failed and another will follow.
    Waiting,
    /// A worker holds the lease.
    Running,
    /// Done; the result stands.
    Succeeded,
    /// Given up; the reason stands.
    Failed,
}

impl JobState {
    /// The word stored in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Nothing more will happen to the job.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// One job's record. Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// The message attribute `JobId`, else the SQS message id.
    pub job_id: String,
    /// Where the job stands.
    pub state: JobState,
    /// The lease's token: who may extend, complete or release. A later one fences out an earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Attempts that ran, this one included: not SQS's receive count, which drains and throttled
    /// deliveries also raise.
    pub attempt: u32,
    /// Until when the lease holds, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<f64>,
    /// The instance that holds or last held the lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// The queue the message came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// When the message was sent, by SQS's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<f64>,
    /// When the first attempt began: `started_at - sent_at` is the wait that an objective is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<f64>,
    /// When the job succeeded or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<f64>,
    /// What the handler returned, as text; JSON where the handler speaks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why the first attempt that failed did: often what the last one only follows from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_reason: Option<String>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failed_at: Option<f64>,
    /// Before when the job is not to be begun again, in Unix seconds: longer than its message could
    /// be hidden, which was therefore sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<f64>,
    /// What that message must show: no other may begin the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The id of the message that has begun the job: of two with the ticket, only one may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// When the table may drop the item, in Unix seconds (DynamoDB TTL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}
