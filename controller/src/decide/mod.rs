//! The judgement: a plain function from what was seen to what should be.
//!
//! Pure: no I/O, no clock, no chance, no logging. `observation.at` is the only time there is.

use serde::{Deserialize, Serialize};

use crate::model::{Action, Observation, Verdict};
use crate::policy::Policy;

/// What is carried from round to round: explicit in, explicit out, small enough for one item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {}

/// One decision, and the history to hand to the next.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a verdict nobody reads changes nothing"]
pub struct Decision {
    /// What should be, and why.
    pub verdict: Verdict,
    /// For the next round.
    pub history: History,
}

/// Judges one observation.
pub fn decide(policy: &Policy, observation: &Observation, history: &History) -> Decision {
    let verdict = Verdict {
        at: observation.at,
        fleet: policy.name.clone(),
        action: Action::Hold,
        desired: observation.fleet.desired,
        backlog_per_instance: None,
        backlog_per_instance_target: 1.0,
        trail: Vec::new(),
    };
    Decision {
        verdict,
        history: history.clone(),
    }
}
