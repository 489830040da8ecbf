//! The two ports of a round: seeing a fleet, and changing it.
//!
//! AWS and the simulator implement both; a dry run is another [`Act`] that does nothing. Nothing
//! here or above names AWS.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::figures::Figure;
use crate::model::{Instances, Observation, Roster, UnixSeconds};
use crate::policy::Policy;

/// What one look at a fleet gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// The numbers `decide` works on.
    pub observation: Observation,
    /// Who is there, for choosing who leaves.
    pub roster: Roster,
    /// The target value of the group's target tracking policy, where the policy has one and it
    /// could be read.
    pub target_in_force: Option<f64>,
    /// Those in the roster whom a deployment replaces: they run what their ECS service ran before.
    pub outdated: BTreeSet<String>,
}

/// Sees a fleet.
#[async_trait]
pub trait Observe: Send + Sync {
    /// Looks once. A number that cannot be had is unknown in the sighting; an error is for what
    /// makes the whole look worthless: no such group, no such queue, no credentials, no endpoint.
    async fn observe(&self, policy: &Policy, now: UnixSeconds) -> Result<Sighting, PortError>;
}

/// Changes a fleet.
#[async_trait]
pub trait Act: Send + Sync {
    /// Makes one change, at most once, and says in one line what was done. A change that the
    /// fleet already shows is not an error.
    async fn make(&self, policy: &Policy, change: &Change) -> Result<String, PortError>;

    /// Publishes a round's figures for dashboards, alarms and target tracking.
    async fn publish(
        &self,
        policy: &Policy,
        at: UnixSeconds,
        figures: &[Figure],
    ) -> Result<(), PortError>;
}

/// What a round means to change, in order; empty where everything stays as it is.
pub type Plan = Vec<Change>;

/// One change, specific enough that nothing is left to choose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Set the group's desired capacity, or the service's desired count: to grow, or to give up capacity that never came.
    Resize {
        /// The size to ask for.
        desired: Instances,
    },
    /// End this instance and lower desired capacity by one.
    Release {
        /// The instance's id.
        instance: String,
    },
    /// End this instance, which the group has above its desired capacity: that stays.
    Dismiss {
        /// The instance's id.
        instance: String,
    },
    /// Set the target of the group's target tracking policy.
    Retarget {
        /// Backlog per instance.
        target: f64,
    },
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Resize { desired } => write!(f, "set desired capacity to {}", desired.0),
            Self::Release { instance } => write!(f, "end {instance}"),
            Self::Dismiss { instance } => write!(f, "end {instance}, above desired capacity"),
            Self::Retarget { target } => {
                write!(
                    f,
                    "set the tracking target to {target:.2} messages an instance"
                )
            }
        }
    }
}

/// The [`Act`] of a dry run: says what it would do, and does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct DryRun;

#[async_trait]
impl Act for DryRun {
    async fn make(&self, _policy: &Policy, change: &Change) -> Result<String, PortError> {
        Ok(format!("would {change}"))
    }

    async fn publish(&self, _: &Policy, _: UnixSeconds, _: &[Figure]) -> Result<(), PortError> {
        Ok(())
    }
}

/// Why a port failed.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The thing does not exist or may not be used: retrying will not help.
    #[error("{what}")]
    Refused {
        /// The thing, what was found, what to do.
        what: String,
    },
    /// It may work the next time.
    #[error("{what}")]
    Unavailable {
        /// The operation that failed.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl PortError {
    /// The whole story in one line: what failed, and each cause under it that adds something.
    pub fn story(&self) -> String {
        let mut story = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let text = error.to_string();
            if !story.contains(&text) {
                story.push_str(": ");
                story.push_str(&text);
            }
            cause = error.source();
        }
        story
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_names_each_cause_once() {
        let error = PortError::Unavailable {
            what: "cannot read the queue: timed out".to_owned(),
            source: Box::new(PortError::Unavailable {
                what: "timed out".to_owned(),
                source: "connection refused".into(),
            }),
        };
        assert_eq!(
            error.story(),
            "cannot read the queue: timed out: connection refused"
        );
    }
}
