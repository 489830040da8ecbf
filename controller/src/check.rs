//! Independent invariants over (policy, observation, verdict).
//!
//! Shares no code with `decide`: what both got wrong would go unseen. A verdict that fails
//! becomes a hold; nothing else is changed here.

use crate::model::{Action, Instances, Observation, Stage, Step, Verdict};
use crate::policy::{Policy, StepLimit};
use crate::reason::Breach;

/// The verdict itself where it keeps every guarantee, else a hold that says which one it broke.
#[must_use]
pub fn check(policy: &Policy, observation: &Observation, verdict: Verdict) -> Verdict {
    let broken = broken(policy, observation, &verdict);
    if broken.is_empty() {
        return verdict;
    }
    let present = size_of(observation);
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
        action: Action::Hold,
        desired: present,
        backlog_per_instance: verdict.backlog_per_instance.filter(|x| x.is_finite()),
        backlog_per_instance_target: if target.is_finite() && target > 0.0 {
            target
        } else {
            1.0
        },
        trail,
        ..verdict
    }
}

/// What the verdict breaks, in words.
fn broken(policy: &Policy, observation: &Observation, verdict: &Verdict) -> Vec<String> {
    let mut broken = Vec::new();
    let target = verdict.backlog_per_instance_target;
    if !(target.is_finite() && target > 0.0) {
        broken.push(format!("the target backlog per instance is {target}"));
    }
    if verdict
        .backlog_per_instance
        .is_some_and(|x| !(x.is_finite() && x >= 0.0))
    {
        broken.push("the backlog per instance is not a finite number".to_owned());
    }
    match (size_of(observation), verdict.desired) {
        (Some(present), Some(desired)) => {
            check_sizes(
                policy,
                observation,
                verdict.action,
                (present, desired),
                &mut broken,
            );
        }
        (None, None) if verdict.action == Action::Hold => {}
        (Some(_), None) => {
            broken.push("it names no size though the present one is known".to_owned());
        }
        (None, _) => broken.push("it names a size or a direction from an unknown one".to_owned()),
    }
    broken
}

fn check_sizes(
    policy: &Policy,
    observation: &Observation,
    action: Action,
    (present, desired): (Instances, Instances),
    broken: &mut Vec<String>,
) {
    let (from, to) = (present.0, desired.0);
    let says = match action {
        Action::Grow => to > from,
        Action::Shrink => to < from,
        Action::Hold => to == from,
    };
    if !says {
        broken.push(format!("it says {action:?} and goes from {from} to {to}").to_lowercase());
    }
    let (min, max) = (policy.fleet.min.0, policy.fleet.max.0);
    // A fleet outside its bounds may be moved towards them, or left where it is.
    if to > max.max(from) || (to > max && to > from) {
        broken.push(format!("{to} is above max ({max})"));
    }
    if to < min && to < from {
        broken.push(format!("{to} is below min ({min})"));
    }
    if let Some(step) = steps(policy.scale_out, from).filter(|step| to.saturating_sub(from) > *step)
    {
        broken.push(format!("from {from} to {to} grows by more than {step}"));
    }
    if let Some(step) = steps(policy.scale_in, from).filter(|step| from.saturating_sub(to) > *step)
    {
        broken.push(format!("from {from} to {to} shrinks by more than {step}"));
    }
    if to < from && !all_known(policy, observation) {
        broken.push(format!("from {from} to {to} shrinks on what is not known"));
    }
}

fn size_of(observation: &Observation) -> Option<Instances> {
    let fleet = &observation.fleet;
    match (fleet.desired, fleet.in_service, fleet.pending) {
        (Some(desired), _, _) => Some(desired),
        (None, Some(up), Some(coming)) => Some(Instances(up.0.saturating_add(coming.0))),
        _ => None,
    }
}

fn steps(limit: StepLimit, from: u32) -> Option<u32> {
    match limit {
        StepLimit::Unlimited => None,
        StepLimit::Count(count) => Some(count.0),
        StepLimit::Percent(percent) => {
            // Whole instances; a percentage that comes to less than one still allows one.
            let (from, percent) = (f64::from(from), percent.max(0.0));
            let part = (from * percent / 100.0).max(1.0);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "positive, and float casts saturate"
            )]
            let whole = part as u32;
            Some(whole)
        }
    }
}

/// Whether everything a shrink rests on was seen.
fn all_known(policy: &Policy, observation: &Observation) -> bool {
    let fleet = &observation.fleet;
    let fleet_known =
        fleet.desired.is_some() && fleet.in_service.is_some() && fleet.pending.is_some();
    let alone = policy.queues.len() == 1 && observation.queues.len() == 1;
    let queues_known = policy.queues.iter().all(|queue| {
        observation.queues.iter().any(|seen| {
            let same = seen.name == queue.name || (alone && seen.name.is_empty());
            same && seen.visible.is_some() && seen.in_flight.is_some()
        })
    });
    observation.at.0.is_finite() && fleet_known && queues_known
}

#[cfg(test)]
mod tests;
