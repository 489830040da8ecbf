//! The size: bounds, minima by the clock, budget, steps, and that nothing shrinks on what is not
//! known.
//!
//! Must not judge whether the size is a good one.

use jiff::Timestamp;

use crate::model::{Action, Instances, Observation, Verdict};
use crate::policy::{Policy, Scheduled, StepLimit};
use crate::reason::{Limit, Reason};

/// From one size to another.
#[derive(Clone, Copy)]
struct Change {
    from: u32,
    to: u32,
}

/// Notes what the verdict's size breaks.
pub(super) fn check(
    policy: &Policy,
    observation: &Observation,
    verdict: &Verdict,
    broken: &mut Vec<String>,
) {
    let change = match (present(observation), verdict.desired) {
        (Some(present), Some(desired)) => Change {
            from: present.0,
            to: desired.0,
        },
        (None, None) if verdict.action == Action::Hold => return,
        (Some(_), None) => {
            broken.push("it names no size though the present one is known".to_owned());
            return;
        }
        (None, _) => {
            broken.push("it names a size or a direction from an unknown one".to_owned());
            return;
        }
    };
    let notes = [
        direction(change, verdict.action),
        above(policy, change),
        below(policy, change),
        below_schedule(policy, observation, verdict, change),
        budget(policy, verdict, change),
        grows_too_far(policy, change),
        shrinks_too_far(policy, change),
        shrinks_blindly(policy, observation, verdict, change),
    ];
    broken.extend(notes.into_iter().flatten());
}

/// The present size: the desired capacity, else what there is.
pub(super) fn present(observation: &Observation) -> Option<Instances> {
    let fleet = &observation.fleet;
    match (fleet.desired, fleet.in_service, fleet.pending) {
        (Some(desired), _, _) => Some(desired),
        (None, Some(up), Some(coming)) => Some(Instances(up.0.saturating_add(coming.0))),
        _ => None,
    }
}

fn direction(Change { from, to }: Change, action: Action) -> Option<String> {
    let agrees = match action {
        Action::Grow => to > from,
        Action::Shrink => to < from,
        Action::Hold => to == from,
    };
    (!agrees).then(|| format!("it says {action:?} and goes from {from} to {to}").to_lowercase())
}

/// A fleet above its max may be moved down, or left where it is.
fn above(policy: &Policy, Change { from, to }: Change) -> Option<String> {
    let max = policy.fleet.max.0;
    (to > max.max(from)).then(|| format!("{to} is above max ({max})"))
}

/// A fleet below its min is moved up, as far as one round goes.
fn below(policy: &Policy, change: Change) -> Option<String> {
    let min = policy.fleet.min.0;
    (change.to < reachable(policy, min, change.from))
        .then(|| format!("{} is below min ({min})", change.to))
}

/// The schedule's minima hold too, where neither a budget comes before them nor the time is in
/// doubt.
fn below_schedule(
    policy: &Policy,
    observation: &Observation,
    verdict: &Verdict,
    change: Change,
) -> Option<String> {
    if policy.instance_hours_per_day.is_some() || doubted(verdict) {
        return None;
    }
    let missed = policy.schedule.iter().find(|window| {
        let min = window.min.0.min(policy.fleet.max.0);
        change.to < reachable(policy, min, change.from) && is_open(window, observation.at.0)
    })?;
    let (cron, min) = (missed.cron.as_str(), missed.min.0);
    Some(format!(
        "{} is below the {min} of the schedule \"{cron}\", which is open",
        change.to
    ))
}

/// What was spent is in the history alone; but where the verdict says that the budget allows so
/// many, there are no more, and none but the fleet's min where nothing is left.
fn budget(policy: &Policy, verdict: &Verdict, Change { from, to }: Change) -> Option<String> {
    let (allowed, used, of) = verdict.trail.iter().find_map(|step| match step.reason {
        Reason::Limit(Limit::BudgetLimited {
            allowed,
            used_hours,
            budget_hours,
            ..
        }) => Some((allowed.0, used_hours, budget_hours)),
        _ => None,
    })?;
    if policy.instance_hours_per_day.map(f64::to_bits) != Some(of.to_bits()) {
        return Some(format!(
            "a budget of {of} instance-hours is not the policy's"
        ));
    }
    if used >= of && allowed > policy.fleet.min.0 {
        return Some(format!("{allowed} are allowed of a budget that is spent"));
    }
    let slowest = steps(policy.scale_in, from).map_or(0, |step| from.saturating_sub(step));
    (to > allowed.max(slowest)).then(|| format!("{to} is above what the budget allows ({allowed})"))
}

fn grows_too_far(policy: &Policy, Change { from, to }: Change) -> Option<String> {
    let step = steps(policy.scale_out, from)?;
    (to.saturating_sub(from) > step)
        .then(|| format!("from {from} to {to} grows by more than {step}"))
}

fn shrinks_too_far(policy: &Policy, Change { from, to }: Change) -> Option<String> {
    let step = steps(policy.scale_in, from)?;
    (from.saturating_sub(to) > step)
        .then(|| format!("from {from} to {to} shrinks by more than {step}"))
}

fn shrinks_blindly(
    policy: &Policy,
    observation: &Observation,
    verdict: &Verdict,
    Change { from, to }: Change,
) -> Option<String> {
    if to >= from {
        None
    } else if !all_known(policy, observation) {
        Some(format!("from {from} to {to} shrinks on what is not known"))
    } else if doubted(verdict) {
        Some(format!("from {from} to {to} shrinks on what is in doubt"))
    } else {
        None
    }
}

/// As far towards `min` as one round's growth goes.
fn reachable(policy: &Policy, min: u32, from: u32) -> u32 {
    let step = steps(policy.scale_out, from).unwrap_or(u32::MAX);
    min.min(from.saturating_add(step))
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

/// Whether a firing of the last so many seconds opened the window: the first one after the moment
/// that lies its length ago is not after now.
fn is_open(window: &Scheduled, at: f64) -> bool {
    let moment = |seconds: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "float casts saturate")]
        let milliseconds = (seconds * 1000.0) as i64;
        let moment = Timestamp::from_millisecond(milliseconds).ok()?;
        Some(moment.to_zoned(window.timezone.clone()))
    };
    let (Some(now), Some(since)) = (moment(at), moment(at - window.open_for.0)) else {
        return false;
    };
    window
        .cron
        .find_next_occurrence(&since, false)
        .is_ok_and(|fires| fires <= now)
}

/// Whether a stage did not believe the observation.
fn doubted(verdict: &Verdict) -> bool {
    (verdict.trail.iter()).any(|step| matches!(step.reason, Reason::Doubt(_)))
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
