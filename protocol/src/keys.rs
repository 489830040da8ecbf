//! Keys of the two tables.
//!
//! The jobs table has one key, [`JOB_ID`]. The state table has a partition key [`PK`] and a sort
//! key [`SK`]; its partitions are told apart by a prefix, so that an IAM policy can give a worker
//! the reports' partitions alone (`dynamodb:LeadingKeys`).

/// Partition key of the jobs table.
pub const JOB_ID: &str = "job_id";
/// Partition key of the state table.
pub const PK: &str = "pk";
/// Sort key of the state table.
pub const SK: &str = "sk";
/// The TTL attribute of both tables, in Unix seconds.
pub const EXPIRES_AT: &str = "expires_at";

/// Partition of a fleet's worker reports; the sort key is the instance id.
pub fn reports(fleet: &str) -> String {
    format!("reports#{fleet}")
}

/// Partition of a fleet's leave requests; the sort key is the instance id. Only for fleets whose
/// instances nobody else tells to leave: an ECS service's tasks.
pub fn leave(fleet: &str) -> String {
    format!("leave#{fleet}")
}

/// When the controller asked an instance to leave, in Unix seconds: an attribute of the request.
pub const ASKED_AT: &str = "asked_at";

/// Partition of what the controller keeps for a fleet; sort keys are [`LEASE`], [`HISTORY`] and
/// those that begin with [`SNAPSHOTS`].
pub fn controller(fleet: &str) -> String {
    format!("controller#{fleet}")
}

/// Partition of a fleet's journal; the sort key is the round's time, RFC 3339 in UTC.
pub fn journal(fleet: &str) -> String {
    format!("journal#{fleet}")
}

/// Sort key of the lease that says which controller may act.
pub const LEASE: &str = "lease";
/// Sort key of the history carried from round to round.
pub const HISTORY: &str = "history";
/// What the sort keys of the history's snapshots begin with; the moment follows, RFC 3339 in UTC.
pub const SNAPSHOTS: &str = "snapshot#";

/// Sort key of the history's snapshot of this moment, given as RFC 3339 in UTC.
pub fn snapshot(at: &str) -> String {
    format!("{SNAPSHOTS}{at}")
}
