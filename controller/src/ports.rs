//! The two ports of a round: seeing a fleet, and changing it.
//!
//! AWS and the simulator implement both; a dry run is another [`Act`] that does nothing. Nothing
//! here or above names AWS.

use async_trait::async_trait;

use crate::model::{Instances, Observation, Roster, UnixSeconds, Verdict};
use crate::policy::Policy;

/// What one look at a fleet gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// The numbers `decide` works on.
    pub observation: Observation,
    /// Who is there, for choosing who leaves.
    pub roster: Roster,
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
    /// Carries out `plan` and says what was done. Each change is made at most once; a change that
    /// the fleet already shows is not made again.
    async fn act(&self, policy: &Policy, plan: &Plan) -> Result<Done, PortError>;

    /// Publishes the verdict's figures for dashboards and target tracking.
    async fn publish(
        &self,
        policy: &Policy,
        sighting: &Sighting,
        verdict: &Verdict,
    ) -> Result<(), PortError>;
}

/// What a round means to change: specific enough that nothing is left to choose.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// Leave everything as it is.
    Nothing,
    /// Set the group's desired capacity, to grow or to give up capacity that never came.
    Resize {
        /// The size to ask for.
        desired: Instances,
    },
    /// End these instances, each lowering desired capacity by one.
    Release {
        /// Instance ids, in the order they should leave.
        leaving: Vec<String>,
    },
    /// Set the target of the group's target tracking policy.
    Retarget {
        /// Backlog per instance.
        target: f64,
    },
    /// Several of these, in order.
    All(Vec<Plan>),
}

/// What was done, in words for the journal and the terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// One line a change.
    pub changes: Vec<String>,
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
