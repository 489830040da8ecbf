//! Scaling policies: stored as they are put.

use super::super::cloudwatch::Dimensions;

/// A scaling policy of a group.
#[derive(Clone, Debug)]
pub struct ScalingPolicy {
    /// The name, unique in the group.
    pub name: String,
    /// The ARN.
    pub arn: String,
    /// `TargetTrackingScaling`, `SimpleScaling` or `StepScaling`.
    pub policy_type: String,
    /// Whether the policy acts.
    pub enabled: bool,
    /// What a target tracking policy holds on to.
    pub tracking: Option<TargetTracking>,
    /// The rest, by its API names, as it was given.
    pub inert: Vec<(String, String)>,
}

/// The configuration of a target tracking policy.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetTracking {
    /// The metric that is held.
    pub metric: TrackedMetric,
    /// At this value.
    pub target: f64,
    /// The policy only grows the group.
    pub disable_scale_in: bool,
}

/// The metric of a target tracking policy.
#[derive(Clone, Debug, PartialEq)]
pub enum TrackedMetric {
    /// Such as `ASGAverageCPUUtilization`.
    Predefined(String),
    /// One of the customer's own.
    Custom {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its dimensions.
        dimensions: Dimensions,
        /// Such as `Average`.
        statistic: String,
        /// Its unit, when one is asked for.
        unit: Option<String>,
    },
    /// Metric math, as it was given.
    Math(Vec<(String, String)>),
}
