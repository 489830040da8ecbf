//! Independent invariants over (policy, observation, verdict): guarantees 4 and 5 as far as these
//! three show them, and arithmetic sanity.
//!
//! Shares no code with `decide`: what both got wrong would go unseen. A verdict that fails becomes
//! a hold that [`Verdict::refused`] tells, so that whoever carries it on can raise an alarm;
//! nothing else is changed here.

mod size;
mod trail;

use crate::model::{Action, Observation, Stage, Step, Verdict};
use crate::policy::Policy;
use crate::reason::{Breach, Reason};

/// The verdict itself where it keeps every guarantee, else a hold that says which one it broke.
#[must_use]
pub fn check(policy: &Policy, observation: &Observation, verdict: Verdict) -> Verdict {
    let mut broken = numbers(policy, observation, &verdict);
    size::check(policy, observation, &verdict, &mut broken);
    trail::check(&verdict, &mut broken);
    if broken.is_empty() {
        return verdict;
    }
    let present = size::present(observation);
    let reason = Breach::CheckFailed {
        wanted: verdict.desired,
        allowed: present,
        broken,
    };
    let mut trail = verdict.trail;
    trail.push(Step {
        step: Stage::Check,
        reason: reason.into(),
    });
    let target = verdict.backlog_per_instance_target;
    Verdict {
        at: observation.at,
        fleet: policy.name.clone(),
        action: Action::Hold,
        desired: present,
        backlog_per_instance: verdict.backlog_per_instance.filter(|x| x.is_finite()),
        backlog_per_instance_target: if target.is_finite() && target > 0.0 {
            target
        } else {
            1.0
        },
        trail,
    }
}

impl Verdict {
    /// What it broke, where the checker refused it.
    pub fn refused(&self) -> Option<&Breach> {
        self.trail.iter().find_map(|step| match &step.reason {
            Reason::Breach(breach) => Some(breach),
            _ => None,
        })
    }
}

/// Whether the verdict is about this fleet and this moment, in numbers that are ones.
fn numbers(policy: &Policy, observation: &Observation, verdict: &Verdict) -> Vec<String> {
    let mut broken = Vec::new();
    if verdict.fleet != policy.name {
        broken.push(format!("it is about the fleet {}", verdict.fleet));
    }
    if verdict.at.0.to_bits() != observation.at.0.to_bits() {
        let (at, seen) = (verdict.at.0, observation.at.0);
        broken.push(format!(
            "it is of {at} and the observation it rests on of {seen}"
        ));
    }
    let target = verdict.backlog_per_instance_target;
    if !(target.is_finite() && target > 0.0) {
        broken.push(format!("the target backlog per instance is {target}"));
    }
    let backlog = verdict.backlog_per_instance;
    if let Some(backlog) = backlog.filter(|x| !(x.is_finite() && *x >= 0.0)) {
        broken.push(format!("the backlog per instance is {backlog}"));
    }
    broken
}

#[cfg(test)]
mod tests;
