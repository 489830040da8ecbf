//! A fleet's scaling policy, validated: every value in it may be relied on.
//!
//! This module owns the type and what its fields mean; `weir_yaml` reads the YAML and
//! `validate` turns it into this, with all errors at once. Nothing else makes a [`Policy`].

mod load;
mod names;
mod problem;
mod reader;
mod schema;
mod validate;

pub use load::{PolicyFile, clash, load, read, read_texts, unreadable, yaml_files};
pub use problem::{Place, Problem, Problems};
pub use schema::schema;

use std::fmt;

use crate::model::{Instances, Seconds};

/// Reads one policy from its text; `file` names it in the problems.
pub fn parse(file: &str, text: &str) -> Result<Policy, Problems> {
    validate::policy(file, text)
}

/// One fleet's scaling policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Names the fleet everywhere: verdicts, state, metrics, Terraform resources.
    pub name: String,
    /// The queues it serves; 1 to 20, names unique.
    pub queues: Vec<Queue>,
    /// What is scaled, and its bounds.
    pub fleet: Fleet,
    /// What is kept for every queue that names no objective of its own.
    pub objective: Objective,
    /// First guesses, until measured values take their place.
    pub worker: Guess,
    /// Attempts before a worker gives a job up, where the policy says so. Terraform hands it to the
    /// workers; no judgement rests on it.
    pub max_attempts: Option<u32>,
    /// Whether arrivals to come may raise capacity.
    pub forecast: Forecast,
    /// Growth a round.
    pub scale_out: StepLimit,
    /// Shrinkage a round.
    pub scale_in: StepLimit,
    /// How long spare capacity is kept.
    pub hold: Hold,
    /// Minima by the clock.
    pub schedule: Vec<Scheduled>,
    /// Most instance-hours in any 24 hours.
    pub instance_hours_per_day: Option<f64>,
    /// How the size is set.
    pub actuate: Actuate,
}

/// One queue of a fleet.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    /// Its name; from the URL's last part where the policy gives a URL.
    pub name: String,
    /// Its URL, where the policy gives one; else it is looked up by name.
    pub url: Option<String>,
    /// Share of the slots when several queues feed one fleet; 0.001 to 1000.
    pub weight: f64,
    /// Lower is served first.
    pub priority: i32,
    /// What is kept for it: the fleet's objective where the queue names none of its own.
    pub objective: Objective,
    /// How long a received message stays hidden unless a worker renews it. Terraform gives it to
    /// the queue, as the next; no judgement rests on either.
    pub visibility_timeout: Option<Seconds>,
    /// Receives after which SQS moves a message to the dead-letter queue; above the worker's
    /// attempts.
    pub max_receive_count: Option<u32>,
}

/// What is scaled, and its bounds: `min <= max`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// What is scaled.
    pub scaler: Scaler,
    /// Never fewer.
    pub min: Instances,
    /// Never more.
    pub max: Instances,
}

/// What AWS keeps at a size: the fleet's instances are its instances, or its tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scaler {
    /// An EC2 Auto Scaling group, by its name.
    AutoScalingGroup(String),
    /// An ECS service.
    EcsService(EcsService),
}

/// An ECS service, by the names of its cluster and its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EcsService {
    /// The cluster's name.
    pub cluster: String,
    /// The service's name.
    pub service: String,
}

impl Scaler {
    /// The group's name, where it is one.
    pub fn group(&self) -> Option<&str> {
        match self {
            Self::AutoScalingGroup(name) => Some(name),
            Self::EcsService(_) => None,
        }
    }

    /// The service, where it is one.
    pub fn service(&self) -> Option<&EcsService> {
        match self {
            Self::AutoScalingGroup(_) => None,
            Self::EcsService(service) => Some(service),
        }
    }
}

impl fmt::Display for Scaler {
    /// As the policy names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AutoScalingGroup(name) => f.write_str(name),
            Self::EcsService(service) => service.fmt(f),
        }
    }
}

impl fmt::Display for EcsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.service)
    }
}

/// A message should *start* within this time, at this percentile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// Above zero.
    pub start_within: Seconds,
    /// Above 0, below 100.
    pub percentile: f64,
}

/// First guesses about the worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guess {
    /// Jobs an instance runs at a time; at least 1.
    pub slots: u32,
    /// Mean seconds a job takes; above zero.
    pub service_time: Seconds,
    /// Seconds from launch to the first job; not negative.
    pub boot_time: Seconds,
}

/// Whether arrivals to come may raise capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forecast {
    /// Where measured skill or a short objective asks for it.
    Auto,
    /// Never.
    Off,
}

/// The most a size may change in one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StepLimit {
    /// No limit.
    Unlimited,
    /// Percent of the present size, at least 1 instance.
    Percent(f64),
    /// A count, at least 1.
    Count(Instances),
}

/// How long spare capacity is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hold {
    /// Weighed against what a restart costs.
    Auto,
    /// This long.
    For(Seconds),
}

/// A minimum that holds from each firing of a cron expression, for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduled {
    /// When the window opens.
    pub cron: croner::Cron,
    /// In whose clock; UTC where the policy names none.
    pub timezone: jiff::tz::TimeZone,
    /// How long the window is open.
    pub open_for: Seconds,
    /// The minimum while it is open; never above the fleet's max.
    pub min: Instances,
}

/// How the size is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actuate {
    /// The controller sets the group's desired capacity.
    DesiredCapacity,
    /// The controller publishes the metric and keeps the target of a target tracking policy.
    TargetTracking,
}
