//! The nouns of a round, with their units: what was seen ([`Observation`]), what was decided
//! ([`Verdict`]), and who is in the fleet ([`Roster`]).
//!
//! This module owns shapes and units, and the JSON contract of `weir decide`. It holds no
//! judgement and does no I/O. Unknown is `None`, never zero.

use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::reason::Reason;
use crate::wire::{count, decimal};

/// A moment, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixSeconds(pub f64);

/// A span of time, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub f64);

/// A rate, in events a second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PerSecond(pub f64);

/// A number of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Messages(pub u64);

/// A number of instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instances(pub u32);

/// What was seen of one fleet at one moment. Any number may be unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When it was seen.
    pub at: UnixSeconds,
    /// The fleet's queues.
    #[serde(default)]
    pub queues: Vec<QueueObservation>,
    /// The group's instances, counted by lifecycle state.
    #[serde(default)]
    pub fleet: FleetObservation,
    /// What the workers' fresh reports add up to; `None` where there are no reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<WorkersObservation>,
}

/// One queue's approximate counts, as SQS gives them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueObservation {
    /// The queue's name, as in the policy.
    #[serde(default)]
    pub name: String,
    /// `ApproximateNumberOfMessages`.
    #[serde(default, deserialize_with = "count")]
    pub visible: Option<Messages>,
    /// `ApproximateNumberOfMessagesNotVisible`.
    #[serde(default, deserialize_with = "count")]
    pub in_flight: Option<Messages>,
    /// `ApproximateNumberOfMessagesDelayed`.
    #[serde(default, deserialize_with = "count")]
    pub delayed: Option<Messages>,
    /// `ApproximateAgeOfOldestMessage`, in seconds.
    #[serde(default, deserialize_with = "decimal")]
    pub oldest_age_seconds: Option<f64>,
}

/// The group's capacity, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FleetObservation {
    /// The group's desired capacity.
    #[serde(default, deserialize_with = "count")]
    pub desired: Option<Instances>,
    /// Instances in service, by the group's word: an instance may be in service before its
    /// worker has reported.
    #[serde(default, deserialize_with = "count")]
    pub in_service: Option<Instances>,
    /// Instances launched and not yet in service.
    #[serde(default, deserialize_with = "count")]
    pub pending: Option<Instances>,
    /// Instances leaving.
    #[serde(default, deserialize_with = "count")]
    pub terminating: Option<Instances>,
}

/// The sum of the workers' fresh reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkersObservation {
    /// Jobs finished since each reporting worker began, added up. It runs backward when a worker
    /// leaves.
    #[serde(default, deserialize_with = "count")]
    pub completed_total: Option<u64>,
    /// Slots that run a job.
    #[serde(default, deserialize_with = "count")]
    pub busy_slots: Option<u32>,
    /// Slots there are.
    #[serde(default, deserialize_with = "count")]
    pub slots: Option<u32>,
    /// Mean seconds a job took over the last minutes.
    #[serde(default, deserialize_with = "decimal")]
    pub service_seconds_mean: Option<f64>,
    /// Mean seconds from launch to first report of the instances that report, where launch times
    /// are known.
    #[serde(
        default,
        deserialize_with = "decimal",
        skip_serializing_if = "Option::is_none"
    )]
    pub boot_seconds_mean: Option<f64>,
    /// Workers that reported within the last 45 s.
    #[serde(
        default,
        deserialize_with = "count",
        skip_serializing_if = "Option::is_none"
    )]
    pub reporting: Option<u32>,
}

/// Which way the fleet's size goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// More instances.
    Grow,
    /// Fewer.
    Shrink,
    /// As it is.
    Hold,
}

/// The decision of one round and how it came about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The observation's moment.
    pub at: UnixSeconds,
    /// The policy's name.
    pub fleet: String,
    /// Which way.
    pub action: Action,
    /// The size the group should have. Unknown only where the present size is unknown too.
    pub desired: Option<Instances>,
    /// (visible + in flight) / instances, where both are known.
    pub backlog_per_instance: Option<f64>,
    /// What one instance can start and still meet the objective.
    pub backlog_per_instance_target: f64,
    /// Every step that had a say, in order.
    pub trail: Vec<Step>,
}

/// One step's say. As JSON: the stage, the reason's code and numbers, and its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The stage that spoke.
    pub step: Stage,
    /// Why; its fields carry the numbers.
    pub reason: Reason,
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Said<'a> {
            step: Stage,
            #[serde(flatten)]
            reason: &'a Reason,
            text: String,
        }
        Said {
            step: self.step,
            reason: &self.reason,
            text: self.reason.to_string(),
        }
        .serialize(serializer)
    }
}

/// The stages of `decide`, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Is the observation to be believed?
    Trust,
    /// How many instances does the backlog ask for?
    Demand,
    /// What will arrive before new capacity is there?
    Forecast,
    /// Is it too early to let capacity go?
    Stabilize,
    /// What do the policy's limits allow?
    Limit,
    /// The independent checker.
    Check,
}

/// Everyone in the group, for choosing who leaves.
pub type Roster = Vec<Member>;

/// One instance of the group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// EC2 instance id.
    pub id: String,
    /// Its availability zone.
    pub zone: String,
    /// Where it is in its life.
    pub phase: Phase,
    /// When EC2 launched it, where known.
    pub launched_at: Option<UnixSeconds>,
    /// Its worker's report, if there is a fresh one.
    pub report: Option<weir_protocol::Report>,
}

/// Where an instance is in its life, by the group's lifecycle state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// `Pending`, `Pending:Wait`, `Pending:Proceed`.
    Pending,
    /// `InService`.
    InService,
    /// `Terminating`, `Terminating:Wait`, `Terminating:Proceed`.
    Terminating,
    /// Standby, detached, warmed: neither capacity nor on its way.
    Other,
}
