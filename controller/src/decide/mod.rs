//! The judgement: a plain function from what was seen to what should be.
//!
//! Pure: no I/O, no clock, no chance, no logging. `observation.at` is the only time there is.

use serde::{Deserialize, Serialize};

use crate::model::{Observation, Verdict};
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
