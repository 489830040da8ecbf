//! From a verdict to the changes that bring it about.
//!
//! Pure: the plan names each change down to the instance, so that acting leaves nothing to
//! choose. It must not judge: the size it works towards is the verdict's.

mod surplus;

use crate::leave::{self, Quiet, Quota};
use crate::model::{Action, Instances, Observation, Phase, Seconds, Verdict};
use crate::policy::{Actuate, Policy};
use crate::ports::{Change, Plan, Sighting};

/// A target that moved by no more than this part of the one in force is left alone: each change
/// makes the service replace its alarms and begin to count their periods anew.
const TARGET_TOLERANCE: f64 = 0.1;

/// An instance that has not reported within this many boot times (and two minutes at least) is
/// silent rather than booting.
const BOOT_ALLOWANCE_BOOTS: f64 = 3.0;
const BOOT_ALLOWANCE_MIN: Seconds = Seconds(120.0);

/// What to change so that the fleet becomes what the verdict says.
#[must_use = "a plan nobody carries out changes nothing"]
pub fn plan(policy: &Policy, verdict: &Verdict, sighting: &Sighting) -> Plan {
    let mut plan = Plan::new();
    if policy.actuate == Actuate::TargetTracking {
        plan.extend(retarget(verdict, sighting));
    }
    let (Some(wanted), Some(desired)) = (verdict.desired, sighting.observation.fleet.desired)
    else {
        return plan;
    };
    let sizes = Sizes { wanted, desired };
    if policy.fleet.scaler.service().is_none() {
        plan.extend(resized(policy, verdict.action, sighting, sizes));
        return plan;
    }
    let (dismissed, rest) = surplus::dismiss(policy, sighting, desired.max(wanted));
    plan.extend(dismissed);
    plan.extend(resized(policy, verdict.action, &rest, sizes));
    plan
}

fn resized(policy: &Policy, action: Action, sighting: &Sighting, sizes: Sizes) -> Plan {
    match action {
        Action::Hold => Plan::new(),
        Action::Grow => grow(policy, sizes.wanted, sizes.desired)
            .into_iter()
            .collect(),
        Action::Shrink => shrink(policy, sighting, sizes),
    }
}

#[derive(Clone, Copy)]
struct Sizes {
    wanted: Instances,
    desired: Instances,
}

/// Target tracking grows the fleet itself, but for the first instance: it works by proportion,
/// and a proportion of nothing is nothing.
fn grow(policy: &Policy, wanted: Instances, desired: Instances) -> Option<Change> {
    let ours = match policy.actuate {
        Actuate::DesiredCapacity => true,
        Actuate::TargetTracking => desired == Instances(0),
    };
    (ours && wanted > desired).then_some(Change::Resize { desired: wanted })
}

/// First gives up what was asked for and never came, then ends instances: those the group has
/// above its desired capacity without lowering it, the others lowering it one by one.
fn shrink(policy: &Policy, sighting: &Sighting, sizes: Sizes) -> Plan {
    let present = count(present_in(sighting));
    let Sizes { wanted, desired } = sizes;
    let mut plan = Plan::new();
    let kept = desired.min(present.max(wanted));
    if kept < desired {
        plan.push(Change::Resize { desired: kept });
    }
    let leaving = leave::choose(&sighting.roster, &quota(policy, sighting, wanted));
    let surplus = present.0.saturating_sub(kept.0) as usize;
    let lowering = kept.0.saturating_sub(wanted.0) as usize;
    for (nth, instance) in leaving.into_iter().take(surplus + lowering).enumerate() {
        plan.push(if nth < surplus {
            Change::Dismiss { instance }
        } else {
            Change::Release { instance }
        });
    }
    plan
}

fn quota(policy: &Policy, sighting: &Sighting, wanted: Instances) -> Quota {
    let present = present_in(sighting);
    Quota {
        spare: present.saturating_sub(wanted.0 as usize),
        forced: present.saturating_sub(policy.fleet.max.0 as usize),
        quiet: quiet(&sighting.observation),
        now: sighting.observation.at,
        boot_allowance: boot_allowance(policy, &sighting.observation),
    }
}

/// Instances that are capacity or will be.
fn present_in(sighting: &Sighting) -> usize {
    let counts = |phase| matches!(phase, Phase::Pending | Phase::InService);
    sighting
        .roster
        .iter()
        .filter(|member| counts(member.phase))
        .count()
}

fn count(instances: usize) -> Instances {
    Instances(u32::try_from(instances).unwrap_or(u32::MAX))
}

fn quiet(observation: &Observation) -> Quiet {
    let none_in_flight = observation
        .queues
        .iter()
        .all(|queue| queue.in_flight.is_some_and(|messages| messages.0 == 0));
    if none_in_flight {
        Quiet::AtRest
    } else {
        Quiet::MayBeAtWork
    }
}

fn boot_allowance(policy: &Policy, observation: &Observation) -> Seconds {
    let measured = observation
        .workers
        .and_then(|workers| workers.boot_seconds_mean);
    let boot = policy.worker.boot_time.0.max(measured.unwrap_or(0.0));
    Seconds((BOOT_ALLOWANCE_BOOTS * boot).max(BOOT_ALLOWANCE_MIN.0))
}

