//! The figures of a fleet that are published for dashboards, alarms and target tracking.
//!
//! Pure: from a sighting and its verdict to names and values. What is unknown is left out, so
//! that no dashboard shows a zero that nobody measured.

use crate::decide::History;
use crate::model::{Instances, Observation, Seconds, Verdict};
use crate::policy::Policy;
use crate::ports::Sighting;
use crate::reason::{Limit, Reason};

/// One published value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The metric's name.
    pub name: &'static str,
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
}

/// A figure's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things, hours of instances, and marks of 1 or 0.
    Count,
    /// Time.
    Seconds,
    /// A share of something.
    Ratio,
}

/// Name of the metric that is 1 in a round whose verdict the checker refused, else 0: a defect of
/// this program, for which the fleet was held. An alarm should watch it.
pub const VERDICT_REFUSED: &str = "VerdictRefused";
/// Name of the metric that is 1 while a newer version of a fleet's policy is refused, else 0. It
/// is published when policies are read, so that it is there where no round can be.
pub const POLICY_REFUSED: &str = "PolicyRefused";
/// Name of the metric that target tracking follows.
pub const BACKLOG_PER_INSTANCE: &str = "BacklogPerInstance";

/// The figures that are known; `history` is the one that the round hands on.
pub fn figures(
    policy: &Policy,
    sighting: &Sighting,
    verdict: &Verdict,
    history: &History,
) -> Vec<Figure> {
    let seen = &sighting.observation;
    let count = |instances: Instances| f64::from(instances.0);
    let wait = wait_estimate(policy, seen).map(|wait| wait.0);
    let late = wait.map(|wait| wait / policy.objective.start_within.0);
    let is_short = |limit: &Limit| matches!(limit, Limit::CapacityShort { .. });
    let is_budget = |limit: &Limit| matches!(limit, Limit::BudgetLimited { .. });
    #[rustfmt::skip]
    let all = [
        (BACKLOG_PER_INSTANCE, verdict.backlog_per_instance, Unit::Count),
        ("BacklogPerInstanceTarget", Some(verdict.backlog_per_instance_target), Unit::Count),
        ("Desired", seen.fleet.desired.map(count), Unit::Count),
        ("InService", seen.fleet.in_service.map(count), Unit::Count),
        ("WaitEstimateSeconds", wait, Unit::Seconds),
        ("Late", late, Unit::Ratio),
        ("OldestAgeSeconds", oldest_age(seen), Unit::Seconds),
        ("CapacityShort", Some(mark(limited(verdict, is_short))), Unit::Count),
        ("BudgetLimited", Some(mark(limited(verdict, is_budget))), Unit::Count),
        ("InstanceHoursToday", history.instance_hours(verdict.at), Unit::Count),
        (VERDICT_REFUSED, Some(mark(verdict.refused().is_some())), Unit::Count),
    ];
    let known = all.into_iter().filter_map(|(name, value, unit)| {
        let value = value.filter(|value| value.is_finite())?;
        Some(Figure { name, value, unit })
    });
    known.collect()
}

/// The figure of a policy's file when it was read.
pub fn policy_refused(is_refused: bool) -> Figure {
    Figure {
        name: POLICY_REFUSED,
        value: mark(is_refused),
        unit: Unit::Count,
    }
}

