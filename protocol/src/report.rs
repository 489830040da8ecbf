//! What a worker says about itself: one item an instance in the state table.
//!
//! This module owns the item's shape and its constants; when to write it is the worker's affair,
//! what to conclude from it the controller's.

use serde::{Deserialize, Serialize};

/// A worker reports this often, in seconds, and besides on every edge between busy and idle.
pub const REPORT_EVERY_SECONDS: u64 = 10;

/// A report older than this, in seconds, is unknown, not idle: three were missed, and a margin.
pub const REPORT_STALE_SECONDS: f64 = 45.0;

/// One worker's latest word about itself. Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The EC2 instance the worker runs on.
    pub instance_id: String,
    /// The fleet it belongs to, by its policy's name.
    pub fleet: String,
    /// When this worker process began, in Unix seconds: launch to here is the boot time.
    pub started_at: f64,
    /// When this was written, in Unix seconds, by the worker's clock.
    pub reported_at: f64,
    /// Jobs it can run at a time.
    pub slots: u32,
    /// Jobs it is running.
    pub busy_slots: u32,
    /// Jobs finished well since `started_at`.
    pub completed_total: u64,
    /// Attempts that ended in a retry or as poison since `started_at`.
    pub failed_total: u64,
    /// Mean seconds from start to end of the jobs of the last minutes; `None` before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_seconds_mean: Option<f64>,
    /// 95th percentile of the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_seconds_p95: Option<f64>,
    /// The worker takes no more jobs and is leaving.
    #[serde(default)]
    pub draining: bool,
    /// The worker's software version.
    pub version: String,
    /// When the table may drop the item, in Unix seconds (DynamoDB TTL).
    pub expires_at: i64,
}
