//! What a worker is doing at this moment, for programs and people that ask.
//!
//! The shape is stable: fields are added, never renamed.

use serde::Serialize;

use super::{Observed, Shared};

/// A worker at this moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// The worker's version.
    pub version: &'static str,
    /// The EC2 instance id, or what stands for it elsewhere.
    pub instance_id: String,
    /// The fleet, by its policy's name.
    pub fleet: String,
    /// When the worker began, Unix seconds.
    pub started_at: f64,
    /// This moment, Unix seconds.
    pub at: f64,
    /// Jobs at a time.
    pub slots: u32,
    /// Attempts under way.
    pub busy_slots: usize,
    /// Messages received and neither deleted nor put back.
    pub held_messages: usize,
    /// Jobs completed.
    pub completed_total: u64,
    /// Attempts that ended in a retry or as poison.
    pub failed_total: u64,
    /// Whether it is told to begin no jobs.
    pub paused: bool,
    /// Present once the worker leaves.
    pub draining: Option<Draining>,
    /// The attempts under way, the oldest first.
    pub jobs: Vec<JobStatus>,
}

/// How a worker leaves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Draining {
    /// Why.
    pub cause: String,
    /// When running jobs are cut short, Unix seconds; `None`: never.
    pub deadline: Option<f64>,
}

/// One attempt under way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobStatus {
    /// The job.
    pub job_id: String,
    /// The queue its message came from.
    pub queue: String,
    /// Attempts that ran, this one included.
    pub attempt: u32,
    /// When it began, Unix seconds.
    pub since: f64,
    /// How long it has been under way, seconds.
    pub age_seconds: f64,
}

pub(crate) fn of(worker: &Observed, shared: &Shared) -> Status {
    let now = worker.clock.instant();
    let jobs: Vec<JobStatus> = shared
        .running
        .jobs()
        .into_iter()
        .map(|job| JobStatus {
            job_id: job.job_id,
            queue: job.queue.to_string(),
            attempt: job.attempt,
            since: job.since_unix_seconds,
            age_seconds: now.saturating_duration_since(job.since).as_secs_f64(),
        })
        .collect();
    let tally = worker.counts.tally();
    let draining = worker.drain.current().map(|drain| Draining {
        cause: drain.cause.to_string(),
        deadline: drain.deadline,
    });
    Status {
        version: env!("CARGO_PKG_VERSION"),
        instance_id: worker.identity.instance_id.clone(),
        fleet: worker.identity.fleet.clone(),
        started_at: worker.started_at,
        at: worker.clock.unix_seconds(),
        slots: worker.control.slots(),
        busy_slots: jobs.len(),
        held_messages: shared.held_messages(),
        completed_total: tally.completed,
        failed_total: tally.failed,
        paused: worker.control.is_paused(),
        draining,
        jobs,
    }
}