fn mark(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// Whether the size was held below what was wanted by this limit.
fn limited(verdict: &Verdict, is_it: impl Fn(&Limit) -> bool) -> bool {
    let limits = verdict.trail.iter().filter_map(|step| match &step.reason {
        Reason::Limit(limit) => Some(limit),
        _ => None,
    });
    limits.into_iter().any(is_it)
}

/// Age of the oldest message of those queues whose age is known: CloudWatch has none for a queue
/// in which nothing has happened for hours.
fn oldest_age(observation: &Observation) -> Option<f64> {
    let ages = observation
        .queues
        .iter()
        .map(|queue| queue.oldest_age_seconds);
    ages.flatten().reduce(f64::max)
}

/// How long a message that arrives now waits before it starts: what is visible, at the rate at
/// which the slots there are free themselves (Little's law). Unknown where a queue is, or where
/// there is no slot to wait for.
pub fn wait_estimate(policy: &Policy, observation: &Observation) -> Option<Seconds> {
    let mut visible = 0.0;
    for queue in &observation.queues {
        visible += queue.visible?.0 as f64;
    }
    let workers = observation.workers;
    let slots = workers
        .and_then(|workers| workers.slots)
        .or_else(|| Some(observation.fleet.in_service?.0 * policy.worker.slots))?;
    let service_seconds = workers
        .and_then(|workers| workers.service_seconds_mean)
        .unwrap_or(policy.worker.service_time.0);
    if visible == 0.0 {
        Some(Seconds(0.0))
    } else if slots == 0 {
        None
    } else {
        Some(Seconds(visible * service_seconds / f64::from(slots)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;
    use crate::decide::decide;
    use crate::model::{Action, Stage, Step, UnixSeconds};
    use crate::testing;

    fn verdict(backlog_per_instance: Option<f64>) -> Verdict {
        Verdict {
            at: testing::START,
            fleet: "thumbnails".to_owned(),
            action: Action::Hold,
            desired: Some(Instances(2)),
            backlog_per_instance,
            backlog_per_instance_target: 30.0,
            trail: Vec::new(),
        }
    }

    fn limited_by(reason: Limit) -> Verdict {
        Verdict {
            trail: vec![Step {
                step: Stage::Limit,
                reason: reason.into(),
            }],
            ..verdict(Some(40.0))
        }
    }

    fn figures_of(verdict: &Verdict) -> Vec<Figure> {
        let sighting = testing::sighting("thumbnails", 80, Vec::new());
        let policy = testing::policy("thumbnails");
        figures(&policy, &sighting, verdict, &History::default())
    }

    fn value(all: &[Figure], name: &str) -> Option<f64> {
        let figure = all.iter().find(|figure| figure.name == name);
        figure.map(|figure| figure.value)
    }

    #[test]
    fn publishes_what_is_known() {
        let policy = testing::policy("thumbnails");
        let roster = vec![testing::worker("i-1", 4), testing::worker("i-2", 4)];
        let mut sighting = testing::sighting("thumbnails", 80, roster);
        sighting.observation.queues[0].oldest_age_seconds = Some(7.0);
        let all = figures(
            &policy,
            &sighting,
            &verdict(Some(40.0)),
            &History::default(),
        );
        let named: Vec<_> = all
            .iter()
            .map(|figure| (figure.name, figure.value))
            .collect();
        assert_eq!(
            named,
            [
                ("BacklogPerInstance", 40.0),
                ("BacklogPerInstanceTarget", 30.0),
                ("Desired", 2.0),
                ("InService", 2.0),
                ("WaitEstimateSeconds", 80.0), // 80 messages of 8 s through 8 slots
                ("Late", 80.0 / 60.0),
                ("OldestAgeSeconds", 7.0),
                ("CapacityShort", 0.0),
                ("BudgetLimited", 0.0),
                ("VerdictRefused", 0.0),
            ]
        );
    }

    #[test]
    fn publishes_nothing_for_what_is_unknown() {
        let policy = testing::policy("thumbnails");
        let mut sighting = testing::sighting("thumbnails", 80, Vec::new());
        sighting.observation.fleet.desired = None;
        sighting.observation.fleet.in_service = None;
        let all = figures(&policy, &sighting, &verdict(None), &History::default());
        let names: Vec<_> = all.iter().map(|figure| figure.name).collect();
        assert_eq!(
            names,
            [
                "BacklogPerInstanceTarget",
                "CapacityShort",
                "BudgetLimited",
                "VerdictRefused"
            ]
        );
    }

    #[test]
    fn the_oldest_age_is_that_of_the_queues_whose_age_is_known() {
        let mut seen = testing::sighting("thumbnails", 80, Vec::new()).observation;
        assert_eq!(oldest_age(&seen), None);
        let known = |age| crate::model::QueueObservation {
            oldest_age_seconds: Some(age),
            ..Default::default()
        };
        seen.queues.extend([known(3.0), known(40.0), known(0.0)]);
        assert_eq!(oldest_age(&seen), Some(40.0));
    }

    #[test]
    fn each_limit_has_a_mark_of_its_own() {
        let (wanted, allowed) = (Instances(9), Instances(4));
        let short = figures_of(&limited_by(Limit::CapacityShort {
            wanted,
            allowed,
            running: Instances(2),
            outstanding: Instances(2),
            for_seconds: 300.0,
            retry_seconds: 300.0,
        }));
        let marks = |all: &[Figure]| (value(all, "CapacityShort"), value(all, "BudgetLimited"));
        assert_eq!(marks(&short), (Some(1.0), Some(0.0)));
        let budget = figures_of(&limited_by(Limit::BudgetLimited {
            wanted,
            allowed,
            used_hours: 9.0,
            budget_hours: 10.0,
        }));
        assert_eq!(marks(&budget), (Some(0.0), Some(1.0)));
        let step = figures_of(&limited_by(Limit::StepLimited { wanted, allowed }));
        assert_eq!(marks(&step), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn instance_hours_are_known_with_a_budget_and_without() {
        let roster = vec![testing::worker("i-1", 4), testing::worker("i-2", 4)];
        let sighting = testing::sighting("thumbnails", 8, roster);
        let after_an_hour = |budget| {
            let mut policy = testing::policy("thumbnails");
            policy.instance_hours_per_day = budget;
            let mut history = History::default();
            let mut seen = sighting.observation.clone();
            for minute in 0..=60 {
                seen.at = UnixSeconds(testing::START.0 + 60.0 * f64::from(minute));
                history = decide(&policy, &seen, &history).history;
            }
            history.instance_hours(seen.at)
        };
        for budget in [None, Some(100.0)] {
            let hours = after_an_hour(budget).unwrap();
            assert!(
                (hours - 2.0).abs() < 1e-9,
                "two instances for an hour with budget {budget:?}: {hours}"
            );
        }
        assert_eq!(History::default().instance_hours(testing::START), None);
    }

    #[test]
    fn a_refused_verdict_is_one_for_an_alarm_to_see() {
        let policy = testing::policy("thumbnails");
        let sighting = testing::sighting("thumbnails", 80, Vec::new());
        let mut broken = verdict(Some(40.0));
        broken.fleet = "another".to_owned();
        let checked = check(&policy, &sighting.observation, broken);
        let of = |verdict: &Verdict| value(&figures_of(verdict), VERDICT_REFUSED);
        assert_eq!(of(&checked), Some(1.0));
        assert_eq!(of(&verdict(Some(40.0))), Some(0.0));
    }

    #[test]
    fn an_empty_queue_makes_nobody_wait_even_without_workers() {
        let policy = testing::policy("thumbnails");
        let wait = |visible| {
            let sighting = testing::sighting("thumbnails", visible, Vec::new());
            wait_estimate(&policy, &sighting.observation)
        };
        assert_eq!(wait(0), Some(Seconds(0.0)));
        assert_eq!(wait(1), None);
    }
}