fn retarget(verdict: &Verdict, sighting: &Sighting) -> Option<Change> {
    let target = verdict.backlog_per_instance_target;
    if !target.is_finite() || target <= 0.0 {
        return None;
    }
    let moved = sighting
        .target_in_force
        .is_none_or(|present| (target - present).abs() > TARGET_TOLERANCE * present.abs());
    moved.then_some(Change::Retarget { target })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Messages, UnixSeconds};
    use crate::testing;

    fn verdict(action: Action, desired: u32) -> Verdict {
        Verdict {
            at: UnixSeconds(0.0),
            fleet: "thumbnails".to_owned(),
            action,
            desired: Some(Instances(desired)),
            backlog_per_instance: None,
            backlog_per_instance_target: 30.0,
            trail: Vec::new(),
        }
    }

    /// So many idle instances in service, and so many asked for.
    fn seen(idle: usize, desired: u32) -> Sighting {
        let roster = (0..idle)
            .map(|nth| testing::worker(&format!("i-{nth}"), 0))
            .collect();
        let mut sighting = testing::sighting("thumbnails", 0, roster);
        sighting.observation.fleet.desired = Some(Instances(desired));
        sighting
    }

    fn resize(desired: u32) -> Change {
        Change::Resize {
            desired: Instances(desired),
        }
    }

    fn release(id: &str) -> Change {
        Change::Release {
            instance: id.to_owned(),
        }
    }

    fn dismiss(id: &str) -> Change {
        Change::Dismiss {
            instance: id.to_owned(),
        }
    }

    #[test]
    fn plans_each_action() {
        let cases = [
            (
                "a hold changes nothing",
                Action::Hold,
                3,
                seen(3, 3),
                vec![],
            ),
            (
                "growth asks for the size",
                Action::Grow,
                5,
                seen(3, 3),
                vec![resize(5)],
            ),
            (
                "growth already asked for is not asked again",
                Action::Grow,
                5,
                seen(3, 5),
                vec![],
            ),
            (
                "shrinking ends the chosen",
                Action::Shrink,
                1,
                seen(3, 3),
                vec![release("i-0"), release("i-1")],
            ),
            (
                "capacity that never came is given back first",
                Action::Shrink,
                5,
                seen(3, 10),
                vec![resize(5)],
            ),
            (
                "then instances that are there leave",
                Action::Shrink,
                2,
                seen(3, 10),
                vec![resize(3), release("i-0")],
            ),
            (
                "what the group has above its desired capacity does not lower it",
                Action::Shrink,
                2,
                seen(5, 3),
                vec![dismiss("i-0"), dismiss("i-1"), release("i-2")],
            ),
        ];
        let policy = testing::policy("thumbnails");
        for (name, action, wanted, sighting, expected) in cases {
            let plan = plan(&policy, &verdict(action, wanted), &sighting);
            assert_eq!(plan, expected, "{name}");
        }
    }

    #[test]
    fn nothing_is_planned_on_an_unknown_size() {
        let policy = testing::policy("thumbnails");
        let mut sighting = seen(3, 3);
        sighting.observation.fleet.desired = None;
        assert_eq!(plan(&policy, &verdict(Action::Shrink, 0), &sighting), []);
        let unknown = Verdict {
            desired: None,
            ..verdict(Action::Grow, 0)
        };
        assert_eq!(plan(&policy, &unknown, &seen(3, 3)), []);
    }

    #[test]
    fn busy_instances_with_jobs_of_unknown_length_leave_only_above_the_maximum() {
        let mut policy = testing::policy("thumbnails");
        let roster = vec![testing::worker("i-busy", 3), testing::worker("i-less", 1)];
        let sighting = testing::sighting("thumbnails", 0, roster);
        let shrink = verdict(Action::Shrink, 1);
        assert_eq!(plan(&policy, &shrink, &sighting), []);
        policy.fleet.max = Instances(1);
        assert_eq!(plan(&policy, &shrink, &sighting), [release("i-less")]);
    }

    #[test]
    fn an_instance_without_a_report_leaves_only_when_nothing_is_in_flight() {
        let policy = testing::policy("thumbnails");
        let roster = vec![testing::member("i-silent", Phase::InService)];
        let mut sighting = testing::sighting("thumbnails", 0, roster);
        let shrink = verdict(Action::Shrink, 0);
        assert_eq!(plan(&policy, &shrink, &sighting), [release("i-silent")]);
        for in_flight in [Some(Messages(1)), None] {
            sighting.observation.queues[0].in_flight = in_flight;
            assert_eq!(plan(&policy, &shrink, &sighting), [], "{in_flight:?}");
        }
    }

    #[test]
    fn target_tracking_moves_the_target_only_by_more_than_a_tenth() {
        let mut policy = testing::policy("thumbnails");
        policy.actuate = Actuate::TargetTracking;
        let hold = verdict(Action::Hold, 3);
        let in_force = |target| Sighting {
            target_in_force: target,
            ..seen(3, 3)
        };
        let retarget = vec![Change::Retarget { target: 30.0 }];
        assert_eq!(plan(&policy, &hold, &in_force(None)), retarget);
        assert_eq!(plan(&policy, &hold, &in_force(Some(27.0))), retarget);
        assert_eq!(plan(&policy, &hold, &in_force(Some(28.0))), []);
        assert_eq!(plan(&policy, &hold, &in_force(Some(30.0))), []);
    }

    #[test]
    fn target_tracking_leaves_growth_to_the_service_but_for_the_first_instances() {
        let mut policy = testing::policy("thumbnails");
        policy.actuate = Actuate::TargetTracking;
        let settled = |sighting| Sighting {
            target_in_force: Some(30.0),
            ..sighting
        };
        let grow = verdict(Action::Grow, 5);
        assert_eq!(plan(&policy, &grow, &settled(seen(3, 3))), []);
        assert_eq!(plan(&policy, &grow, &settled(seen(0, 0))), [resize(5)]);
        let shrink = verdict(Action::Shrink, 2);
        assert_eq!(
            plan(&policy, &shrink, &settled(seen(3, 3))),
            [release("i-0")]
        );
    }
}
